"""Shape rules of ONNX Runtime's own operators, for which ONNX has no schemas.

Those that are an ai.onnx operator with something added take that operator's rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from xdsl.dialects.builtin import NoneType
from xdsl.ir import Attribute, Block

from ramiel.dialects.onnx import operation_class
from ramiel.dialects.onnx.attributes import array_of
from ramiel.dialects.onnx.shapes import infer_types, shape_data
from ramiel.dialects.onnx.structure import Custom
from ramiel.dialects.onnx.types import (
    BY_ONNX,
    UnknownType,
    element_of,
    shape_of,
    tensor_type,
)

Shape = tuple[int | None, ...]
Rule = Callable[[Custom], Sequence[Attribute | None]]
"""The types of an operation's results, as far as its inputs tell; None where they do not."""

DEFAULT_DOMAIN = "ai.onnx"
"""What ONNX Runtime adds to ONNX's own domain stands here as a custom operator of it."""


def has_rule(op_type: str) -> bool:
    return op_type in _RULES


def infer_custom_types(op: Custom) -> list[Attribute] | None:
    """The types of a custom operation's results; None for an operator without a rule.

    Raises ShapeError where the inputs contradict each other.
    """
    rule = _RULES.get(op.op_type)
    if rule is None:
        return None
    found = [*rule(op), *[None] * len(op.results)]
    return [r.type if t is None else t for r, t in zip(op.results, found, strict=False)]


def is_in_default_domain(op_type: str) -> bool:
    """Whether ONNX Runtime adds an operator of this name to ONNX's own domain."""
    return f"{DEFAULT_DOMAIN}::{op_type}" in _RULES


def _given(op: Custom, i: int) -> bool:
    return i < len(op.operands) and not isinstance(op.operands[i].type, NoneType)


def _shape(op: Custom, i: int, rank: int | None = None) -> Shape | None:
    """The shape of input i; None if it is not known, or has not the rank that is asked for."""
    shape = shape_of(op.operands[i].type) if _given(op, i) else None
    return shape if rank is None or shape is None or len(shape) == rank else None


def _like(op: Custom, shape: Sequence[int | None] | None, i: int = 0) -> Attribute:
    """A tensor type with the element type of input i."""
    element = element_of(op.operands[i].type) if _given(op, i) else None
    return tensor_type(UnknownType() if element is None else element, shape)


def _of(element: str, shape: Sequence[int | None] | None) -> Attribute:
    return tensor_type(BY_ONNX[element].ir, shape)


def _attribute(op: Custom, name: str) -> int:
    value = op.attribute(name, 0)
    return value if isinstance(value, int) else 0


def _integers(op: Custom, i: int) -> list[int] | None:
    """The values of input i if it is a constant of a few integers."""
    attribute = shape_data(op.operands[i]) if _given(op, i) else None
    array = None if attribute is None else array_of(attribute)
    if array is None or array.dtype.kind not in "iu":
        return None
    return [int(v) for v in array.reshape(-1).astype(int)]


def _over(whole: int | None, part: int) -> int | None:
    return whole // part if whole is not None and part > 0 else None


def _plus(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b


# --- rules -------------------------------------------------------------------------------


def _same(op: Custom) -> list[Attribute | None]:
    return [op.operands[0].type]


def _as(name: str, inputs: int, *attributes: str) -> Rule:
    """The rule of an ai.onnx operator, for the first inputs and the attributes in common."""

    def rule(op: Custom) -> list[Attribute | None]:
        properties = {k: op.properties[k] for k in attributes if k in op.properties}
        types = [op.results[0].type]
        stand_in = operation_class(name).make(op.operands[:inputs], types, properties)
        try:
            return [*(infer_types(stand_in) or types)]
        finally:
            stand_in.erase()

    return rule


def _matmul(op: Custom) -> list[Attribute | None]:
    a, b = (factor_shape(op, i) for i in (0, 1))
    if not a or not b:
        return [_like(op, None)]
    rows, columns = a[-2:-1], b[-1:] if len(b) > 1 else ()
    return [_like(op, (*broadcast(a[:-2], b[:-2]), *rows, *columns))]


def factor_order(op: Custom, i: int) -> list[int] | None:
    """How a FusedMatMul permutes factor i before the product; None if its rank is not known."""
    shape, name = _shape(op, i), "AB"[i]
    if shape is None:
        return None
    order = list(range(len(shape)))
    if len(order) < 2:
        return order
    if _attribute(op, f"transBatch{name}"):
        order = [*order[1:-1], order[0], order[-1]]
    if _attribute(op, f"trans{name}"):
        order[-2:] = order[:-3:-1]
    return order


def factor_shape(op: Custom, i: int) -> Shape | None:
    """The shape of factor i of a FusedMatMul as the product sees it."""
    shape, order = _shape(op, i), factor_order(op, i)
    return None if shape is None or order is None else tuple(shape[d] for d in order)


def broadcast(a: Shape, b: Shape) -> Shape:
    """The shape that two shapes broadcast to, as far as it is known."""
    rank = max(len(a), len(b))
    pairs = zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True)
    return tuple(y if x == 1 else x if y == 1 or x == y else x or y for x, y in pairs)


def _skip_norm(op: Custom) -> list[Attribute | None]:
    x = op.operands[0].type
    return [x, None, None, x]


def _embed_norm(op: Custom) -> list[Attribute | None]:
    ids, table = _shape(op, 0, 2), _shape(op, 2, 2)
    batch, length = ids or (None, None)
    y = _like(op, (batch, length, table[1] if table else None), 2)
    return [y, _of("int32", (batch,)), y]


def _attention(op: Custom, floats: int = 0, past_input: int = 4) -> list[Attribute | None]:
    """The results are of the element type of input `floats`."""
    x, weights, past = _shape(op, 0, 3), _shape(op, 1, 2), _shape(op, past_input, 5)
    heads, sizes = _attribute(op, "num_heads"), op.attribute("qkv_hidden_sizes")
    width = _over(weights[1] if weights else None, 3)
    values = sizes[2] if isinstance(sizes, list) and len(sizes) == 3 else width
    values = values if isinstance(values, int) else None
    batch, length, _ = x or (None,) * 3
    before = (past[3] if past else None) if _given(op, past_input) else 0
    present = (2, batch, heads or None, _plus(before, length), _over(values, heads))
    return [_like(op, (batch, length, values), floats), _like(op, present, floats)]


def _multi_head_attention(op: Custom) -> list[Attribute | None]:
    query, value, heads = _shape(op, 0, 3), _shape(op, 2), _attribute(op, "num_heads")
    batch, length, width = query or (None,) * 3
    past_k, past_v = _shape(op, 6, 4), _shape(op, 7, 4)
    depth, rows, v_depth = _over(width, heads), None, None
    if value is not None and len(value) == 4:
        rows, v_depth = value[2:]
    elif value is not None and len(value) == 3:
        rows, v_depth = value[1], _over(value[2], heads)
    v_width = None if v_depth is None else v_depth * heads
    k_rows = _plus(rows, past_k[2] if past_k else None) if _given(op, 6) else rows
    v_rows = _plus(rows, past_v[2] if past_v else None) if _given(op, 7) else rows
    return [
        _like(op, (batch, length, v_width)),
        _like(op, (batch, heads or None, k_rows, depth)),
        _like(op, (batch, heads or None, v_rows, v_depth)),
    ]


def _group_query_attention(op: Custom) -> list[Attribute | None]:
    query, heads, groups = (
        _shape(op, 0, 3),
        _attribute(op, "num_heads"),
        _attribute(op, "kv_num_heads"),
    )
    batch, length, width = query or (None,) * 3
    depth = _over(width, heads if _given(op, 1) else heads + 2 * groups)
    present = _like(op, (batch, groups or None, None, depth))
    return [
        _like(op, (batch, length, None if depth is None else depth * heads)),
        present,
        present,
    ]


def _expand_dims(op: Custom) -> list[Attribute | None]:
    shape, axis = _shape(op, 0), _integers(op, 1)
    if shape is None:
        return [_like(op, None)]
    rank = len(shape) + 1
    if not axis or not -rank <= axis[0] < rank:
        return [_like(op, [None] * rank)]
    place = axis[0] % rank
    return [_like(op, (*shape[:place], 1, *shape[place:]))]


def _gather_nd(op: Custom) -> list[Attribute | None]:
    x, indices = _shape(op, 0), _shape(op, 1)
    depth = indices[-1] if indices else None
    if x is None or not indices or depth is None:
        return [_like(op, None)]
    return [_like(op, (*indices[:-1], *x[depth:]))]


def _range(op: Custom) -> list[Attribute | None]:
    return [_like(op, [None])]


def _unique(op: Custom) -> list[Attribute | None]:
    shape = _shape(op, 0, 1)
    return [_like(op, [None]), _of("int64", shape or [None]), _of("int64", [None])]


def _distances(op: Custom) -> list[Attribute | None]:
    a, b = _shape(op, 0, 2), _shape(op, 1, 2)
    return [_like(op, (a[0] if a else None, b[0] if b else None))]


def _crop_and_resize(op: Custom) -> list[Attribute | None]:
    x, rois, size = _shape(op, 0, 4), _shape(op, 1, 2), _integers(op, 3)
    sides = size if size is not None and len(size) == 2 and min(size) >= 0 else [None, None]
    return [_like(op, (rois[0] if rois else None, x[1] if x else None, *sides))]


def _tokens(op: Custom) -> list[Attribute | None]:
    shape = _shape(op, 0)
    return [_like(op, None if shape is None else (*shape, None))]


def _crop(op: Custom) -> list[Attribute | None]:
    shape = _shape(op, 0, 4)
    return [_like(op, (*shape[:2], None, None) if shape else None)]


# --- rules of quantised operators, whose inputs have scales and zero points between them ---


def _floats_as(name: str, inputs: Sequence[int], element: int, *attributes: str) -> Rule:
    """The shape by the rule of an ai.onnx operator for floats, with the element type of an input;
    floats if that is not given."""

    def rule(op: Custom) -> list[Attribute | None]:
        given = [_of("float", _shape(op, i)) for i in inputs if _given(op, i)]
        properties = {k: op.properties[k] for k in attributes if k in op.properties}
        stand_in = operation_class(name).make(
            Block(arg_types=given).args, [tensor_type(UnknownType(), None)], properties
        )
        [type, *_] = infer_types(stand_in) or [None]
        stand_in.erase()
        shape = None if type is None else shape_of(type)
        return [_like(op, shape, element) if _given(op, element) else _of("float", shape)]

    return rule


def _quantized(op: Custom) -> list[Attribute | None]:
    shape = _shape(op, 0)
    return [_like(op, shape, 2) if _given(op, 2) else _of("uint8", shape)]


def _dequantized(op: Custom) -> list[Attribute | None]:
    return [_like(op, _shape(op, 0), 1)]


def _of_two(op: Custom) -> list[Attribute | None]:
    a, b = _shape(op, 0), _shape(op, 3)
    return [_like(op, None if a is None or b is None else broadcast(a, b))]


def _where(op: Custom) -> list[Attribute | None]:
    condition, a, b = (_shape(op, i) for i in (0, 1, 4))
    if condition is None or a is None or b is None:
        return [_like(op, None, 1)]
    return [_like(op, broadcast(condition, broadcast(a, b)), 1)]


def _concat(op: Custom) -> list[Attribute | None]:
    return [*_floats_as("Concat", range(2, len(op.operands), 3), 2, "axis")(op)]


def _pooled(name: str, *attributes: str) -> Rule:
    """The rule of a pooling operator, if channels do not come last."""
    rule = _floats_as(name, [0], 0, *attributes)
    return lambda op: [_like(op, None)] if _attribute(op, "channels_last") else [*rule(op)]


def _few_bits(op: Custom) -> list[Attribute | None]:
    shape = _shape(op, 0)
    return [_like(op, (*shape[:-1], _attribute(op, "N")) if shape else None)]


def _lstm(op: Custom) -> list[Attribute | None]:
    length, batch, _ = _shape(op, 0, 3) or (None,) * 3
    both = op.attribute("direction") == "bidirectional"
    last = _like(op, (1 + both, batch, _attribute(op, "hidden_size") or None))
    return [_like(op, (length, *(shape_of(last) or ()))), last, last]


_WINDOW = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")

_POOL = ("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides")

_RULES: dict[str, Rule] = {
    f"{DEFAULT_DOMAIN}::Crop": _crop,
    f"{DEFAULT_DOMAIN}::ImageScaler": _same,
    f"{DEFAULT_DOMAIN}::SimplifiedLayerNormalization": _same,
    **{
        f"com.microsoft::{name}": rule
        for name, rule in {
            "Attention": _attention,
            "BiasGelu": _same,
            "CDist": _distances,
            "CropAndResize": _crop_and_resize,
            "DequantizeLinear": _dequantized,
            "DynamicQuantizeLSTM": _lstm,
            "DynamicQuantizeMatMul": _floats_as("MatMul", [0, 1], 0),
            "EmbedLayerNormalization": _embed_norm,
            "ExpandDims": _expand_dims,
            "FastGelu": _same,
            "FusedConv": _as("Conv", 3, *_WINDOW),
            "FusedGemm": _as("Gemm", 2, "transA", "transB"),
            "FusedMatMul": _matmul,
            "GatherND": _gather_nd,
            "Gelu": _same,
            "GridSample": _as("GridSample", 2),
            "GroupQueryAttention": _group_query_attention,
            "Inverse": _same,
            "MatMulIntegerToFloat": _floats_as("MatMul", [0, 1], 2),
            "MatMulNBits": _few_bits,
            "MultiHeadAttention": _multi_head_attention,
            "Pad": _as("Pad", 2),
            "QAttention": partial(_attention, floats=3, past_input=8),
            "QGemm": _floats_as("Gemm", [0, 3], 8, "transA", "transB"),
            "QLinearAdd": _of_two,
            "QLinearAveragePool": _pooled("AveragePool", *_POOL),
            "QLinearConcat": _concat,
            "QLinearGlobalAveragePool": _pooled("GlobalAveragePool"),
            "QLinearLeakyRelu": _same,
            "QLinearMul": _of_two,
            "QLinearSigmoid": _same,
            "QLinearSoftmax": _same,
            "QLinearWhere": _where,
            "QuantizeLinear": _quantized,
            "QuickGelu": _same,
            "Range": _range,
            "RotaryEmbedding": _same,
            "SkipLayerNormalization": _skip_norm,
            "SkipSimplifiedLayerNormalization": _skip_norm,
            "TransposeMatMul": _matmul,
            "Trilu": _same,
            "Tokenizer": _tokens,
            "Unique": _unique,
        }.items()
    },
}
