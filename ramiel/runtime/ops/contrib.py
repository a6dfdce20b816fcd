"""Small operators of ONNX Runtime's own, other than attention."""

from __future__ import annotations

import torch
from torch import Tensor

from ramiel.runtime.numbers import Integers, integers


def simplified_layer_norm(x: Tensor, scale: Tensor, axis: int, eps: float) -> Tensor:
    """x over the root of its mean square over the dimensions from the axis on, times a scale."""
    dims = list(range(axis % x.ndim, x.ndim))
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    inverse = torch.rsqrt(wide.square().mean(dim=dims, keepdim=True) + eps)
    return (wide * inverse).to(x.dtype) * scale


def first_rows(table: Tensor, ids: Tensor) -> Tensor:
    """The first S rows of a table: the position embeddings of ids [B, S]."""
    return table[: ids.shape[1]]


def mask_lengths(ids: Tensor, mask: Tensor | None) -> Tensor:
    """How many ones each row of a mask [B, S] has, as int32 [B]; zeros without a mask."""
    if mask is None:
        return torch.zeros(len(ids), dtype=torch.int32)
    return (mask == 1).sum(1, dtype=torch.int32)


def unique_in_order(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The values of x [n] by their first occurrence, where in them each element is, and how often
    each occurs."""
    values, places, counts = torch.unique(x, return_inverse=True, return_counts=True)
    first = torch.full_like(counts, len(x))
    first = first.scatter_reduce(0, places, torch.arange(len(x)), "amin")
    order = torch.argsort(first)
    return values[order], torch.argsort(order)[places], counts[order]


def crop_and_resize(
    x: Tensor,
    boxes: Tensor,
    samples: Tensor,
    size: Integers,
    *,
    mode: str = "bilinear",
    outside: float = 0.0,
) -> Tensor:
    """Regions of x [B, C, H, W] resampled to one size: [boxes, C, height, width].

    boxes [boxes, 4] are (y1, x1, y2, x2) as fractions of H - 1 and W - 1, `samples` says which
    sample each is of. Points outside of the sample have the value `outside`.
    """
    sides = integers(size)
    lengths = x.shape[2:]
    places = [
        _along(boxes[:, i], boxes[:, i + 2], after, before)
        for i, (after, before) in enumerate(zip(sides, lengths, strict=True))
    ]
    inside = [(p >= 0) & (p <= length - 1) for p, length in zip(places, lengths, strict=True)]
    images = x[samples.to(torch.int64)]
    for dim, (place, length) in enumerate(zip(places, lengths, strict=True), 2):
        images = _resampled(images, dim, place.clamp(0, length - 1), mode)
    kept = inside[0].unsqueeze(2) & inside[1].unsqueeze(1)
    return images.masked_fill(~kept.unsqueeze(1), outside)


def _along(start: Tensor, end: Tensor, after: int, before: int) -> Tensor:
    """The new positions in the old coordinates, [boxes, after]."""
    start, end = start.unsqueeze(1), end.unsqueeze(1)
    if after == 1:
        return 0.5 * (start + end) * (before - 1)
    step = (end - start) * (before - 1) / (after - 1)
    return start * (before - 1) + torch.arange(after) * step


def _resampled(x: Tensor, dim: int, place: Tensor, mode: str) -> Tensor:
    """x [boxes, C, H, W] at the places [boxes, n] along a dimension."""
    shape = [len(x), 1, 1, 1]
    shape[dim] = place.shape[1]
    sizes = [*x.shape]
    sizes[dim] = place.shape[1]

    def at(index: Tensor) -> Tensor:
        return torch.gather(x, dim, index.to(torch.int64).reshape(shape).expand(sizes))

    if mode == "nearest":
        return at(torch.floor(place + 0.5))
    low = torch.floor(place)
    part = (place - low).reshape(shape)
    below = at(low)
    return below + (at(torch.ceil(place)) - below) * part
