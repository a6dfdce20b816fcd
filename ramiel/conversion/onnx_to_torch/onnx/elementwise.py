"""Operators that work element by element."""

from __future__ import annotations

from functools import partial

import numpy as np
from xdsl.ir import SSAValue

from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.types import (
    BY_PROTO,
    numpy_dtype_of,
    shape_of,
    tensor_type,
)

_UNARY = {
    "Acos": "torch.acos",
    "Acosh": "torch.acosh",
    "Asin": "torch.asin",
    "Asinh": "torch.asinh",
    "Atan": "torch.atan",
    "Atanh": "torch.atanh",
    "BitwiseNot": "operator.invert",
    "Ceil": "torch.ceil",
    "Cos": "torch.cos",
    "Cosh": "torch.cosh",
    "Det": "torch.det",
    "Erf": "torch.erf",
    "Exp": "torch.exp",
    "Floor": "torch.floor",
    "HardSwish": "F.hardswish",
    "IsNaN": "torch.isnan",
    "Log": "torch.log",
    "Mish": "F.mish",
    "Neg": "operator.neg",
    "Not": "operator.invert",
    "Reciprocal": "torch.reciprocal",
    "Relu": "F.relu",
    "Round": "torch.round",
    "Sigmoid": "torch.sigmoid",
    "Sin": "torch.sin",
    "Sinh": "torch.sinh",
    "Softsign": "F.softsign",
    "Sqrt": "torch.sqrt",
    "Tan": "torch.tan",
    "Tanh": "torch.tanh",
}

_BINARY = {
    ("Add", 7): "operator.add",
    ("And", 7): "operator.and_",
    ("BitwiseAnd", 18): "operator.and_",
    ("BitwiseOr", 18): "operator.or_",
    ("BitwiseXor", 18): "operator.xor",
    ("Equal", 7): "operator.eq",
    ("Greater", 7): "operator.gt",
    ("GreaterOrEqual", 12): "operator.ge",
    ("Less", 7): "operator.lt",
    ("LessOrEqual", 12): "operator.le",
    ("Mul", 7): "operator.mul",
    ("Or", 7): "operator.or_",
    ("Sub", 7): "operator.sub",
    ("Xor", 7): "operator.xor",
}

_VARIADIC = {"Sum": "operator.add", "Max": "torch.maximum", "Min": "torch.minimum"}

Shape = tuple[int | None, ...] | None

_ALPHA = {"Elu": "F.elu", "Celu": "F.celu", "LeakyRelu": "F.leaky_relu"}


def _unary(callee: str, n: Node) -> Lowered:
    return n.call(callee, n[0])


def _binary(callee: str, n: Node) -> Lowered:
    a, b = operands(n)
    return n.call(callee, a, b)


def operands(n: Node) -> tuple[object, object]:
    """The two operands, where a constant of one element becomes a Python number.

    It stays a tensor if it has the larger rank, since the result then has its shape, or if the
    other operand is constant as well.
    """
    a, b = n.rank(0), n.rank(1)
    if a is not None and b is not None:
        if b <= a and (number := n.scalar(1)) is not None and not n.is_constant(0):
            return n[0], number
        if a <= b and (number := n.scalar(0)) is not None and not n.is_constant(1):
            return number, n[1]
    return n[0], n[1]


def _variadic(callee: str, n: Node) -> SSAValue:
    total, *rest = n.inputs()
    shape = n.shape(0)
    for i, value in enumerate(rest, 1):
        shape = _broadcast(shape, n.shape(i))
        last = i == len(rest)
        total = n.call(callee, total, value, type=n.result_type() if last else n.like(shape))
    return total


def _broadcast(a: Shape, b: Shape) -> Shape:
    """The shape that two shapes broadcast to, with None where it is unknown."""
    if a is None or b is None:
        return None
    rank = max(len(a), len(b))
    pairs = zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True)
    return tuple(y if x == 1 else x if y == 1 or x == y else x or y for x, y in pairs)


def _alpha(callee: str, n: Node) -> Lowered:
    return n.call(callee, n[0], n.number("alpha"))


for _op, _callee in _UNARY.items():
    lowers(_op)(partial(_unary, _callee))
for (_op, _since), _callee in _BINARY.items():
    lowers(_op, _since)(partial(_binary, _callee))
for _op, _callee in _VARIADIC.items():
    lowers(_op)(partial(_variadic, _callee))
for _op, _callee in _ALPHA.items():
    lowers(_op)(partial(_alpha, _callee))


@lowers("Abs")
def absolute(n: Node) -> Lowered:
    return n[0] if _is_unsigned(n) else n.call("torch.abs", n[0])


def _is_unsigned(n: Node) -> bool:
    dtype = numpy_dtype_of(n.op.operands[0].type)
    return dtype is not None and dtype.kind == "u"


@lowers("Identity")
def identity(n: Node) -> Lowered:
    return n[0]


@lowers("Dropout")
def dropout(n: Node) -> Lowered:
    """Up to opset 11, always inference. Before opset 7 the attribute `is_test` selects it, but
    exporters omit it and ONNX's own version converter ignores it."""
    return [n[0], _no_drop(n)][: len(n.op.results)]


@lowers("Dropout", 12)
def dropout_by_mode(n: Node) -> Lowered:
    training = n.scalar(2) if n.given(2) else False
    if training is False:
        return dropout(n)
    ratio = n.scalar(1) if n.given(1) else 0.5
    args = [n[0], n[1] if ratio is None else ratio, n[2] if training is None else True]
    options: dict[str, object] = {}
    if n.attribute("seed") is not None:
        options["seed"] = n.integer("seed")
    if len(n.op.results) == 1:
        return n.call("ops.dropout", *args, **options)
    return n.calls("ops.dropout", *args, **options, with_mask=True)


def _no_drop(n: Node) -> SSAValue:
    """The mask of a dropout that drops nothing: of booleans from opset 10 on, of the input's type
    before."""
    if len(n.op.results) == 1 or not n.op.results[1].uses:
        return n[0]
    type = n.result_type(1)
    booleans = numpy_dtype_of(type) == np.bool_
    return n.call(
        "torch.ones_like", n[0], type=type, **({"dtype": n.dtype(type)} if booleans else {})
    )


@lowers("Mean")
def mean(n: Node) -> Lowered:
    return n.call("operator.truediv", _variadic("operator.add", n), len(n))


@lowers("Div", 7)
def div(n: Node) -> Lowered:
    a, b = operands(n)
    if n.is_float():
        return n.call("operator.truediv", a, b)
    return n.call("torch.div", n[0], b, rounding_mode="trunc")


@lowers("Mod", 10)
def mod(n: Node) -> Lowered:
    _, divisor = operands(n)
    return n.call("torch.fmod" if n.integer("fmod", 0) else "torch.remainder", n[0], divisor)


@lowers("Pow", 7)
def power(n: Node) -> Lowered:
    _, exponent = operands(n)
    if isinstance(exponent, float) and exponent.is_integer() and abs(exponent) < 1 << 16:
        exponent = int(exponent)
    if isinstance(exponent, int | float) and (n.is_float() or _is_count(exponent)):
        return n.call("operator.pow", n[0], exponent)
    # PyTorch promotes to the wider of the two types; ONNX keeps the base's.
    dtype = n.dtype(n.op.operands[0].type)
    if dtype == n.dtype(n.op.operands[1].type):
        return n.call("operator.pow", n[0], n[1])
    if n.is_float() or not n.is_float(1):
        same = n.call("Tensor.to", n[1], dtype, type=n.like(n.shape(1)))
        return n.call("operator.pow", n[0], same)
    power = n.call("operator.pow", n[0], n[1], type=n.like(shape_of(n.result_type()), 1))
    return n.call("Tensor.to", power, dtype)


def _is_count(value: int | float) -> bool:
    return isinstance(value, int) and value >= 0


@lowers("BitShift", 11)
def bit_shift(n: Node) -> Lowered:
    left = n.text("direction") == "LEFT"
    return n.call("torch.bitwise_left_shift" if left else "torch.bitwise_right_shift", n[0], n[1])


@lowers("IsInf")
def is_inf(n: Node) -> Lowered:
    positive, negative = n.integer("detect_positive", 1), n.integer("detect_negative", 1)
    if positive and negative:
        return n.call("torch.isinf", n[0])
    sign = float("inf") if positive else float("-inf")
    if not positive and not negative:
        sign = float("nan")  # equals nothing
    return n.call("operator.eq", n[0], sign)


@lowers("Where", 9)
def where(n: Node) -> Lowered:
    return n.call("torch.where", n[0], n[1], n[2])


_LARGEST_HALF = 65504.0
"""The largest finite float16, which is also the largest bound that PyTorch takes for one."""


@lowers("Clip")
def clip_by_attributes(n: Node) -> Lowered:
    # The defaults, the extremes of float32, mean that there is no bound.
    low, high = (n.number(k) if k in n.op.properties else None for k in ("min", "max"))
    if numpy_dtype_of(n.op.operands[0].type) == np.float16:
        low = None if low is not None and low < -_LARGEST_HALF else low
        high = None if high is not None and high > _LARGEST_HALF else high
    return _clamp(n, low, high)


@lowers("Clip", 11)
def clip(n: Node) -> Lowered:
    low, high = n.scalar(1), n.scalar(2)
    if (n.given(1) and low is None) or (n.given(2) and high is None):
        return n.call("ops.clip", n[0], n.get(1), n.get(2))
    return _clamp(n, low, high)


def _clamp(n: Node, low: object, high: object) -> Lowered:
    bounds = {k: v for k, v in (("min", low), ("max", high)) if v is not None}
    return n.call("torch.clamp", n[0], **bounds) if bounds else n[0]


@lowers("HardSigmoid")
def hard_sigmoid(n: Node) -> Lowered:
    return hard_sigmoid_of(n, n[0], n.number("alpha"), n.number("beta"))


def hard_sigmoid_of(n: Node, x: SSAValue, alpha: float, beta: float) -> SSAValue:
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5 and not n.of_doubles():
        return n.call("F.hardsigmoid", x)
    line = n.call("operator.add", n.call("operator.mul", x, alpha), beta)
    return n.call("torch.clamp", line, min=0, max=1)


@lowers("Softplus")
def softplus(n: Node) -> Lowered:
    # Above its threshold (default 20) PyTorch returns x: exp(-20) is negligible only in float32.
    threshold = {"threshold": 40} if n.of_doubles() else {}
    return n.call("F.softplus", n[0], **threshold)


@lowers("Selu")
def selu(n: Node) -> Lowered:
    return selu_of(n, n[0], n.number("alpha"), n.number("gamma"))


def selu_of(n: Node, x: SSAValue, alpha: float, gamma: float) -> SSAValue:
    return n.call("operator.mul", n.call("F.elu", x, alpha), gamma)


@lowers("ThresholdedRelu", 10)
def thresholded_relu(n: Node) -> Lowered:
    above = n.call(
        "operator.gt", n[0], n.number("alpha"), type=tensor_type(BY_PROTO[9].ir, n.shape(0))
    )
    return n.call("torch.where", above, n[0], 0)


@lowers("Sign")
def sign(n: Node) -> Lowered:
    dtype = numpy_dtype_of(n[0].type)
    plain = dtype is not None and dtype.kind == "i"
    return n.call("torch.sign" if plain else "ops.sign", n[0])


@lowers("Shrink", 9)
def shrink(n: Node) -> Lowered:
    return n.call("ops.shrink", n[0], n.number("lambd"), n.number("bias"))


@lowers("Gelu", 20)
def gelu(n: Node) -> Lowered:
    return n.call("F.gelu", n[0], approximate=n.text("approximate"))


@lowers("Swish", 24)
def swish(n: Node) -> Lowered:
    alpha = n.number("alpha")
    if alpha == 1:
        return n.call("F.silu", n[0])
    gate = n.call("torch.sigmoid", n.call("operator.mul", n[0], alpha))
    return n.call("operator.mul", n[0], gate)


@lowers("PRelu", 7)
def prelu(n: Node) -> Lowered:
    if _is_unsigned(n):
        return n[0]
    shape, slope = n.shape(0), n.shape(1)
    channels = None if shape is None or len(shape) < 2 else shape[1]
    per_channel = (
        n.is_constant(1)
        and n.is_float()
        and shape is not None
        and channels is not None
        and slope is not None
        and len(slope) in (len(shape) - 1, len(shape))
        and slope[-(len(shape) - 1)] == channels
        and all(d == 1 for i, d in enumerate(slope) if i != len(slope) - (len(shape) - 1))
    )
    if per_channel:
        return n.layer(
            "PReLU", n[0], {"weight": n.new_weight(1, "flat", [channels], lambda a: a.reshape(-1))}
        )
    return n.call("ops.prelu", n[0], n[1])


def _softmax(callee: str, legacy: str, n: Node) -> Lowered:
    """Up to opset 12, the dimensions from `axis` on are treated as one."""
    axis = n.integer("axis", 1)
    shape = n.shape(0)
    if shape is None:
        return n.call("ops.legacy_softmax", n[0], axis, legacy)
    from_axis = shape[axis % max(len(shape), 1) :]
    wide = [axis % len(shape) + i for i, d in enumerate(from_axis) if d != 1]
    if len(wide) <= 1:
        dim = wide[0] if wide else axis
        return n.call(callee, n[0], **{"axis" if callee.startswith("ops.") else "dim": dim})
    return n.call("ops.legacy_softmax", n[0], axis, legacy)


_SOFTMAX = {"Softmax": "F.softmax", "LogSoftmax": "F.log_softmax", "Hardmax": "ops.hardmax"}

for _op, _callee in _SOFTMAX.items():
    lowers(_op)(partial(_softmax, _callee, _callee.partition(".")[2]))


@lowers("Softmax", 13)
def softmax(n: Node) -> Lowered:
    return n.call("F.softmax", n[0], dim=n.integer("axis", -1))


@lowers("LogSoftmax", 13)
def log_softmax(n: Node) -> Lowered:
    return n.call("F.log_softmax", n[0], dim=n.integer("axis", -1))


@lowers("Hardmax", 13)
def hardmax(n: Node) -> Lowered:
    return n.call("ops.hardmax", n[0], n.integer("axis", -1))
