"""The families of operators that move elements about, with constant and with computed shapes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from builder import Graph, Value
from families import broadcasts, fits, floats, numbers, ranked


def integers(g: Graph, wanted: Sequence[int]) -> Value | None:
    """A tensor of these int64 numbers: a constant, or computed, where a value's shape has them."""
    how = g.choose.integer(0, 3)
    if how == 0 or not wanted:
        return g.i64(*wanted)
    if how == 1:  # the sum of two constants is one that is folded
        made = g.add("Add", [g.i64(*wanted), g.constant(np.array(0, np.int64))])
        return made[0] if made else None
    parts: list[Value] = []
    for number in wanted:
        part = _from_shape(g, number) if g.choose.flag() else None
        parts.append(part or g.i64(number))
    made = g.add("Concat", list(parts), {"axis": 0})
    return made[0] if made else None


def _from_shape(g: Graph, number: int) -> Value | None:
    """A number out of the shape of a value that has such a dimension."""
    x = g.find(lambda v: number in v.shape)
    shape = x and g.add("Shape", [x])
    if not x or not shape:
        return None
    at = x.shape.index(number)
    if g.choose.flag():
        made = g.add("Slice", [shape[0], g.i64(at), g.i64(at + 1)])
        return made[0] if made else None
    picked = g.add("Gather", [shape[0], g.constant(np.array(at, np.int64))], {"axis": 0})
    made = picked and unsqueezed(g, picked[0], [0])
    return made[0] if made else None


def unsqueezed(g: Graph, x: Value, axes: Sequence[int]) -> list[Value] | None:
    if g.opset >= 13:
        return g.add("Unsqueeze", [x, g.i64(*axes)])
    return g.add("Unsqueeze", [x], {"axes": list(axes)})


def squeeze_or_unsqueeze(g: Graph) -> object:
    x = g.find(lambda v: v.rank <= 4)
    if x is None:
        return None
    ones = [i for i, d in enumerate(x.shape) if d == 1]
    if not ones or g.choose.flag():
        return unsqueezed(g, x, [g.choose.integer(0, x.rank)])
    axes = [g.choose.pick(ones)]
    if g.choose.chance(4):
        return g.add("Squeeze", [x])
    if g.opset >= 13:
        return g.add("Squeeze", [x, g.i64(*axes)])
    return g.add("Squeeze", [x], {"axes": axes})


def reshape(g: Graph) -> object:
    x = g.find(lambda v: v.array.size > 0)
    if x is None:
        return None
    if g.choose.chance(4):
        axis = {"axis": g.choose.integer(0, x.rank)} if g.choose.flag() else {}
        return g.add("Flatten", [x], axis)
    left, shape = x.array.size, []
    for _ in range(g.choose.integer(0, 3)):
        divisors = [d for d in range(1, left + 1) if left % d == 0]
        shape.append(g.choose.pick(divisors))
        left //= shape[-1]
    shape = [*shape, left]
    shape = [shape[i] for i in g.choose.permutation(len(shape))]
    how = g.choose.integer(0, 3)
    if how == 1:
        shape[g.choose.integer(0, len(shape) - 1)] = -1
    if how == 2:
        shape = [0 if i < x.rank and d == x.shape[i] else d for i, d in enumerate(shape)]
    made = integers(g, shape)
    return made and g.add("Reshape", [x, made])


def transpose(g: Graph) -> object:
    x = g.find(lambda v: v.rank >= 2)
    if x is None:
        return None
    perm = {"perm": g.choose.permutation(x.rank)} if g.choose.chance(2) else {}
    return g.add("Transpose", [x], perm)


def slice_(g: Graph) -> object:
    x = g.find(fits)
    if x is None:
        return None
    axes = sorted({g.choose.integer(0, x.rank - 1) for _ in range(g.choose.integer(1, 2))})
    starts, ends, steps = [], [], []
    for axis in axes:
        size = x.shape[axis]
        step = g.choose.pick([1, 1, 2, -1, -2])
        a, b = g.choose.integer(0, size - 1), g.choose.integer(0, size)
        start, end = (min(a, b), max(a, b)) if step > 0 else (max(a, b), min(a, b) - 1)
        starts.append(start - size if g.choose.chance(3) else start)
        ends.append(g.choose.pick([end, end, 2**63 - 1]) if step > 0 else (-(2**31), end)[end > 0])
        steps.append(step)
    if x.dtype not in ("float32", "float64", "int32", "int64"):
        return None
    first, last = integers(g, starts), integers(g, ends)
    if first is None or last is None:
        return None
    return g.add("Slice", [x, first, last, g.i64(*axes), g.i64(*steps)], empty=g.choose.chance(8))


def gather(g: Graph) -> object:
    x = g.find(fits)
    if x is None:
        return None
    axis = g.choose.integer(0, x.rank - 1)
    size = x.shape[axis]
    op = g.choose.pick(["Gather", "Gather", "GatherElements", "GatherND"])
    rng = np.random.default_rng(g.names.count)
    if op == "GatherND":
        depth = g.choose.integer(1, x.rank)
        rows = [rng.integers(0, d, 3) for d in x.shape[:depth]]
        return g.add(op, [x, g.constant(np.stack(rows, -1).astype(np.int64))])
    shape = x.shape if op == "GatherElements" else g.choose.pick([(), (1,), (2,), (2, 3)])
    low = -size if g.choose.flag() else 0
    dtype = g.choose.pick(["int64", "int32"])
    indices = g.constant(rng.integers(low, size, shape).astype(dtype))
    return g.add(op, [x, indices], {"axis": axis})


def concat(g: Graph) -> object:
    x = g.find(ranked)
    if x is None:
        return None
    axis = g.choose.integer(0, x.rank - 1)

    def joins(v: Value) -> bool:
        rest = [(m, n) for i, (m, n) in enumerate(zip(v.shape, x.shape, strict=False)) if i != axis]
        return v.dtype == x.dtype and v.rank == x.rank and all(m == n for m, n in rest)

    others = [g.find(joins) for _ in range(g.choose.integer(0, 2))]
    return g.add("Concat", [x, *others], {"axis": axis - g.choose.pick([0, x.rank])})


def split(g: Graph) -> object:
    x = g.find(lambda v: fits(v) and max(v.shape) > 1)
    if x is None:
        return None
    axis = g.choose.pick([i for i, d in enumerate(x.shape) if d > 1])
    size = x.shape[axis]
    if g.choose.flag() and size % 2 == 0:
        attributes = {"axis": axis} | ({"num_outputs": 2} if g.opset >= 18 else {})
        return g.add("Split", [x], attributes, outputs=2)
    first = g.choose.integer(0 if g.choose.chance(8) else 1, size - 1)
    if g.opset >= 13:
        sizes = integers(g, [first, size - first])
        return sizes and g.add("Split", [x, sizes], {"axis": axis}, outputs=2, empty=True)
    attributes = {"axis": axis, "split": [first, size - first]}
    return g.add("Split", [x], attributes, outputs=2, empty=True)


def expand(g: Graph) -> object:
    x = g.find(lambda v: v.rank <= 4 and v.array.size <= 64)
    if x is None:
        return None
    if g.choose.chance(3):
        repeats = integers(g, [g.choose.integer(1, 2) for _ in x.shape])
        return repeats and g.add("Tile", [x, repeats])
    shape = [g.choose.integer(1, 3) if d == 1 else g.choose.pick([1, d]) for d in x.shape]
    if g.choose.chance(3):
        shape = [2, *shape]
    made = integers(g, shape)
    return made and broadcasts(shape, x.shape) and g.add("Expand", [x, made])


def pad(g: Graph) -> object:
    x = g.find(lambda v: floats(v) and fits(v))
    if x is None:
        return None
    mode = g.choose.pick(["constant", "constant", "edge", "reflect"])
    amounts = [g.choose.integer(0, min(2, d - 1)) for d in (*x.shape, *x.shape)]
    fill = g.constant(np.array(g.choose.pick([0.5, 0, -1]), x.dtype))
    pads = integers(g, amounts)
    given = fill if mode == "constant" and g.choose.flag() else None
    return pads and g.add("Pad", [x, pads, given], {"mode": mode})


def sizes(g: Graph) -> object:
    """What is made from shapes: filled tensors, ranges, masks."""
    x = g.find(lambda v: v.rank >= 1)
    if x is None:
        return None
    op = g.choose.pick(["Shape", "Size", "ConstantOfShape", "Range", "NonZero", "Trilu", "EyeLike"])
    if op == "ConstantOfShape":
        shape = g.add("Shape", [x])
        return shape and g.add(op, shape)
    if op == "Range":
        limit = g.add("Size", [x])
        ends = [g.constant(np.array(n, np.int64)) for n in (0, g.choose.integer(1, 3))]
        return limit and g.add(op, [ends[0], limit[0], ends[1]])
    if op == "NonZero":
        return g.add(op, [x], empty=True) if x.exact else None
    if op == "Trilu":
        upper = {"upper": g.choose.integer(0, 1)}
        return g.add(op, [x], upper) if g.opset >= 14 and x.rank >= 2 else None
    if op == "EyeLike":
        return g.add(op, [x], {"k": g.choose.integer(-1, 1)}) if x.rank == 2 else None
    return g.add(op, [x])


def scatter(g: Graph) -> object:
    x = g.find(lambda v: numbers(v) and fits(v))
    if x is None:
        return None
    rng = np.random.default_rng(g.names.count)
    axis = g.choose.integer(0, x.rank - 1)
    count = g.choose.integer(1, x.shape[axis])
    if g.choose.flag():  # each place at most once: the order of writes is not defined
        rows = rng.permutation(x.shape[0])[:2, None]
        updates = g.constant(g.numbers([len(rows), *x.shape[1:]], x.dtype))
        return g.add("ScatterND", [x, g.constant(rows.astype(np.int64)), updates])
    shape = [count if i == axis else d for i, d in enumerate(x.shape)]
    column = rng.permutation(x.shape[axis])[:count]
    indices = np.moveaxis(
        np.broadcast_to(column, (*shape[:axis], *shape[axis + 1 :], count)), -1, axis
    )
    updates = g.constant(g.numbers(shape, x.dtype))
    given = [x, g.constant(indices.astype(np.int64).copy()), updates]
    return g.add("ScatterElements", given, {"axis": axis})


def resize(g: Graph) -> object:
    return _resized(g, g.choose.pick(["nearest", "linear"]))


def resize_nearest(g: Graph) -> object:
    return _resized(g, "nearest")


def _resized(g: Graph, mode: str) -> object:
    x = g.find(lambda v: v.dtype == g.floats and fits(v, 4, 4))
    if x is None or not all(a.size for a in x.arrays):
        return None
    scales = g.constant(np.array([1, 1, 2, g.choose.pick([1, 2])], np.float32))
    attributes = {"mode": mode, "coordinate_transformation_mode": "asymmetric"}
    if mode == "nearest":
        attributes["nearest_mode"] = "floor"
    roi = g.constant(np.zeros(0, np.float32)) if g.opset < 13 else None
    return g.add("Resize", [x, roi, scales], attributes, rounds=mode == "linear")


def depth_to_space(g: Graph) -> object:
    x = g.find(lambda v: v.dtype == g.floats and fits(v, 4, 4))
    if x is None:
        return None
    if x.shape[1] % 4 == 0:
        mode = g.choose.pick(["DCR", "CRD"])
        return g.add("DepthToSpace", [x], {"blocksize": 2, "mode": mode})
    return g.add("SpaceToDepth", [x], {"blocksize": 2})
