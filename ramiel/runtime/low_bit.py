"""Element types of at most eight bits: values, rounding, packing.

torch cannot compute with integers and floats of fewer than eight bits. Here int4 and int2 are
held in int8, uint4 and uint2 in uint8, and floats of four and six bits in float8_e4m3fn, which
has all their values. Types go by ONNX's names.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class IntegerFormat(NamedTuple):
    """Integers from `low` to `high`."""

    held_in: torch.dtype
    low: int
    high: int


class FloatFormat(NamedTuple):
    """Floats with `fraction` bits after the point and a smallest exponent."""

    held_in: torch.dtype
    fraction: int
    exponent: int
    largest: float
    beyond: float | None
    """The result above `largest` if a cast does not saturate; None if it always does."""


INTEGERS = {
    "uint2": IntegerFormat(torch.uint8, 0, 3),
    "int2": IntegerFormat(torch.int8, -2, 1),
    "uint4": IntegerFormat(torch.uint8, 0, 15),
    "int4": IntegerFormat(torch.int8, -8, 7),
    "uint8": IntegerFormat(torch.uint8, 0, 255),
    "int8": IntegerFormat(torch.int8, -128, 127),
    "uint16": IntegerFormat(torch.uint16, 0, 65535),
    "int16": IntegerFormat(torch.int16, -32768, 32767),
}

FLOATS = {
    "float8e4m3fn": FloatFormat(torch.float8_e4m3fn, 3, -6, 448.0, math.nan),
    "float8e4m3fnuz": FloatFormat(torch.float8_e4m3fnuz, 3, -7, 240.0, math.nan),
    "float8e5m2": FloatFormat(torch.float8_e5m2, 2, -14, 57344.0, math.inf),
    "float8e5m2fnuz": FloatFormat(torch.float8_e5m2fnuz, 2, -15, 57344.0, math.nan),
    "float4e2m1": FloatFormat(torch.float8_e4m3fn, 1, 0, 6.0, None),
    "float6e2m3": FloatFormat(torch.float8_e4m3fn, 3, 0, 7.5, None),
    "float6e3m2": FloatFormat(torch.float8_e4m3fn, 2, -2, 28.0, None),
}


def lowest_bits(x: Tensor, to: str) -> Tensor:
    """Truncates to integers and keeps their lowest bits."""
    held_in, low, high = INTEGERS[to]
    lowest = torch.remainder(x.to(torch.int64) - low, high - low + 1)
    return (lowest + low).to(held_in)


_FLOAT4 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)

BITS = {"int2": 2, "uint2": 2, "int4": 4, "uint4": 4, "float4e2m1": 4}
"""The types that are packed several to a byte."""


def unpack(packed: Tensor, to: str, shape: list[int]) -> Tensor:
    """The elements that are packed in bytes, lowest bits first, in a shape; a type of one byte an
    element is viewed."""
    if to not in BITS:
        held_in = FLOATS[to].held_in if to in FLOATS else torch.float8_e8m0fnu
        return packed.view(held_in).reshape(shape)
    bits = BITS[to]
    shifts = torch.arange(0, 8, bits, dtype=torch.uint8)
    values = (packed.reshape(-1, 1) >> shifts) & ((1 << bits) - 1)
    values = values.reshape(-1)[: math.prod(shape)].reshape(shape)
    if to == "float4e2m1":
        return torch.tensor(_FLOAT4 + tuple(-v for v in _FLOAT4)).to(torch.float8_e4m3fn)[
            values.long()
        ]
    return lowest_bits(values, to)
