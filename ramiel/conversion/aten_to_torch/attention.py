"""Attention and embeddings."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import Float32Type
from xdsl.ir import SSAValue

from ramiel.conversion.aten_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.types import element_of

_LARGEST_MASK = 1 << 20
"""The elements of a causal mask that is made a constant: kernels that are replayed take masks."""


_ATTENTION = "F.scaled_dot_product_attention"


@lowers("_scaled_dot_product_flash_attention_for_cpu.default")
def attention(n: Node) -> Lowered:
    dropout, causal = n.arg(3, 0.0), n.arg(4, False)
    if dropout or not n.one_result:
        return None
    options = dict(n.kwargs)
    q, k, v = (n.value(i) for i in range(3))
    if causal:
        rows, keys = n.shape(q)[-2], n.shape(k)[-2]
        if rows * keys <= _LARGEST_MASK and element_of(q.type) == Float32Type():
            mask = np.triu(np.full((rows, keys), -np.inf, np.float32), 1)
            options["attn_mask"] = n.tensor(mask, "causal_mask")
        else:
            options["is_causal"] = True
    if n.shape(q)[1] != n.shape(k)[1]:
        return _grouped(n, options)
    return n.call(_ATTENTION, q, k, v, **options)


def _grouped(n: Node, options: dict[str, object]) -> SSAValue:
    """Attention of which several heads have the same keys: these are one head with the rows of all,
    where the mask is the same for all heads."""
    q, k, v = (n.value(i) for i in range(3))
    (batch, heads, rows, depth), groups = n.shape(q), n.shape(k)[1]
    mask = options.get("attn_mask")
    shape = n.shape(mask) if isinstance(mask, SSAValue) else (1, 1, 1)
    if options.get("is_causal") or shape[-3:-2] not in ((), (1,)):
        return n.call(_ATTENTION, q, k, v, **options, enable_gqa=True)
    if isinstance(mask, SSAValue) and shape[-2] != 1:
        size = [*shape[:-2], heads // groups * rows, shape[-1]]
        masks = [mask] * (heads // groups)
        options["attn_mask"] = n.call("torch.cat", masks, dim=-2, type=n.like(mask, size))
    together = (batch, groups, heads // groups * rows)
    q = n.reshaped(q, (*together, depth))
    type = n.like(q, [*together, n.result[-1]])
    return n.reshaped(n.call(_ATTENTION, q, k, v, type=type, **options), n.result)


@lowers("embedding.default")
def embedding(n: Node) -> Lowered:
    weights = n.weights(weight=0)
    return None if weights is None else n.layer("Embedding", n.value(1), weights)
