"""Kernels of oneDNN: convolutions, products and pools as prepared primitives."""

from __future__ import annotations

import torch
from torch import Tensor

from ramiel.runtime.kernels.geometry import (
    Convolution,
    Kernel,
    Pool,
    Product,
    channels_last,
    channels_last_strides,
)
from ramiel.runtime.kernels.onednn_library import DESTINATION, SOURCE, WEIGHTS, dims, library
from ramiel.runtime.kernels.onednn_primitive import (
    TYPES,
    Handles,
    Operand,
    Primitive,
    Refused,
    added,
    bias_argument,
    matmul,
    primitive,
)

_INFERENCE = 96
_DIRECT = 1
_POOLS = {"max": 0x1FF, "average": 0x3FF, "average with padding": 0x2FF}


def convolution(spec: Convolution) -> Kernel | None:
    """A kernel for a convolution; None if oneDNN is not there or has none."""
    lib = library()
    if lib is None or spec.weight.dtype not in TYPES:
        return None
    handles, dtype, result = Handles(lib), spec.weight.dtype, spec.result
    activation = spec.activation and spec.activation.best(lib.has_avx512)
    weight = spec.weight.contiguous()
    if spec.groups > 1:
        weight = weight.unflatten(0, (spec.groups, -1))
    result_strides = channels_last_strides(result)
    source = handles.descriptor(Operand(spec.source, channels_last_strides(spec.source)), dtype)
    destination = handles.descriptor(Operand(result, result_strides), dtype)
    bias = bias_argument(handles, spec.bias, (result[1],))
    attributes = handles.attributes(activation, destination if spec.adds else None)
    try:
        descriptor = handles.make(
            "primitive_desc",
            "dnnl_convolution_forward_primitive_desc_create",
            *(lib.engine, _INFERENCE, _DIRECT, source),
            *(handles.descriptor(Operand(tuple(weight.shape)), dtype), bias and bias[1]),
            *(destination, dims(spec.stride), dims([d - 1 for d in spec.dilation])),
            *(dims(spec.padding), dims(spec.padding), attributes),
        )
        run = primitive(
            lib,
            handles,
            descriptor,
            [(WEIGHTS, weight, Operand(tuple(weight.shape), weight.stride()))],
            [bias] if bias else [],
            [(SOURCE, source), *added(spec.adds, destination), (DESTINATION, destination)],
            spec.packed,
        )
    except (RuntimeError, Refused):
        return None

    finish = activation.in_place if activation else None
    blank = _blank(result, result_strides, dtype)

    def kernel(x: Tensor, other: Tensor | None) -> Tensor:
        x = channels_last(x)
        y = torch.empty_like(blank)
        if other is None:
            run(x, y)
        else:
            other = channels_last(other)
            run(x, other, y)
        return y if finish is None else finish(y)

    return kernel


def product(spec: Product) -> Kernel | None:
    """A kernel for a linear layer; None if oneDNN is not there or has none."""
    lib = library()
    if lib is None:
        return None
    columns, inner = spec.weight.shape
    activation = spec.activation and spec.activation.best(lib.has_avx512)
    run = matmul(
        Operand((spec.rows, inner), (inner, 1)),
        spec.weight.t(),
        Operand((spec.rows, columns), (columns, 1)),
        dtype=spec.weight.dtype,
        bias=spec.bias,
        activation=activation,
        adds=spec.adds,
        packed=spec.packed,
    )
    if run is None:
        return None

    finish = activation.in_place if activation else None

    def kernel(x: Tensor, other: Tensor | None) -> Tensor:
        x = x.contiguous()
        y = x.new_empty((*x.shape[:-1], columns))
        if other is None:
            run(x, y)
        else:
            other = other.contiguous()
            run(x, other, y)
        return y if finish is None else finish(y)

    return kernel


def pool(spec: Pool) -> Kernel | None:
    """A kernel for a pool over two dimensions; None if oneDNN is not there or has none."""
    lib = library()
    if lib is None or spec.dtype not in TYPES:
        return None
    handles, dtype, result = Handles(lib), spec.dtype, spec.result
    result_strides = channels_last_strides(result)
    source = handles.descriptor(Operand(spec.source, channels_last_strides(spec.source)), dtype)
    destination = handles.descriptor(Operand(result, result_strides), dtype)
    try:
        descriptor = handles.make(
            "primitive_desc",
            "dnnl_pooling_forward_primitive_desc_create",
            *(lib.engine, _INFERENCE, _POOLS[spec.kind], source, destination),
            *(dims(spec.stride), dims(spec.kernel), dims([d - 1 for d in spec.dilation])),
            *(dims(spec.padding), dims(spec.padding_after), handles.attributes(None, None)),
        )
        given = [(SOURCE, source), (DESTINATION, destination)]
        run = Primitive(lib, handles, descriptor, [], given)
    except (RuntimeError, Refused):
        return None

    blank = _blank(result, result_strides, dtype)

    def kernel(x: Tensor, other: Tensor | None) -> Tensor:
        x = channels_last(x)
        y = torch.empty_like(blank)
        run(x, y)
        return y

    return kernel


def _blank(shape: tuple[int, ...], strides: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A template of a result for torch.empty_like(), which is faster than giving it numbers. It
    has no memory of its own."""
    with torch.inference_mode(False):
        blank = torch.empty_strided(shape, strides, dtype=dtype)
    blank.untyped_storage().resize_(0)
    return blank
