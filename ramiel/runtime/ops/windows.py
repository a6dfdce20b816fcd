"""Pools with paddings, dilations or results that PyTorch's own pools do not have."""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor


def sliding_windows(
    x: Tensor,
    kernel: list[int],
    strides: list[int],
    dilations: list[int],
    pads: list[int],
    ceil_mode: bool,
    fill: float,
    beyond: float,
) -> Tensor:
    """The windows of x [N, C, *spatial], as a view [N, C, *output, *kernel] of a padded copy.

    `fill` stands in the paddings and `beyond` in what ceil_mode adds after them.
    """
    dims = len(kernel)
    begin, end = pads[:dims], pads[dims:]
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    counts: list[int] = []
    rest: list[int] = []
    for i in range(dims):
        room = x.shape[2 + i] + begin[i] + end[i] - spans[i]
        count = (-(-room // strides[i]) if ceil_mode else room // strides[i]) + 1
        # A window that starts in the padding at the end sees nothing of x.
        if ceil_mode and (count - 1) * strides[i] >= x.shape[2 + i] + begin[i]:
            count -= 1
        counts.append(count)
        rest.append(max(0, (count - 1) * strides[i] - room))
    y = F.pad(x, [s for i in reversed(range(dims)) for s in (begin[i], end[i])], value=fill)
    if any(rest):
        y = F.pad(y, [s for more in reversed(rest) for s in (0, more)], value=beyond)
    shape = [*y.shape[:2], *counts, *kernel]
    steps = y.stride()[2:]
    moves = [s * t for s, t in zip(steps, strides, strict=True)]
    inner = [s * d for s, d in zip(steps, dilations, strict=True)]
    return y.as_strided(shape, [*y.stride()[:2], *moves, *inner], y.storage_offset())


def same_pad(
    x: Tensor,
    kernel: list[int],
    strides: list[int],
    dilations: list[int],
    upper: bool,
    value: float = 0.0,
) -> Tensor:
    """Pads x so that a window gives ceil(size / stride) results along each dimension."""
    sides: list[int] = []
    for i in reversed(range(len(kernel))):
        length = x.shape[2 + i]
        span = dilations[i] * (kernel[i] - 1) + 1
        total = max(0, (-(-length // strides[i]) - 1) * strides[i] + span - length)
        begin = total // 2 if upper else total - total // 2
        sides += [begin, total - begin]
    return F.pad(x, sides, value=value)


def avg_pool(
    x: Tensor,
    kernel: list[int],
    strides: list[int],
    dilations: list[int],
    pads: list[int],
    include_pad: bool,
    ceil_mode: bool,
) -> Tensor:
    """AveragePool with paddings that differ or are wide, or with dilations."""
    inner = list(range(-len(kernel), 0))
    args = (kernel, strides, dilations, pads, ceil_mode)
    total = sliding_windows(x, *args, 0.0, 0.0).sum(dim=inner)
    ones = x.new_ones([1, 1, *x.shape[2:]])
    count = sliding_windows(ones, *args, float(include_pad), 0.0).sum(dim=inner)
    return total / count


def max_pool(
    x: Tensor,
    kernel: list[int],
    strides: list[int],
    dilations: list[int],
    pads: list[int],
    ceil_mode: bool,
    with_indices: bool,
    column_major: bool,
) -> Tensor | tuple[Tensor, Tensor]:
    """MaxPool of integers, with paddings that differ, or with flat indices into the whole of x."""
    low = float("-inf") if x.is_floating_point() else torch.iinfo(x.dtype).min
    windows = sliding_windows(x, kernel, strides, dilations, pads, ceil_mode, low, low)
    values, place = windows.flatten(-len(kernel)).max(dim=-1)
    if not with_indices:
        return values
    spatial = x.shape[2:]
    coordinates: list[Tensor] = []
    for i in reversed(range(len(kernel))):
        step = place % kernel[i]
        place = place // kernel[i]
        start = torch.arange(values.shape[2 + i]) * strides[i] - pads[i]
        start = start.reshape([-1] + [1] * (len(kernel) - 1 - i))
        coordinates.insert(0, start + step * dilations[i])
    order = range(len(kernel)) if not column_major else reversed(range(len(kernel)))
    index = torch.zeros_like(values, dtype=torch.int64)
    for i in order:
        index = index * spatial[i] + coordinates[i]
    plane = torch.arange(x.shape[0] * x.shape[1]).reshape(x.shape[:2] + (1,) * len(kernel))
    return values, index + plane * prod(spatial)
