"""Tensors of a plan, as long as nothing says where their memory is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True, slots=True)
class View:
    """Memory number `block` of a plan, and what part of it."""

    block: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    dtype: torch.dtype

    @property
    def end(self) -> int:
        """Where it ends, in bytes from the beginning of the memory."""
        if 0 in self.shape:
            return 0
        last = sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        return (self.offset + last + 1) * self.dtype.itemsize

    def narrow(self, dim: int, start: int, size: int) -> View:
        """A part of it along a dimension."""
        shape = (*self.shape[:dim], size, *self.shape[dim + 1 :])
        return replace(self, shape=shape, offset=self.offset + start * self.strides[dim])
