"""Cases of conversions: of element types of eight bits and fewer, and of quantisation."""

from typing import Any

import ml_dtypes
import numpy as np
from one_node import Case, Random, TensorProto, case, f32, rand, scalar

Array = np.ndarray[Any, Any]

U8 = Random((2, 3, 5, 4), "uint8", 0, 256)
I8 = Random((2, 3, 5, 4), "int8", -128, 128)
WIDE = f32(2, 3, 5, 4, low=-300, high=300)
SPECIAL = np.array(
    [0.0, 0.24, 0.25, 0.26, 0.75, 1.25, 2.5, 3.5, 5.0, 7.6, 240.1, 448.0, 470.0, 1e9, np.inf, 1e-9],
    np.float32,
)
SPECIAL = np.concatenate([SPECIAL, -SPECIAL])
HALF = np.clip(SPECIAL, -6e4, 6e4).astype(np.float16)


def array(dtype: str, *values: float) -> Array:
    return np.array(values, np.float64).astype(getattr(ml_dtypes, dtype, dtype))


def per(dtype: str, *values: float) -> Array:
    """A scale or zero point for each index of an axis."""
    return array(dtype, *values)


SCALES = per("float32", 0.5, 1.25, 3.0)

FLOATS8 = ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz")
FLOATS = (*FLOATS8, "float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn")
PROTO = {
    "float8_e4m3fn": TensorProto.FLOAT8E4M3FN,
    "float8_e4m3fnuz": TensorProto.FLOAT8E4M3FNUZ,
    "float8_e5m2": TensorProto.FLOAT8E5M2,
    "float8_e5m2fnuz": TensorProto.FLOAT8E5M2FNUZ,
    "float8_e8m0fnu": TensorProto.FLOAT8E8M0,
    "float4_e2m1fn": TensorProto.FLOAT4E2M1,
    "float6_e2m3fn": TensorProto.FLOAT6E2M3,
    "float6_e3m2fn": TensorProto.FLOAT6E3M2,
    "int4": TensorProto.INT4,
    "uint4": TensorProto.UINT4,
    "int2": TensorProto.INT2,
    "uint2": TensorProto.UINT2,
}
NEWEST = 28
SMALL = np.array([-20, -9, -8, -3, -1, 0, 1, 2, 3, 7, 8, 15, 16, 100])
VALUES = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0])


def cast(x: Any, dtype: str, opset: int = NEWEST, **attributes: Any) -> Case:
    return case("Cast", x, to=PROTO[dtype], opset=opset, reference=True, **attributes)


CASTS = [
    *(cast(SPECIAL, t) for t in FLOATS),
    *(cast(SPECIAL.astype(np.float64), t) for t in FLOATS8),
    *(cast(HALF, t) for t in FLOATS),
    *(cast(np.array([1.0, 2.5, -3.0, np.nan], np.float32), t) for t in FLOATS8),
    *(cast(SPECIAL[:15], t, saturate=0) for t in FLOATS8),
    *(cast(np.abs(SPECIAL[:14]), "float8_e8m0fnu", round_mode=m) for m in ("up", "down")),
    cast(np.abs(SPECIAL[:14]), "float8_e8m0fnu", round_mode="nearest", saturate=0),
    *(cast(SMALL.astype(t), u) for t in ("int32", "int8") for u in ("int4", "uint4", "int2")),
    *(cast(SMALL[4:10].astype("uint16"), t) for t in ("uint4", "uint2", "float8_e5m2")),
    *(cast(rand("bool", 6), t) for t in ("int4", "float8_e4m3fn")),
    *(
        case("Cast", VALUES.astype(PROTO_), to=TensorProto.FLOAT, opset=NEWEST, reference=True)
        for PROTO_ in (getattr(ml_dtypes, t) for t in FLOATS)
    ),
    *(
        case("Cast", array(t, 0, 1, -1, -2), to=to, opset=NEWEST, reference=True)
        for t in ("int4", "int2")
        for to in (TensorProto.INT8, TensorProto.FLOAT, TensorProto.INT32)
    ),
    case("CastLike", SPECIAL, array("float8_e5m2", 1), opset=24, reference=True),
    case("CastLike", SPECIAL[:15], array("float8_e5m2", 1), saturate=0, opset=24, reference=True),
    case("CastLike", f32(3, low=-9, high=9), array("int4", 1), opset=24, reference=True),
]

QUANTIZE = [
    *(
        case("QuantizeLinear", WIDE, scalar(1.7), scalar(z, t), const=c, opset=v)
        for t, z in (("uint8", 128), ("int8", -3))
        for v, c in ((10, ()), (13, (1, 2)), (21, (1, 2)))
    ),
    *(
        case("QuantizeLinear", WIDE, scalar(0.013), scalar(z, t), const=(1, 2), opset=21)
        for t, z in (("uint16", 30000), ("int16", -5))
    ),
    case("QuantizeLinear", WIDE, scalar(0.5), opset=13),
    case("QuantizeLinear", f32(4, low=-3, high=3), np.array([0.5], np.float32), opset=13),
    case(
        "QuantizeLinear",
        np.array([0.5, 1.5, 2.5, -0.5, -1.5], np.float32),
        scalar(1.0),
        scalar(0, "int8"),
        const=(1, 2),
    ),
    case(
        "QuantizeLinear",
        rand("int32", 7, low=-900, high=900),
        scalar(3.0),
        scalar(9, "uint8"),
        opset=13,
        reference=True,
    ),
    *(
        case("QuantizeLinear", WIDE, SCALES, per("uint8", 1, 128, 250), const=c, opset=13)
        for c in ((), (1, 2))
    ),
    case("QuantizeLinear", f32(4, 3, low=-99, high=99), SCALES, per("int8", 1, 0, -9), axis=-1),
    case(
        "QuantizeLinear",
        f32(3, 4, low=-99, high=99),
        SCALES,
        per("int8", 0, 0, 0),
        const=(1, 2),
        axis=0,
    ),
    case(
        "QuantizeLinear",
        f32(2, 7, low=-9, high=9),
        f32(2, 3, low=0.1, high=0.9),
        rand("int8", 2, 3),
        block_size=3,
        axis=1,
        opset=21,
    ),
    case(
        "QuantizeLinear",
        f32(6, 2, low=-9, high=9),
        f32(3, 2, low=0.1, high=0.9),
        block_size=2,
        axis=0,
        output_dtype=TensorProto.INT16,
        opset=21,
        const=(1,),
    ),
    case(
        "QuantizeLinear",
        rand("float16", 5, low=-99, high=99),
        scalar(0.5, "float16"),
        scalar(7, "uint8"),
        opset=21,
        const=(1, 2),
    ),
    case(
        "QuantizeLinear",
        rand("float16", 5, low=-99, high=99),
        scalar(0.3),
        scalar(7, "uint8"),
        opset=23,
        reference=True,
        precision=TensorProto.FLOAT16,
    ),
    *(
        case("QuantizeLinear", WIDE, scalar(50.0), array(t, 1), opset=25, reference=True, const=c)
        for t in ("int4", "uint4", "int2", "uint2")
        for c in ((), (1,))
    ),
    *(
        case("QuantizeLinear", WIDE, scalar(0.3), array(t, 0)[0], opset=23, reference=True)
        for t in (*FLOATS8, "float4_e2m1fn")
    ),
    case(
        "QuantizeLinear",
        SPECIAL[:15],
        scalar(0.5),
        output_dtype=PROTO["float8_e5m2"],
        opset=21,
        saturate=0,
        reference=True,
    ),
]

DEQUANTIZE = [
    *(
        case(
            "DequantizeLinear",
            Random((2, 3, 4), t, 0, 256),
            scalar(0.17),
            scalar(z, t),
            const=c,
            opset=v,
        )
        for t, z in (("uint8", 128), ("int8", 5))
        for v, c in ((10, ()), (13, (1, 2)), (21, (1, 2)))
    ),
    case("DequantizeLinear", U8, scalar(0.17)),
    case("DequantizeLinear", rand("int32", 3, 4, low=-99999, high=99999), scalar(0.01)),
    case("DequantizeLinear", rand("uint16", 3, high=65536), scalar(0.01), scalar(40000, "uint16")),
    case("DequantizeLinear", I8, SCALES, per("int8", 1, -128, 127), opset=13),
    case("DequantizeLinear", I8, SCALES, per("int8", 0, 0, 0), const=(0, 1, 2), opset=13),
    case("DequantizeLinear", Random((3, 4), "int8", -128, 128), SCALES, axis=-2, const=(0, 1)),
    case(
        "DequantizeLinear",
        Random((2, 7), "int8", -128, 128),
        f32(2, 3),
        rand("int8", 2, 3),
        block_size=3,
        const=(1, 2),
    ),
    case(
        "DequantizeLinear",
        rand("uint16", 6, 2),
        f32(3, 2),
        rand("uint16", 3, 2),
        block_size=2,
        axis=0,
    ),
    case("DequantizeLinear", U8, scalar(0.17, "float16"), scalar(3, "uint8"), const=(1, 2)),
    case(
        "DequantizeLinear",
        U8,
        scalar(0.17),
        output_dtype=TensorProto.FLOAT16,
        opset=23,
        reference=True,
    ),
    *(
        case(
            "DequantizeLinear",
            array(t, 0, 1, 1, 0),
            scalar(0.3),
            array(t, 1)[0],
            opset=25,
            reference=True,
        )
        for t in ("int4", "uint4", "int2", "uint2")
    ),
    *(
        case(
            "DequantizeLinear",
            VALUES.astype(getattr(ml_dtypes, t)),
            scalar(0.3),
            opset=23,
            reference=True,
        )
        for t in (*FLOATS8, "float4_e2m1fn")
    ),
]

CASES = [*CASTS, *QUANTIZE, *DEQUANTIZE]
