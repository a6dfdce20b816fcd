"""Quantised numbers: q stands for (q - zero_point) * scale.

A scale is a number, a tensor with one element, [d] along an axis, or for blocks of the axis a
tensor of x's rank. A zero point has its scale's shape, or is a number.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ramiel.runtime.low_bit import INTEGERS, unpack
from ramiel.runtime.ops.conversion import cast
from ramiel.runtime.ops.windows import same_pad

Number = float | int | Tensor


def quantize(
    x: Tensor,
    scale: float | Tensor,
    zero_point: Number,
    to: str,
    axis: int = 1,
    block: int = 0,
    saturate: bool = True,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """QuantizeLinear to a type by ONNX's name; divides in `dtype`."""
    scale = _along(scale, x, axis, block)
    scale = scale.to(dtype) if isinstance(scale, Tensor) else scale
    y = x.to(dtype) / scale
    return _to(y, _along(_float(zero_point), x, axis, block), to, saturate)


def requantize(x: Tensor, scale: float | Tensor, zero_point: Number, to: str) -> Tensor:
    """A sum of products, times a scale that broadcasts to it, as a type by ONNX's name."""
    return _to(x.to(torch.float32) * scale, _float(zero_point), to, True)


def _to(y: Tensor, zero_point: Number, to: str, saturate: bool) -> Tensor:
    if to not in INTEGERS:
        return cast(y.float() + zero_point, to, saturate)
    held_in, low, high = INTEGERS[to]
    return (torch.round(y).float() + zero_point).clamp(low, high).to(held_in)


def dequantize(
    x: Tensor,
    scale: float | Tensor,
    zero_point: Number = 0,
    axis: int = 1,
    block: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """DequantizeLinear: x in float32, less the zero point, times the scale, rounded to `dtype`."""
    if x.dtype == torch.int32:
        y = (x - _along(zero_point, x, axis, block)).float()
    else:
        y = x.float() - _along(_float(zero_point), x, axis, block)
    return (y * _along(_float(scale), x, axis, block)).to(dtype)


def _float(value: Number) -> Number:
    return value.float() if isinstance(value, Tensor) else value


def _along(value: Any, x: Tensor, axis: int, block: int) -> Any:
    """A scale or zero point in a shape that broadcasts to x."""
    if not isinstance(value, Tensor):
        return value
    if block:
        return value.repeat_interleave(block, dim=axis).narrow(axis, 0, x.shape[axis])
    if value.ndim == 1 and value.shape[0] != 1:
        return value.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])
    return value.reshape(()) if value.numel() == 1 else value


def dynamic_quantize(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """DynamicQuantizeLinear: x as uint8 over its own range, which holds 0; scale; zero point.

    The scale of zeros is 1, as in ONNX Runtime.
    """
    low, high = torch.aminmax(x) if x.numel() else (x.new_zeros(()), x.new_zeros(()))
    low, high = low.clamp(max=0), high.clamp(min=0)
    scale = (high - low) / 255
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    zero_point = torch.round((-low / scale).clamp(0, 255))
    y = (torch.round(x / scale) + zero_point).clamp(0, 255).to(torch.uint8)
    return y, scale, zero_point.to(torch.uint8)


def matmul_integer(
    a: Tensor, b: Tensor, a_zero: int | Tensor = 0, b_zero: int | Tensor = 0
) -> Tensor:
    """MatMulInteger: the product of a [..., M, K] and b [..., K, N], each less its zero point:
    one number, or one for each row of a or column of b. int32, or float32 for floats."""
    if isinstance(a_zero, Tensor) and a_zero.ndim == 1 and a_zero.numel() > 1:
        a_zero = a_zero.unsqueeze(-1)
    dtype = _exact(a, a_zero, b, b_zero, a.shape[-1])
    product = _less(a, a_zero, dtype) @ _less(b, b_zero, dtype)
    return _sums(product, a)


def conv_integer(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    x_zero: int | Tensor = 0,
    weight_zero: int | Tensor = 0,
    stride: int | list[int] = 1,
    padding: int | list[int] | str = 0,
    dilation: int | list[int] = 1,
    groups: int = 1,
) -> Tensor:
    """ConvInteger: x [N, C, ...] and weight [M, C / groups, ...], each less its zero point (the
    weight's may be [M]), convolved to int32, plus the bias [M] of int32. `padding`, with
    zero points, is a number, one for each dimension, both sides of each as in F.pad, SAME_UPPER or
    SAME_LOWER."""
    if isinstance(weight_zero, Tensor) and weight_zero.numel() > 1:
        weight_zero = weight_zero.reshape([-1] + [1] * (weight.ndim - 1))
    dtype = _exact(x, x_zero, weight, weight_zero, weight[0].numel())
    a = _less(x, x_zero, dtype)
    if isinstance(padding, str):
        kernel = list(weight.shape[2:])
        steps, apart = ([v] * len(kernel) if isinstance(v, int) else v for v in (stride, dilation))
        a, padding = same_pad(a, kernel, steps, apart, padding == "SAME_UPPER"), 0
    elif isinstance(padding, list) and len(padding) == 2 * (x.ndim - 2):
        a, padding = F.pad(a, padding), 0
    convolve = (F.conv1d, F.conv2d, F.conv3d)[x.ndim - 3]
    y = convolve(a, _less(weight, weight_zero, dtype), None, stride, padding, dilation, groups)
    sums = _sums(y, x)
    return sums if bias is None else sums + bias.reshape([-1] + [1] * (x.ndim - 2))


def _less(x: Tensor, zero: int | Tensor, dtype: torch.dtype) -> Tensor:
    x = x.to(dtype)
    if isinstance(zero, Tensor):
        return x - zero.to(dtype)
    return x - zero if zero else x


def _exact(a: Tensor, a_zero: object, b: Tensor, b_zero: object, terms: int) -> torch.dtype:
    """The smallest float type in which sums of `terms` products are exact."""
    if a.is_floating_point():
        return torch.float32
    largest = terms * _magnitude(a, a_zero) * _magnitude(b, b_zero)
    return torch.float32 if largest <= 1 << 24 else torch.float64


def _magnitude(x: Tensor, zero: object) -> int:
    """The largest magnitude of an 8-bit type's values less a zero point."""
    return 128 if x.dtype == torch.int8 and isinstance(zero, int) and zero == 0 else 255


def _sums(y: Tensor, x: Tensor) -> Tensor:
    """Sums of products as int32, which wraps around as ONNX's does."""
    if x.is_floating_point():
        return y
    return (y if y.dtype == torch.float32 else y.to(torch.int64)).to(torch.int32)


def matmul_n_bits(
    x: Tensor,
    packed: Tensor,
    scales: Tensor,
    zero_points: Tensor | None,
    bias: Tensor | None,
    bits: int,
    block: int,
) -> Tensor:
    """MatMulNBits: x [..., K] times a weight [K, N] of `bits` bits.

    It is packed as uint8 [N, blocks, block * bits / 8], with scales [N, blocks]; zero points are
    packed as [N, blocks * bits / 8, rounded up], or of the scales' type; without, mid-range.
    """
    n, blocks = packed.shape[:2]
    scales = scales.reshape(n, blocks)
    values = _unpacked(packed.reshape(n, -1), bits).float().reshape(n, blocks, block)
    zeros = torch.full_like(scales, 1 << (bits - 1))
    if zero_points is not None:
        zeros = zero_points.reshape(n, -1)
        zeros = zeros if zeros.is_floating_point() else _unpacked(zeros, bits)[:, :blocks]
    weight = (values - zeros.float().unsqueeze(-1)) * scales.float().unsqueeze(-1)
    weight = weight.reshape(n, -1)[:, : x.shape[-1]]
    return F.linear(x, weight.to(x.dtype), bias)


def _unpacked(rows: Tensor, bits: int) -> Tensor:
    """Unsigned integers of `bits` bits, from rows that each begin at a byte."""
    if bits == 8:
        return rows
    return unpack(rows, f"uint{bits}", [rows.shape[0], rows.shape[1] * (8 // bits)])
