"""Programs that ranks open from their files, as the script that starts them does."""

from __future__ import annotations

import runpy
from pathlib import Path

from ramiel.runtime import Program, Weights


def opened(path: Path) -> Program:
    """The program of a file, with the weights beside it."""
    namespace = runpy.run_path(str(path))
    own = [c for c in namespace.values() if isinstance(c, type) and c.__module__ == "<run_path>"]
    (kind,) = (c for c in own if issubclass(c, Program))
    return kind(Weights.open(path.with_suffix(".safetensors")))  # pyright: ignore[reportCallIssue]
