"""Cases of shapes, indexing and reductions."""

from typing import Any

import numpy as np
from one_node import Case, case, each, f32, i64, rand, scalar

X = f32(2, 3, 4)
MAX, MIN = 2**63 - 1, -(2**63)
BOTH = ((), (1,))
"""With the second input as a graph input, and as an initializer."""

SHAPE = [
    *(
        case("Reshape", s, i64(*to), const=c, **a)
        for s, to, a in (
            (X, (6, 4), {}),
            (X, (-1, 2), {}),
            (X, (0, -1), {}),
            (X, (0, 0, 2, 2), {}),
            (X, (4, 0, -1), {}),
            (f32(1, 1), (), {}),
            (f32(), (1, 1), {}),
            (f32(0, 3), (3, -1), {}),
            (f32(0, 3), (0, 1, 3), {}),
            (f32(0, 3), (3, 0), dict[str, Any](allowzero=1)),
            (X, (2, 12), dict[str, Any](opset=5)),
        )
        for c in BOTH
    ),
    *(
        case("Reshape", X, i64(*to), const=(1,), dynamic=True)
        for to in ((0, -1), (0, 3, 4), (0, 0, 2, 2))
    ),
    *(case("Flatten", X, axis=a, dynamic=d) for a in (0, 1, 2, 3, -1, -2) for d in (False, True)),
    case("Flatten", f32(2, 3)),
    case("Flatten", f32(3), axis=1),
    case("Flatten", f32(), axis=0, reference=True),
    *(case("Transpose", X, perm=p) for p in ([0, 2, 1], [2, 0, 1])),
    *(case("Transpose", f32(*s)) for s in ((), (3,), (2, 3), (2, 3, 4))),
    *(
        case("Squeeze", f32(1, 3, 1, 2), i64(*a), const=c)
        for a in ((0,), (0, 2), (-2,))
        for c in BOTH
    ),
    *(
        case("Squeeze", f32(1, 3, 1, 2), opset=11, **a)
        for a in each({}, {"axes": [0]}, {"axes": [0, -2]})
    ),
    case("Squeeze", f32(1, 3, 1)),
    case("Squeeze", f32(1, 1)),
    *(
        case("Unsqueeze", X, i64(*a), const=c)
        for a in ((0,), (1, 3), (-1,), (3, 0), (-1, 0))
        for c in BOTH
    ),
    *(case("Unsqueeze", X, opset=11, axes=a) for a in ([0], [0, 4], [-1])),
    case("Unsqueeze", f32(), i64(0), const=(1,)),
    *(case("Concat", f32(2, 3), f32(2, 1), f32(2, 0), axis=a) for a in (1, -1)),
    case("Concat", X, axis=0),
    case("Concat", rand("int64", 2), i64(3, 4), const=(1,), axis=0),
    *(
        case("Split", f32(6, 4), i64(*s), axis=a, outputs=len(s), const=c)
        for s, a in (((1, 2, 3), 0), ((3, 1), -1), ((4, 0), 1))
        for c in BOTH
    ),
    case("Split", f32(6, 4), outputs=3, opset=13),
    case("Split", f32(6, 4), outputs=2, opset=11, axis=-1, split=[1, 3]),
    case("Split", f32(6, 4), outputs=2, opset=2),
    *(
        case("Split", f32(7, 4), outputs=n, num_outputs=n, dynamic=d)
        for n in (1, 3, 7)
        for d in (False, True)
    ),
    # Chunks of ceil(size / n), as the reference has them: ONNX Runtime refuses empty ones.
    *(
        case("Split", f32(size, 4), outputs=n, opset=18, reference=True, num_outputs=n)
        for size, n in ((4, 3), (5, 4), (1, 3), (0, 2))
    ),
    *(
        case("Expand", f32(*s), i64(*to), const=c)
        for s, to in (
            ((3, 1), (3, 4)),
            ((3, 1), (2, 1, 4)),
            ((2, 3), (1,)),
            ((), (2,)),
            ((), ()),
            ((1, 3), (0, 3)),
        )
        for c in BOTH
    ),
    *(case("Tile", f32(2, 3), i64(*r), const=c) for r in ((1, 2), (3, 0), (2, 2)) for c in BOTH),
    *(case("Shape", X, **a) for a in each({}, {"start": 1}, {"end": -1}, {"start": -2, "end": 9})),
    case("Shape", f32()),
    case("Size", X),
    case("Size", f32()),
    *(
        case("ConstantOfShape", i64(*s), const=c, value=v)
        for s in ((2, 3), (), (0, 2))
        for c in ((), (0,))
        for v in (np.array([2.5], np.float32), np.array([7], np.int64), np.array([True]))
    ),
    case("ConstantOfShape", i64(3), const=(0,)),
    *(
        case("Range", *(scalar(v, t) for v in b), const=c)
        for t in ("int16", "int32", "int64", "float32", "float64")
        for b in ((5, 2, 1), (2, 5, -1), (0, 0, 1))
        for c in ((), (0, 1, 2), (2,))
    ),
    *(
        case("Range", *(np.array(v, t) for v in b), const=c)
        for t, b in (
            ("int64", (0, 5, MAX)),
            ("int64", (5, 0, MIN)),
            ("int32", (0, 5, 2**31 - 1)),
            ("int32", (5, 0, -(2**31))),
            ("int16", (0, 5, 2**15 - 1)),
        )
        for c in ((), (0, 1, 2))
    ),
    *(
        case("Range", *(scalar(v, t) for v in b), const=c)
        for t, b in (
            ("int64", (3, 11, 2)),
            ("int32", (5, -3, -2)),
            ("float32", (0.5, 2.0, 0.3)),
        )
        for c in ((), (0, 1, 2))
    ),
    *(case("DepthToSpace", f32(1, 8, 2, 3), blocksize=2, mode=m) for m in ("DCR", "CRD")),
    case("DepthToSpace", f32(1, 8, 2, 3), blocksize=2, opset=1, reference=True),
    case("SpaceToDepth", f32(1, 2, 4, 6), blocksize=2),
    *(case("EyeLike", f32(3, 4), k=k, **a) for k in (0, 1, -2) for a in each({}, {"dtype": 7})),
    *(
        case("Trilu", rand(t, 2, 3, 4), *k, upper=u, const=c)
        for t in ("float32", "int64")
        for u in (0, 1)
        for k, c in (
            ((), ()),
            ((scalar(1, "int64"),), ()),
            ((scalar(-1, "int64"),), (1,)),
            ((scalar(9, "int64"),), (1,)),
        )
    ),
    case("Trilu", rand("bool", 3, 3), reference=True),
]

PAD = [
    *(
        case("Pad", f32(2, 4, 5), i64(*p), mode=m, const=c)
        for m in ("constant", "reflect", "edge", "wrap")
        for p in ((0, 1, 2, 0, 2, 1), (0, 0, 3, 0, 0, 0), (0, 2, -1, 0, -1, 2), (0, 0, 0, 0, 0, 0))
        for c in BOTH
    ),
    *(
        case("Pad", X, i64(0, 1, 0, 2, 0, 1), v, const=c)
        for v in (scalar(1.5), scalar(-np.inf))
        for c in ((), (1,), (1, 2))
    ),
    *(
        case("Pad", rand(t, 2, 3), i64(1, 0, 0, 2), scalar(3, t), const=c)
        for t in ("int64", "float64", "int32")
        for c in ((), (1, 2))
    ),
    case("Pad", rand("bool", 3), i64(1, 1), scalar(True, "bool"), const=(1, 2)),
    *(
        case("Pad", f32(2, 3, 4), i64(1, 2, 0, 1), None, i64(*a), mode=m, const=c)
        for m in ("constant", "edge")
        for a in ((2, 1), (-1, 0))
        for c in ((), (1, 3), (3,))
    ),
    *(
        case("Pad", f32(2, 4), opset=2, pads=[0, 1, 1, 2], mode=m)
        for m in ("constant", "reflect", "edge")
    ),
    case("Pad", f32(2, 4), opset=2, pads=[0, 1, 1, -2], value=0.5),
    case("Pad", f32(2, 4), i64(0, 1, 1, 2), scalar(0.5), opset=11, const=(1, 2)),
]

SLICES = (
    ((1,), (3,), (1,), None),
    ((0, 1), (2, 3), None, None),
    ((-3, 0), (MAX, 2), (2, 0), None),
    ((-100,), (100,), (2,), (2,)),
    ((0,), (-1,), (-1,), None),
    ((3,), (MIN,), (2,), (-1,)),
    ((-1, 1), (-100, 3), (2, 1), (-2, 1)),
    ((MAX,), (0,), (2,), (-1,)),
    ((2,), (1,), (1,), None),
    ((0,), (0,), (1,), (-1,)),
    ((1,), (MAX,), (1,), (2,)),
    ((0,), (2**31 - 1,), (0,), None),
    ((1,), (6,), (2,), (MAX,)),
    ((MIN,), (MAX,), (2,), (MAX,)),
    ((MIN,), (MAX,), (0,), (MAX,)),
    ((MAX,), (MIN,), (2,), (MIN,)),
    # Python's slices are empty there, and so are the reference's. The standard's text and ONNX
    # Runtime let them start at the first element.
    ((-100,), (MIN,), (2,), (-1,)),
)
LIMITS = ((1, 6, 2**31 - 1), (-(2**31), 2**31 - 1, 2**31 - 1), (2**31 - 1, -(2**31), -(2**31)))
INDEXING = [
    *(
        case("Slice", X, *(None if p is None else i64(*p) for p in parts), const=c)
        for parts in SLICES
        for c in ((), (1, 2, 3, 4), (2, 3, 4))
    ),
    case("Slice", X, *(np.array([v], np.int32) for v in (1, 2, 0, 1))),
    *(
        case("Slice", X, *(np.array([v], np.int32) for v in (s, e, 2, step)), opset=v, const=c)
        for s, e, step in LIMITS
        for v in (10, 11, 13)
        for c in ((), (1, 2, 3, 4))
    ),
    case("Slice", X, opset=1, starts=[-(2**62), MIN], ends=[MAX, MAX]),
    case("Slice", X, i64(1), i64(3), i64(1), opset=10, const=(1, 2, 3)),
    case("Slice", X, opset=9, starts=[0, -2], ends=[1, MAX], axes=[0, 2]),
    case("Slice", X, opset=1, starts=[1], ends=[2]),
    *(
        case("Gather", f32(4, 3, 2), np.array(i, t), axis=a, const=c)
        for i in (1, -1, [0, -2], [[1, 0], [-1, 1]], [0])
        for a in (0, 1, -1)
        for t in ("int64", "int32")
        for c in ((), (1,), (0,))
        if a == 0 or t == "int64"
    ),
    *(case("Gather", f32(5, 3), np.array([[1, -1], [4, 0]]), const=(0,), axis=a) for a in (0,)),
    case("Gather", i64(3, 4, 5), scalar(1, "int64"), const=(1,)),
    case("Gather", rand("bool", 3), i64(2, 0)),
    *(
        case("GatherElements", f32(3, 3), np.array([[1, -1, 0], [2, 0, -3]]), axis=a, const=c)
        for a in (0, 1)
        for c in BOTH
        if a == 0
    ),
    case("GatherElements", f32(2, 3), np.array([[1, -1], [2, 0]]), axis=-1),
    *(
        case("GatherND", f32(2, 3, 4), np.array(i), batch_dims=b, const=c)
        for i, b in (
            ([[0, 1], [1, -1]], 0),
            ([[[1]], [[-1]]], 1),
            ([[1], [2]], 1),
            ([[[0], [1], [3]], [[1], [0], [2]]], 2),
            ([[0, 1, 2]], 0),
            ([1], 0),
        )
        for c in BOTH
    ),
    *(
        case(
            "ScatterElements",
            f32(3, 3),
            np.array([[1, -1, 0]]),
            f32(1, 3),
            axis=a,
            reduction=r,
            const=c,
        )
        for a in (0, 1)
        for r in ("none", "add", "mul", "max", "min")
        for c in BOTH
        if a == 0
    ),
    case("ScatterElements", f32(2, 5), np.array([[1, 1]]), f32(1, 2), axis=1, reduction="add"),
    case("ScatterElements", f32(2, 5), np.array([[1, 3]]), f32(1, 2), axis=-1, opset=11),
    *(
        case(
            "ScatterND",
            rand(t, 4, 3),
            np.array([[1], [-1], [1]]),
            rand(t, 3, 3),
            reduction=r,
            const=c,
        )
        for t in ("float32", "int64")
        for r in ("add", "mul", "max", "min")
        for c in BOTH
    ),
    case("ScatterND", f32(4, 3), np.array([[1, 0], [3, -1]]), f32(2), const=(1,)),
    case("ScatterND", f32(4, 3), np.array([[1], [3]]), f32(2, 3), opset=11),
    *(case("NonZero", x) for x in (rand("int64", 3, 4, low=0, high=2), rand("bool", 5), f32(0, 2))),
    *(
        case("OneHot", np.array(i), scalar(4, "int64"), np.array([2, 5], t), axis=a, const=c)
        for i in ([0, -1, 3, 7, -9], [[1, 2], [3, 0]])
        for a in (0, 1, -1)
        for t in ("float32", "int64")
        for c in ((), (1, 2))
    ),
    case(
        "OneHot",
        np.array([1.0, 2.0], np.float32),
        scalar(3),
        np.array([0, 1], np.float32),
    ),
]

AXES = ((0,), (1, -1), (0, 1, 2))
FLOAT_ONLY = ("ReduceLogSum", "ReduceLogSumExp", "ReduceL2")
INTEGER = (
    "ReduceSum",
    "ReduceMean",
    "ReduceProd",
    "ReduceMax",
    "ReduceMin",
    "ReduceL1",
    "ReduceSumSquare",
)
Y = f32(2, 3, 4, low=0.1, high=2.0)
REDUCTION = [
    *(
        case(op, Y, i64(*a), keepdims=k, const=c)
        for op in (*FLOAT_ONLY, *INTEGER)
        for a in AXES
        for k in (0, 1)
        for c in BOTH
    ),
    *(
        case(op, Y, opset=11, keepdims=k, **a)
        for op in (*FLOAT_ONLY, *INTEGER)
        for k in (0, 1)
        for a in each({}, {"axes": [1]}, {"axes": [-1, 0]})
    ),
    *(case(op, Y, keepdims=k) for op in (*FLOAT_ONLY, *INTEGER) for k in (0, 1)),
    # ONNX Runtime leaves out the steps around a reduction over no axes.
    *(
        case(op, Y, *a, noop_with_empty_axes=noop, const=c, reference=op not in INTEGER[:5])
        for op in (*FLOAT_ONLY, *INTEGER)
        for a, c in (((), ()), ((i64(),), ()), ((i64(),), (1,)))
        for noop in ((0, 1) if op in INTEGER[:5] else (0,))
    ),
    *(
        case(op, rand(t, 2, 3), keepdims=0, axes=[1], opset=11)
        for op in INTEGER
        for t in ("int32", "int64")
        if (op, t) != ("ReduceL1", "int64")
    ),
    *(
        case(op, rand("float64", 2, 3), keepdims=0, axes=[1], opset=11)
        for op in ("ReduceSum", "ReduceMean")
    ),
    *(case(op, f32()) for op in ("ReduceSum", "ReduceMax", "ReduceMean", "ReduceProd")),
    *(case(op, Y, dynamic=True) for op in ("ReduceSum", "ReduceMax")),
    case("ReduceSum", f32(2, 0, 3), i64(1), const=(1,)),
    case("ReduceMax", rand("bool", 2, 3), i64(1), const=(1,), opset=20, reference=True),
    *(
        case(op, np.array([[1, 3, 3], [2, 2, 0]], t), axis=a, keepdims=k, select_last_index=last)
        for op in ("ArgMax", "ArgMin")
        for t in ("float32", "int32")
        for a in (0, 1, -1)
        for k in (0, 1)
        for last in (0, 1)
    ),
    case("ArgMax", f32(2, 3), opset=1),
    *(
        case("CumSum", rand(t, 3, 4), scalar(a, "int64"), exclusive=e, reverse=r, const=c)
        for t in ("float32", "int32", "float64")
        for a in (0, -1)
        for e in (0, 1)
        for r in (0, 1)
        for c in BOTH
    ),
    case(
        "CumSum",
        np.array([1e30, 1.0, 2.0, np.inf, 1.0], np.float32),
        scalar(0, "int64"),
        exclusive=1,
    ),
    *(
        case("TopK", rand(t, 3, 5), i64(k), axis=a, largest=largest, outputs=2, const=c)
        for t in ("float32", "int64")
        for a, k in ((-1, 3), (0, 2))
        for largest in (0, 1)
        for c in BOTH
    ),
    case("TopK", np.array([1, 2, 2, 3, 2], np.float32), i64(4), outputs=2, const=(1,)),
    case("TopK", f32(3, 5), i64(2), outputs=2, const=(1,), opset=10),
]

CASES: list[Case] = [*SHAPE, *PAD, *INDEXING, *REDUCTION]
