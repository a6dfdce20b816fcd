"""What a source distribution has of the native part."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
STRESS = "native/stress.cpp"
"""A test of the others, which only `make sanitize` builds."""


def test_every_file_is_listed() -> None:
    """pip leaves out what is not: a build from the distribution then fails, and programs run in
    Python."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (extension,) = settings["tool"]["setuptools"]["ext-modules"]
    files = {file.relative_to(ROOT).as_posix() for file in (ROOT / "native").iterdir()}
    assert {*extension["sources"], *extension["depends"]} == files - {STRESS}
