"""What a kernel is made for: an operator, its weights, and the shape of its input."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch._C import _is_tracing, _len_torch_dispatch_stack  # pyright: ignore
from torch._C._functorch import peek_interpreter_stack

from ramiel.runtime.kernels.activations import Activation
from ramiel.runtime.replay.tape import here

Kernel = Callable[[Tensor, Tensor | None], Tensor]
"""Maps the input, and a tensor to add before the activation, to the result."""

Packed = dict[object, Any]
"""What providers derive from a layer's weights alone, by keys of their own. The layer keeps it
until its weights change, so that kernels for several shapes share it."""


@dataclass(frozen=True)
class Convolution:
    """A convolution over two dimensions. `source` is the input's shape [N, in, H, W], the
    weight is [out, in / groups, kh, kw], the bias [out]; all pairs are (height, width).
    `adds` says whether something is added before the activation."""

    source: tuple[int, ...]
    weight: Tensor
    bias: Tensor | None
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    activation: Activation | None
    adds: bool
    packed: Packed = field(default_factory=Packed)

    @property
    def kernel(self) -> tuple[int, int]:
        height, width = self.weight.shape[2:]
        return height, width

    @property
    def result(self) -> tuple[int, int, int, int]:
        """The shape of the result."""
        height, width = (
            (size + 2 * p - d * (k - 1) - 1) // s + 1
            for size, k, s, p, d in zip(
                self.source[2:], self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )
        return self.source[0], self.weight.shape[0], height, width


@dataclass(frozen=True)
class Product:
    """A linear layer on `rows` rows: weight [out, in], bias [out]."""

    rows: int
    weight: Tensor
    bias: Tensor | None
    activation: Activation | None
    adds: bool
    packed: Packed = field(default_factory=Packed)


@dataclass(frozen=True)
class Pool:
    """A pool over two dimensions. `kind` is `max`, `average` (of what is not padding) or
    `average with padding`; `ceil` is PyTorch's ceil_mode."""

    kind: str
    source: tuple[int, ...]
    dtype: torch.dtype
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    ceil: bool

    @property
    def result(self) -> tuple[int, int, int, int]:
        """The shape of the result."""
        height, width = (self._size(axis) for axis in (0, 1))
        return self.source[0], self.source[1], height, width

    @property
    def padding_after(self) -> tuple[int, int]:
        """The padding at the ends, so that the last window is full; may be negative."""
        height, width = (
            (self._size(axis) - 1) * self.stride[axis]
            + self.dilation[axis] * (self.kernel[axis] - 1)
            + 1
            - self.source[2 + axis]
            - self.padding[axis]
            for axis in (0, 1)
        )
        return height, width

    def _size(self, axis: int) -> int:
        size, pad, step = self.source[2 + axis], self.padding[axis], self.stride[axis]
        room = size + 2 * pad - self.dilation[axis] * (self.kernel[axis] - 1) - 1
        count = (-(-room // step) if self.ceil else room // step) + 1
        # A window that starts in the padding at the end does not count.
        return count - 1 if self.ceil and (count - 1) * step >= size + pad else count


def is_ordinary(x: Tensor, dtype: torch.dtype) -> bool:
    """Whether a kernel can take a tensor: on the CPU, and without a gradient."""
    return type(x) is Tensor and x.dtype is dtype and x.is_cpu and not x.requires_grad


def is_watched() -> bool:
    """Whether PyTorch records or transforms calls (jit.trace, a dispatch mode, vmap), which it
    could not see in a kernel. A tape sees kernels."""
    modes = _len_torch_dispatch_stack() - (here.tape is not None)
    return _is_tracing() or modes > 0 or bool(peek_interpreter_stack())


def is_finite(x: Tensor) -> bool:
    """Whether a tensor has neither NaN nor infinities. May be False for very large numbers."""
    if (tape := here.tape) is not None:
        return tape.finite(x, is_finite)
    return math.isfinite(x.sum().item())


def channels_last(x: Tensor) -> Tensor:
    """A tensor [N, C, H, W] whose channels lie side by side; itself if they do already."""
    return x.contiguous(memory_format=torch.channels_last)


def told_apart(x: Tensor) -> Tensor:
    """A tensor [N, C, H, W]; a dense one of one channel with the strides of a contiguous one.

    With those of channels_last, which describe the same memory, PyTorch 2.13's convolutions by
    steps of (1, 2) read the wrong elements.
    """
    if x.dim() != 4 or x.shape[1] > 1 or not x.is_contiguous():
        return x
    _, _, height, width = x.shape
    return x.as_strided(x.shape, (height * width, height * width, width, 1), x.storage_offset())


def channels_last_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a dense tensor [N, C, H, W] in the order N, H, W, C."""
    _, channels, height, width = shape
    return height * width * channels, 1, width * channels, channels
