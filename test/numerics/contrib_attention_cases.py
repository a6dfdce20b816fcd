"""Cases of ONNX Runtime's own attention operators."""

from typing import Any

import numpy as np
from one_node import Case, Input, Random, case, f32, scalar

HEADS = {"num_heads": 2}


def _ms(op: str, *inputs: Input, **options: Any) -> Case:
    return case(f"com.microsoft::{op}", *inputs, opset=17, **options)


def i32(*values: Any) -> np.ndarray[Any, Any]:
    return np.array(values, np.int32)


# --- Attention: 2 samples, 3 tokens, 2 heads of 4 -----------------------------------------

X, W, B = f32(2, 3, 8), f32(8, 24), f32(24)
PAST = f32(2, 2, 2, 5, 4)
KEPT = i32([1, 1, 0], [1, 0, 1])
MASKS = [KEPT, i32(2, 3), i32(2, 3, 1, 0), i32([[1, 0, 0], [1, 1, 0], [1, 1, 1]], [[1, 1, 1]] * 3)]
ATTENTION = [
    *(_ms("Attention", X, W, B, const=c, **HEADS) for c in ((), (1, 2))),
    _ms("Attention", X, W, B, const=(1, 2), unidirectional=1, outputs=2, **HEADS),
    _ms("Attention", X, W, B, const=(1, 2), scale=0.3, num_heads=4),
    _ms("Attention", X, f32(8, 22), f32(22), qkv_hidden_sizes=[8, 8, 6], **HEADS),
    *(_ms("Attention", X, W, B, m, const=(1, 2), **HEADS) for m in MASKS),
    *(_ms("Attention", X, W, B, m, unidirectional=1, **HEADS) for m in MASKS[:2]),
    _ms("Attention", X, W, B, KEPT, mask_filter_value=-1.0, unidirectional=1, **HEADS),
    *(_ms("Attention", X, W, B, None, PAST, outputs=2, unidirectional=u, **HEADS) for u in (0, 1)),
    _ms("Attention", X, W, B, i32([1] * 8, [0] * 4 + [1] * 4), PAST, outputs=2, **HEADS),
    *(_ms("Attention", X, W, B, None, None, f32(*s, 3, 3), **HEADS) for s in ((2, 2), (1, 2))),
    _ms("Attention", X, W, B, KEPT, None, f32(1, 1, 3, 3), unidirectional=1, **HEADS),
    _ms("Attention", X, W, B, None, None, f32(1, 1, 3, 3), unidirectional=1, **HEADS),
]

# --- QAttention: the same, quantised -------------------------------------------------------

BYTES = Random((2, 3, 8), "uint8", 0, 256)
BY = (scalar(0.01), scalar(0.02))
QUANTIZED = [
    *(
        _ms("QAttention", BYTES, w, B, *BY, const=c, **HEADS)
        for w in (Random((8, 24), "int8", -128, 128), Random((8, 24), "uint8", 0, 256))
        for c in ((), (1, 2, 3, 4))
    ),
    *(
        _ms("QAttention", BYTES, Random((8, 24), t, *r), B, *BY, *more, outputs=o, **HEADS, **a)
        for t, r, zero in (("int8", (-128, 128), -3), ("uint8", (0, 256), 120))
        for zeros in [(scalar(128, "uint8"), scalar(zero, t))]
        for more, o, a in (
            ((None, *zeros), 1, {}),
            ((KEPT, *zeros), 1, {}),
            ((None, *zeros), 1, {"unidirectional": 1}),
            ((None, *zeros, PAST), 2, {"unidirectional": 1}),
        )
    ),
    _ms(
        "QAttention",
        BYTES,
        Random((8, 24), "int8", -128, 128),
        B,
        BY[0],
        f32(24, low=0.01, high=0.03),
        **HEADS,
    ),
]

# --- MultiHeadAttention: 3 queries, 5 keys -------------------------------------------------

K, V, BIAS = f32(2, 5, 8), f32(2, 5, 8), f32(24)
PAST_K = f32(2, 2, 4, 4)
MULTI_HEAD = [
    _ms("MultiHeadAttention", X, K, V, outputs=3, **HEADS),
    _ms("MultiHeadAttention", X, K, f32(2, 5, 6), f32(22), outputs=3, const=(3,), **HEADS),
    *(_ms("MultiHeadAttention", X, K, V, BIAS, const=c, **HEADS) for c in ((), (3,))),
    *(
        _ms("MultiHeadAttention", X, f32(2, 2, 5, 4), f32(2, 2, 5, 4), b, outputs=o, **HEADS)
        for b, o in ((None, 3), (BIAS, 1))
    ),
    *(
        _ms("MultiHeadAttention", X, K, V, None, m, **HEADS)
        for m in (
            i32([1, 1, 0, 0, 1], [0, 1, 1, 1, 0]),
            i32(2, 4),
            np.tri(3, 5, 1, np.int32) + i32([[0]], [[0]]),
        )
    ),
    *(
        _ms("MultiHeadAttention", X, K, V, None, None, f32(*s, 3, 5), **HEADS)
        for s in ((2, 1), (1, 2))
    ),
    _ms("MultiHeadAttention", X, K, V, None, None, None, PAST_K, PAST_K, outputs=3, **HEADS),
    _ms("MultiHeadAttention", X, X, X, unidirectional=1, **HEADS),
    _ms(
        *("MultiHeadAttention", X, X, X, BIAS, None, None, PAST_K, PAST_K),
        **{"outputs": 3, "unidirectional": 1, "scale": 0.7, "const": (3,), **HEADS},
    ),
]

# --- RotaryEmbedding -----------------------------------------------------------------------

COS, SIN = f32(16, 2), f32(16, 2)
PLACES = np.array([[0, 3, 5], [1, 2, 9]], np.int64)
ROTARY = [
    *(
        _ms("RotaryEmbedding", x, p, COS, SIN, const=c, interleaved=i, **a)
        for i in (0, 1)
        for x, p, c, a in (
            (X, PLACES, (2, 3), {}),
            (X, np.array([4], np.int64), (), {}),
            (f32(2, 2, 3, 4), PLACES, (), {}),
            (f32(2, 2, 3, 6), PLACES, (), {"rotary_embedding_dim": 4, "num_heads": 2}),
            (f32(2, 3, 12), PLACES, (), {"rotary_embedding_dim": 4, "num_heads": 2}),
        )
    ),
    _ms("RotaryEmbedding", f32(1, 1, 8), np.array([[4]], np.int64), COS, SIN),
]

# --- GroupQueryAttention: 4 heads of 16, 2 of keys -----------------------------------------

GROUPS = {"num_heads": 4, "kv_num_heads": 2}
TABLES = (f32(16, 8), f32(16, 8))


def _gqa(
    samples: int, length: int, past: int | None, last: Any, total: int, *rest: Input, **options: Any
) -> Case:
    """A case with queries, keys and values of so many samples and tokens, and a cache of a size."""
    cache = None if past is None else f32(samples, 2, past, 16)
    parts = [f32(samples, length, 64), f32(samples, length, 32), f32(samples, length, 32)]
    if options.pop("packed", False):
        parts = [f32(samples, length, 128), None, None]
    inputs = [*parts, cache, cache, i32(*last), scalar(total, "int32"), *rest]
    return _ms("GroupQueryAttention", *inputs, outputs=3, **GROUPS, **options)


NONE = (None, None, None)
GROUP_QUERY = [
    _gqa(2, 3, None, (2, 2), 3),
    _gqa(2, 3, None, (2, 1), 3),
    _gqa(2, 3, None, (2, 1), 3, causal=0),
    _gqa(1, 3, 5, (7,), 8),
    _gqa(2, 1, 5, (5, 3), 6),
    _gqa(2, 1, 12, (5, 3), 6),
    _gqa(2, 3, 12, (2, 1), 3),
    _gqa(1, 3, 12, (7,), 8),
    _gqa(1, 3, 5, (7,), 8, packed=True),
    *(
        _gqa(*sizes, *TABLES, do_rotary=1, rotary_interleaved=i, const=(7, 8))
        for i in (0, 1)
        for sizes in ((2, 3, None, (2, 1), 3), (2, 1, 5, (5, 3), 6), (1, 3, 5, (7,), 8))
    ),
    _gqa(1, 3, 5, (7,), 8, *TABLES, do_rotary=1, packed=True),
    _gqa(1, 3, 5, (7,), 8, *TABLES, np.array([[3, 1, 7]], np.int64), do_rotary=1),
    _gqa(1, 3, 5, (7,), 8, *NONE, f32(1, 4, 3, 8)),
    _gqa(1, 3, 5, (7,), 8, *NONE, f32(1, 4, 3, 8), softcap=0.5),
    _gqa(1, 3, 5, (7,), 8, *NONE, None, f32(4)),
    *(
        _gqa(1, 3, 5, (7,), 8, **a)
        for a in ({"local_window_size": 2}, {"softcap": 0.5}, {"smooth_softmax": 1}, {"scale": 2.0})
    ),
    _gqa(2, 3, None, (2, 2), 3, local_window_size=2),
    _gqa(1, 3, 5, (7,), 8, causal=0),
]

CASES: list[Case] = [*ATTENTION, *QUANTIZED, *MULTI_HEAD, *ROTARY, *GROUP_QUERY]
