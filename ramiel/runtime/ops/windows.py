"""Pools with paddings, dilations or results that PyTorch's own pools do not have."""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from ramiel.runtime.windows import Ints, Sides, each, padded_sides, sliding_windows


def same_pad(
    x: Tensor,
    kernel: list[int],
    strides: list[int],
    dilations: list[int],
    upper: bool,
    value: float = 0.0,
) -> Tensor:
    """Pads x [N, C, *size] so that a window gives ceil(size / stride) results along each
    dimension."""
    dims, pads = len(kernel), "SAME_UPPER" if upper else "SAME_LOWER"
    sides = padded_sides(x.shape[2:], kernel, strides, dilations, pads)
    flat = [s for i in reversed(range(dims)) for s in (sides[i], sides[dims + i])]
    return F.pad(x, flat, value=value)


def conv_transpose(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    size: list[int],
    *,
    stride: int | list[int] = 1,
    dilation: int | list[int] = 1,
    groups: int = 1,
    output_padding: int | list[int] = 0,
    upper: bool = False,
) -> Tensor:
    """ConvTranspose of x [N, C, ...] whose result has the sizes `size`, whatever those of x.

    Excess rows of the full result are cropped half at either end, the odd one at the end if
    `upper`; missing rows, at the end, are the bias alone.
    """
    dims = len(size)
    convolve = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[dims - 1]
    y = convolve(x, weight, None, stride, 0, 0, groups, dilation)
    extra = [output_padding] * dims if isinstance(output_padding, int) else output_padding
    flat: list[int] = []
    for full, wanted, more in zip(
        reversed(y.shape[2:]), reversed(size), reversed(extra), strict=True
    ):
        total = max(full + more - wanted, 0)
        begin = total // 2 if upper else total - total // 2
        flat += [-begin, wanted - (full - begin)]
    y = F.pad(y, flat)
    return y if bias is None else y + bias.reshape([-1] + [1] * dims)


def avg_pool(
    x: Tensor,
    kernel_size: list[int],
    stride: Ints = 1,
    padding: Sides = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
) -> Tensor:
    """AveragePool with paddings that differ or are wide, or with dilations."""
    inner = list(range(-len(kernel_size), 0))
    args = (kernel_size, stride, dilation, padding, ceil_mode)
    total = sliding_windows(x, *args, 0.0, 0.0).sum(dim=inner)
    ones = x.new_ones([1, 1, *x.shape[2:]])
    count = sliding_windows(ones, *args, float(count_include_pad), 0.0).sum(dim=inner)
    return total / count


def max_pool(
    x: Tensor,
    kernel_size: list[int],
    stride: Ints = 1,
    padding: Sides = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    with_indices: bool = False,
    column_major: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """MaxPool of integers, with paddings that differ, or with flat indices into the whole of x."""
    dims = len(kernel_size)
    strides, dilations = each(stride, dims), each(dilation, dims)
    low = float("-inf") if x.is_floating_point() else torch.iinfo(x.dtype).min
    sides = padded_sides(x.shape[2:], kernel_size, strides, dilations, padding)
    windows = sliding_windows(x, kernel_size, strides, dilations, sides, ceil_mode, low, low)
    values, place = windows.flatten(-dims).max(dim=-1)
    if not with_indices:
        return values
    spatial = x.shape[2:]
    coordinates: list[Tensor] = []
    for i in reversed(range(dims)):
        step = place % kernel_size[i]
        place = place // kernel_size[i]
        start = torch.arange(values.shape[2 + i]) * strides[i] - sides[i]
        start = start.reshape([-1] + [1] * (dims - 1 - i))
        coordinates.insert(0, start + step * dilations[i])
    order = range(dims) if not column_major else reversed(range(dims))
    index = torch.zeros_like(values, dtype=torch.int64)
    for i in order:
        index = index * spatial[i] + coordinates[i]
    plane = torch.arange(x.shape[0] * x.shape[1]).reshape(x.shape[:2] + (1,) * dims)
    return values, index + plane * prod(spatial)
