"""Cases of convolutions, pools and normalisations."""

import numpy as np
from one_node import Case, case, each, f32, rand

CONV_ATTRIBUTES = each(
    {},
    {"strides": [2, 3], "pads": [1, 2, 1, 2]},
    {"pads": [1, 0, 2, 1]},
    {"pads": [0, 2, 0, 0], "strides": [2, 2], "dilations": [2, 1]},
    {"dilations": [2, 3], "pads": [2, 3, 2, 3]},
    {"auto_pad": "VALID"},
    *(
        {"auto_pad": a, "strides": s}
        for a in ("SAME_UPPER", "SAME_LOWER")
        for s in ([1, 1], [2, 3])
    ),
    {"auto_pad": "SAME_UPPER", "kernel_shape": [3, 2], "strides": [3, 2]},
)
KINDS = ((), (1,), (1, 2))
CONV = [
    *(
        case("Conv", f32(2, 3, 9, 8), f32(4, 3, 3, 2), f32(4), const=c, **a)
        for a in CONV_ATTRIBUTES
        for c in KINDS
    ),
    *(
        case("Conv", f32(2, 3, 9, 8), f32(4, 3, 3, 2), const=(1,), dynamic=True, **a)
        for a in CONV_ATTRIBUTES
    ),
    *(
        case(
            "Conv",
            f32(1, 4, *[7] * n),
            f32(6, 4 // g, *[3] * n),
            *bias,
            const=c,
            group=g,
            pads=[1] * 2 * n,
            strides=[2] * n,
        )
        for n in (1, 2, 3)
        for g in (1, 2)
        for bias in ((), (f32(6),))
        for c in ((), (1, 2))
    ),
    case("Conv", f32(1, 4, 7, 7), f32(4, 1, 3, 3), group=4, const=(1,)),
    case("Conv", f32(1, 2, 7), f32(3, 2, 3), auto_pad="SAME_LOWER", strides=[2], const=(1,)),
    case("Conv", rand("float64", 1, 2, 5, 5), rand("float64", 3, 2, 3, 3), reference=True),
    case("Conv", f32(1, 2, 5, 5), f32(3, 2, 3, 3), f32(3), const=(1, 2), opset=1),
]

TRANSPOSE_ATTRIBUTES = each(
    {},
    {"strides": [2, 3]},
    {"strides": [2, 3], "output_padding": [1, 2]},
    {"strides": [2, 2], "pads": [1, 0, 1, 0]},
    {"strides": [2, 2], "pads": [1, 1, 0, 0]},
    {"strides": [2, 2], "pads": [0, 0, 1, 1]},
    {"strides": [1, 1], "pads": [0, 2, 1, 0]},
    {"dilations": [2, 2], "pads": [1, 2, 1, 2]},
    {"strides": [3, 2], "output_shape": [10, 8]},
    {"strides": [3, 2], "output_shape": [10, 8], "output_padding": [1, 1]},
    {"strides": [2, 2], "auto_pad": "VALID"},
)
CONV_TRANSPOSE = [
    *(
        case("ConvTranspose", f32(1, 2, 3, 4), f32(2, 3, 3, 3), f32(3), const=c, **a)
        for a in TRANSPOSE_ATTRIBUTES
        for c in KINDS
    ),
    # ONNX Runtime shares the paddings of SAME out the other way round.
    *(
        case(
            "ConvTranspose",
            f32(1, 2, 3, 4),
            f32(2, 3, 3, 3),
            auto_pad=p,
            strides=s,
            const=c,
            reference=True,
        )
        for p in ("SAME_UPPER", "SAME_LOWER")
        for s in ([2, 2], [1, 1], [3, 3])
        for c in KINDS[:2]
    ),
    *(
        case(
            "ConvTranspose",
            f32(1, 4, *[4] * n),
            f32(4, 3, *[3] * n),
            *bias,
            group=g,
            const=(1, 2),
            strides=[2] * n,
            pads=[1] * 2 * n,
        )
        for n in (1, 2, 3)
        for g in (1, 2)
        for bias in ((), (f32(3 * g),))
    ),
    case("ConvTranspose", f32(1, 2, 3, 4), f32(2, 3, 3, 3), const=(1,), dynamic=True, pads=[1] * 4),
]

POOL_ATTRIBUTES = each(
    {"kernel_shape": [3, 2]},
    {"kernel_shape": [3, 2], "strides": [2, 3], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 1, 1, 0]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [2, 2, 2, 2]},
    {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [3, 3], "pads": [0, 0, 1, 1], "ceil_mode": 1},
    {"kernel_shape": [2, 2], "dilations": [2, 3]},
    {"kernel_shape": [2, 2], "dilations": [2, 2], "pads": [1, 1, 0, 0], "strides": [2, 2]},
    {"kernel_shape": [2, 3], "auto_pad": "VALID"},
    *(
        {"kernel_shape": [3, 2], "auto_pad": a, "strides": s}
        for a in ("SAME_UPPER", "SAME_LOWER")
        for s in ([1, 1], [2, 2])
    ),
)
POOL = [
    *(case("MaxPool", f32(2, 3, 9, 8), **a) for a in POOL_ATTRIBUTES),
    *(
        case("MaxPool", f32(2, 3, 9, 8), outputs=2, storage_order=o, **a)
        for a in POOL_ATTRIBUTES
        for o in (0, 1)
        if "auto_pad" not in a
    ),
    *(case("MaxPool", f32(2, 3, 9, 8), outputs=2, **a) for a in POOL_ATTRIBUTES if "auto_pad" in a),
    *(case("MaxPool", rand("int8", 1, 2, 7, 6), **a) for a in POOL_ATTRIBUTES if "auto_pad" in a),
    *(case("MaxPool", f32(2, 3, 9, 8), dynamic=True, **a) for a in POOL_ATTRIBUTES),
    *(case("MaxPool", rand("int8", 1, 2, 6, 6), **a) for a in POOL_ATTRIBUTES[:4]),
    case("MaxPool", rand("float16", 1, 2, 6, 6), kernel_shape=[2, 2], reference=True),
    *(
        case(op, f32(1, 2, *[7] * n), kernel_shape=[3] * n, strides=[2] * n, pads=[1] * 2 * n)
        for op in ("MaxPool", "AveragePool")
        for n in (1, 2, 3)
    ),
    case("MaxPool", f32(1, 2, 5, 5), kernel_shape=[3, 3], opset=8),
    *(
        case("AveragePool", f32(2, 3, 9, 8), count_include_pad=i, **a)
        for a in POOL_ATTRIBUTES
        for i in (0, 1)
    ),
    *(
        case("AveragePool", f32(2, 3, 9, 8), dynamic=True, count_include_pad=1, **a)
        for a in POOL_ATTRIBUTES
    ),
    case("AveragePool", f32(1, 2, 5, 5), kernel_shape=[3, 3], pads=[1] * 4, opset=7),
    # windows that are larger than what they slide over without its paddings
    *(
        case(
            "AveragePool",
            f32(1, 2, *[2] * n),
            count_include_pad=i,
            dynamic=d,
            **a,
            kernel_shape=[3] * n,
        )
        for n in (1, 2, 3)
        for a in each({"pads": [1] * 2 * n}, {"auto_pad": "SAME_UPPER"})
        for i in (0, 1)
        for d in (False, True)
    ),
    *(
        case(op, f32(2, 3, *[4] * n))
        for op in ("GlobalAveragePool", "GlobalMaxPool")
        for n in (1, 2, 3)
    ),
    case("GlobalAveragePool", f32(2, 3, 4, 5), dynamic=True),
]

STATISTICS = (f32(3), f32(3), f32(3), f32(3, low=0.5, high=2.0))
NORMALIZATION = [
    *(
        case("BatchNormalization", f32(2, 3, *s), *STATISTICS, const=c, opset=v, epsilon=1e-3)
        for s in ((), (4,), (4, 5), (2, 3, 2))
        for c in ((), (1, 2, 3, 4))
        for v in (7, 9, 14, 15)
    ),
    *(
        case("InstanceNormalization", f32(2, 3, *s), f32(3), f32(3), epsilon=1e-2, const=c)
        for s in ((6,), (4, 5))
        for c in ((), (1, 2))
    ),
    *(
        case("GroupNormalization", f32(2, 4, 3, 3), f32(4), f32(4), num_groups=2, const=c)
        for c in ((), (1, 2))
    ),
    # A single number, which PyTorch's own functions refuse.
    *(
        case("InstanceNormalization", f32(n, 3, *s), f32(3), f32(3), reference=True)
        for n in (1, 2)
        for s in ((1,), (1, 1), (1, 1, 1))
    ),
    *(
        case("GroupNormalization", f32(n, 4, *s), f32(4), f32(4), num_groups=4)
        for n in (1, 2)
        for s in ((1,), (1, 1))
    ),
    case("LayerNormalization", f32(2, 1), f32(1), f32(1), const=(1, 2)),
    *(
        case("BatchNormalization", f32(*s), *STATISTICS, training_mode=1, outputs=3)
        for s in ((1, 3), (1, 3, 1, 1))
    ),
    *(
        case("LayerNormalization", f32(2, 3, 4), *p, axis=a, const=c, outputs=o)
        for a, p in (
            (-1, (f32(4), f32(4))),
            (1, (f32(3, 4), f32(3, 4))),
            (2, (f32(4),)),
            (1, (f32(3, 4),)),
        )
        for c in ((), (1, 2))
        for o in (1, 3)
    ),
    case("LayerNormalization", f32(2, 3, 4), f32(1, 4), const=(1,), axis=1, reference=True),
    case("LayerNormalization", rand("float16", 2, 8), rand("float16", 8), reference=True),
    *(case("LRN", f32(1, 6, 3, 3), size=s, alpha=0.02, beta=0.6, bias=1.5) for s in (1, 3, 5)),
    case("LRN", f32(1, 6, 3, 3), size=15, alpha=0.02),
    # ONNX Runtime takes odd sizes only, and the reference as many channels as the batch has.
    *(case("LRN", f32(6, 6, 3, 3), size=s, alpha=0.02, reference=True) for s in (2, 4)),
    *(case("LpNormalization", f32(2, 3, 4), axis=a, p=p) for a in (0, 1, -1) for p in (1, 2)),
    # Zero where the norm is zero, by the standard's text, and however small else.
    *(
        case("LpNormalization", np.array([[3, -4, 0], [0, 0, 0]], t) * t(1e-15), p=p)
        for t in (np.float32, np.float64)
        for p in (1, 2)
    ),
    case("MeanVarianceNormalization", f32(2, 3, 4, 4)),
    case("MeanVarianceNormalization", f32(2, 3, 4, 4), axes=[1, -1]),
]

MATRIX_SHAPES = (
    ((3,), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((2, 1, 2, 3), (5, 3, 4)),
    ((2, 5, 2, 3), (2, 1, 3, 4)),
    ((0, 3), (3, 4)),
)
BIASES = ((4,), (1, 4), (2, 1), (2, 4), (1,), ())
LINEAR = [
    *(
        case("MatMul", f32(*a), f32(*b), const=c)
        for a, b in MATRIX_SHAPES
        for c in ((), (1,), (0,))
    ),
    *(
        case("MatMul", rand(t, 2, 3), rand(t, 3, 4), const=c)
        for t in ("int32", "int64", "float64", "float16")
        for c in ((), (1,))
    ),
    *(
        case(
            "Gemm",
            f32(*((3, 2) if ta else (2, 3))),
            f32(*((4, 3) if tb else (3, 4))),
            f32(*bias),
            const=c,
            transA=ta,
            transB=tb,
            alpha=alpha,
            beta=beta,
        )
        for ta in (0, 1)
        for tb in (0, 1)
        for alpha, beta in ((1.0, 1.0), (0.5, 0.3), (1.0, 0.0))
        for bias in BIASES[:4]
        for c in ((), (1,), (1, 2))
    ),
    *(
        case("Gemm", f32(2, 3), f32(3, 4), f32(*b), const=c, opset=v)
        for b in BIASES
        for c in ((), (1, 2))
        for v in (7, 11)
    ),
    *(case("Gemm", f32(2, 3), f32(3, 4), const=c, opset=11) for c in ((), (1,))),
    case("Gemm", f32(2, 3), f32(3, 1), f32(1), const=(1, 2)),
    case("Gemm", rand("float64", 2, 3), rand("float64", 3, 4), alpha=0.5, const=(1,)),
    case(
        "Gemm",
        rand("int32", 2, 3),
        rand("int32", 3, 4),
        rand("int32", 4),
        alpha=2.0,
        beta=3.0,
        reference=True,
    ),
    case("Einsum", f32(2, 3), f32(3, 4), equation="ij, jk -> ik"),
    case("Einsum", f32(2, 3, 4), equation="...ij->...ji"),
    case("Einsum", f32(3, 3), equation="ii->i"),
    case("Einsum", f32(2, 3, 4), f32(2, 4, 5), equation="bij,bjk->bik"),
    case("Einsum", f32(2, 3), equation="ij->"),
]

CASES: list[Case] = [*CONV, *CONV_TRANSPOSE, *POOL, *NORMALIZATION, *LINEAR]
