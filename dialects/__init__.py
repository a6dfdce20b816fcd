"""The three dialects, one for each level of IR.

The folder is at the top of the repository and is imported as `ramiel.dialects`.
Imported under any other name, every operation class would exist twice, and
`isinstance` would fail far from the cause, so that is refused here.
"""

if __name__ != "ramiel.dialects":
    raise ImportError(f"import this package as ramiel.dialects, not as {__name__}")
