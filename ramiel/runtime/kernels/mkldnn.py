"""PyTorch's own fused kernels: the same oneDNN, with packed weights and an activation attached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ramiel.runtime.kernels.activations import Activation
from ramiel.runtime.kernels.geometry import Convolution, Kernel, Product, channels_last

_OPS: Any = torch.ops.mkldnn
_TYPES = (torch.float32, torch.bfloat16, torch.float16)

Finish = Callable[[Tensor], Tensor]


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
    fuse, finish = _fused(spec.activation)
    alone: Callable[..., Tensor] = _OPS._convolution_pointwise
    with_sum: Callable[..., Tensor] = _OPS._convolution_pointwise.binary

    def kernel(x: Tensor, other: Tensor | None) -> Tensor:
        x = channels_last(x)
        if other is None:
            return finish(alone(x, *geometry, *fuse))
        y = with_sum(x, channels_last(other), *geometry, "add", 1.0, None, [], "")
        return y if spec.activation is None else spec.activation.apply(y)

    return kernel


def _fused(after: Activation | None) -> tuple[tuple[str, list[float], str], Finish]:
    """The arguments for an activation that PyTorch's kernel applies, and what is left to do."""
    if after is None:
        return ("none", [], ""), _nothing
    rest = after.apply if after.attribute == "none" else _nothing
    return (after.attribute, list(after.scalars), after.algorithm), rest


def _nothing(y: Tensor) -> Tensor:
    return y


def product(spec: Product) -> Kernel | None:
    """A kernel for a linear layer; None if this PyTorch has none."""
    if not is_available() or spec.weight.dtype not in _TYPES:
        return None
    weight = _OPS._reorder_linear_weight(spec.weight, spec.rows)
    bias = spec.bias
    fuse, finish = _fused(spec.activation)
    alone: Callable[..., Tensor] = _OPS._linear_pointwise
    with_sum: Callable[..., Tensor] = _OPS._linear_pointwise.binary

    def kernel(x: Tensor, other: Tensor | None) -> Tensor:
        if other is None:
            return finish(alone(x, weight, bias, *fuse))
        y = with_sum(x, other, weight, bias, "add")
        return y if spec.activation is None else spec.activation.apply(y)

    return kernel
