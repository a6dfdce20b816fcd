"""Sliding windows over tensors, and their paddings."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

Sides = list[int] | int | str
"""Paddings: 0, or at the beginnings, then at the ends of all dimensions; or SAME_UPPER or
SAME_LOWER, so that there are ceil(size / stride) windows, with the odd one at the end or at the
beginning."""


Ints = int | list[int]
"""One number for all dimensions, or one for each."""


def each(value: Ints, dims: int) -> list[int]:
    return [value] * dims if isinstance(value, int) else value


def sliding_windows(
    x: Tensor,
    kernel: list[int],
    stride: Ints,
    dilation: Ints,
    pads: Sides,
    ceil_mode: bool,
    fill: float,
    beyond: float,
) -> Tensor:
    """The windows of x [N, C, *spatial], as a view [N, C, *output, *kernel] of a padded copy.

    `fill` is the value of the padding and `beyond` that of what ceil_mode adds after it.
    """
    dims = len(kernel)
    strides, dilations = each(stride, dims), each(dilation, dims)
    sides = padded_sides(x.shape[2:], kernel, strides, dilations, pads)
    begin, end = sides[:dims], sides[dims:]
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


def padded_sides(
    size: Sequence[int], kernel: list[int], stride: Ints, dilation: Ints, pads: Sides
) -> list[int]:
    """The paddings of dimensions of these sizes at the beginnings, then at the ends."""
    dims = len(kernel)
    if not isinstance(pads, str):
        return each(pads, 2 * dims)
    strides, dilations = each(stride, dims), each(dilation, dims)
    begin: list[int] = []
    end: list[int] = []
    for length, k, s, d in zip(size, kernel, strides, dilations, strict=True):
        total = max(0, (-(-length // s) - 1) * s + d * (k - 1) + 1 - length)
        begin.append(total // 2 if pads == "SAME_UPPER" else total - total // 2)
        end.append(total - begin[-1])
    return begin + end
