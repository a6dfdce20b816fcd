"""Casts to types that torch does not compute with."""

from __future__ import annotations

import torch
from torch import Tensor

from ramiel.runtime.low_bit import FLOATS, FloatFormat, lowest_bits


def cast(x: Tensor, to: str, saturate: bool = True, round_mode: str = "up") -> Tensor:
    """Cast to a type of fewer than eight bits or an 8-bit float, by ONNX's name.

    Integers are truncated and keep their lowest bits. Floats are rounded to nearest, ties to
    even; what is then too large becomes the largest value if `saturate`, else infinity or NaN as
    the type has it. `round_mode` (up, down, nearest) is for float8e8m0, the powers of two.
    """
    if to == "float8e8m0":
        return _power_of_two(x, saturate, round_mode)
    if to in FLOATS:
        return _rounded(x, FLOATS[to], saturate)
    return lowest_bits(x, to)


def _rounded(x: Tensor, to: FloatFormat, saturate: bool) -> Tensor:
    x = x if x.dtype == torch.float64 else x.float()
    _, exponent = torch.frexp(x)  # x is below 2 ** exponent, and at least half of that
    place = (exponent - 1).clamp(min=to.exponent) - to.fraction
    step = torch.ldexp(torch.ones_like(x), place)
    y = torch.round(x / step) * step
    beyond = to.largest if saturate or to.beyond is None else to.beyond
    y = torch.where(y.abs() > to.largest, torch.full_like(y, beyond).copysign(y), y)
    # A type without NaN has 0 for it.
    y = y.nan_to_num(0.0) if to.beyond is None else y
    return y.to(to.held_in)


def _power_of_two(x: Tensor, saturate: bool, round_mode: str) -> Tensor:
    """A float8e8m0, whose bits are the biased exponent of a float32."""
    bits = x.float().view(torch.int32)
    exponent, fraction = (bits >> 23) & 0xFF, bits & 0x7FFFFF
    half = 1 << 22
    above = {
        "up": fraction > 0,
        "down": torch.zeros_like(fraction, dtype=torch.bool),
        "nearest": (fraction > half) | ((fraction == half) & (exponent > 0)),
    }[round_mode]
    infinite, nan = x.float().isinf(), x.float().isnan()
    exponent = exponent + (above & ~infinite & ~nan)
    if saturate:
        exponent = exponent.clamp(max=0xFE)
    exponent = exponent.masked_fill(nan, 0xFF)
    return exponent.to(torch.uint8).view(torch.float8_e8m0fnu)
