"""Cases of operands without elements, and of dimensions that turn out to have none.

`test_open_shapes_mean_the_same` runs each with the shape of its first input left open, too.
"""

import numpy as np
from one_node import Case, Random, case, each, f32, i64, rand, scalar

NONE = Random((2, 0, 4), "float32")
EXTREMES = ("ReduceMax", "ReduceMin")
TYPES = ("int8", "uint8", "int32", "int64", "float16", "float64")
REDUCTIONS = [
    *(
        case(
            f"Reduce{kind}", NONE, axes, opset=18, keepdims=k, const=(1,), reference=kind == "Mean"
        )
        for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")
        for axes in (i64(1), i64(0, 1), i64(2))
        for k in (0, 1)
    ),
    *(case("ReduceSum", NONE, a, opset=13, const=(1,)) for a in (i64(1), i64(0, 1), i64(2))),
    # ONNX Runtime keeps the dimension of none there.
    *(case(op, NONE, axes=[-2], opset=11, reference=True) for op in EXTREMES),
    # The standard's text: minus infinity, or the least value of the type.
    *(
        case(op, rand(t, 2, 0, 4), i64(1), opset=20, const=(1,), reference=True)
        for op in EXTREMES
        for t in TYPES
    ),
    # It leaves the mean of nothing open: ONNX Runtime has 0, the reference NaN and, of integers,
    # the least value. Ours are PyTorch's NaN, and 0.
    case("ReduceMean", rand("int32", 2, 0, 4), i64(1), opset=18, const=(1,)),
    *(case(op, NONE, axis=2, select_last_index=i) for op in ("ArgMax", "ArgMin") for i in (0, 1)),
    *(
        case(op, f32(0, 1, 0), axis=2, keepdims=k, select_last_index=i)
        for op in ("ArgMax", "ArgMin")
        for k in (0, 1)
        for i in (0, 1)
    ),
    *(case("TopK", f32(*s), i64(0), outputs=2, axis=1, const=(1,)) for s in ((2, 0), (3, 4))),
    *(
        case(op, NONE, axis=a, opset=v)
        for op in ("Softmax", "LogSoftmax", "Hardmax")
        for a in (0, 1)
        for v in (11, 13)
    ),
    *(case("CumSum", NONE, np.array(1), exclusive=e, reverse=1, const=(1,)) for e in (0, 1)),
]

NO_BATCH = (0, 4, 5, 5)
STATISTICS = (f32(4), f32(4), f32(4), f32(4, low=0.5, high=2.0))
OF_NO_SAMPLES = [
    *(
        case("Conv", f32(*NO_BATCH), f32(6, 4, 3, 3), f32(6), const=c, **a)
        for a in each({"pads": [1] * 4}, {"auto_pad": "SAME_UPPER", "strides": [2, 2]})
        for c in ((), (1, 2))
    ),
    *(
        case("ConvTranspose", f32(*NO_BATCH), f32(4, 6, 3, 3), f32(6), const=c, strides=[2, 2], **a)
        for a in each({}, {"output_shape": [10, 10]})
        for c in ((), (1, 2))
    ),
    *(
        case(op, f32(*NO_BATCH), kernel_shape=[2, 2], **a)
        for op in ("MaxPool", "AveragePool", "LpPool")
        for a in each({}, {"pads": [1, 0, 1, 1]}, {"auto_pad": "SAME_LOWER", "strides": [2, 2]})
    ),
    *(case(op, f32(*NO_BATCH)) for op in ("GlobalMaxPool", "GlobalAveragePool")),
    *(case("BatchNormalization", f32(*NO_BATCH), *STATISTICS, const=c) for c in ((), (1, 2, 3, 4))),
    *(case("InstanceNormalization", f32(*s), f32(4), f32(4)) for s in (NO_BATCH, (2, 4, 0))),
    *(case("LayerNormalization", f32(*NO_BATCH), f32(5), f32(5), const=c) for c in ((), (1, 2))),
    *(case("LpNormalization", f32(*NO_BATCH), axis=a) for a in (0, 1)),
    *(
        case("Resize", f32(*s), None, np.array([1, 1, 2, 1.5], np.float32), mode=m, const=(2,))
        for s in (NO_BATCH, (2, 4, 0, 5), (2, 0, 4, 4))
        for m in ("nearest", "linear", "cubic")
        if m != "cubic" or 0 in s[:1]
    ),
    *(
        case(op, f32(3, 0, 2), f32(1, 3 * g, 2), f32(1, 3 * g, 3), f32(1, 6 * g), **a)
        for op, g in (("RNN", 1),)
        for a in each(
            {"hidden_size": 3, "outputs": 2}, {"hidden_size": 3, "outputs": 2, "const": (1,)}
        )
    ),
    case("Col2Im", f32(0, 4, 9), i64(4, 4), i64(2, 2)),
    case("DFT", f32(0, 4, 1), np.array(4), np.array(1), opset=20),
    case("STFT", f32(0, 8, 1), np.array(4), f32(4)),
    case("QuantizeLinear", f32(0, 3), scalar(0.1), np.array(3, np.uint8)),
    case("DynamicQuantizeLinear", f32(2, 3, low=1, high=2), outputs=3),
    case("RoiAlign", f32(1, 2, 3, 4), f32(0, 4), i64(), output_height=2, output_width=2, opset=16),
]

MATRICES = (((2, 0), (0, 3)), ((0, 3), (3, 2)), ((2, 3), (3, 0)), ((4, 2, 0), (0, 3)), ((0,), (0,)))
PRODUCTS = [
    *(case("MatMul", f32(*a), f32(*b), const=c) for a, b in MATRICES for c in ((), (1,))),
    *(
        case("Gemm", f32(*a), f32(*b), f32(b[1]), const=c, alpha=0.5)
        for a, b in MATRICES[:3]
        for c in ((), (1,), (1, 2))
    ),
    case("Einsum", f32(2, 0), f32(0, 3), equation="ij,jk->ik"),
    case("MatMulInteger", rand("uint8", 2, 0), rand("uint8", 0, 3), reference=True),
]

INDICES = [
    *(
        case("Gather", f32(*x), np.zeros(i, np.int64), axis=a, const=c)
        for x, i, a in (((0, 3), (0,), 0), ((4, 3), (0, 2), 1), ((4, 0), (2,), 0))
        for c in ((), (0,), (1,))
    ),
    case("GatherElements", f32(3, 4), np.zeros((0, 4), np.int64)),
    case("GatherND", f32(0, 4), np.zeros((0, 1), np.int64)),
    *(
        case("ScatterND", f32(3, 4), np.zeros((0, 1), np.int64), f32(0, 4), reduction=r, opset=18)
        for r in ("none", "add", "max")
    ),
    *(case("NonZero", f32(*s)) for s in ((0,), (0, 3), (3, 0))),
    *(
        case("NonMaxSuppression", f32(*b), f32(*s), i64(3))
        for b, s in (((1, 0, 4), (1, 2, 0)), ((0, 5, 4), (0, 2, 5)), ((1, 5, 4), (1, 0, 5)))
    ),
    *(case("Compress", f32(3, 4), np.zeros(3, np.bool_), **a) for a in each({}, {"axis": 0})),
    *(case("Concat", f32(*s), f32(0, 4), f32(2, 4), axis=0) for s in ((0, 4), (3, 4))),
    *(case("Tile", f32(2, 3), r, const=c) for r in (i64(0, 2), i64(2, 0)) for c in ((), (1,))),
    *(case("Reshape", f32(0, 3), s, const=(1,)) for s in (i64(0, 3), i64(-1, 3, 1))),
]

CASES: list[Case] = [*REDUCTIONS, *OF_NO_SAMPLES, *PRODUCTS, *INDICES]
