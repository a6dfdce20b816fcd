"""Cases of ONNX Runtime's own operators, without attention."""

from typing import Any

import numpy as np
from one_node import Case, Input, case, f32, i64, rand, scalar


def _ms(op: str, *inputs: Input, **options: Any) -> Case:
    return case(f"com.microsoft::{op}", *inputs, opset=options.pop("opset", 17), **options)


X = f32(2, 3, 8)
IMAGE, KERNEL, BIAS = f32(1, 3, 6, 6), f32(4, 3, 3, 3), f32(4)
ACTIVATIONS: list[dict[str, Any]] = [
    {"activation": "Relu"},
    {"activation": "Sigmoid"},
    {"activation": "Tanh"},
    {"activation": "LeakyRelu", "activation_params": [0.2]},
    {"activation": "Clip", "activation_params": [-0.5, 0.5]},
    {"activation": "HardSigmoid", "activation_params": [0.3, 0.4]},
]
CONV = [
    *(_ms("FusedConv", IMAGE, KERNEL, BIAS, const=(1, 2), **a) for a in ACTIVATIONS),
    _ms("FusedConv", IMAGE, KERNEL, activation="Relu"),
    _ms("FusedConv", IMAGE, KERNEL, BIAS, f32(1, 4, 4, 4), const=(1, 2), activation="Relu"),
    _ms("FusedConv", IMAGE, KERNEL, None, f32(1, 4, 4, 4)),
    _ms(
        "FusedConv",
        *(f32(2, 4, 7, 6), f32(4, 2, 3, 2), BIAS),
        const=(1, 2),
        activation="Relu",
        group=2,
        strides=[2, 1],
        pads=[1, 0, 1, 1],
        kernel_shape=[3, 2],
    ),
    _ms("FusedConv", IMAGE, KERNEL, activation="Relu", auto_pad="SAME_UPPER", strides=[2, 2]),
    _ms("FusedConv", f32(1, 3, 9), f32(4, 3, 3), const=(1,), activation="Relu"),
]

A, B = f32(3, 4), f32(4, 5)
GEMM = [
    *(
        _ms("FusedGemm", A, B, f32(5), const=(1, 2), activation=name, **numbers)
        for name, numbers in (
            ("Relu", {}),
            ("Sigmoid", {}),
            ("Tanh", {}),
            ("Softplus", {}),
            ("Softsign", {}),
            ("LeakyRelu", {"activation_alpha": 0.2}),
            ("Elu", {"activation_alpha": 0.7}),
            ("HardSigmoid", {"activation_alpha": 0.3, "activation_beta": 0.4}),
            ("Selu", {"activation_alpha": 1.5, "activation_gamma": 1.1}),
        )
    ),
    _ms(
        "FusedGemm",
        f32(4, 3),
        f32(5, 4),
        f32(3, 1),
        transA=1,
        transB=1,
        alpha=0.5,
        beta=2.0,
        activation="Relu",
    ),
    *(
        _ms("FusedMatMul", *pair, const=const, **flags)
        for pair, flags in (
            ((A, B), {}),
            ((A, B), {"alpha": 0.25}),
            ((A, f32(5, 4)), {"transB": 1}),
            ((A, f32(5, 4)), {"transB": 1, "alpha": 0.25}),
            ((f32(4, 3), f32(5, 4)), {"transA": 1, "transB": 1}),
            ((f32(2, 3, 4), f32(2, 5, 4)), {"transB": 1, "alpha": 0.125}),
            ((f32(2, 3, 4), f32(4, 5)), {"alpha": 3.0}),
            ((f32(4), f32(5, 4)), {"transA": 1, "transB": 1}),
            ((f32(3, 4), f32(4)), {"transB": 1}),
            ((f32(1, 2, 4, 3), f32(3, 1, 4, 5)), {"transA": 1}),
            ((f32(3, 2, 6, 4), f32(2, 6, 4, 5)), {"transBatchA": 1}),
            ((f32(4, 2, 6, 3), f32(2, 6, 4, 5)), {"transBatchA": 1, "transA": 1}),
            ((f32(2, 6, 3, 4), f32(4, 2, 6, 5)), {"transBatchB": 1}),
            ((f32(2, 6, 3, 4), f32(5, 2, 6, 4)), {"transBatchB": 1, "transB": 1}),
        )
        for const in ((), (1,))
    ),
    _ms("FusedMatMul", rand("float64", 2, 3), rand("float64", 4, 3), transB=1),
    _ms("TransposeMatMul", f32(2, 4, 3), f32(2, 5, 4), transA=1, transB=1, alpha=0.5),
]

GELU = [
    _ms("Gelu", f32(2, 8, low=-4, high=4)),
    _ms("BiasGelu", X, f32(8), const=(1,)),
    _ms("BiasGelu", X, f32(8)),
    _ms("FastGelu", f32(2, 8, low=-4, high=4)),
    _ms("FastGelu", X, f32(8), const=(1,)),
    *(_ms("QuickGelu", f32(2, 8, low=-4, high=4), **a) for a in ({}, {"alpha": 1.0})),
    _ms("QuickGelu", X, alpha=0.6),
]

SCALE, SHIFT = f32(8, low=0.5, high=1.5), f32(8)
NORM = [
    *(
        _ms("SkipLayerNormalization", X, skip, SCALE, SHIFT, f32(8), const=(2, 3, 4), epsilon=1e-5)
        for skip in (X, f32(3, 8), f32(1, 3, 8))
    ),
    _ms("SkipLayerNormalization", X, X, SCALE, SHIFT, const=(2, 3)),
    _ms("SkipLayerNormalization", X, X, SCALE, const=(2,)),
    _ms("SkipLayerNormalization", X, X, SCALE, SHIFT, f32(8)),
    _ms("SkipLayerNormalization", X, X, SCALE, SHIFT, None, outputs=(0, 3), const=(2, 3)),
    _ms("SkipLayerNormalization", *(rand("float16", 2, 8) for _ in range(2)), rand("float16", 8)),
    _ms("SkipSimplifiedLayerNormalization", X, X, SCALE, const=(2,)),
    _ms("SkipSimplifiedLayerNormalization", X, X, SCALE, f32(8), const=(2, 3), outputs=(0, 3)),
    _ms("SkipSimplifiedLayerNormalization", X, X, SCALE, epsilon=1e-3),
    *(
        case("ai.onnx::SimplifiedLayerNormalization", X, SCALE, const=const, opset=17, axis=axis)
        for const in ((), (1,))
        for axis in (-1, 2)
    ),
    case("ai.onnx::SimplifiedLayerNormalization", X, SCALE, opset=17, epsilon=1e-2, stash_type=1),
    case("ai.onnx::SimplifiedLayerNormalization", f32(2, 3, 4), f32(3, 4), axis=1, opset=17),
]

IDS = np.array([[3, 0, 2], [1, 1, 4]], np.int32)
TOKENS = np.array([[0, 0, 1], [0, 1, 1]], np.int32)
MASK = np.array([[1, 1, 0], [1, 1, 1]], np.int32)
TABLES = (f32(5, 8), f32(6, 8), f32(2, 8), SCALE, SHIFT)
EMBED = [
    _ms("EmbedLayerNormalization", IDS, TOKENS, *TABLES, const=(2, 3, 4, 5, 6), outputs=2),
    _ms("EmbedLayerNormalization", IDS, TOKENS, *TABLES, MASK, const=(2, 3, 4, 5, 6), outputs=3),
    _ms("EmbedLayerNormalization", IDS, TOKENS, *TABLES, MASK, outputs=2, epsilon=1e-3),
    _ms(
        "EmbedLayerNormalization",
        *(IDS, None, *TABLES[:2], None, SCALE, SHIFT, None, IDS[::-1].copy()),
        const=(2, 3, 5, 6),
        outputs=2,
    ),
]

BOXES = np.array([[0, 0, 1, 1], [0.2, 0.3, 0.7, 0.6], [0.9, -0.3, 0.1, 1.2]], np.float32)
SAMPLES = np.array([0, 1, 1], np.int32)
GRID = f32(2, 3, 4, 2, low=-1.3, high=1.3)
MOVED = [
    *(_ms("ExpandDims", X, scalar(a, "int32"), const=(1,)) for a in (0, 1, -1, -4)),
    _ms("ExpandDims", X, np.array([1], np.int32)),
    *(_ms("Range", *(scalar(v, t) for v in (1, 8, 2))) for t in ("float32", "int32", "int64")),
    _ms("Range", scalar(2, "int64"), scalar(5, "int64")),
    _ms("Range", scalar(5.5), scalar(1), scalar(-1.5), const=(1, 2)),
    _ms("Unique", np.array([3, 1, 3, 2, 1, 7], np.float32), outputs=3),
    _ms("Unique", f32(1), outputs=3),
    *(_ms("Inverse", np.eye(3, dtype=t) * 2 + 0.5) for t in (np.float32, np.float64)),
    _ms("Inverse", np.eye(3, dtype=np.float32) + np.ones((2, 1, 3, 3), np.float32) / 4),
    *(_ms("CDist", f32(4, 6), f32(5, 6), metric=m) for m in ("euclidean", "sqeuclidean")),
    *(
        _ms("GridSample", f32(2, 3, 5, 6), GRID, mode=m, padding_mode=p, align_corners=a)
        for m in ("bilinear", "nearest", "bicubic")
        for p in ("zeros", "border", "reflection")
        for a in (0, 1)
    ),
    *(
        _ms(
            *("CropAndResize", f32(2, 3, 6, 5), BOXES, SAMPLES, np.array(size, np.int32)),
            const=const,
            mode=mode,
            extrapolation_value=outside,
        )
        for mode in ("bilinear", "nearest")
        for size, const, outside in (((4, 3), (3,), 0.0), ((1, 1), (), 0.5))
    ),
    *(_ms("Pad", X, i64(0, 1, 0, 2, 0, 1), const=c) for c in ((), (1,))),
    _ms("Pad", X, i64(0, 1, 0, 2, 0, 1), scalar(0.5), const=(1, 2)),
    *(_ms("Pad", X, i64(0, 1, 0, 0, 1, 1), const=(1,), mode=m) for m in ("reflect", "edge")),
    *(
        _ms("Trilu", f32(4, 5), scalar(k, "int64"), const=(1,), upper=u)
        for k in (0, 1)
        for u in (0, 1)
    ),
    _ms("Trilu", f32(2, 4, 5), scalar(-1, "int64")),
    _ms("GatherND", X, np.array([[0, 1], [1, 2]], np.int64)),
    _ms("GatherND", X, np.array([[[0, 1, 3]], [[1, 2, 0]]], np.int32), const=(1,)),
    case("ai.onnx::Crop", f32(1, 2, 6, 7), opset=9, border=[1, 0, 2, 3]),
    case("ai.onnx::Crop", f32(1, 2, 6, 7), opset=9, border=[1, 2, 0, 0], scale=[3, 4]),
    case("ai.onnx::ImageScaler", f32(1, 3, 2, 2), opset=9, scale=0.5, bias=[0.1, 0.2, 0.3]),
    case("ai.onnx::ImageScaler", f32(2, 3, 2, 2), opset=9, bias=[0.1, 0.2, 0.3]),
]

CASES: list[Case] = [*CONV, *GEMM, *GELU, *NORM, *EMBED, *MOVED]
