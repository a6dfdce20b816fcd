"""Cases of element types with which PyTorch does not compute, or not in every operator."""

import numpy as np
from one_node import Case, TensorProto, case, i64, rand, scalar

TYPES = ("uint16", "uint32", "uint64")


def ends(dtype: str) -> np.ndarray:
    """Numbers of which the larger ones would be negative in the signed type."""
    top = int(np.iinfo(dtype).max)
    return np.array([[0, 1, 7], [top // 2, top // 2 + 1, top - 2], [top, 3, top // 3]], dtype)


def others(dtype: str) -> np.ndarray:
    top = int(np.iinfo(dtype).max)
    return np.array([[5, 3, top], [top // 2 + 1, 2, 9], [top - 1, top, 1]], dtype)


def known(dtype: str) -> np.ndarray:
    return np.array([int(np.iinfo(dtype).max) // 2 + 3], dtype)


PAIRS = ("Add", "Sub", "Mul", "Div", "Mod", "Max", "Min", "BitwiseAnd", "BitwiseOr", "BitwiseXor")
COMPARISONS = ("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")
FROM_32 = ("uint32", "uint64")

ARITHMETIC = [
    *(case(op, ends(t), others(t), reference=True) for op in PAIRS + COMPARISONS for t in TYPES),
    *(
        case(op, ends(t), known(t), const=(1,), reference=True)
        for op in ("Add", "Div", "Greater", "Min")
        for t in TYPES
    ),
    case("Mod", ends("uint64"), others("uint64"), fmod=1, reference=True),
    *(
        case("BitShift", ends(t), np.array([[0, 1, 3], [1, 9, 2], [15, 4, 7]], t), direction=d)
        for t in ("uint32", "uint64")
        for d in ("LEFT", "RIGHT")
    ),
    *(case(op, ends(t), reference=True) for op in ("Abs", "BitwiseNot") for t in TYPES),
    *(
        case("Clip", ends(t), scalar(3, t), known(t).reshape(()), const=c, reference=True)
        for t in TYPES
        for c in ((), (1, 2))
    ),
    *(case("Sign", ends(t), reference=True) for t in TYPES),
]

MOVES = [
    *(case("Gather", ends(t), i64(2, -3), axis=1, reference=True) for t in TYPES),
    *(case("GatherElements", ends(t), i64(2, 0, 1).reshape(1, 3), reference=True) for t in TYPES),
    *(case("GatherND", ends(t), i64(2, 1).reshape(1, 2), reference=True) for t in TYPES),
    *(
        case("Slice", ends(t), i64(-1), i64(-9), i64(0), i64(-1), const=(1, 2, 3, 4))
        for t in FROM_32
    ),
    *(
        case("ScatterElements", ends(t), i64(2, 0, 2).reshape(1, 3), others(t)[:1], reference=True)
        for t in TYPES
    ),
    *(
        case(
            "ScatterND",
            ends(t),
            i64(2, 0).reshape(2, 1),
            others(t)[:2],
            reduction=r,
            reference=True,
        )
        for t in TYPES
        for r in ("none", "add", "max", "min")
    ),
    *(case("Pad", ends(t), i64(0, 1, 2, 0), scalar(9, t), reference=True) for t in TYPES),
    *(case("NonZero", ends(t), reference=True) for t in TYPES),
    *(case("Transpose", ends(t), reference=True) for t in TYPES),
    *(case("Trilu", ends(t), upper=0, reference=True) for t in TYPES),
    *(case("Where", ends(t) > 5, ends(t), others(t), reference=True) for t in TYPES),
    *(case("Cast", ends(t), to=TensorProto.INT32, reference=True) for t in ("uint16", "uint32")),
    *(case("Cast", ends("uint16").astype(s), to=TensorProto.UINT64) for s in ("int64", "float32")),
    case("Concat", ends("uint64"), others("uint64"), axis=0, reference=True),
    case("ConstantOfShape", i64(2, 2), value=np.array([2**64 - 1], np.uint64)),
    case("ConstantOfShape", i64(2), value=np.array([2**64 - 1], np.uint64), const=(0,)),
]

REDUCTIONS = [
    *(
        case(op, ends(t), i64(1), reference=True)
        for op in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd")
        for t in FROM_32
    ),
    case("ReduceSumSquare", ends("uint64"), i64(1), reference=True),
    *(case(op, ends(t), axis=1, reference=True) for op in ("ArgMax", "ArgMin") for t in TYPES),
    *(case("CumSum", ends(t), scalar(1, "int64"), reference=True) for t in FROM_32),
    *(case("MatMul", ends(t), others(t), reference=True) for t in FROM_32),
    *(case("TopK", ends(t), i64(2), outputs=2, reference=True) for t in TYPES),
    *(
        case(op, rand(t, 2, 0, 3), i64(1), reference=True, opset=20)
        for op in ("ReduceMax", "ReduceMin")
        for t in ("float32", "int32", "uint32", "bool")
    ),
    case("ReduceMax", rand("bool", 3, 4), i64(1), reference=True, opset=20),
    case("ReduceL2", rand("int32", 3, 40, low=4000, high=5000), i64(1), reference=True),
]

OTHERS = [
    case(
        "AveragePool",
        rand("float16", 1, 2, 5, 5, 5),
        kernel_shape=[3, 3, 3],
        pads=[1, 1, 1, 1, 1, 1],
        reference=True,
    ),
    case("LRN", rand("float16", 1, 6, 3, 3), size=3, reference=True),
    *(
        case("PRelu", rand(t, 2, 3, 4), rand(t, 3, 1), const=c, reference=True)
        for t in ("int32", "uint32", "uint64")
        for c in ((), (1,))
    ),
    *(
        case("DepthToSpace", rand("uint64", 1, 8, 2, 3), blocksize=2, mode=m, reference=True)
        for m in ("CRD", "DCR")
    ),
    *(
        case("Transpose", np.array([[1, 2j, 3], [4, 5, 6 - 1j], [7, 8, 9]], t), reference=True)
        for t in ("complex64", "complex128")
    ),
]

CASES: list[Case] = [*ARITHMETIC, *MOVES, *REDUCTIONS, *OTHERS]
