"""ONNX Runtime's attention operators (com.microsoft)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from xdsl.ir import Attribute, SSAValue

from ramiel.conversion.onnx_to_torch.onnx.qlinear import INT32, product, ratio
from ramiel.conversion.onnx_to_torch.onnx.quantization import FLOAT32
from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.attributes import Array
from ramiel.dialects.onnx.types import element_of, shape_of, tensor_type
from ramiel.dialects.torch import CallOp, WeightOp

Shape = tuple[int | None, ...]


def _typed(x: SSAValue, shape: Sequence[int | None] | None) -> Attribute:
    """The tensor type of a shape with the element type of a value."""
    element = element_of(x.type)
    assert element is not None
    return tensor_type(element, shape)


def _dims(x: SSAValue, rank: int) -> Shape:
    """The dimensions of a value, None for unknown ones."""
    shape = shape_of(x.type)
    return shape if shape is not None and len(shape) == rank else (None,) * rank


def _heads(n: Node, name: str = "num_heads") -> int:
    heads = n.integer(name)
    return heads if heads > 0 else n.fail(f"attribute {name!r} must be positive")


def _split(n: Node, x: SSAValue, heads: int) -> SSAValue:
    """[B, S, N * d] as [B, N, S, d]."""
    batch, length, width = _dims(x, 3)
    if width is not None and width % heads:
        n.fail(f"{heads} heads do not divide a width of {width}")
    depth = None if width is None else width // heads
    sizes = [heads, -1 if depth is None else depth]
    split = n.call("Tensor.unflatten", x, 2, sizes, type=_typed(x, (batch, length, heads, depth)))
    return n.call(
        "Tensor.permute", split, 0, 2, 1, 3, type=_typed(x, (batch, heads, length, depth))
    )


def _merged(n: Node, x: SSAValue) -> SSAValue:
    """[B, N, S, d] as [B, S, N * d], the node's first result."""
    batch, heads, length, depth = _dims(x, 4)
    turned = n.call("Tensor.permute", x, 0, 2, 1, 3, type=_typed(x, (batch, length, heads, depth)))
    width = None if heads is None or depth is None else heads * depth
    return n.call("torch.flatten", turned, 2, type=_typed(x, (batch, length, width)))


def _extended(n: Node, past: SSAValue, new: SSAValue) -> SSAValue:
    """Past keys or values [B, N, P, d], followed by the new ones."""
    batch, heads, length, depth = _dims(new, 4)
    before = _dims(past, 4)[2]
    total = None if length is None or before is None else before + length
    type = _typed(new, (batch, heads, total, depth))
    return n.call("torch.cat", [past, new], dim=2, type=type)


def _attend(
    n: Node, q: SSAValue, k: SSAValue, v: SSAValue, mask: int, bias: int, cached: bool
) -> SSAValue:
    """Attention of [B, N, S, d], with a mask and a bias from inputs of the node."""
    causal = bool(n.integer("unidirectional", 0))
    options: dict[str, object] = {}
    (batch, heads, rows, _), columns = _dims(q, 4), _dims(k, 4)[2]
    if n.rank(mask) == 4:
        n.fail("a 4-dimensional mask is not supported")
    if n.given(mask) or (causal and (cached or n.given(bias))):
        given: dict[str, object] = {"causal": True} if causal else {}
        low = n.number("mask_filter_value", -10000.0)
        if n.given(mask) and low != -10000:
            given["low"] = low
        if n.given(bias):
            given["bias"] = n[bias]
        type = _typed(q, (batch, heads if n.given(bias) else 1, rows, columns))
        options["attn_mask"] = n.call("ops.attention_mask", n.get(mask), q, k, type=type, **given)
    elif n.given(bias):
        options["attn_mask"] = n[bias]
    elif causal:
        options["is_causal"] = True
    if (scale := n.number("scale", 0.0)) != 0:
        options["scale"] = scale
    type = _typed(q, (batch, heads, rows, _dims(v, 4)[3]))
    return n.call("F.scaled_dot_product_attention", q, k, v, type=type, **options)


@lowers("com.microsoft::Attention")
def attention(n: Node) -> Lowered:
    sizes = _sizes(n)
    return _self_attention(n, _projected(n, sum(sizes)), sizes, 3, 4, 5)


@lowers("com.microsoft::QAttention")
def q_attention(n: Node) -> Lowered:
    sizes = _sizes(n)
    shape = (*(n.shape(0) or (None,) * 3)[:2], sum(sizes))
    sums = product(n, 0, 1, (6, 7), tensor_type(INT32, shape))
    floats = tensor_type(FLOAT32, shape)
    projected = n.call("operator.mul", sums, ratio(n, (3, 4), None, {}), type=floats)
    projected = n.call("operator.add", projected, n[2], type=floats)
    return _self_attention(n, projected, sizes, 5, 8, len(n))


def _sizes(n: Node) -> list[int]:
    """The widths of queries, keys and values, from input 1, the weights [in, width]."""
    if n.integer("do_rotary", 0) or n.integer("past_present_share_buffer", 0):
        n.fail("do_rotary and past_present_share_buffer are not supported")
    if n.rank(0) not in (None, 3) or n.rank(1) not in (None, 2):
        n.fail("its input has 3 dimensions, its weights have 2")
    width = (n.shape(1) or (None, None))[1]
    sizes = n.integer_list("qkv_hidden_sizes")
    if sizes is None:
        if width is None:
            n.fail("the shape of its weights is not known")
        sizes = [width // 3] * 3
    if len(sizes) != 3 or sum(sizes) != (width or sum(sizes)) or min(sizes) < 1:
        n.fail(f"qkv_hidden_sizes {sizes} do not fit weights of {width} columns")
    return sizes


def _self_attention(
    n: Node, projected: SSAValue, sizes: list[int], mask: int, past: int, bias: int
) -> Lowered:
    """Attention of concatenated queries, keys and values [B, S, sum(sizes)]; `mask`, `past` and
    `bias` are indices of inputs."""
    heads = _heads(n)
    batch, length, _ = _dims(projected, 3)
    types = [_typed(projected, (batch, length, size)) for size in sizes]
    parts = n.add(CallOp.of("torch.split", [projected, sizes], {"dim": -1}, types))
    q, k, v = (_split(n, part, heads) for part in parts)
    if n.given(past):
        _, *rest = _dims(n[past], 5)
        type = _typed(n[past], rest)
        k, v = (
            _extended(n, n.call("operator.getitem", n[past], i, type=type), x)
            for i, x in enumerate((k, v))
        )
    y = _merged(n, _attend(n, q, k, v, mask, bias, n.given(past)))
    if len(n.op.results) == 1:
        return y
    type = _typed(k, (2, *_dims(k, 4)))
    return [y, n.call("torch.stack", [k, v], type=type)]


def _projected(n: Node, width: int) -> SSAValue:
    """The concatenated queries, keys and values of input 0, by weights [in, width]."""
    type = n.like((*(n.shape(0) or (None,) * 3)[:2], width))
    if n.is_constant(1) and (not n.given(2) or n.is_constant(2)):
        shape = (n.shape(1) or ())[::-1]
        weights = {"weight": n.new_weight(1, "T", shape, lambda a: a.T.copy())}
        if n.given(2):
            weights["bias"] = n.weight(2)
        return n.layer("Linear", n[0], weights, type=type)
    product = n.call("operator.matmul", n[0], n[1], type=type)
    return n.call("operator.add", product, n[2], type=type) if n.given(2) else product


@lowers("com.microsoft::MultiHeadAttention")
def multi_head_attention(n: Node) -> Lowered:
    heads = _heads(n)
    if not n.given(1) or not n.given(2) or 5 in (n.rank(0), n.rank(1)):
        n.fail("packed queries, keys and values are not supported")
    if n.given(8) or n.given(9):
        n.fail("a cache of fixed size and beam search in it are not supported")
    if len(n.op.results) > 3 and n.op.results[3].uses:
        n.fail("its scores as a result are not supported")
    if n.known_rank(1) != n.known_rank(2):
        n.fail("its keys and values differ in rank")
    rows, columns = (n.shape(0) or ())[1:2], (n.shape(1) or ())[1 if n.rank(1) == 3 else 2 :][:1]
    if n.integer("unidirectional", 0) and None not in (*rows, *columns) and rows != columns:
        n.fail("unidirectional attention needs as many queries as new keys")
    separate = n.rank(1) == 4  # keys and values are [B, N, L, d], to which no bias is added
    parts = [n[i] if separate and i else _with_bias(n, i) for i in range(3)]
    q, k, v = (x if separate and i else _split(n, x, heads) for i, x in enumerate(parts))
    cached = n.given(6) and n.given(7)
    if cached:
        k, v = _extended(n, n[6], k), _extended(n, n[7], v)
    y = _merged(n, _attend(n, q, k, v, 4, 5, cached))
    return [y, k, v, y][: len(n.op.results)]


def _with_bias(n: Node, i: int) -> SSAValue:
    """Input i plus its part of input 3, the concatenated biases of inputs 0, 1 and 2."""
    if not n.given(3):
        return n[i]
    widths = [(n.shape(j) or (None,))[-1] for j in range(3)]
    if n.rank(2) == 4:
        widths[1:] = [widths[0], None]
    before = widths[:i]
    if None in before or (widths[i] is None and i < 2):
        n.fail("the sizes of the three parts of its bias are not known")
    start = sum(w for w in before if w is not None)
    part = slice(start, None if widths[i] is None else start + (widths[i] or 0))
    if n.is_constant(3):
        weight = n.new_weight(3, "qkv"[i], [widths[i]], partial(_part_of, part))
        bias = n.add(WeightOp.of(weight, n.like([widths[i]], 3)))[0]
    else:
        bias = n.call("operator.getitem", n[3], part, type=n.like([widths[i]], 3))
    return n.call("operator.add", n[i], bias, type=n.op.operands[i].type)


def _part_of(part: slice[int, int | None, None], array: Array) -> Array:
    return array[part].copy()


@lowers("com.microsoft::RotaryEmbedding")
def rotary_embedding(n: Node) -> Lowered:
    if n.integer("rotary_embedding_dim", 0) and not n.integer("num_heads", 0) and n.rank(0) != 4:
        n.fail("rotary_embedding_dim needs num_heads")
    options: dict[str, object] = {}
    if heads := n.integer("num_heads", 0):
        options["heads"] = heads
    if n.integer("interleaved", 0):
        options["interleaved"] = True
    return n.call("ops.rotary", n[0], n[1], n[2], n[3], **options)


@lowers("com.microsoft::GroupQueryAttention")
def group_query_attention(n: Node) -> Lowered:
    heads, groups = _heads(n), _heads(n, "kv_num_heads")
    if heads % groups:
        n.fail(f"{groups} heads of keys do not divide {heads} heads")
    if n.given(12) or n.given(13) or n.text("k_quant_type", "NONE") != "NONE":
        n.fail("a quantised cache is not supported")
    if n.given(14) or n.given(15) or n.integer("sliding_window_cache", 0):
        n.fail("normalised queries and a cache of a window are not supported")
    if len(n.op.results) > 3 and n.op.results[3].uses:
        n.fail("its scores as a result are not supported")
    rotates = bool(n.integer("do_rotary", 0))
    if rotates and not (n.given(7) and n.given(8)):
        n.fail("do_rotary needs cos_cache and sin_cache")
    tensors = [n.get(i) if i < 7 or i > 9 or rotates else None for i in range(12)]
    sink = tensors[11]
    if n.integer("smooth_softmax", 0) and sink is None:
        # It adds one score of zero.
        sink = n.call("torch.zeros", [heads], type=n.like([heads]))
    tensors[11] = sink
    q, k, v, past_k, past_v, last, total, cos, sin, positions, bias, sink = tensors
    given = {"cos": cos, "sin": sin, "positions": positions, "bias": bias, "sink": sink}
    options: dict[str, object] = {key: x for key, x in given.items() if x is not None}
    options |= {"heads": heads, "groups": groups}
    for key, value, default in (
        ("scale", n.number("scale", 0.0), 0),
        ("causal", bool(n.integer("causal", 1)), True),
        ("window", max(n.integer("local_window_size", -1), 0), 0),
        ("softcap", n.number("softcap", 0.0), 0),
        ("interleaved", rotates and bool(n.integer("rotary_interleaved", 0)), False),
    ):
        if value != default:
            options[key] = value
    types = [r.type for r in n.op.results]
    types += [n.like([None] * 4)] * (3 - len(types))
    args = [q, k, v, past_k, past_v, last, total]
    results = n.add(CallOp.of("ops.group_query_attention", args, options, types[:3]))
    return [*results, results[0]][: len(n.op.results)]
