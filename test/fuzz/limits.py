"""The families of operators on the largest and least numbers of the types of integers.

Only what the standard defines is drawn: a sum that does not fit is not among it.
"""

from __future__ import annotations

import numpy as np
from builder import Graph, Value
from families import broadcasts, fits, operand_for, ranked
from onnx import helper

_SIZES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def integer(v: Value) -> bool:
    return v.kind in "iu"


def elementwise(g: Graph) -> object:
    x = g.find(integer)
    if x is None:
        return None
    bits = ["BitwiseAnd", "BitwiseOr", "BitwiseXor"] if g.opset >= 18 else []
    late = ["LessOrEqual", "GreaterOrEqual"] if g.opset >= 12 else []
    op = g.choose.pick(["Min", "Max", "Equal", "Less", "Greater", *late, *bits])
    operands = [x, operand_for(g, x)]
    if op in ("Min", "Max") and g.choose.flag():
        operands.append(operand_for(g, x))
    return g.add(op, operands)


def unary(g: Graph) -> object:
    x = g.find(integer)
    if x is None:
        return None
    op = g.choose.pick(["Abs", "Sign", "Identity", "BitwiseNot", "Mod", "Div", "BitShift"])
    if op == "BitwiseNot" and g.opset < 18:
        return None
    if op in ("Mod", "Div"):
        divisor = g.choose.pick([2, 3, 7, 100])
        return g.add(op, [x, g.constant(np.array(divisor, x.dtype))])
    if op == "BitShift":
        by = g.constant(np.array(g.choose.integer(0, 8 * x.array.itemsize - 1), x.dtype))
        direction = g.choose.pick(["LEFT", "RIGHT"])
        return g.add(op, [x, by], {"direction": direction}) if x.kind == "u" else None
    if op == "Abs" and x.kind == "i" and np.any(x.array == np.iinfo(x.dtype).min):
        return None  # has no absolute value
    return g.add(op, [x])


def clip(g: Graph) -> object:
    x = g.find(integer)
    if x is None or g.opset < 12:
        return None
    ends = np.iinfo(x.dtype)
    low, high = sorted(int(g.choose.pick([ends.min, ends.max, 0, 1, 100])) for _ in range(2))
    given = [
        None if g.choose.chance(4) else g.constant(np.array(end, x.dtype)) for end in (low, high)
    ]
    return g.add("Clip", [x, *given])


def cast(g: Graph) -> object:
    """To wider and narrower integers, which keeps the low bits, to floats and truth values."""
    x = g.find(lambda v: integer(v) or v.kind == "b")
    if x is None:
        return None
    to = g.choose.pick([*_SIZES, "float32", "float64", "bool"])
    return g.add("Cast", [x], {"to": helper.np_dtype_to_tensor_dtype(np.dtype(to))})


def where(g: Graph) -> object:
    x = g.find(integer)
    condition = x and g.find(lambda v: v.dtype == "bool" and broadcasts(v.shape, x.shape))
    if x is None or condition is None:
        return None
    return g.add("Where", [condition, x, operand_for(g, x)])


def reduction(g: Graph) -> object:
    x = g.find(lambda v: integer(v) and ranked(v))
    if x is None:
        return None
    axis = g.choose.integer(0, x.rank - 1)
    op = g.choose.pick(["ReduceMax", "ReduceMin", "ArgMax", "ArgMin", "TopK"])
    keep = {"keepdims": g.choose.integer(0, 1)}
    if op == "TopK":
        k = g.i64(g.choose.integer(0, x.shape[axis]))
        attributes = {"axis": axis, "largest": g.choose.integer(0, 1)}
        return g.add(op, [x, k], attributes, outputs=2)
    if op.startswith("Arg"):
        return g.add(op, [x], keep | {"axis": axis})
    if g.opset >= 18:
        return g.add(op, [x, g.i64(axis)], keep)
    return g.add(op, [x], keep | {"axes": [axis]})


def slice_(g: Graph) -> object:
    """Starts, ends and steps at the limits of their types, known or not."""
    x = g.find(lambda v: ranked(v) and v.dtype in ("int64", "int32", "float32", "float64"))
    if x is None:
        return None
    dtype = g.choose.pick(["int64", "int32"])
    ends = np.iinfo(dtype)
    axis = g.choose.integer(-x.rank, x.rank - 1)
    far = [ends.min, ends.min + 1, ends.max, ends.max - 1, -(2**31), 2**31 - 1]
    near = [0, 1, -1, x.shape[axis], -x.shape[axis]]
    start, end = (g.choose.pick([g.choose.pick(far), g.choose.pick(near)]) for _ in range(2))
    step = g.choose.pick([1, -1, 2, -2, ends.max, ends.min, ends.min + 1, -(2**31), 2**31 - 1])
    given = [g.constant(np.array([n], dtype)) for n in (start, end, axis, step)]
    if g.choose.flag():
        given = [_computed(g, v) if g.choose.flag() else v for v in given]
    if any(v is None for v in given):
        return None
    if g.choose.chance(4):
        given = given[: g.choose.integer(2, 3)]
    return g.add("Slice", [x, *given], empty=True)


def _computed(g: Graph, v: Value) -> Value | None:
    """The same number, out of an input, so that a compiler does not know it."""
    source = g.find(lambda u: u.dtype == "bool" and not u.constant and u.rank == 0)
    if source is None:
        return v
    other = g.constant(v.array.copy())
    made = g.add("Where", [source, v, other])
    return made[0] if made else None


def indices(g: Graph) -> object:
    """Indices from behind, of both types; where elements go as well."""
    x = g.find(lambda v: fits(v) and v.dtype in ("int64", "int32", "float32", "float64"))
    if x is None:
        return None
    rng = np.random.default_rng(g.names.count)
    axis = g.choose.integer(0, x.rank - 1)
    size, dtype = x.shape[axis], g.choose.pick(["int64", "int32"])
    op = g.choose.pick(["Gather", "GatherElements", "GatherND", "ScatterElements", "ScatterND"])
    if op == "Gather":
        shape = g.choose.pick([(), (2,), (2, 1)])
        return g.add(
            op, [x, g.constant(rng.integers(-size, size, shape).astype(dtype))], {"axis": axis}
        )
    if op == "GatherElements":
        found = rng.integers(-size, size, x.shape).astype(dtype)
        return g.add(op, [x, g.constant(found)], {"axis": axis - x.rank})
    if op == "GatherND":
        rows = [rng.integers(-d, d, 3) for d in x.shape]
        return g.add(op, [x, g.constant(np.stack(rows, -1).astype(np.int64))])
    if op == "ScatterElements":
        shape = [1 if i == axis else d for i, d in enumerate(x.shape)]
        places = np.full(shape, rng.integers(-size, size), dtype)
        updates = g.constant(g.numbers(shape, x.dtype))
        return g.add(op, [x, g.constant(places), updates], {"axis": axis})
    place = np.array([[rng.integers(-x.shape[0], x.shape[0])]], np.int64)
    return g.add(op, [x, g.constant(place), g.constant(g.numbers([1, *x.shape[1:]], x.dtype))])


def far_range(g: Graph) -> object:
    """A few numbers at the end of a type, by steps that would lead past it."""
    dtype = g.choose.pick(["int64", "int32"])
    ends = np.iinfo(dtype)
    start, end, step = g.choose.pick(
        [
            (ends.max - 3, ends.max, 2),
            (ends.min + 3, ends.min, -2),
            (ends.max - 1, ends.max, ends.max),
            (0, ends.max, ends.max),
            (0, ends.min, ends.min),
            (ends.min, ends.min + 5, 3),
        ]
    )
    return g.add("Range", [g.constant(np.array(n, dtype)) for n in (start, end, step)])


def triangle(g: Graph) -> object:
    """Diagonals that are far outside."""
    x = g.find(lambda v: v.rank == 2 and v.dtype in ("int64", "int32", "float32"))
    if x is None:
        return None
    k = g.choose.pick([2**63 - 1, -(2**63), 2**31, -(2**31) - 1, 100, -100])
    if g.choose.flag():
        return g.add("EyeLike", [x], {"k": k})
    upper = {"upper": g.choose.integer(0, 1)}
    return g.add("Trilu", [x, g.constant(np.array(k, np.int64))], upper) if g.opset >= 14 else None


def quantize(g: Graph) -> object:
    """What does not fit is the nearest that does."""
    rng = np.random.default_rng(g.names.count)
    numbers = rng.choice(
        [0, 1.5, 2.5, -1.5, 126.5, 127.5, 300, -300, 1e9, -1e9, 3e38, -3e38], [2, 4]
    )
    x = g.constant(numbers.astype(np.float32))
    one = g.constant(np.array(g.choose.pick([1, 0.5]), np.float32))
    dtype = g.choose.pick(["int8", "uint8"])
    zero = g.constant(np.array(g.choose.pick([0, 3]), dtype))
    flag = g.find(lambda v: v.dtype == "bool" and not v.constant and v.rank == 0)
    picked = flag and g.add("Where", [flag, x, x])
    return g.add("QuantizeLinear", [picked[0] if picked else x, one, zero])
