"""Layers with kernels, and what they are to compute, for the tests of both."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ramiel.runtime import Conv2d, Linear, Weights
from ramiel.runtime.kernels import CONVOLUTIONS, PRODUCTS

KERNELS = [
    *((Conv2d, name) for name in (None, *CONVOLUTIONS)),
    *((Linear, name) for name in (None, *PRODUCTS)),
]
SHAPE = {Conv2d: (2, 5, 9, 7), Linear: (3, 4, 5)}
WEIGHT = {Conv2d: (6, 5, 3, 3), Linear: (6, 5)}
RESULT = {Conv2d: (2, 6, 9, 7), Linear: (3, 4, 6)}

PreparedLayer = Conv2d | Linear
each_kernel = pytest.mark.parametrize(
    ("kind", "name"), KERNELS, ids=lambda v: getattr(v, "__name__", str(v))
)


def made(kind: type[PreparedLayer], name: str | None, **config: Any) -> PreparedLayer:
    weights = Weights.from_tensors({"m.weight": torch.randn(WEIGHT[kind]), "m.bias": _bias()})
    if kind is Conv2d:
        config = {"padding": 1, **config}
    return kind(weights, "m", kernel=name, **config)


def _bias() -> Tensor:
    return torch.randn(6)


def reference(layer: PreparedLayer, x: Tensor, other: Tensor | None = None) -> Tensor:
    """What a layer without activation is to compute."""
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, Tensor) and isinstance(bias, Tensor)
    if isinstance(layer, Conv2d):
        y = torch.conv2d(x, weight, bias, padding=1)
    else:
        y = F.linear(x, weight, bias)
    return y if other is None else y + other


def check(got: Tensor, expected: Tensor, tolerance: float = 1e-4) -> None:
    assert got.shape == expected.shape and got.dtype == expected.dtype
    assert (got - expected).abs().max() <= tolerance * expected.abs().max()
