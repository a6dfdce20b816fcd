"""Resize in all of its modes.

Interpolation is separable: each axis is resampled by a matrix from its old length to its new
one, with a row of weights for each new position (ONNX, Resize, section on coordinate
transformations).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ramiel.runtime.numbers import integers


def resize(
    x: Tensor,
    *,
    mode: str,
    coordinates: str,
    nearest: str = "round_prefer_floor",
    cubic: float = -0.75,
    exclude_outside: bool = False,
    antialias: bool = False,
    axes: Sequence[int] | None = None,
    policy: str = "stretch",
    sizes: Sequence[int] | Tensor | None = None,
    scales: Sequence[float] | Tensor | None = None,
    roi: Tensor | None = None,
    extrapolation: float = 0.0,
) -> Tensor:
    """Resamples x to new sizes or by scales; one of the two is given."""
    dims = list(range(x.ndim)) if axes is None else [a % x.ndim for a in axes]
    lengths = [x.shape[d] for d in dims]
    if sizes is not None:
        after = integers(sizes)
        factors = [a / b if b else 1.0 for a, b in zip(after, lengths, strict=True)]
        if policy != "stretch":
            factor = (min if policy == "not_larger" else max)(factors)
            factors = [factor] * len(factors)
            after = [math.floor(factor * b + 0.5) for b in lengths]
    else:
        assert scales is not None
        factors = [float(s) for s in (scales.tolist() if isinstance(scales, Tensor) else scales)]
        after = [math.floor(b * f) for b, f in zip(lengths, factors, strict=True)]
    shape = list(x.shape)
    for dim, length in zip(dims, after, strict=True):
        shape[dim] = length
    if not x.numel() and not math.prod(shape):
        return x.new_empty(shape)
    bounds = roi.reshape(2, -1).tolist() if roi is not None and roi.numel() else None
    outside = torch.zeros(())
    exact = x.dtype == torch.float64 and mode != "nearest"
    dtype = torch.float64 if exact else torch.float32
    for i, dim in enumerate(dims):
        if after[i] == lengths[i] and factors[i] == 1 and bounds is None:
            continue
        region = (0.0, 1.0) if bounds is None else (bounds[0][i], bounds[1][i])
        place = _places(after[i], lengths[i], factors[i], coordinates, region, dtype).double()
        x = _resample(x, dim, place, factors[i], mode, nearest, cubic, exclude_outside, antialias)
        if coordinates == "tf_crop_and_resize":
            beyond = (place < 0) | (place > lengths[i] - 1)
            outside = outside + beyond.reshape([-1] + [1] * (x.ndim - 1 - dim))
    if coordinates == "tf_crop_and_resize":
        x = torch.where(outside.bool(), torch.tensor(extrapolation, dtype=x.dtype), x)
    return x


def _places(
    after: int,
    before: int,
    scale: float,
    mode: str,
    region: tuple[float, float],
    dtype: torch.dtype,
) -> Tensor:
    """The new positions in the old coordinates.

    For nearest they are float32, as in other runtimes: a scale of 0.60000002 means 0.6. float64 is
    interpolated with float64 ones.
    """
    position = torch.arange(after, dtype=dtype)
    match mode:
        case "half_pixel":
            return (position + 0.5) / scale - 0.5
        case "half_pixel_symmetric":
            adjustment = after / (scale * before)
            centre = before / 2
            return centre * (1 - adjustment) + (position + 0.5) / scale - 0.5
        case "pytorch_half_pixel":
            return (position + 0.5) / scale - 0.5 if after > 1 else position * 0
        case "align_corners":
            return position * ((before - 1) / (after - 1)) if after > 1 else position * 0
        case "asymmetric":
            return position / scale
        case "tf_crop_and_resize":
            start, end = region
            if after == 1:
                return position * 0 + 0.5 * (start + end) * (before - 1)
            return start * (before - 1) + position * (end - start) * (before - 1) / (after - 1)
        case _:
            raise ValueError(f"unknown coordinate transformation mode {mode!r}")


def _nearest(place: Tensor, mode: str, scale: float) -> Tensor:
    match mode:
        case "simple":  # before opset 11
            return torch.floor(place) if scale >= 1 else torch.ceil(place)
        case "floor":
            return torch.floor(place)
        case "ceil":
            return torch.ceil(place)
        case "round_prefer_ceil":
            return torch.floor(place + 0.5)
        case _:
            return torch.ceil(place - 0.5)


def _cubic(distance: Tensor, a: float) -> Tensor:
    d = distance.abs()
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return torch.where(d <= 1, near, torch.where(d < 2, far, torch.zeros_like(d)))


def _linear(distance: Tensor) -> Tensor:
    return (1 - distance.abs()).clamp(min=0)


def _resample(
    x: Tensor,
    dim: int,
    place: Tensor,
    scale: float,
    mode: str,
    nearest: str,
    cubic: float,
    exclude_outside: bool,
    antialias: bool,
) -> Tensor:
    length = x.shape[dim]
    if mode == "nearest":
        return x.index_select(dim, _nearest(place, nearest, scale).long().clamp(0, length - 1))
    # Shrinking with antialias widens the filter to all the positions that would be skipped.
    stretch = min(scale, 1.0) if antialias else 1.0
    reach = math.ceil((2 if mode == "cubic" else 1) / stretch)
    taps = torch.arange(-reach + 1, reach + 1, dtype=torch.float64)
    source = torch.floor(place).unsqueeze(1) + taps
    distance = (source - place.unsqueeze(1)) * stretch
    weight = _cubic(distance, cubic) if mode == "cubic" else _linear(distance)
    if exclude_outside:
        weight = weight * ((source >= 0) & (source < length))
    if exclude_outside or antialias:
        weight = weight / weight.sum(dim=1, keepdim=True)
    index = source.long().clamp(0, length - 1)
    matrix = torch.zeros(len(place), length, dtype=torch.float64)
    matrix.scatter_add_(1, index, weight)
    work = x if x.is_floating_point() else x.double()
    moved = work.movedim(dim, -1) @ matrix.to(work.dtype).T
    return moved.movedim(-1, dim).to(x.dtype).contiguous()
