"""PyTorch's calls, one after the other: what every other kernel is measured and checked against."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ramiel.runtime.kernels.activations import Activation
from ramiel.runtime.kernels.geometry import Convolution, Kernel, Product, told_apart


def convolution(spec: Convolution) -> Kernel:
    geometry = (spec.stride, spec.padding, spec.dilation, spec.groups)

    def kernel(x: Tensor, other: Tensor | None) -> Tensor:
        y = torch.conv2d(told_apart(x), spec.weight, spec.bias, *geometry)
        return finished(y, other, spec.activation)

    return kernel


def product(spec: Product) -> Kernel:
    def kernel(x: Tensor, other: Tensor | None) -> Tensor:
        return finished(F.linear(x, spec.weight, spec.bias), other, spec.activation)

    return kernel


def finished(y: Tensor, other: Tensor | None, activation: Activation | None) -> Tensor:
    """The result plus `other`, with the activation applied."""
    if other is not None:
        y = y + other
    return y if activation is None else activation.function(y)
