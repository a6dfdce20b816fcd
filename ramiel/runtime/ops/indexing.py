"""Gathers, scatters and slices. Negative indices count from the end, as in ONNX."""

from __future__ import annotations

import builtins

import torch
from torch import Tensor

from ramiel.runtime.numbers import Integers, integers

_REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _wrapped(indices: Tensor, length: int) -> Tensor:
    indices = indices.to(torch.int64)
    return torch.where(indices < 0, indices + length, indices)


def gather(x: Tensor, indices: Tensor, axis: int) -> Tensor:
    """Takes whole slices of x along an axis: the indices' shape replaces the axis."""
    axis = axis % x.ndim
    flat = _wrapped(indices, x.shape[axis]).reshape(-1)
    shape = [*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]]
    return x.index_select(axis, flat).reshape(shape)


def gather_elements(x: Tensor, indices: Tensor, axis: int) -> Tensor:
    return torch.gather(x, axis, _wrapped(indices, x.shape[axis]))


def gather_nd(x: Tensor, indices: Tensor, batch_dims: int) -> Tensor:
    """Takes slices of x at the index tuples in the last dimension of `indices`."""
    batch = [
        torch.arange(n).reshape([-1] + [1] * (indices.ndim - 2 - i))
        for i, n in enumerate(x.shape[:batch_dims])
    ]
    columns = indices.unbind(-1)
    lengths = x.shape[batch_dims:]
    index = [_wrapped(c, n) for c, n in zip(columns, lengths, strict=False)]
    return x[(*batch, *index)]


def scatter_elements(
    x: Tensor, indices: Tensor, updates: Tensor, axis: int, reduction: str
) -> Tensor:
    index = _wrapped(indices, x.shape[axis])
    if reduction == "none":
        return torch.scatter(x, axis, index, updates)
    return torch.scatter_reduce(x, axis, index, updates, _REDUCTIONS[reduction])


def scatter_nd(x: Tensor, indices: Tensor, updates: Tensor, reduction: str) -> Tensor:
    """A copy of x in which the slices at the index tuples are replaced, or combined."""
    depth = indices.shape[-1]
    columns = [_wrapped(c, n) for c, n in zip(indices.unbind(-1), x.shape, strict=False)]
    if reduction in ("none", "add"):
        return x.index_put(tuple(columns), updates, accumulate=reduction == "add")
    flat = torch.zeros_like(columns[0])
    for column, length in zip(columns, x.shape, strict=False):
        flat = flat * length + column
    table = x.reshape(-1, *x.shape[depth:])
    rows = updates.reshape(-1, *x.shape[depth:])
    places = flat.reshape([-1] + [1] * (rows.ndim - 1)).expand_as(rows)
    return table.scatter_reduce(0, places, rows, _REDUCTIONS[reduction]).reshape(x.shape)


def non_zero(x: Tensor) -> Tensor:
    """The indices of the elements that are not zero, one row for each dimension."""
    return torch.nonzero(x).T.contiguous() if x.ndim else torch.nonzero(x.reshape(1)).T[:0]


def one_hot(indices: Tensor, depth: Tensor, values: Tensor, axis: int) -> Tensor:
    """`values` holds the off and the on value; an index out of range is off everywhere."""
    count = int(depth.item())
    place = _wrapped(indices, count).unsqueeze(axis)
    axis = axis % place.ndim
    positions = torch.arange(count).reshape([-1] + [1] * (place.ndim - 1 - axis))
    return torch.where(place == positions, values[1], values[0])


def slice(
    x: Tensor,
    starts: Integers,
    ends: Integers,
    axes: Integers | None = None,
    steps: Integers | None = None,
) -> Tensor:
    """Slices with computed bounds, or with negative steps.

    Bounds and steps may be any integers. A backward slice that starts before the first element
    starts at it, as in ONNX's specification and ONNX Runtime; Python's is empty.
    """
    first, last = integers(starts), integers(ends)
    dims = list(range(len(first))) if axes is None else integers(axes)
    strides = [1] * len(first) if steps is None else integers(steps)
    for start, end, dim, step in zip(first, last, dims, strides, strict=True):
        length = x.shape[dim]
        # A longer step takes one element, too, but overflows where PyTorch adds it to a bound.
        step = max(-length - 1, min(step, length + 1))
        if step > 0:
            bounds = builtins.slice(start, end, step).indices(length)
            where = [builtins.slice(None)] * (dim % x.ndim)
            x = x[(*where, builtins.slice(*bounds))]
        else:
            bounds = builtins.slice(max(start, -length), end, step).indices(length)
            x = x.index_select(dim, torch.arange(*bounds) if bounds[0] > bounds[1] else _NONE)
    return x


_NONE = torch.empty(0, dtype=torch.int64)
