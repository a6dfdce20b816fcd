"""Which operators of PyTorch's have steps of their own, in native/kernels.cpp, and when.

An operator of the table gives the steps for its arguments and result, each with what it needs kept
alive, or nothing where only PyTorch computes it: for another type, or layouts that differ.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ramiel.runtime.replay.native import MOST_DIMS, Arithmetic, Binary, Clamp, Copy, Kind, Step

Steps = Sequence[tuple[Step, object]]
Number = int | float


def is_dense(x: Tensor) -> bool:
    """Whether the elements fill their part of memory, in any order, each once."""
    step = 1
    for stride, size in sorted(zip(x.stride(), x.shape, strict=True)):
        if size != 1:
            if stride != step:
                return False
            step *= size
    return True


def _clamp(
    x: Tensor,
    low: Tensor | Number | None = None,
    high: Tensor | Number | None = None,
    *,
    result: Tensor,
) -> Steps:
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    if isinstance(low, Tensor) or isinstance(high, Tensor) or math.isnan(low) or math.isnan(high):
        return ()
    box = _copied(x, result) if x.dtype is torch.float32 and x.shape == result.shape else None
    if box is None:
        return ()
    clamp = Clamp(box, low, high)
    address = ctypes.addressof(clamp)
    return [(Step(Kind.CLAMP, 1, x.data_ptr(), result.data_ptr(), address, 0), clamp)]


def finite(x: Tensor) -> Steps:
    """A step that ends the run if not all elements are finite, or nothing as for copies."""
    box = _copied(x, x) if x.dtype is torch.float32 else None
    if box is None:
        return ()
    return [(Step(Kind.FINITE, 1, x.data_ptr(), None, ctypes.addressof(box), 0), box)]


def _relu(x: Tensor, *, result: Tensor) -> Steps:
    return _clamp(x, 0, result=result)


def _hardtanh(x: Tensor, min_val: Number = -1, max_val: Number = 1, *, result: Tensor) -> Steps:
    return _clamp(x, min_val, max_val, result=result)


def _clamp_max(x: Tensor, max: Tensor | Number, *, result: Tensor) -> Steps:
    return _clamp(x, None, max, result=result)


_TYPES = {torch.float32: 0, torch.float64: 1, torch.int32: 2, torch.int64: 3}
"""As Binary::Type in native/kernels.h."""


def _arithmetic(
    operation: Arithmetic, a: Tensor | Number, b: Tensor | Number, result: Tensor
) -> Steps:
    """A step that computes element by element, or nothing if that takes a conversion."""
    dtype = result.dtype
    if dtype not in _TYPES or not result.numel():
        return ()
    if operation is Arithmetic.DIVIDE and not dtype.is_floating_point:
        return ()
    operands: list[Tensor] = []
    for operand in (a, b):
        if not isinstance(operand, Tensor):
            if isinstance(operand, float) and not dtype.is_floating_point:
                return ()
            operand = torch.tensor(operand, dtype=dtype)
        if operand.dtype is not dtype:
            return ()
        operands.append(operand)
    x, y = (operand.expand(result.shape) for operand in operands)
    dims = _boxes(result, x, y)
    if len(dims) > MOST_DIMS:
        return ()
    box = Binary(operation, _TYPES[dtype], len(dims))
    for i, (size, (to, from_x, from_y)) in enumerate(dims):
        box.sizes[i], box.y[i], box.a[i], box.b[i] = size, to, from_x, from_y
    places = (x.data_ptr(), y.data_ptr(), result.data_ptr())
    return [(Step(Kind.BINARY, 1, *places, ctypes.addressof(box)), (box, operands))]


def _binary(operation: Arithmetic) -> Callable[..., Steps]:
    def make(a: Tensor, b: Tensor | Number, alpha: Number = 1, *, result: Tensor) -> Steps:
        return _arithmetic(operation, a, b, result) if alpha == 1 else ()

    return make


def _divide(
    a: Tensor, b: Tensor | Number, *, rounding_mode: str | None = None, result: Tensor
) -> Steps:
    return _arithmetic(Arithmetic.DIVIDE, a, b, result) if rounding_mode is None else ()


def _subtract_from(a: Tensor, b: Tensor | Number, alpha: Number = 1, *, result: Tensor) -> Steps:
    return _arithmetic(Arithmetic.SUBTRACT, b, a, result) if alpha == 1 else ()


def _power(a: Tensor | Number, b: Tensor | Number, *, result: Tensor) -> Steps:
    if isinstance(b, Tensor) or b != 2:
        return ()
    return _arithmetic(Arithmetic.MULTIPLY, a, a, result)


def _copy(target: Tensor, source: Tensor, non_blocking: bool = False, *, result: Tensor) -> Steps:
    return copies(source, target)


def _clone(source: Tensor, *, result: Tensor, memory_format: object = None) -> Steps:
    return copies(source, result)


def _cat(tensors: Sequence[Tensor], dim: int = 0, *, result: Tensor) -> Steps:
    steps: list[tuple[Step, object]] = []
    start = 0
    for tensor in tensors:
        size = tensor.shape[dim] if tensor.dim() == result.dim() else 0
        if size:
            step = copies(tensor, result.narrow(dim, start, size))
            if not step:
                return ()
            steps += step
            start += size
    if steps:
        steps[0][0].size = len(steps) - 1  # the copies are made together
    return steps


def _fill_like(value: Number) -> Callable[..., Steps]:
    def make(like: Tensor, *, result: Tensor, **options: object) -> Steps:
        return _fill(value, result)

    return make


def _full_like(like: Tensor, value: Number, *, result: Tensor, **options: object) -> Steps:
    return _fill(value, result)


def _fill(value: Number, result: Tensor) -> Steps:
    return constant(torch.tensor(value, dtype=result.dtype), result)


def constant(value: Tensor, result: Tensor) -> Steps:
    """A step that copies what is the same in each call, or nothing as for other copies."""
    return [(step, (kept, value)) for step, kept in copies(value, result)]


def _stack(tensors: Sequence[Tensor], dim: int = 0, *, result: Tensor) -> Steps:
    return _cat([tensor.unsqueeze(dim) for tensor in tensors], dim, result=result)


def _pad(x: Tensor, pad: Sequence[int], value: Number = 0, *, result: Tensor) -> Steps:
    steps: list[tuple[Step, object]] = []
    for dim, before, after in zip(range(x.dim() - 1, -1, -1), pad[::2], pad[1::2], strict=False):
        x = x.narrow(dim, max(-before, 0), x.shape[dim] + min(before, 0) + min(after, 0))
        size = result.shape[dim]
        for start, length in ((0, before), (size - after, after)):
            if length > 0 and result.numel():
                step = _fill(value, result.narrow(dim, start, length))
                if not step:
                    return ()
                steps += step
        result = result.narrow(dim, max(before, 0), x.shape[dim])
    inner = copies(x, result)
    return [*steps, *inner] if inner else ()


def copies(source: Tensor, target: Tensor) -> Steps:
    """A step that copies elements, or nothing if types differ or shapes are too complicated."""
    box = _copied(source, target)
    if box is None:
        return ()
    address = ctypes.addressof(box)
    return [(Step(Kind.COPY, 1, source.data_ptr(), target.data_ptr(), address, 0), box)]


def _copied(source: Tensor, target: Tensor) -> Copy | None:
    """The box that a copy of elements goes through; None if none does."""
    if source.dtype is not target.dtype or source.dtype.itemsize > 8 or not target.numel():
        return None
    dims = _boxes(target, source.expand(target.shape))
    if len(dims) > MOST_DIMS:
        return None
    itemsize = source.dtype.itemsize
    box = Copy(len(dims), itemsize)
    for i, (size, (to, from_)) in enumerate(dims):
        box.sizes[i], box.source[i], box.target[i] = size, from_ * itemsize, to * itemsize
    return box


def _boxes(*tensors: Tensor) -> list[tuple[int, tuple[int, ...]]]:
    """Size and each tensor's stride for the dimensions of tensors of one shape, as few as there
    can be, in the order that they have in the first one's memory."""
    strides = zip(*(tensor.stride() for tensor in tensors), strict=True)
    dims = sorted(
        zip(strides, tensors[0].shape, strict=True), key=lambda dim: [-stride for stride in dim[0]]
    )
    merged: list[tuple[int, tuple[int, ...]]] = []
    for inner, size in dims:
        if size == 1:
            continue
        if merged and merged[-1][1] == tuple(stride * size for stride in inner):
            merged[-1] = (merged[-1][0] * size, inner)
        else:
            merged.append((size, inner))
    return merged or [(1, (1,) * len(tensors))]


NATIVE: Mapping[str, Callable[..., Steps]] = {
    "relu": _relu,
    "relu_": _relu,
    "clamp": _clamp,
    "clamp_": _clamp,
    "clamp_min": _clamp,
    "clamp_min_": _clamp,
    "clamp_max": _clamp_max,
    "clamp_max_": _clamp_max,
    "hardtanh": _hardtanh,
    "hardtanh_": _hardtanh,
    "add": _binary(Arithmetic.ADD),
    "add_": _binary(Arithmetic.ADD),
    "sub": _binary(Arithmetic.SUBTRACT),
    "sub_": _binary(Arithmetic.SUBTRACT),
    "rsub": _subtract_from,
    "mul": _binary(Arithmetic.MULTIPLY),
    "mul_": _binary(Arithmetic.MULTIPLY),
    "div": _divide,
    "div_": _divide,
    "pow": _power,
    "pow_": _power,
    "zeros_like": _fill_like(0),
    "ones_like": _fill_like(1),
    "full_like": _full_like,
    "copy_": _copy,
    "clone": _clone,
    "cat": _cat,
    "stack": _stack,
    "constant_pad_nd": _pad,
}
