"""Boxes and regions of images: non-maximum suppression and the pools of regions of interest."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ramiel.runtime.numbers import integer


def non_max_suppression(
    boxes: Tensor,
    scores: Tensor,
    most: int | Tensor = 0,
    iou_threshold: float | Tensor = 0.0,
    score_threshold: float | Tensor | None = None,
    centred: bool = False,
) -> Tensor:
    """The rows [batch, class, box] of the boxes that are kept of each class, best scores first.

    `boxes` [batch, box, 4] are two opposite corners (y, x, y, x), or if `centred`, centres and
    sizes (x, y, width, height); `scores` are [batch, class, box]. Of a class at most `most` boxes
    are kept, with scores above a threshold, none of which overlaps a better one by more than
    `iou_threshold`.
    """
    limit, overlap = integer(most), float(iou_threshold)
    picked: list[tuple[int, int, Tensor]] = []
    for batch, of_classes in enumerate(scores):
        corners = _corners(boxes[batch], centred)
        areas = _areas(corners)
        for kind, score in enumerate(of_classes):
            order = torch.sort(score, descending=True, stable=True).indices
            if score_threshold is not None:
                order = order[score[order] > float(score_threshold)]
            kept: list[Tensor] = []
            while len(order) and len(kept) < limit:
                best, order = order[0], order[1:]
                kept.append(best)
                order = order[~_overlaps(corners, areas, best, order, overlap)]
            if kept:
                picked.append((batch, kind, torch.stack(kept)))
    if not picked:
        return torch.empty(0, 3, dtype=torch.int64)
    rows = [
        torch.stack([torch.full_like(box, batch), torch.full_like(box, kind), box], dim=1)
        for batch, kind, box in picked
    ]
    return torch.cat(rows)


def _corners(boxes: Tensor, centred: bool) -> Tensor:
    """The lower corners of boxes, then the upper ones: [box, 4]."""
    one, other = boxes[:, :2], boxes[:, 2:]
    if centred:
        return torch.cat([one - other / 2, one + other / 2], dim=1)
    return torch.cat([torch.minimum(one, other), torch.maximum(one, other)], dim=1)


def _areas(corners: Tensor) -> Tensor:
    return (corners[:, 2:] - corners[:, :2]).prod(dim=1)


def _overlaps(
    corners: Tensor, areas: Tensor, one: Tensor, others: Tensor, threshold: float
) -> Tensor:
    """Whether boxes' intersection over union with one exceeds a threshold; not if empty."""
    a, b = corners[one], corners[others]
    sides = torch.minimum(a[2:], b[:, 2:]) - torch.maximum(a[:2], b[:, :2])
    shared = sides.clamp_(min=0).prod(dim=1)
    both = areas[one] + areas[others]
    ratio = shared / (both - shared)
    return (ratio > threshold) & (shared > 0)


def roi_align(
    x: Tensor,
    regions: Tensor,
    batches: Tensor,
    size: list[int],
    scale: float,
    samples: int = 0,
    half_pixel: bool = True,
    largest: bool = False,
) -> Tensor:
    """Each region (x, y, x, y) of the images x [N, C, H, W] as [C, *size]: in each of its bins
    the mean, or the largest, of `samples` x `samples` points, interpolated linearly; 0 means as
    many as there are pixels."""
    edges = regions.to(x.dtype) * scale - (0.5 if half_pixel else 0.0)
    spans = edges[:, 2:] - edges[:, :2]
    if not half_pixel:
        spans = spans.clamp(min=1.0)
    bins = spans / torch.tensor(size[::-1], dtype=x.dtype)
    result = x.new_zeros([len(regions), x.shape[1], *size])
    for i, batch in enumerate(batches.tolist()):
        counts = [samples if samples > 0 else math.ceil(b) for b in bins[i].tolist()]
        if min(counts) < 1:
            continue
        columns, rows = (
            _points(x.shape[3 - d], size[1 - d], counts[d], edges[i, d], bins[i, d])
            for d in range(2)
        )
        result[i] = _sampled(x[batch], rows, columns, size, counts[::-1], largest)
    return result


Points = tuple[Tensor, Tensor, Tensor, Tensor]


def _points(length: int, bins: int, count: int, start: Tensor, width: Tensor) -> Points:
    """Positions in a dimension of a length, `count` in each bin: the pixels before and after
    each and the weights of both, which are zero for a position outside of the image."""
    place = torch.arange(bins, dtype=start.dtype).unsqueeze(1) * width
    place = start + place + (torch.arange(count, dtype=start.dtype) + 0.5) * width / count
    inside = ((place >= -1) & (place <= length)).to(start.dtype).reshape(-1)
    place = place.reshape(-1).clamp(0, length - 1)
    low = place.long()
    after = (place - low) * inside
    return low, (low + 1).clamp(max=length - 1), inside - after, after


def _sampled(
    x: Tensor, rows: Points, columns: Points, size: list[int], counts: list[int], largest: bool
) -> Tensor:
    """The bins [C, *size] of the points of an image [C, H, W], `counts` of them in each."""
    corners = [
        x[:, rows[i].unsqueeze(1), columns[j]] * rows[2 + i].unsqueeze(1) * columns[2 + j]
        for i in range(2)
        for j in range(2)
    ]
    # ONNX's maximum is that of the four weighted pixels, not of their sum.
    value = torch.stack(corners).amax(dim=0) if largest else sum(corners)
    assert isinstance(value, Tensor)
    parts = value.reshape(-1, size[0], counts[0], size[1], counts[1])
    return parts.amax(dim=(2, 4)) if largest else parts.mean(dim=(2, 4))


def max_roi_pool(x: Tensor, regions: Tensor, size: list[int], scale: float) -> Tensor:
    """The largest value in each bin of the regions (image, x, y, x, y) of x [N, C, H, W], as
    [region, C, *size]; zero in a bin outside of the image."""
    result = x.new_zeros([len(regions), x.shape[1], *size])
    half = 0.5
    edges = torch.trunc(regions[:, 1:] * scale + torch.sign(regions[:, 1:]) * half)
    for i, (left, top, right, bottom) in enumerate(edges.long().tolist()):
        image = x[int(regions[i, 0])]
        rows = [_largest(image, 1, *part) for part in _bins(top, bottom, size[0], image.shape[1])]
        tall = torch.stack(rows, dim=1)
        columns = [_largest(tall, 2, *part) for part in _bins(left, right, size[1], image.shape[2])]
        result[i] = torch.stack(columns, dim=2)
    return result


def _bins(first: int, last: int, count: int, length: int) -> list[tuple[int, int]]:
    """Where the bins from one pixel to another, both included, begin and end."""
    width = max(last - first + 1, 1)
    return [
        (
            min(max(first + i * width // count, 0), length),
            min(max(first - (-(i + 1) * width // count), 0), length),
        )
        for i in range(count)
    ]


def _largest(x: Tensor, dim: int, begin: int, end: int) -> Tensor:
    if end <= begin:
        return torch.zeros_like(x.select(dim, 0))
    return x.narrow(dim, begin, end - begin).amax(dim=dim)
