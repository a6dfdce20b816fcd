"""The element types of torch, and the one that holds each element type of ONNX."""

from __future__ import annotations

from xdsl.ir import Attribute

from ramiel.dialects.onnx.types import numpy_dtype_of

DTYPES = frozenset(
    "float16 float32 float64 bfloat16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool "
    "complex64 complex128 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz "
    "float8_e8m0fnu".split()
)
"""The element types of torch that may be arguments; torch and numpy have the same names."""

HELD_IN = {
    "int2": "int8",
    "int4": "int8",
    "uint2": "uint8",
    "uint4": "uint8",
    "float4_e2m1fn": "float8_e4m3fn",
    "float6_e2m3fn": "float8_e4m3fn",
    "float6_e3m2fn": "float8_e4m3fn",
}
"""ONNX's element types that torch lacks, by numpy's names, and the smallest torch type that has
all their values. Each element takes a byte."""


def torch_dtype_of(type: Attribute) -> str | None:
    """The torch element type that holds a tensor type's elements; None if there is none."""
    dtype = numpy_dtype_of(type)
    if dtype is None:
        return None
    name = HELD_IN.get(dtype.name, dtype.name)
    return name if name in DTYPES else None
