"""Ramiel: ONNX models compiled to readable, parallel PyTorch programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ramiel.execution.openmp import spin_briefly
from ramiel.version import __version__

if TYPE_CHECKING:
    from ramiel.api import compile

__all__ = ["__version__", "compile"]

spin_briefly()


def __getattr__(name: str) -> object:
    # `import ramiel.dialects` must not cost the import of torch.
    if name == "compile":
        from ramiel import api

        return api.compile
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
