"""The families of operators on tensors without elements."""

from __future__ import annotations

import numpy as np
from builder import Graph, Value
from families import numbers, ranked
from onnx import helper
from oracles import type_of
from shapes import integers


def empty(v: Value) -> bool:
    return v.array.size == 0


def emptied(g: Graph) -> object:
    """A part of a value that has no elements."""
    x = g.find(lambda v: numbers(v) and ranked(v))
    if x is None:
        return None
    axis = g.choose.integer(0, x.rank - 1)
    how = g.choose.pick(["Slice", "Gather", "Split", "Expand", "Tile", "Compress", "Reshape"])
    if how == "Slice":
        at, step = g.choose.integer(-2, 3), g.choose.pick([1, 2, -1, -3])
        return g.add("Slice", [x, g.i64(at), g.i64(at), g.i64(axis), g.i64(step)])
    if how == "Gather":
        none = g.constant(np.zeros(g.choose.pick([(0,), (0, 2), (2, 0)]), np.int64))
        return g.add("Gather", [x, none], {"axis": axis})
    if how == "Split" and g.opset >= 13:
        parts = integers(g, [0, x.shape[axis]][:: g.choose.pick([1, -1])])
        return parts and g.add("Split", [x, parts], {"axis": axis}, outputs=2)
    if how == "Expand":
        shape = integers(g, [0 if d == 1 else d for d in x.shape])
        return shape and g.add("Expand", [x, shape])
    if how == "Tile":
        repeats = integers(g, [g.choose.integer(0, 2) for _ in x.shape])
        return repeats and g.add("Tile", [x, repeats])
    if how == "Compress":
        return g.add(how, [x, g.constant(np.zeros(x.shape[axis], np.bool_))], {"axis": axis})
    if how == "Reshape" and empty(x):
        shape = integers(g, [g.choose.pick([1, 2, 5]), 0, g.choose.pick([1, 3])])
        zeros = {"allowzero": 1} if g.opset >= 14 else {}
        return shape and g.add("Reshape", [x, shape], zeros)
    return None


def made_empty(g: Graph) -> object:
    """Tensors without elements out of numbers."""
    op = g.choose.pick(["Range", "ConstantOfShape", "NonZero", "EyeLike", "OneHot"])
    if op == "Range":
        dtype = g.choose.pick(["int64", "int32", g.floats])
        start, end, step = g.choose.pick([(3, 0, 1), (0, 3, -1), (2, 2, 1), (0, 1, -2), (5, 1, 3)])
        return g.add(op, [g.constant(np.array(n, dtype)) for n in (start, end, step)])
    if op == "ConstantOfShape":
        shape = integers(g, g.choose.pick([[0], [2, 0], [0, 3, 2], [1, 0, 4]]))
        return shape and g.add(op, [shape])
    if op == "NonZero":
        x = g.find(lambda v: numbers(v) and v.exact)
        zero = x and g.constant(np.array(0, x.dtype))
        nothing = x and zero and g.add("Mul", [x, zero])
        return nothing and g.add(op, nothing)
    if op == "OneHot":
        none = g.constant(np.zeros(g.choose.pick([(0,), (2, 0)]), np.int64))
        depth, values = g.i64(g.choose.integer(1, 3)), g.constant(g.numbers([2]))
        return g.add(op, [none, depth, values], {"axis": g.choose.integer(-1, 0)})
    x = g.find(lambda v: numbers(v) and v.rank == 2)
    return x and g.add(op, [x])


def ranked_empty(g: Graph) -> object:
    """Places of the largest, where there is an answer; the largest k of none; sums so far."""
    x = g.find(lambda v: v.dtype in (g.floats, "int64") and v.exact and ranked(v))
    if x is None:
        return None
    axis = g.choose.integer(0, x.rank - 1)
    op = g.choose.pick(["ArgMax", "ArgMin", "TopK", "TopK", "CumSum", "Unique"])
    if op == "TopK":
        k = integers(g, [g.choose.integer(0, min(1, x.shape[axis]))])
        return k and g.add(op, [x, k], {"axis": axis}, outputs=2)
    if op == "CumSum":
        return g.add(op, [x, g.constant(np.array(axis, np.int64))])
    if op == "Unique":
        return g.add(op, [x])
    if x.shape[axis] == 0:
        return None
    return g.add(op, [x], {"axis": axis, "keepdims": g.choose.integer(0, 1)})


def product(g: Graph) -> object:
    """Products of matrices whose sums, rows or columns are none."""
    x = g.find(lambda v: v.kind == "f" and ranked(v, 2))
    if x is None:
        return None
    inner, columns = x.shape[-1], g.choose.pick([0, 1, 3])
    op = g.choose.pick(["MatMul", "Gemm", "Einsum"])
    if op == "Gemm" and x.rank == 2:
        weight = g.constant(g.numbers([inner, columns], x.dtype))
        bias = g.choose.pick([None, [columns], [1, 1], []])
        given = None if bias is None else g.constant(g.numbers(bias, x.dtype))
        return g.add(op, [x, weight, given], {"beta": 2.0} if g.choose.flag() else {})
    if op == "Einsum" and g.opset >= 12:
        weight = g.constant(g.numbers([inner, columns], x.dtype))
        return g.add(op, [x, weight], {"equation": "...ij,jk->...ik"})
    batch = [x.shape[0]] if x.rank == 3 and g.choose.flag() else []
    weight = g.constant(g.numbers([*batch, inner, columns], x.dtype))
    made = g.add("MatMul", [x, weight])
    return made and g.add("Add", [made[0], g.constant(g.numbers([columns], x.dtype))])


def moved(g: Graph) -> object:
    """Gathers and scatters of nothing, pads of nothing, pixels of no pictures."""
    x = g.find(lambda v: numbers(v) and ranked(v) and (empty(v) or g.choose.chance(3)))
    if x is None:
        return None
    axis = g.choose.integer(0, x.rank - 1)
    op = g.choose.pick(
        "GatherElements GatherND ScatterElements ScatterND Pad Resize DepthToSpace Where".split()
    )
    none = [0 if i == axis else d for i, d in enumerate(x.shape)]
    if op == "GatherElements":
        return g.add(op, [x, g.constant(np.zeros(none, np.int64))], {"axis": axis})
    if op == "GatherND":
        return g.add(op, [x, g.constant(np.zeros((0, x.rank), np.int64))])
    if op.startswith("Scatter") and len(x.arrays) > 1:
        return None  # updates are of one size
    if op == "ScatterElements":
        indices, updates = np.zeros(none, np.int64), g.numbers(none, x.dtype)
        return g.add(op, [x, g.constant(indices), g.constant(updates)], {"axis": axis})
    if op == "ScatterND":
        updates = g.numbers([0, *x.shape[1:]], x.dtype)
        return g.add(op, [x, g.constant(np.zeros((0, 1), np.int64)), g.constant(updates)])
    if op == "Pad" and x.kind == "f":
        pads = integers(g, [g.choose.integer(0, 1) for _ in (*x.shape, *x.shape)])
        return pads and g.add(op, [x, pads])
    if op == "Where":
        condition = g.constant(g.numbers(x.shape[-1:], "bool"))
        return g.add(op, [condition, x, g.constant(np.array(1, x.dtype))])
    if x.rank != 4 or x.dtype != g.floats:
        return None
    if op == "Resize":
        roi = g.constant(np.zeros(0, np.float32)) if g.opset < 13 else None
        scales = g.constant(np.array([1, 1, 2, 2], np.float32))
        attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
        return g.add(op, [x, roi, scales], attributes | {"nearest_mode": "floor"})
    return g.add(op, [x], {"blocksize": 2}) if x.shape[1] % 4 == 0 else None


def loop_of_nothing(g: Graph) -> object:
    """A loop that runs 0 times, or an input of a scan has no rows: what is stacked is empty. The
    shape of one iteration is declared, as nothing else tells it."""
    state = g.find(lambda v: v.kind in "fi" and len(v.arrays) == 1)
    if state is None:
        return None
    choose, names = g.choose, g.names
    step, going, own = names.fresh(), names.fresh(), names.fresh()
    again, end, part = names.fresh(), names.fresh(), names.fresh()
    nodes = [
        helper.make_node("Identity", [going], [again]),
        helper.make_node("Add", [own, own], [end]),
        helper.make_node("Mul", [own, own], [part]),
    ]
    kind = type_of(state.array)
    number, flag = type_of(np.array(0, np.int64)), type_of(np.array(True))
    inputs = [(step, number), (going, flag), (own, kind)]
    outputs = [(again, flag), (end, kind), (part, kind)]
    body = helper.make_graph(
        nodes,
        "body",
        [helper.make_value_info(name, type) for name, type in inputs],
        [helper.make_value_info(name, type) for name, type in outputs],
    )
    none = choose.flag()
    trips = g.constant(np.array(0 if none else choose.integer(1, 2), np.int64))
    condition = g.constant(np.array(none and choose.flag()))
    return g.add("Loop", [trips, condition, state], {"body": body}, outputs=2, empty=True)
