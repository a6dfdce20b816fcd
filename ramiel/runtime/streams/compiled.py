"""Functions of a program that torch.compile makes one kernel each."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ramiel.runtime.locks import Lock


class Compiled:
    """A function of tensors on a GPU, compiled at its first call for some shapes. It is called as
    it is on the CPU, and where PyTorch's dispatcher looks at each of its operations.

    If it cannot be compiled, a warning of one line says why, and it is called as it is from then
    on.
    """

    def __init__(self, function: Callable[..., Tensor]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._compiled: Callable[..., Tensor] | None = None
        self._has_failed = False
        self._lock = Lock()

    def __call__(self, *tensors: Tensor) -> Tensor:
        if self._has_failed or not compiles(tensors):
            return self._function(*tensors)
        try:
            return self._made()(*tensors)
        except Exception as error:  # of the compiler, which has many kinds, or of an operation
            result = self._function(*tensors)
            self._give_up(error)
            return result

    def _made(self) -> Callable[..., Tensor]:
        """Other shapes get kernels of their own."""
        with self._lock:
            if self._compiled is None:
                self._compiled = torch.compile(self._function, dynamic=False, fullgraph=True)
            return self._compiled

    def _give_up(self, error: Exception) -> None:
        with self._lock:
            if self._has_failed:
                return
            self._has_failed, self._compiled = True, None
        first = (str(error) or type(error).__name__).splitlines()[0]
        warnings.warn(
            f"{self._function.__qualname__} is not compiled, but called as it is: {first}",
            RuntimeWarning,
            stacklevel=3,
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Compiled:
        return self


def compiled(function: Callable[..., Tensor]) -> Compiled:
    """Make a static method one kernel: see Compiled."""
    return Compiled(function)


def compiles(tensors: tuple[Tensor, ...]) -> bool:
    """Whether a call is one for the compiler."""
    watched = torch._C._len_torch_dispatch_stack()  # pyright: ignore
    return not watched and any(x.is_cuda for x in tensors)
