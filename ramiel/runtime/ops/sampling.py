"""Images read between their pixels: grids of any rank, and convolutions with offsets."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ramiel.runtime.numbers import integers
from ramiel.runtime.windows import Ints, each

_A = -0.75
"""The parameter of the cubic convolution."""


def affine_grid(theta: Tensor, size: Tensor, align_corners: bool) -> Tensor:
    """The positions [N, *output, dims] that the matrices theta [N, dims, dims + 1] map those of
    images of a size (N, C, *output) to."""
    return torch.nn.functional.affine_grid(theta, integers(size), align_corners)


def grid_sample_cubic(x: Tensor, grid: Tensor, padding: str, align_corners: bool) -> Tensor:
    """GridSample by cubic convolution in any number of dimensions: x [N, C, *size] at the
    positions of grid [N, *output, dims], whose last dimension begins with that of x."""
    dims = x.ndim - 2
    points = grid.shape[1:-1]
    places = grid.reshape(len(grid), -1, dims).flip(-1).unbind(-1)
    taps: list[list[tuple[Tensor, Tensor]]] = []
    for length, place in zip(x.shape[2:], places, strict=True):
        at = (place + 1) / 2 * (length - 1) if align_corners else ((place + 1) * length - 1) / 2
        # The neighbours of a position are those of its reflection, or of its nearest in the image.
        at = _inside(at, length, padding, align_corners)
        low = torch.floor(at)
        taps.append(
            [
                (_inside(low + i, length, padding, align_corners), _cubic(at - low - i))
                for i in range(-1, 3)
            ]
        )
    return _read(x, taps).reshape([*x.shape[:2], *points])


def _read(x: Tensor, taps: Sequence[Sequence[tuple[Tensor, Tensor]]]) -> Tensor:
    """The sums [N, C, P] of pixels of x [N, C, *size] at P points. `taps` has for each dimension
    the positions [N, P] and the weights of what is summed; outside of x are zeros."""
    flat = x.flatten(2)
    terms: list[Tensor] = []
    for corner in itertools.product(*taps):
        index = torch.zeros_like(corner[0][0], dtype=torch.int64)
        weight = torch.ones_like(corner[0][1])
        for (place, share), length in zip(corner, x.shape[2:], strict=True):
            weight = weight * share * ((place >= 0) & (place <= length - 1))
            index = index * length + place.clamp(0, length - 1).to(torch.int64)
        pixels = flat.gather(2, index.unsqueeze(1).expand(-1, x.shape[1], -1))
        terms.append(pixels.mul_(weight.unsqueeze(1)))
    return functools.reduce(Tensor.add_, terms)


def _inside(at: Tensor, length: int, padding: str, align_corners: bool) -> Tensor:
    """Positions clamped or reflected into a dimension of a length; with zero padding, as given."""
    if padding == "zeros":
        return at
    low, high = (0.0, length - 1.0) if align_corners else (-0.5, length - 0.5)
    if padding == "border":
        brought = at.clamp(0, length - 1)
    elif low == high:
        return torch.zeros_like(at)
    else:
        away = (at - low).abs() % (2 * (high - low))
        brought = torch.minimum(away, 2 * (high - low) - away) + low
    return torch.where((at < low) | (at > high), brought, at)


def _cubic(distance: Tensor) -> Tensor:
    d = distance.abs()
    near = ((_A + 2) * d - (_A + 3)) * d * d + 1
    far = ((_A * d - 5 * _A) * d + 8 * _A) * d - 4 * _A
    return torch.where(d <= 1, near, far)


def deform_conv(
    x: Tensor,
    weight: Tensor,
    offset: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    stride: Ints = 1,
    padding: Ints = 0,
    dilation: Ints = 1,
    groups: int = 1,
    offset_groups: int = 1,
) -> Tensor:
    """A convolution of x [N, C, *size] by weight [K, C / groups, *kernel] that reads each point of
    its window at an offset, linearly interpolated and multiplied by a mask.

    `offset` is [N, offset_groups * kernel * dims, *output] in pixels, `mask` is [N, offset_groups
    * kernel, *output].
    """
    dtype = x.dtype
    if dtype in (torch.float16, torch.bfloat16):
        x, weight, offset = x.float(), weight.float(), offset.float()
    dims, kernel, output = x.ndim - 2, list(weight.shape[2:]), list(offset.shape[2:])
    count, batch = math.prod(kernel), x.shape[0]
    strides, pads, dilations = (each(value, dims) for value in (stride, padding, dilation))
    moved = offset.reshape(batch * offset_groups, count, dims, *output)
    taps = torch.cartesian_prod(*(torch.arange(k) for k in kernel)).reshape(count, dims)
    places: list[list[tuple[Tensor, Tensor]]] = []
    for d in range(dims):
        shape = [-1 if i == d else 1 for i in range(dims)]
        start = torch.arange(output[d]).reshape(shape) * strides[d] - pads[d]
        tap = (taps[:, d] * dilations[d]).reshape([count] + [1] * dims)
        place = (moved[:, :, d] + (start + tap)).flatten(1)
        low = torch.floor(place)
        places.append([(low, low + 1 - place), (low + 1, place - low)])
    read = _read(x.reshape(batch * offset_groups, -1, *x.shape[2:]), places)
    columns = read.reshape(batch, offset_groups, -1, count, *output)
    if mask is not None:
        columns = columns * mask.reshape(batch, offset_groups, 1, count, *output)
    columns = columns.reshape(batch, groups, -1, math.prod(output))
    kernels = weight.reshape(groups, weight.shape[0] // groups, -1)
    y = (kernels @ columns).reshape(batch, -1, *output)
    if bias is not None:
        y = y + bias.reshape([-1] + [1] * dims)
    return y.to(dtype)
