"""Cases of operators on quantised numbers, of ONNX and of ONNX Runtime."""

from dataclasses import replace
from typing import Any

import numpy as np
from one_node import Case, Random, case, f32, scalar
from quantization_cases import I8, SCALES, U8, WIDE, per

SIDE = {"x": scalar(0.1), "xz": scalar(120, "uint8"), "wz": scalar(3, "int8")}
KERNEL = Random((4, 3, 3, 2), "int8", -128, 128)
FOUR = per("float32", 0.01, 0.02, 0.005, 0.03)
Y = (scalar(0.9), scalar(100, "uint8"))
MANY = Random((1, 40, 4, 4), "uint8", 200, 256)
LARGE = Random((2, 40, 3, 3), "uint8", 200, 256)

CONVOLUTIONS = [
    case("ConvInteger", U8, Random((4, 3, 3, 2), "uint8", 0, 256)),
    case(
        "ConvInteger",
        U8,
        Random((4, 3, 3, 2), "uint8", 0, 256),
        scalar(120, "uint8"),
        scalar(9, "uint8"),
        const=(1, 2, 3),
        pads=[1, 0, 2, 1],
        strides=[2, 1],
    ),
    case(
        "ConvInteger",
        U8,
        Random((6, 1, 2, 2), "uint8", 0, 256),
        scalar(120, "uint8"),
        group=3,
        pads=[1, 1, 1, 1],
        dilations=[2, 1],
        const=(2,),
    ),
    case("ConvInteger", MANY, LARGE),  # sums of more than 24 bits
    case(
        "ConvInteger",
        Random((2, 3, 9), "uint8", 0, 256),
        Random((4, 3, 3), "uint8", 0, 256),
        scalar(3, "uint8"),
        auto_pad="SAME_UPPER",
        const=(1, 2),
        reference=True,
    ),
    case(
        "QLinearConv",
        U8,
        SIDE["x"],
        SIDE["xz"],
        KERNEL,
        scalar(0.02),
        SIDE["wz"],
        *Y,
        opset=10,
        tolerance=1,
    ),
    case(
        "QLinearConv",
        U8,
        SIDE["x"],
        SIDE["xz"],
        KERNEL,
        FOUR,
        per("int8", 0, 0, 0, 0),
        *Y,
        Random((4,), "int32", -900, 900),
        const=range(1, 9),
        pads=[1, 1, 1, 0],
        tolerance=1,
    ),
    case(
        "QLinearConv",
        U8,
        SIDE["x"],
        SIDE["xz"],
        KERNEL,
        FOUR,
        per("int8", 0, 0, 0, 0),
        *Y,
        Random((4,), "int32", -900, 900),
        strides=[2, 2],
        dilations=[1, 2],
        tolerance=1,
    ),
    case(
        "QLinearConv",
        I8,
        SIDE["x"],
        scalar(-7, "int8"),
        Random((3, 1, 3, 3), "int8", -99, 99),
        scalar(0.02),
        scalar(0, "int8"),
        scalar(0.3),
        scalar(4, "int8"),
        const=range(1, 8),
        group=3,
        auto_pad="SAME_LOWER",
        strides=[2, 1],
        tolerance=1,
    ),
]


def factors(a: Any, b: Any, *, const: Any = (), opset: int = 21, zero: Any = None) -> Case:
    return case(
        "QLinearMatMul",
        a,
        scalar(0.02),
        scalar(100, "uint8"),
        b,
        scalar(0.03),
        zero if zero is not None else scalar(9, "uint8"),
        *Y,
        const=const,
        opset=opset,
        tolerance=1,
    )


A = Random((4, 6), "uint8", 0, 256)
B = Random((6, 5), "uint8", 0, 256)
DEEP = Random((2, 700), "uint8", 200, 256), Random((700, 3), "uint8", 200, 256)

PRODUCTS = [
    case("MatMulInteger", A, B),
    case("MatMulInteger", A, B, scalar(12, "uint8"), scalar(0, "uint8"), const=(1, 2, 3)),
    case(
        "MatMulInteger",
        Random((2, 4, 6), "uint8", 0, 256),
        B,
        scalar(12, "uint8"),
        per("uint8", 1, 2, 3, 4, 255),
    ),
    case("MatMulInteger", A, B, per("uint8", 1, 2, 3, 4).reshape(4, 1), reference=True),
    case("MatMulInteger", *DEEP),
    factors(A, B),
    factors(Random((2, 4, 6), "uint8", 0, 256), B, const=range(1, 8), opset=10),
    case(
        "QLinearMatMul",
        A,
        scalar(0.02),
        scalar(100, "uint8"),
        Random((6, 3), "int8", -128, 128),
        SCALES,
        per("int8", 0, 3, -4),
        scalar(9.0),
        scalar(100, "uint8"),
        opset=10,
        tolerance=1,
        const=(1, 2, 4, 5, 6, 7),
    ),
    *(
        case("DynamicQuantizeLinear", x, opset=11, outputs=3)
        for x in (
            f32(3, 4),
            f32(4, low=2, high=5),
            f32(3, low=-5, high=-2),
            np.zeros(3, np.float32),
        )
    ),
]


def ms(op: str, *inputs: Any, **options: Any) -> Case:
    return case(f"com.microsoft::{op}", *inputs, **dict[str, Any](tolerance=1) | options)


Q = (U8, scalar(0.05), scalar(128, "uint8"))
TO = (scalar(0.04), scalar(110, "uint8"))
SIGNED = (I8, scalar(0.05), scalar(-3, "int8"))
PACKED = Random((5, 3, 8), "uint8", 0, 256)
N_BITS = {"K": 40, "N": 5, "block_size": 16, "tolerance": 1e-5}

MICROSOFT = [
    *(
        ms(op, *Q, *Q, *TO, const=c)
        for op in ("QLinearAdd", "QLinearMul")
        for c in ((), (1, 2, 4, 5, 6, 7))
    ),
    ms(
        "QLinearAdd",
        *SIGNED,
        Random((3, 1, 1), "int8", -128, 128),
        scalar(0.02),
        scalar(0, "int8"),
        scalar(0.04),
        scalar(5, "int8"),
    ),
    *(
        ms(op, *Q, scalar(1 / 256), scalar(0, "uint8"), const=(1, 2, 3, 4))
        for op in ("QLinearSigmoid", "QLinearLeakyRelu")
    ),
    ms("QLinearLeakyRelu", *SIGNED, scalar(0.04), scalar(5, "int8"), alpha=0.2, const=(1, 2, 3, 4)),
    *(
        replace(
            ms("QLinearSoftmax", *Q, scalar(1 / 256), scalar(0, "uint8")),
            attributes={"axis": axis, "opset": opset},
        )
        for axis, opset in ((-1, 13), (1, 12))
    ),
    *(
        ms("QLinearWhere", np.arange(5).reshape(5, 1) % 2 == 0, *Q, U8, *TO, *TO, const=c)
        for c in ((), (2, 3, 5, 6, 7, 8))
    ),
    ms("QLinearGlobalAveragePool", *Q, *TO),
    ms("QLinearAveragePool", *Q, *TO, kernel_shape=[3, 2], pads=[1, 0, 1, 1], strides=[2, 1]),
    ms("QLinearAveragePool", *Q, *TO, kernel_shape=[2, 2], count_include_pad=1, pads=[1, 1, 1, 1]),
    ms("QLinearConcat", *TO, *Q, U8, scalar(0.02), scalar(3, "uint8"), axis=1),
    ms(
        "QLinearConcat",
        *TO,
        *Q,
        U8,
        scalar(0.02),
        scalar(3, "uint8"),
        axis=-1,
        const=(0, 1, 3, 4, 6, 7),
    ),
    ms(
        "QGemm",
        A,
        scalar(0.02),
        scalar(100, "uint8"),
        B,
        scalar(0.03),
        scalar(9, "uint8"),
        Random((5,), "int32", -99, 99),
        *Y,
        alpha=0.5,
        const=range(1, 9),
    ),
    ms(
        "QGemm",
        A,
        scalar(0.02),
        scalar(100, "uint8"),
        Random((3, 6), "int8", -128, 128),
        SCALES,
        per("int8", 0, 0, 0),
        None,
        transB=1,
        tolerance=1e-5,
    ),
    ms(
        "QGemm",
        Random((6, 4), "uint8", 0, 256),
        scalar(0.02),
        scalar(100, "uint8"),
        B,
        scalar(0.03),
        scalar(9, "uint8"),
        Random((4, 5), "int32", -99, 99),
        *Y,
        transA=1,
    ),
    ms(
        "MatMulIntegerToFloat",
        A,
        B,
        scalar(0.02),
        scalar(0.03),
        scalar(3, "uint8"),
        scalar(9, "uint8"),
        f32(5),
        tolerance=1e-5,
    ),
    ms("MatMulIntegerToFloat", A, B, scalar(0.02), f32(5), None, None, tolerance=1e-5),
    ms(
        "DynamicQuantizeMatMul",
        f32(4, 6),
        B,
        scalar(0.03),
        scalar(9, "uint8"),
        f32(5),
        tolerance=1e-2,
    ),
    ms(
        "DynamicQuantizeMatMul",
        f32(2, 4, 6),
        Random((6, 5), "int8", -128, 128),
        f32(5),
        const=(1, 2),
        tolerance=1e-2,
    ),
    ms("MatMulNBits", f32(2, 3, 40), PACKED, f32(5, 3), const=(1, 2), bits=4, **N_BITS),
    ms(
        "MatMulNBits",
        f32(3, 40),
        PACKED,
        f32(5, 3),
        Random((5, 2), "uint8", 0, 256),
        None,
        f32(5),
        const=(1, 2, 3, 5),
        bits=4,
        **N_BITS,
    ),
    ms(
        "MatMulNBits",
        f32(3, 40),
        Random((5, 3, 16), "uint8", 0, 256),
        f32(5, 3),
        const=(1, 2),
        bits=8,
        **N_BITS,
    ),
    ms("QuantizeLinear", WIDE, scalar(0.3), scalar(9, "uint16"), const=(1, 2)),
    ms("QuantizeLinear", WIDE, SCALES, per("int8", 0, 3, -4), axis=1),
    ms("DequantizeLinear", U8, scalar(0.3), scalar(9, "uint8"), const=(1, 2)),
    ms("DequantizeLinear", I8, SCALES, per("int8", 0, 3, -4), axis=1, tolerance=None),
]

CASES = [*CONVOLUTIONS, *PRODUCTS, *MICROSOFT]
