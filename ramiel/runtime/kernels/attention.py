"""Attention by oneDNN: two prepared products with PyTorch's softmax between them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ramiel.runtime.kernels.activations import Activation, PostOp
from ramiel.runtime.kernels.geometry import is_ordinary, is_watched
from ramiel.runtime.kernels.onednn_primitive import Operand, matmul

_LINEAR = 0x26
_MOST = 1 << 24
"""The most elements of a score matrix to materialise; PyTorch's call needs no such matrix."""
Strides = tuple[int, ...]


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """torch.nn.functional.scaled_dot_product_attention, for f32 [batch, heads, length, d]."""
    run = None
    f32 = torch.float32
    ours = all(x.dim() == 4 and is_ordinary(x, f32) for x in (query, key, value))
    if attn_mask is not None:
        ours = ours and is_ordinary(attn_mask, f32)
    if ours and not is_watched():
        shapes = (query.shape, key.shape, value.shape)
        strides = (query.stride(), key.stride(), value.stride())
        run = _prepared(torch.get_num_threads(), shapes, strides, scale)
    if run is None:
        return F.scaled_dot_product_attention(query, key, value, attn_mask, scale=scale)
    return run(query, key, value, attn_mask)


@functools.lru_cache(maxsize=256)
def _prepared(
    threads: int, shapes: tuple[torch.Size, ...], strides: tuple[Strides, ...], scale: float | None
) -> Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor] | None:
    (b, h, rows, d), (b2, h2, columns, d2), (b3, h3, columns2, width) = shapes
    if (b, h, d) != (b2, h2, d2) or (b, h, columns) != (b3, h3, columns2):
        return None
    if min(b, h, rows, columns, d, width) < 1 or b * h * rows * columns > _MOST:
        return None
    factor = 1 / math.sqrt(d) if scale is None else scale
    scaled = Activation(lambda x: x * factor, "none", PostOp(_LINEAR, factor, 0.0))
    shape, strides_of_scores = (
        (b, h, rows, columns),
        (h * rows * columns, rows * columns, columns, 1),
    )
    # As [batch, length, heads, d], which is how it is usually read.
    result, result_strides = (b, h, rows, width), (rows * h * width, width, h * width, 1)
    scores = Operand(shape, strides_of_scores)
    q, k, v = strides
    turned = Operand((b, h, d, columns), (k[0], k[1], k[3], k[2]))
    try:
        first = matmul(Operand(shapes[0], q), turned, scores, activation=scaled)
        second = matmul(scores, Operand(shapes[2], v), Operand(result, result_strides))
    except RuntimeError:  # for strides that oneDNN does not support
        return None
    if first is None or second is None:
        return None

    def run(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        weights = torch.empty(shape, dtype=torch.float32)
        first(query, key, weights)
        if mask is not None:
            weights += mask
        weights = torch.softmax(weights, -1)
        y = torch.empty_strided(result, result_strides, dtype=torch.float32)
        second(weights, value, y)
        if mask is not None:  # as PyTorch has it: a row that may look at nothing is 0, and not NaN
            y.masked_fill_(mask.amax(-1, keepdim=True) == -math.inf, 0.0)
        return y

    return run
