"""Which operators of PyTorch's have steps of their own, in native/kernels.cpp, and when.

An operator of the table gives the steps for its arguments and result, each with what it needs kept
alive, or nothing where only PyTorch computes it: for another type, or layouts that differ.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ramiel.runtime.replay.native import MOST_DIMS, Binary, Copy, Kind, Step

Steps = Sequence[tuple[Step, object]]


def is_dense(x: Tensor) -> bool:
    """Whether the elements fill their part of memory, in any order, each once."""
    step = 1
    for stride, size in sorted(zip(x.stride(), x.shape, strict=True)):
        if size != 1:
            if stride != step:
                return False
            step *= size
    return True


def _alike(x: Tensor, y: Tensor) -> bool:
    """Whether two f32 tensors have their elements in the same order, without gaps."""
    return (
        x.dtype is y.dtype is torch.float32
        and x.shape == y.shape
        and is_dense(x)
        and _strides(x) == _strides(y)
    )


def _strides(x: Tensor) -> list[int]:
    return [stride for stride, size in zip(x.stride(), x.shape, strict=True) if size != 1]


def _relu(x: Tensor, *, result: Tensor) -> Steps:
    if not _alike(x, result):
        return ()
    return [(Step(Kind.RELU, 1, x.data_ptr(), result.data_ptr(), None, x.numel()), None)]


def _binary(what: Binary) -> Callable[..., Steps]:
    def make(a: Tensor, b: Tensor | float, *, result: Tensor, alpha: float = 1) -> Steps:
        if alpha != 1 or not _alike(a, result):
            return ()
        x, y, size = a.data_ptr(), result.data_ptr(), a.numel()
        if isinstance(b, Tensor):
            if not _alike(b, result):
                return ()
            return [(Step(Kind.BINARY, 1, x, b.data_ptr(), y, size, what), None)]
        kept = ctypes.c_int32(what)
        address = ctypes.addressof(kept)
        return [(Step(Kind.BINARY_NUMBER, 1, x, y, address, size, b), kept)]

    return make


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
    return steps


def copies(source: Tensor, target: Tensor) -> Steps:
    """A step that copies elements, or nothing if types differ or shapes are too complicated."""
    if source.dtype is not target.dtype or source.dtype.itemsize > 8 or not target.numel():
        return ()
    dims = list(_boxes(source.expand(target.shape), target))
    if len(dims) > MOST_DIMS:
        return ()
    itemsize = source.dtype.itemsize
    box = Copy(len(dims), itemsize)
    for i, (size, from_, to) in enumerate(dims):
        box.sizes[i], box.source[i], box.target[i] = size, from_ * itemsize, to * itemsize
    address = ctypes.addressof(box)
    return [(Step(Kind.COPY, 1, source.data_ptr(), target.data_ptr(), address, 0), box)]


def _boxes(source: Tensor, target: Tensor) -> Iterator[tuple[int, int, int]]:
    """Size and strides of each dimension of a copy, as few as there can be, the outermost first."""
    dims = sorted(
        zip(target.stride(), source.stride(), target.shape, strict=True),
        key=lambda dim: (-dim[0], -dim[1]),
    )
    merged: list[tuple[int, int, int]] = []
    for to, from_, size in dims:
        if size == 1:
            continue
        if merged and merged[-1][1] == from_ * size and merged[-1][2] == to * size:
            merged[-1] = (merged[-1][0] * size, from_, to)
        else:
            merged.append((size, from_, to))
    yield from merged or [(1, 1, 1)]


NATIVE: Mapping[str, Callable[..., Steps]] = {
    "relu": _relu,
    "relu_": _relu,
    "add": _binary(Binary.ADD),
    "add_": _binary(Binary.ADD),
    "sub": _binary(Binary.SUBTRACT),
    "mul": _binary(Binary.MULTIPLY),
    "mul_": _binary(Binary.MULTIPLY),
    "div": _binary(Binary.DIVIDE),
    "copy_": _copy,
    "clone": _clone,
    "cat": _cat,
}
