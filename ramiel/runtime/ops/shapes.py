"""Computed shapes, and operators that only move elements."""

from __future__ import annotations

import builtins
from math import prod

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ramiel.runtime.numbers import Integers, integer, integers


def shape(x: Tensor, start: int = 0, end: int | None = None) -> Tensor:
    return torch.tensor(x.shape[start:end], dtype=torch.int64)


def size(x: Tensor) -> Tensor:
    return torch.tensor(x.numel(), dtype=torch.int64)


def reshape(x: Tensor, shape: Integers, allow_zero: bool = False) -> Tensor:
    """Reshape in which a zero keeps the dimension in its place."""
    dims = integers(shape)
    if not allow_zero:
        dims = [x.shape[i] if d == 0 else d for i, d in enumerate(dims)]
    if -1 in dims and x.numel() == 0:
        # PyTorch finds -1 ambiguous where ONNX divides by the other dimensions.
        rest = prod(d for d in dims if d != -1)
        dims = [(x.numel() // rest if rest else 0) if d == -1 else d for d in dims]
    return x.reshape(dims)


def flatten(x: Tensor, axis: int) -> Tensor:
    """A matrix of the dimensions before the axis and those from it on."""
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(prod(x.shape[:axis]), prod(x.shape[axis:]))


def transpose(x: Tensor) -> Tensor:
    """The dimensions in reverse order."""
    return x.permute(*torch.arange(x.ndim - 1, -1, -1).tolist())


def squeeze(x: Tensor, axes: Integers) -> Tensor:
    return x.squeeze(tuple(integers(axes)))


def unsqueeze(x: Tensor, axes: Integers) -> Tensor:
    dims = integers(axes)
    rank = x.ndim + len(dims)
    for dim in sorted(d % rank for d in dims):
        x = x.unsqueeze(dim)
    return x


def split(x: Tensor, sizes: int | Integers, axis: int) -> tuple[Tensor, ...]:
    """Splits into parts of the given sizes, or into that many parts of one size, of which the last
    ones may be smaller or empty."""
    if isinstance(sizes, int):
        whole = x.shape[axis]
        part = -(-whole // sizes)
        counted = [max(0, min(part, whole - i * part)) for i in builtins.range(sizes)]
        return torch.split(x, counted, dim=axis)
    return torch.split(x, integers(sizes), dim=axis)


def expand(x: Tensor, shape: Integers) -> Tensor:
    """Broadcasts in both directions: a dimension of 1 in the shape keeps that of x."""
    return x.expand(np.broadcast_shapes(x.shape, integers(shape)))


def tile(x: Tensor, repeats: Integers) -> Tensor:
    return x.repeat(integers(repeats)) if x.ndim else x.clone()


def constant_of_shape(shape: Integers, value: float, *, dtype: torch.dtype) -> Tensor:
    return torch.full(integers(shape), value, dtype=dtype)


def range(start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    """The numbers from the start on, by steps of delta, before the limit; none if delta leads away
    from it."""
    first, last, step = start.item(), limit.item(), delta.item()
    # The result has the bounds' dtype, which Python's numbers would lose.
    if (last - first) * step < 0:
        return torch.empty(0, dtype=start.dtype)
    if not start.is_floating_point() and abs(step) >= 1 << 30:  # PyTorch adds it to the bounds
        steps = builtins.range(int(first), int(last), int(step))
        return torch.tensor([*steps], dtype=start.dtype)
    return torch.arange(first, last, step, dtype=start.dtype)


def eye_like(x: Tensor, k: int, dtype: torch.dtype) -> Tensor:
    rows, columns = x.shape
    return torch.ones(rows, columns).triu(k).tril(k).to(dtype)


def trilu(x: Tensor, k: int | Tensor, upper: bool) -> Tensor:
    return (torch.triu if upper else torch.tril)(x, integer(k))


def depth_to_space(x: Tensor, block: int) -> Tensor:
    """DepthToSpace in DCR order: the blocks' positions are the slower part of the channels."""
    n, c, h, w = x.shape
    y = x.reshape(n, block, block, c // block**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return y.reshape(n, c // block**2, h * block, w * block)


def space_to_depth(x: Tensor, block: int) -> Tensor:
    n, c, h, w = x.shape
    y = x.reshape(n, c, h // block, block, w // block, block).permute(0, 3, 5, 1, 2, 4)
    return y.reshape(n, c * block**2, h // block, w // block)


def pad(
    x: Tensor,
    pads: Integers,
    mode: str = "constant",
    value: float | Tensor = 0.0,
    axes: Integers | None = None,
) -> Tensor:
    """Pad on any rank, in every mode, on all or on the given axes; negative pads crop."""
    sides = integers(pads)
    half = len(sides) // 2
    dims = list(builtins.range(x.ndim)) if axes is None else [a % x.ndim for a in integers(axes)]
    if mode == "constant":
        begin, end = [0] * x.ndim, [0] * x.ndim
        for i, dim in enumerate(dims):
            begin[dim], end[dim] = sides[i], sides[half + i]
        flat = [s for pair in zip(reversed(begin), reversed(end), strict=True) for s in pair]
        fill = value.item() if isinstance(value, Tensor) else value
        return F.pad(x, flat, value=fill)
    for i, dim in enumerate(dims):
        before, after = sides[i], sides[half + i]
        start, stop = max(-before, 0), x.shape[dim] + min(after, 0)
        x = x.narrow(dim, start, stop - start)
        x = x.index_select(dim, _source(stop - start, max(before, 0), max(after, 0), mode))
    return x


def _source(length: int, begin: int, end: int, mode: str) -> Tensor:
    """Where each element of a padded dimension comes from."""
    index = torch.arange(-begin, length + end)
    if mode == "wrap":
        return index % length
    if mode == "reflect" and length > 1:
        period = 2 * (length - 1)
        index = index % period
        return torch.minimum(index, period - index)
    return index.clamp(0, length - 1)
