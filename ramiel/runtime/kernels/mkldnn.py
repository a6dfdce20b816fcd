"""PyTorch's own fused kernels: the same oneDNN, with packed weights and an activation attached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ramiel.runtime.kernels.geometry import Convolution, Kernel, Product, channels_last

_OPS: Any = torch.ops.mkldnn
_TYPES = (torch.float32, torch.bfloat16, torch.float16)


def is_available() -> bool:
    names = ("_convolution_pointwise", "_linear_pointwise", "_reorder_linear_weight")
    return torch.backends.mkldnn.is_available() and all(hasattr(_OPS, name) for name in names)


def convolution(spec: Convolution) -> Kernel | None:
    """A kernel for a convolution; None if this PyTorch has none."""
    if not is_available() or spec.weight.dtype not in _TYPES:
        return None
    padding, stride, dilation = list(spec.padding), list(spec.stride), list(spec.dilation)
    weight = _OPS._reorder_convolution_weight(
        channels_last(spec.weight), padding, stride, dilation, spec.groups, list(spec.source)
    )
    geometry = (weight, spec.bias, padding, stride, dilation, spec.groups)
    after = spec.activation
    attribute = after.attribute if after else None
    scalars = list(after.scalars) if after else []
    algorithm = after.algorithm if after else ""
    relu = attribute if attribute == "relu" else None  # after a sum there is no other
    fused: Callable[..., Tensor] = _OPS._convolution_pointwise
    fused_sum: Callable[..., Tensor] = _OPS._convolution_pointwise.binary

    def kernel(x: Tensor, other: Tensor | None) -> Tensor:
        x = channels_last(x)
        if other is None:
            return fused(x, *geometry, attribute or "none", scalars, algorithm)
        other = channels_last(other)
        y = fused_sum(x, other, *geometry, "add", 1.0, relu, [], "")
        return y if after is None or relu else after.function(y)

    return kernel


def product(spec: Product) -> Kernel | None:
    """A kernel for a linear layer; None if this PyTorch has none."""
    if not is_available() or spec.weight.dtype not in _TYPES:
        return None
    weight = _OPS._reorder_linear_weight(spec.weight, spec.rows)
    bias, after = spec.bias, spec.activation
    attribute = after.attribute if after else "none"
    scalars = list(after.scalars) if after else []
    algorithm = after.algorithm if after else ""
    fused: Callable[..., Tensor] = _OPS._linear_pointwise
    fused_sum: Callable[..., Tensor] = _OPS._linear_pointwise.binary

    def kernel(x: Tensor, other: Tensor | None) -> Tensor:
        if other is None:
            return fused(x, weight, bias, attribute, scalars, algorithm)
        y = fused_sum(x, other, weight, bias, "add")
        return after.function(y) if after else y

    return kernel
