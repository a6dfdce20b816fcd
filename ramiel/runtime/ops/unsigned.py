"""uint64 arithmetic on int64 tensors with the same bits."""

from __future__ import annotations

import torch
from torch import Tensor

_SIGN = torch.iinfo(torch.int64).min


def ordered(x: Tensor) -> Tensor:
    """uint64 as int64 in the same order: 0 becomes the smallest number."""
    return x.to(torch.int64) ^ _SIGN


def unordered(x: Tensor) -> Tensor:
    """The inverse of ordered()."""
    return (x ^ _SIGN).to(torch.uint64)


def unsigned_div(a: Tensor, b: Tensor) -> Tensor:
    """The whole part of a / b, both uint64."""
    return _divided(a, b)[0].to(torch.uint64)


def unsigned_remainder(a: Tensor, b: Tensor) -> Tensor:
    """What is left of a when divided by b, both uint64."""
    return _divided(a, b)[1].to(torch.uint64)


def unsigned_right_shift(x: Tensor, by: Tensor) -> Tensor:
    """x shifted to the right by a number of bits, both uint64; zeros come in from the left."""
    bits, count = x.to(torch.int64), by.to(torch.int64)
    # The first step clears the sign; the others then bring in zeros.
    half = (bits >> 1) & ~_SIGN
    shifted = torch.bitwise_right_shift(half, count - 1)
    shifted = torch.where((count < 0) | (count > 63), 0, shifted)
    return torch.where(count == 0, bits, shifted).to(torch.uint64)


def _divided(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Quotient and remainder as int64 with the bits of both.

    Half of a has no sign bit. Twice its quotient is the wanted one or one less. A divisor with
    the sign bit goes into a once at most.
    """
    x, y = a.to(torch.int64), b.to(torch.int64)
    large = y < 0
    divisor = torch.where(large, 1, y)
    half = (x >> 1) & ~_SIGN
    quotient = torch.div(half, divisor, rounding_mode="trunc") * 2
    rest = x - quotient * y
    quotient = torch.where(large, 0, quotient)
    rest = torch.where(large, x, rest)
    once = ((rest ^ _SIGN) >= (y ^ _SIGN)).to(torch.int64)
    return quotient + once, rest - once * y
