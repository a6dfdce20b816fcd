"""Attention and embeddings."""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import Float32Type

from ramiel.conversion.aten_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.types import element_of

_LARGEST_MASK = 1 << 20
"""The elements of a causal mask that is made a constant: kernels that are replayed take masks."""


@lowers("_scaled_dot_product_flash_attention_for_cpu.default")
def attention(n: Node) -> Lowered:
    dropout, causal = n.arg(3, 0.0), n.arg(4, False)
    if dropout or not n.one_result:
        return None
    options = dict(n.kwargs)
    if causal:
        rows, keys = n.shape(n.x)[-2], n.shape(n.value(1))[-2]
        if rows * keys <= _LARGEST_MASK and element_of(n.x.type) == Float32Type():
            mask = np.triu(np.full((rows, keys), -np.inf, np.float32), 1)
            options["attn_mask"] = n.tensor(mask, "causal_mask")
        else:
            options["is_causal"] = True
    return n.call("F.scaled_dot_product_attention", n.x, n.value(1), n.value(2), **options)


@lowers("embedding.default")
def embedding(n: Node) -> Lowered:
    weights = n.weights(weight=0)
    return None if weights is None else n.layer("Embedding", n.value(1), weights)
