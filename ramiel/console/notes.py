"""Things that a user should know once: one line each on the standard error."""

from __future__ import annotations

import functools
import sys


@functools.cache
def note(text: str) -> None:
    """Says something, once."""
    print(f"note: {text}", file=sys.stderr)
