"""Kernels keep NaN and infinities where PyTorch's own calls have them."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from prepared_layers import SHAPE, PreparedLayer, each_kernel, made, reference
from torch import Tensor

from ramiel.runtime import kernels
from ramiel.runtime.kernels.activations import Spec
from ramiel.runtime.kernels.activations import activation as find_activation

SPECIAL = (float("nan"), float("inf"), float("-inf"))
ACTIVATIONS: list[Spec] = [
    None,
    "relu",
    "sigmoid",
    "tanh",
    "silu",
    "hardsigmoid",
    ["clip", -1.0, 1.0],
    ["leaky_relu", 0.1],
]
"""Those that are the same everywhere. GELU of infinity is NaN in some of PyTorch's own kernels."""


def same(y: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(y, wanted, rtol=1e-4, atol=1e-4, equal_nan=True)


@each_kernel
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("value", SPECIAL)
def test_layers(
    kind: type[PreparedLayer], name: str | None, activation: Spec, value: float
) -> None:
    layer = made(kind, name, activation=activation)
    x = torch.randn(SHAPE[kind])
    layer(x)  # makes the kernel, which is checked by ordinary numbers
    x[(0, 1, 2, 3)[: x.dim()]] = value
    found = find_activation(activation)
    wanted = reference(layer, x)
    same(layer(x), wanted if found is None else found.function(wanted))


@each_kernel
@pytest.mark.parametrize("value", SPECIAL)
def test_sums(kind: type[PreparedLayer], name: str | None, value: float) -> None:
    layer = made(kind, name, activation="relu")
    x = torch.randn(SHAPE[kind])
    other = torch.randn_like(layer(x))
    layer(x, other)
    other[0, 1, 2] = value
    same(layer(x, other), torch.relu(reference(layer, x, other)))


MAX_POOLS: tuple[dict[str, Any], ...] = (
    {"padding": 1},
    {"stride": 2, "ceil_mode": True},
    {"stride": 1, "dilation": 2},
)


@pytest.mark.parametrize(
    ("value", "everywhere", "last"), [*product(SPECIAL, (False, True), (False, True))]
)
def test_max_pool(value: float, everywhere: bool, last: bool) -> None:
    x = torch.randn(2, 5, 9, 8)
    if last:
        x = x.contiguous(memory_format=torch.channels_last)
    x[(...,) if everywhere else (0, 1, 4, 5)] = value
    for options in MAX_POOLS:
        same(kernels.max_pool2d(x, 3, **options), F.max_pool2d(x, 3, **options))


@pytest.mark.parametrize("value", SPECIAL)
def test_average_pools(value: float) -> None:
    x = torch.randn(2, 5, 9, 8)
    x[0, 1, 4, 5] = value
    same(kernels.avg_pool2d(x, 3, padding=1), F.avg_pool2d(x, 3, padding=1))
    same(kernels.adaptive_avg_pool2d(x, 1), F.adaptive_avg_pool2d(x, 1))
