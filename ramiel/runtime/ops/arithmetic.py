"""Numbers: activations, normalisations and reductions."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from ramiel.runtime.numbers import Integers, integer, integers


def clip(x: Tensor, low: Tensor | None, high: Tensor | None) -> Tensor:
    """Clip with computed bounds. If they cross, the upper one wins, as in ONNX."""
    if low is not None:
        x = torch.maximum(x, low)
    return x if high is None else torch.minimum(x, high)


def sign(x: Tensor) -> Tensor:
    """-1, 0 or 1, and NaN for NaN, for which PyTorch's sign gives 0."""
    if not x.dtype.is_signed:
        return (x != 0).to(x.dtype)
    return torch.where(x.isnan(), x, torch.sign(x))


def shrink(x: Tensor, lambd: float, bias: float) -> Tensor:
    zero = torch.zeros_like(x)
    shrunk = torch.where(x > lambd, x - bias, zero).to(x.dtype)
    return torch.where(x < -lambd, x + bias, shrunk).to(x.dtype)


def prelu(x: Tensor, slope: Tensor) -> Tensor:
    """PRelu with a slope that broadcasts to x."""
    return torch.where(x < 0, x * slope, x)


def legacy_softmax(x: Tensor, axis: int, kind: str) -> Tensor:
    """Softmax, log_softmax or hardmax up to opset 12: over all dimensions from the axis on."""
    start = axis % max(x.ndim, 1)
    flat = x.reshape(*x.shape[:start], math.prod(x.shape[start:]))
    return _SOFTMAX[kind](flat, -1).reshape(x.shape)


def hardmax(x: Tensor, axis: int) -> Tensor:
    """One at the first largest element along the axis, zero elsewhere."""
    if not x.numel():
        return torch.zeros_like(x)
    first = torch.argmax(x, dim=axis, keepdim=True)
    return torch.zeros_like(x).scatter_(axis, first, 1)


_SOFTMAX = {"softmax": torch.softmax, "log_softmax": torch.log_softmax, "hardmax": hardmax}


def layer_norm(
    x: Tensor, scale: Tensor, bias: Tensor | None, axis: int, eps: float, results: int = 1
) -> Tensor | tuple[Tensor, ...]:
    """LayerNormalization over the dimensions from the axis on; with `results`, the mean and
    the inverse deviation too."""
    dims = list(range(axis % x.ndim, x.ndim))
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    mean = wide.mean(dim=dims, keepdim=True)
    inverse = torch.rsqrt((wide - mean).square().mean(dim=dims, keepdim=True) + eps)
    y = ((wide - mean) * inverse).to(x.dtype) * scale
    y = y if bias is None else y + bias
    return y if results == 1 else (y, mean.float(), inverse.float())[:results]


def local_response_norm(x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """LRN of x [N, C, ...]; a window of even size reaches one channel further ahead than back."""
    square, channels = x.square(), x.shape[1]
    total = square.clone()
    for shift in range(1, min(size // 2 + 1, channels)):
        total[:, :-shift].add_(square[:, shift:])
        if shift <= (size - 1) // 2:
            total[:, shift:].add_(square[:, :-shift])
    return x / _powers(total.mul_(alpha / size).add_(k), beta)


def _powers(x: Tensor, exponent: float) -> Tensor:
    """x to a power: that of LRN in most models, 3/4, by roots, in a quarter of the time."""
    if exponent != 0.75:
        return x.pow(exponent)
    root = x.sqrt()
    return root.sqrt().mul_(root)


def instance_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """InstanceNormalization of x [N, C, ...], whose channels may have one element, or none."""
    if math.prod(x.shape[2:]) == 1 or not x.numel():
        shape = [-1] + [1] * (x.ndim - 2)
        return (x - x) * weight.reshape(shape) + bias.reshape(shape)
    return torch.instance_norm(x, weight, bias, None, None, True, 0.0, eps, False)


def lp_normalize(x: Tensor, p: int, axis: int) -> Tensor:
    """x over its p-norm along the axis, zero where that is zero."""
    norm = torch.linalg.vector_norm(x, p, dim=axis, keepdim=True)
    return x / torch.where(norm == 0, 1, norm)


def mean_variance_norm(x: Tensor, axes: Integers) -> Tensor:
    dims = integers(axes)
    centred = x - x.mean(dim=dims, keepdim=True)
    deviation = centred.square().mean(dim=dims, keepdim=True).sqrt()
    return centred / (deviation + 1e-9)


def reduce(
    x: Tensor, kind: str, axes: Integers | None, keepdims: bool = False, noop: bool = False
) -> Tensor:
    """A reduction by ONNX's name without `Reduce`; axes of None are all of them.

    An empty list of axes reduces over none, but still applies the function before the sum. An
    empty tensor of axes means all of them, unless `noop`.
    """
    dims = list(range(x.ndim)) if axes is None else [a % max(x.ndim, 1) for a in integers(axes)]
    if isinstance(axes, Tensor) and not dims and not noop:
        dims = list(range(x.ndim))
    before, over, after = _REDUCTIONS[kind]
    rooted = kind in _OF_REALS and not x.is_floating_point() and not x.is_complex()
    y = before(x.double() if rooted else x)
    if dims:
        y = over(y, dims, keepdims)
    return after(y).to(x.dtype)


def _same(x: Tensor) -> Tensor:
    return x


def _sum(x: Tensor, dims: list[int], keepdims: bool) -> Tensor:
    return torch.sum(x, dim=dims, keepdim=keepdims)


def _mean(x: Tensor, dims: list[int], keepdims: bool) -> Tensor:
    if x.is_floating_point():
        return torch.mean(x, dim=dims, keepdim=keepdims)
    count = 1
    for dim in dims:
        count *= x.shape[dim]
    # ONNX leaves the mean of no integers undefined; ONNX Runtime returns zero.
    return torch.div(_sum(x, dims, keepdims), max(count, 1), rounding_mode="trunc")


def _prod(x: Tensor, dims: list[int], keepdims: bool) -> Tensor:
    for dim in sorted(dims, reverse=True):
        x = torch.prod(x, dim=dim, keepdim=keepdims)
    return x


def _extreme(largest: bool, x: Tensor, dims: list[int], keepdims: bool) -> Tensor:
    if x.dtype == torch.bool:
        x = x.to(torch.uint8)
    if any(x.shape[d] == 0 for d in dims):
        shape = [1 if i in dims else d for i, d in enumerate(x.shape) if keepdims or i not in dims]
        return torch.full(shape, _identity(x.dtype, largest), dtype=x.dtype)
    return (torch.amax if largest else torch.amin)(x, dim=dims, keepdim=keepdims)


def _identity(dtype: torch.dtype, largest: bool) -> float:
    """The extreme of an empty set."""
    if dtype.is_floating_point:
        return -math.inf if largest else math.inf
    limits = torch.iinfo(dtype)
    return limits.min if largest else limits.max


def _log_sum_exp(x: Tensor, dims: list[int], keepdims: bool) -> Tensor:
    return torch.logsumexp(x, dim=dims, keepdim=keepdims)


_REDUCTIONS = {
    "Sum": (_same, _sum, _same),
    "Mean": (_same, _mean, _same),
    "Prod": (_same, _prod, _same),
    "Max": (_same, partial(_extreme, True), _same),
    "Min": (_same, partial(_extreme, False), _same),
    "L1": (torch.abs, _sum, _same),
    "L2": (torch.square, _sum, torch.sqrt),
    "LogSum": (_same, _sum, torch.log),
    "LogSumExp": (_same, _log_sum_exp, _same),
    "SumSquare": (torch.square, _sum, _same),
}


_OF_REALS = frozenset(["L2", "LogSum", "LogSumExp"])
"""Reductions that take roots or logarithms: integers are computed in double precision."""


def arg_reduce(
    x: Tensor, axis: int, *, largest: bool, keepdims: bool = False, last: bool = False
) -> Tensor:
    """The index of the first or last largest or smallest element along an axis.

    IndexError if the axis is empty and the result is not.
    """
    if not x.shape[axis]:
        count = x.sum(dim=axis, keepdim=keepdims, dtype=torch.int64)
        if not count.numel():
            return count
    index = (torch.argmax if largest else torch.argmin)(
        x.flip(axis) if last else x, dim=axis, keepdim=keepdims
    )
    return x.shape[axis] - 1 - index if last else index


def cumsum(x: Tensor, axis: int | Tensor, exclusive: bool = False, reverse: bool = False) -> Tensor:
    dim = integer(axis)
    y = x.flip(dim) if reverse else x
    total = torch.cumsum(y, dim, dtype=x.dtype)
    if exclusive and x.shape[dim]:
        start = torch.zeros_like(y.narrow(dim, 0, 1))
        total = torch.cat([start, total.narrow(dim, 0, x.shape[dim] - 1)], dim)
    return total.flip(dim) if reverse else total


def top_k(x: Tensor, k: int | Tensor, axis: int, largest: bool = True) -> tuple[Tensor, Tensor]:
    """The k largest or smallest elements; of equal ones, those of lower index come first."""
    count = integer(k)
    values, indices = torch.sort(x, dim=axis, descending=largest, stable=True)
    return values.narrow(axis, 0, count), indices.narrow(axis, 0, count)
