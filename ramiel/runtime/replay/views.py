"""Tensors of a plan, as long as nothing says where their memory is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


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

    def on(self, memory: Tensor) -> Tensor:
        """The tensor, given the bytes of its block."""
        whole = memory[: memory.numel() // self.dtype.itemsize * self.dtype.itemsize]
        whole = whole.view(self.dtype)
        return whole.as_strided(self.shape, self.strides, whole.storage_offset() + self.offset)


def bytes_of(tensor: Tensor) -> Tensor:
    """The memory of a tensor without gaps."""
    start = int(tensor.storage_offset()) * tensor.itemsize
    storage = tensor.untyped_storage()
    return torch.empty(0, dtype=torch.uint8).set_(storage, start, (tensor.nbytes,))  # pyright: ignore
