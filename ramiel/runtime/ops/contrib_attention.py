"""Parts of attention that PyTorch's call lacks, as ONNX Runtime's own operators define them.

Sizes: B samples, N heads, G heads of keys and values, S queries, T keys, d numbers a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def attention_mask(
    mask: Tensor | None,
    query: Tensor,
    key: Tensor,
    *,
    causal: bool = False,
    low: float = -10000.0,
    bias: Tensor | None = None,
) -> Tensor:
    """The bias to add to the scores [B, N, S, T] of a query [B, N, S, d] and a key [B, N, T, d].

    `mask` says which keys count: as 1 and 0 in [B, T] or [B, S, T], or as the number of keys of
    each sample in [B], or as that and the first key of each in [2B]. Keys that do not count get
    `low`, a number to add as in ONNX Runtime, not minus infinity. A causal mask lets the last
    query see all keys.
    """
    samples, rows, columns = query.shape[0], query.shape[-2], key.shape[-2]
    added = query.new_zeros(()) if bias is None else bias
    if mask is not None:
        counts = _counts(mask, samples, columns)
        added = added + query.new_zeros(()).masked_fill(~counts, low)
    if causal:
        later = query.new_ones((rows, columns), dtype=torch.bool).triu(columns - rows + 1)
        added = added.masked_fill(later, float("-inf"))
    return added


def _counts(mask: Tensor, samples: int, columns: int) -> Tensor:
    """Which keys count, as booleans that broadcast to [B, N, S, T]. ValueError for a mask of
    another rank than described above."""
    if mask.ndim == 1:
        place = torch.arange(columns)
        limits = mask.reshape(-1, 1, 1, 1)
        counts = place < limits[:samples]
        if len(mask) == 2 * samples:
            counts = counts & (place >= limits[samples:])
        return counts
    if mask.ndim not in (2, 3):
        raise ValueError(f"a mask of attention has 1 to 3 dimensions, not {mask.ndim}")
    return (mask[:, None, None] if mask.ndim == 2 else mask[:, None]) > 0


def rotary(
    x: Tensor,
    positions: Tensor,
    cos: Tensor,
    sin: Tensor,
    *,
    heads: int = 0,
    interleaved: bool = False,
) -> Tensor:
    """Rotates pairs of numbers by angles that depend on a position.

    x [B, N, S, d] or [B, S, N * d]; without `heads`, their number follows from the angles.
    positions [B, S], or [1], the first of consecutive ones. cos and sin [positions, r / 2] are
    for the first r of the d numbers; pairs are neighbours if interleaved, else r / 2 apart.
    """
    if x.ndim == 4:
        return _rotated(x, *_angles(positions, cos, sin, x.shape[2]), interleaved)
    depth = x.shape[-1] // heads if heads else 2 * cos.shape[-1]
    split = x.unflatten(2, (-1, depth)).transpose(1, 2)
    angles = _angles(positions, cos, sin, x.shape[1])
    return _rotated(split, *angles, interleaved).transpose(1, 2).flatten(2)


def _angles(positions: Tensor, cos: Tensor, sin: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """The cosines and sines [B, 1, S, r / 2] at the positions."""
    if positions.ndim == 1:
        positions = positions.reshape(1, 1) + torch.arange(length)
    return cos[positions].unsqueeze(1), sin[positions].unsqueeze(1)


def _rotated(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool) -> Tensor:
    size = 2 * cos.shape[-1]
    turned, rest = x[..., :size], x[..., size:]
    if interleaved:
        a, b = turned[..., 0::2], turned[..., 1::2]
        turned = torch.stack([a * cos - b * sin, b * cos + a * sin], -1).flatten(-2)
    else:
        a, b = turned.chunk(2, -1)
        turned = torch.cat([a * cos - b * sin, b * cos + a * sin], -1)
    return torch.cat([turned, rest], -1) if rest.shape[-1] else turned


def group_query_attention(
    query: Tensor,
    key: Tensor | None,
    value: Tensor | None,
    past_key: Tensor | None,
    past_value: Tensor | None,
    last: Tensor,
    total: Tensor,
    cos: Tensor | None = None,
    sin: Tensor | None = None,
    positions: Tensor | None = None,
    bias: Tensor | None = None,
    sink: Tensor | None = None,
    *,
    heads: int,
    groups: int,
    scale: float | None = None,
    causal: bool = True,
    window: int = 0,
    softcap: float = 0.0,
    interleaved: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Attention of N query heads to G key heads, with a cache: GroupQueryAttention.

    query [B, S, N * d], key and value [B, S, G * d]; without them the query holds all three.
    The caches [B, G, P, d] hold past keys and values; those of a sample end where its new ones
    are to begin, so that `last` [B] is the place of its last key. `total` is the largest number
    of keys. cos and sin rotate queries and keys by their places, or by `positions` [B, S].
    `window` limits how many keys back a query sees; softcap bounds the scores smoothly; a sink
    [N] is one more score, of a key without a value.

    Returns [B, S, N * d] and the caches with the new keys and values, [B, G, max(P, total), d].
    """
    if key is None or value is None:
        depth = query.shape[-1] // (heads + 2 * groups)
        query, key, value = query.split([heads * depth, groups * depth, groups * depth], -1)
    length = query.shape[1]
    q, k, v = (
        x.unflatten(2, (n, -1)).transpose(1, 2)
        for x, n in ((query, heads), (key, groups), (value, groups))
    )
    ends = last.reshape(-1, 1).to(torch.int64) + 1
    # A sample with fewer tokens than there are columns is padded at its end.
    starts = torch.zeros_like(ends) if past_key is None else (ends - length).clamp(min=0)
    places = starts + torch.arange(length)
    if cos is not None and sin is not None:
        angles = _angles(places if positions is None else positions, cos, sin, length)
        q, k = _rotated(q, *angles, interleaved), _rotated(k, *angles, interleaved)
    size = int(total.item())
    keys = _cached(past_key, k, starts, places, size)
    values = _cached(past_value, v, starts, places, size)
    columns = torch.arange(keys.shape[2])
    seen = columns < ends.unsqueeze(-1)
    if causal:
        seen = seen & (columns <= places.unsqueeze(-1))
    if window > 0:
        seen = seen & (columns > places.unsqueeze(-1) - window)
    added = q.new_zeros(()).masked_fill(~seen.unsqueeze(1), float("-inf"))
    if bias is not None:
        added = added + F.pad(bias, [0, keys.shape[2] - bias.shape[3]])
    if not softcap and sink is None:
        y = F.scaled_dot_product_attention(q, keys, values, added, scale=scale, enable_gqa=True)
    else:
        y = _attention(q, keys, values, added, scale, softcap, sink)
    return y.transpose(1, 2).flatten(2), keys, values


def _cached(past: Tensor | None, new: Tensor, starts: Tensor, places: Tensor, total: int) -> Tensor:
    """A cache with new rows [B, G, S, d] at their places, and zeros elsewhere."""
    before = 0 if past is None else past.shape[2]
    cache = new.new_zeros((*new.shape[:2], max(before, total), new.shape[3]))
    if past is not None:
        kept = torch.arange(before) < starts
        cache[:, :, :before] = past.masked_fill(~kept[:, None, :, None], 0)
    rows = places[:, None, :, None].expand_as(new)
    return cache.scatter_(2, rows, new)


def _attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    added: Tensor,
    scale: float | None,
    softcap: float,
    sink: Tensor | None,
) -> Tensor:
    """Attention with soft capping and sinks, which PyTorch's call lacks."""
    repeats = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(repeats, 1) for x in (k, v))
    scores = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    if softcap:
        scores = torch.tanh(scores / softcap) * softcap
    scores = scores + added
    if sink is not None:
        column = sink.to(scores.dtype).reshape(-1, 1, 1).expand(*scores.shape[:3], 1)
        scores = torch.cat([scores, column], -1)
    return torch.softmax(scores, -1)[..., : k.shape[2]] @ v
