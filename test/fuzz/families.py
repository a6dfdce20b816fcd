"""The families of operators: each adds a random node of its own to a graph, if it can."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from builder import Graph, Value

Family = Callable[[Graph], object]


def floats(v: Value) -> bool:
    return v.kind == "f"


def exact_floats(v: Value) -> bool:
    return v.kind == "f" and v.exact


def numbers(v: Value) -> bool:
    return v.dtype in ("float32", "float64", "int32", "int64")


def ranked(v: Value, least: int = 1, most: int = 5) -> bool:
    return least <= v.rank <= most


def fits(v: Value, least: int = 1, most: int = 5) -> bool:
    """Whether the value has elements as well."""
    return ranked(v, least, most) and v.array.size > 0


# --- elementwise -------------------------------------------------------------------------

_EXACT = {"Relu": 1, "Neg": 1, "Abs": 1, "Identity": 1, "Dropout": 7}
_STEPS = {"Floor": 1, "Ceil": 1, "Round": 11, "Sign": 9, "ThresholdedRelu": 10, "Shrink": 9}
_SMOOTH = {
    "Sigmoid": 1, "Tanh": 1, "Exp": 1, "Erf": 9, "Softplus": 1, "Softsign": 1, "Sin": 7,
    "Cos": 7, "Atan": 7, "Elu": 6, "Selu": 6, "LeakyRelu": 6, "HardSigmoid": 6, "HardSwish": 14,
    "Mish": 18, "Gelu": 20, "Celu": 12, "Sinh": 9, "Asinh": 9,
}  # fmt: skip
_ALPHA = ("Elu", "LeakyRelu", "HardSigmoid", "ThresholdedRelu", "Celu", "Selu")

_IN_SINGLE = ("HardSwish", "Gelu")
"""Operators whose factors (1/6, sqrt(2/pi)) are float32 to the reference and ONNX Runtime."""


def unary(g: Graph) -> object:
    table = g.choose.pick([_EXACT, _STEPS, _SMOOTH])
    op = g.choose.pick([name for name, since in table.items() if since <= g.opset])
    x = g.find(exact_floats if table is _STEPS else floats)
    if x is None or (op in _IN_SINGLE and x.dtype == "float64"):
        return None
    attributes: dict[str, object] = {}
    if op in _ALPHA and g.choose.flag():
        attributes["alpha"] = g.choose.pick([0.5, 0.25, 1.5])
    if op == "Gelu" and g.choose.flag():
        attributes["approximate"] = "tanh"
    return g.add(op, [x], attributes, rounds=table is _SMOOTH)


def guarded(g: Graph) -> object:
    """Operators that need their operand away from a pole."""
    x = g.find(floats)
    if x is None:
        return None
    one = g.constant(np.array(1, x.dtype))
    positive = g.add("Abs", [x])
    positive = positive and g.add("Add", [positive[0], one])
    if not positive:
        return None
    op = g.choose.pick(["Sqrt", "Log", "Reciprocal", "Div", "Pow"])
    if op == "Div":
        y = g.find(lambda v: v.dtype == x.dtype)
        assert y is not None
        return g.add("Div", [y, positive[0]], rounds=True)
    if op == "Pow":
        power = g.constant(np.array(g.choose.pick([2, 0.5, 3, -1, 0]), x.dtype))
        return g.add("Pow", [positive[0], power], rounds=True)
    return g.add(op, [positive[0]], rounds=True)


def operand_for(g: Graph, x: Value) -> Value:
    """A second operand that broadcasts with x: a value, or a constant."""
    if g.choose.flag():
        found = g.find(lambda v: v.dtype == x.dtype and broadcasts(v.shape, x.shape))
        if found is not None:
            return found
    shape = [d if g.choose.flag() else 1 for d in x.shape]
    shape = shape[g.choose.integer(0, len(shape)) :]
    return g.constant(g.numbers(shape, x.dtype))


def broadcasts(a: Sequence[int], b: Sequence[int]) -> bool:
    return all(m == n or 1 in (m, n) for m, n in zip(reversed(a), reversed(b), strict=False))


def either_way(g: Graph, x: Value, y: Value) -> list[Value | None]:
    return [x, y] if g.choose.flag() else [y, x]


def binary(g: Graph) -> object:
    x = g.find(numbers)
    if x is None:
        return None
    op = g.choose.pick(["Add", "Mul", "Sub", "Min", "Max", "Sum", "Mean", "PRelu"])
    if op in ("Mean", "PRelu") and x.kind != "f":
        op = "Sum" if x.kind == "f" else "Add"
    if op == "Sum" and x.kind != "f":
        op = "Add"
    if op == "PRelu":
        slope = g.constant(g.numbers([*x.shape[1:2], *[1] * (x.rank - 2)], x.dtype))
        return g.add(op, [x, slope])
    operands = either_way(g, x, operand_for(g, x))
    if op in ("Sum", "Mean", "Min", "Max") and g.choose.flag():
        operands.append(operand_for(g, x))
    return g.add(op, operands, rounds=op == "Mean" and len(operands) == 3)


def integer_arithmetic(g: Graph) -> object:
    x = g.find(lambda v: v.dtype in ("int32", "int64"))
    if x is None:
        return None
    op = g.choose.pick(["Div", "Mod", "Mod", "BitwiseAnd", "Abs", "Neg"])
    if op in ("Abs", "Neg"):
        return g.add(op, [x])
    if op == "BitwiseAnd":
        return g.add(op, [x, operand_for(g, x)]) if g.opset >= 18 else None
    divisor = g.constant(np.array(g.choose.pick([2, 3, -3, 7]), x.dtype))
    # ONNX Runtime takes the remainder of floats, which are not exact for all of 64 bits.
    small = bool(np.all(np.abs(x.array // 2) <= 2**30))
    fmod = {"fmod": 1} if op == "Mod" and small and g.choose.flag() else {}
    return g.add(op, [x, divisor], fmod)


def comparison(g: Graph) -> object:
    x = g.find(lambda v: numbers(v) and v.exact)
    if x is None:
        return None
    ops = ["Equal", "Less", "Greater"] + ["LessOrEqual", "GreaterOrEqual"] * (g.opset >= 12)
    y = operand_for(g, x)
    return g.add(g.choose.pick(ops), either_way(g, x, y)) if y.exact else None


def logic(g: Graph) -> object:
    x = g.find(lambda v: v.dtype == "bool")
    if x is None:
        return comparison(g)
    op = g.choose.pick(["And", "Or", "Xor", "Not"])
    return g.add(op, [x] if op == "Not" else [x, operand_for(g, x)])


def where(g: Graph) -> object:
    x = g.find(numbers)
    if x is None:
        return None
    y = operand_for(g, x)
    condition = g.find(
        lambda v: (
            v.dtype == "bool" and broadcasts(v.shape, x.shape) and broadcasts(v.shape, y.shape)
        )
    )
    if condition is None:
        condition = g.constant(g.numbers(x.shape[-1:], "bool"))
    return g.add("Where", [condition, *either_way(g, x, y)])


def clip(g: Graph) -> object:
    x = g.find(numbers if g.opset >= 12 else floats)
    if x is None:
        return None
    low = g.constant(np.array(-1, x.dtype)) if g.choose.flag() else None
    high = g.constant(np.array(1, x.dtype)) if g.choose.flag() else None
    return g.add("Clip", [x, low, high])


def cast(g: Graph) -> object:
    x = g.find(lambda v: v.exact or v.kind == "f")
    if x is None:
        return None
    to = g.choose.pick([g.floats, "float64", "int64", "int32", "bool", "int8", "uint8"])
    defined = x.exact and np.all(np.isfinite(x.array)) and to[-1] != "8"
    if x.kind == "f" and not defined and not to.startswith("float"):
        to = "float64" if x.dtype == "float32" else g.floats
    if to == "uint8" and x.kind == "i" and x.array.min(initial=0) < 0:
        to = "int64"
    if to == "int8" and np.abs(x.array.astype(np.float64)).max(initial=0) > 127:
        to = "int64"
    number = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "bool": 9}.get(to, 11)
    return g.add("Cast", [x], {"to": number})


# --- products, reductions, rankings ------------------------------------------------------


def matmul(g: Graph) -> object:
    x = g.find(lambda v: v.kind == "f" and ranked(v))
    if x is None:
        return None
    y = g.find(lambda v: v.dtype == x.dtype and v.rank >= 2 and v.shape[-2] == x.shape[-1])
    if y is None or g.choose.flag():
        y = g.constant(g.numbers([x.shape[-1], g.choose.integer(1, 6)], x.dtype))
    made = g.add("MatMul", [x, y])
    if made and g.choose.flag():  # a Linear's bias
        bias = g.constant(g.numbers(made[0].shape[-1:], x.dtype))
        return g.add("Add", either_way(g, made[0], bias))
    return made


def gemm(g: Graph) -> object:
    x = g.find(lambda v: v.kind == "f" and ranked(v, 2, 2))
    if x is None:
        return None
    trans_a, trans_b = g.choose.integer(0, 1), g.choose.integer(0, 1)
    inner, out = x.shape[0 if trans_a else 1], g.choose.integer(1, 5)
    w = g.constant(g.numbers([out, inner] if trans_b else [inner, out], x.dtype))
    c = g.choose.pick([None, [out], [1, out], [1], []])
    bias = None if c is None else g.constant(g.numbers(c, x.dtype))
    attributes = {"transA": trans_a, "transB": trans_b}
    if g.choose.chance(3):
        attributes |= {"alpha": 0.5, "beta": g.choose.pick([0.0, 2.0])}
    return g.add("Gemm", [x, w, bias], attributes)


def spreads(x: Value, axis: int) -> bool:
    """Whether the values from an axis on differ: a spread of almost nothing would blow up what
    rounding leaves."""
    rows = x.array.reshape(*x.shape[:axis], int(np.prod(x.shape[axis:])))
    with np.errstate(invalid="ignore"):  # NaN is no spread
        return bool((rows.std(-1) > 0.05).all())


def layer_norm_by_hand(g: Graph) -> object:
    """The arithmetic that exporters wrote before there was LayerNormalization."""
    x = g.find(lambda v: v.dtype == g.floats and fits(v, 2) and spreads(v, v.rank - 1))
    if x is None or g.opset >= 18:
        return None
    axes = {"axes": [-1], "keepdims": 1}
    mean = g.add("ReduceMean", [x], axes, rounds=True)
    centered = mean and g.add("Sub", [x, mean[0]])
    two = g.constant(np.array(2, x.dtype))
    square = centered and g.add("Pow", [centered[0], two])
    variance = square and g.add("ReduceMean", square, axes)
    epsilon = g.constant(np.array(1e-5, x.dtype))
    shifted = variance and g.add("Add", [variance[0], epsilon])
    root = shifted and g.add("Sqrt", shifted)
    return root and centered and g.add("Div", [centered[0], root[0]])


def softmax(g: Graph) -> object:
    x = g.find(lambda v: v.kind == "f" and ranked(v))
    if x is None:
        return None
    axis = {"axis": g.choose.integer(-x.rank, x.rank - 1)} if g.choose.flag() else {}
    return g.add(g.choose.pick(["Softmax", "LogSoftmax"]), [x], axis, rounds=True)


_REDUCTIONS = (
    "ReduceSum ReduceMax ReduceMin ReduceMean ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSumExp "
    "ReduceProd".split()
)


FEW = 64
"""Elements whose product is as exact as other results: each adds its rounding error to it."""


def reduction(g: Graph) -> object:
    x = g.find(lambda v: numbers(v) and ranked(v, 0))
    if x is None:
        return None
    op = g.choose.pick(_REDUCTIONS if x.kind == "f" else _REDUCTIONS[:3])
    if op == "ReduceProd" and x.array.size > FEW:
        return None
    attributes: dict[str, object] = {}
    if g.choose.flag():
        attributes["keepdims"] = g.choose.integer(0, 1)
    given: list[Value | None] = [x]
    if x.rank and g.choose.flag():
        axes = sorted({g.choose.integer(0, x.rank - 1) for _ in range(2)})
        axes = [a - x.rank if g.choose.flag() else a for a in axes]
        if g.opset >= (13 if op == "ReduceSum" else 18):
            given.append(g.i64(*axes))
        else:
            attributes["axes"] = axes
    rounds = op not in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceSumSquare")
    return g.add(op, given, attributes, rounds=rounds)


def ranking(g: Graph) -> object:
    x = g.find(lambda v: v.dtype in (g.floats, "int64") and v.exact and fits(v))
    if x is None:
        return None
    axis = g.choose.integer(0, x.rank - 1)
    op = g.choose.pick(["ArgMax", "ArgMin", "TopK", "CumSum"])
    if op == "CumSum":
        attributes = {"exclusive": g.choose.integer(0, 1), "reverse": g.choose.integer(0, 1)}
        return g.add(op, [x, g.constant(np.array(axis, np.int64))], attributes)
    if op == "TopK":
        k = g.i64(g.choose.integer(1, x.shape[axis]))
        attributes = {"axis": axis, "largest": g.choose.integer(0, 1)}
        return g.add(op, [x, k], attributes, outputs=2)
    attributes = {"axis": axis, "keepdims": g.choose.integer(0, 1)}
    if g.opset >= 12:
        attributes["select_last_index"] = g.choose.integer(0, 1)
    return g.add(op, [x], attributes)
