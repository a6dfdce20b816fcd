"""PyTorch's library of operators, for functions of it that Python has no name for."""

from __future__ import annotations

import ctypes
import functools
import os
from pathlib import Path

import torch


@functools.cache
def libtorch() -> ctypes.CDLL | None:
    """The loaded library, if that is how PyTorch was built."""
    path = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    try:
        return ctypes.CDLL(str(path), os.RTLD_NOLOAD | os.RTLD_LAZY)
    except (OSError, AttributeError):  # AttributeError: Windows has no RTLD_NOLOAD
        return None
