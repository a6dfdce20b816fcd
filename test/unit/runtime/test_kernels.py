"""Kernels of convolutions, products and pools against PyTorch's own functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ramiel.runtime.kernels import CONVOLUTIONS, PRODUCTS, avg_pool2d, max_pool2d, winograd
from ramiel.runtime.kernels.activations import ACTIVATIONS, Spec, activation
from ramiel.runtime.kernels.geometry import Convolution, Kernel, Product
from ramiel.runtime.kernels.onednn_library import library, why_not
from ramiel.runtime.libtorch import libtorch

needs_onednn = pytest.mark.skipif(library() is None, reason=why_not() or "it is there")


def without_native(spec: Convolution) -> Kernel | None:
    with mock.patch.object(winograd.replay, "native", lambda: None):
        return CONVOLUTIONS["winograd"](spec)


CONVOLUTIONS_TESTED = {**CONVOLUTIONS, "winograd by products": without_native}
CONVOLVING = [
    pytest.param(n, marks=needs_onednn if n == "onednn" else ()) for n in CONVOLUTIONS_TESTED
]
needs_mkl = pytest.mark.skipif(
    not hasattr(libtorch(), "cblas_sgemm_compute"), reason="PyTorch was built without MKL"
)
NEEDED = {"onednn": needs_onednn, "mkl": needs_mkl}
MULTIPLYING = [pytest.param(name, marks=NEEDED.get(name, ())) for name in PRODUCTS]

TOLERANCE = 1e-4
"""Of the largest value: what Winograd's rounding errors stay below, and no mistake does."""

FUNCTIONS: dict[str, tuple[Spec, Callable[[Tensor], Tensor]]] = {
    "none": (None, lambda x: x),
    "relu": ("relu", torch.relu),
    "sigmoid": ("sigmoid", torch.sigmoid),
    "tanh": ("tanh", torch.tanh),
    "silu": ("silu", F.silu),
    "hardswish": ("hardswish", F.hardswish),
    "hardsigmoid": ("hardsigmoid", F.hardsigmoid),
    "gelu": ("gelu", F.gelu),
    "gelu_tanh": ("gelu_tanh", lambda x: F.gelu(x, approximate="tanh")),
    "clip": (["clip", -0.5, 1.0], lambda x: x.clamp(-0.5, 1.0)),
    "leaky_relu": (["leaky_relu", 0.1], lambda x: F.leaky_relu(x, 0.1)),
}
LAYOUTS = ("contiguous", "channels_last", "slice", "transposed", "expanded")
WINDOWS = ((1, 1), (3, 3), (1, 7), (7, 1), (5, 5), (1, 3), (2, 3), (3, 5))


def random(shape: Sequence[int], layout: str = "contiguous") -> Tensor:
    """Values of a normal distribution, laid out in memory as it is called."""
    *lead, height, width = shape
    if layout == "slice":
        spare = torch.randn(*(size + 2 for size in lead), height + 1, width + 3)
        return spare[(*(slice(1, -1),) * len(lead), slice(1, None), slice(1, -2))]
    if layout == "transposed":
        return torch.randn(*lead, width, height).mT
    if layout == "expanded":
        return torch.randn(1, *shape[1:]).expand(*shape)
    x = torch.randn(*shape)
    last = layout == "channels_last" and len(shape) == 4
    return x.contiguous(memory_format=torch.channels_last) if last else x


def check(got: Tensor, expected: Tensor) -> None:
    assert got.shape == expected.shape and got.dtype == expected.dtype
    # Operands are of size 1; a result may be almost nothing, as of gelu.
    assert (got - expected).abs().max() <= TOLERANCE * expected.abs().max() + 1e-6


def test_every_activation_is_tested() -> None:
    assert FUNCTIONS.keys() == ACTIVATIONS | {"none"}


# --- convolutions ------------------------------------------------------------------------


@st.composite
def convolutions(draw: st.DrawFn, dense: bool) -> tuple[Convolution, Tensor, Tensor | None, str]:
    """A convolution, its input, what is added, and its activation; `dense` is in steps of 1."""
    torch.manual_seed(draw(st.integers(0, 1000)))
    kernel = draw(st.sampled_from(WINDOWS))
    steps = st.just((1, 1)) if dense else st.tuples(st.integers(1, 3), st.integers(1, 2))
    stride, dilation = draw(steps), draw(steps)
    padding = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    groups = 1 if dense else draw(st.sampled_from([1, 2, 3]))
    inputs, outputs = (groups * draw(st.integers(1, 18 // groups)) for _ in range(2))
    least = (d * (k - 1) + 1 - 2 * p for k, p, d in zip(kernel, padding, dilation, strict=True))
    size = [max(1, n) + draw(st.integers(0, 9)) for n in least]
    weight = torch.randn(outputs, inputs // groups, *kernel)
    weight /= weight[0].numel() ** 0.5
    source = (draw(st.integers(1, 3)), inputs, *size)
    bias = torch.randn(outputs) if draw(st.booleans()) else None
    name, adds = draw(st.sampled_from(sorted(FUNCTIONS))), draw(st.booleans())
    spec = Convolution(
        source,
        *(weight, bias, stride, padding, dilation, groups),
        *(activation(FUNCTIONS[name][0]), adds),
    )
    x = random(source, draw(st.sampled_from(LAYOUTS)))
    other = random(spec.result, draw(st.sampled_from(LAYOUTS))) if adds else None
    return spec, x, other, name


def convolved(spec: Convolution, x: Tensor, other: Tensor | None, name: str) -> Tensor:
    geometry = (spec.stride, spec.padding, spec.dilation, spec.groups)
    y = torch.conv2d(x, spec.weight, spec.bias, *geometry)
    assert y.shape == spec.result
    return FUNCTIONS[name][1](y if other is None else y + other)


@pytest.mark.parametrize("name", CONVOLVING)
@settings(deadline=None, derandomize=True, max_examples=40)
@given(data=st.data())
def test_convolution(name: str, data: st.DataObject) -> None:
    dense = "winograd" in name or data.draw(st.booleans())
    spec, x, other, function = data.draw(convolutions(dense))
    kernel = CONVOLUTIONS_TESTED[name](spec)
    if kernel is not None:
        before = [tensor.clone() for tensor in (x, other) if tensor is not None]
        expected = convolved(spec, x, other, function)
        for _ in range(2):
            check(kernel(x, other), expected)
        after = (tensor for tensor in (x, other) if tensor is not None)
        assert all(map(torch.equal, before, after))  # operands stay as they are


@pytest.mark.parametrize("name", CONVOLVING)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("source", [(1, 1, 3, 1), (2, 1, 1, 4), (1, 3, 1, 1)])
def test_dimensions_of_one(name: str, layout: str, source: tuple[int, ...]) -> None:
    """Their strides can be anything, and are, in tensors that pass for contiguous."""
    torch.manual_seed(0)
    weight, one = torch.randn(2, source[1], 3, 3), (1, 1)
    spec = Convolution(source, weight, None, one, one, one, 1, None, False)
    kernel, x = CONVOLUTIONS_TESTED[name](spec), random(source, layout)
    assert kernel is not None
    check(kernel(x, None), convolved(spec, x, None, "none"))


@pytest.mark.parametrize("name", CONVOLVING)
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_activation_of_convolution(name: str, adds: bool, function: str) -> None:
    torch.manual_seed(0)
    weight, bias, one = torch.randn(18, 17, 3, 3) / 12, torch.randn(18), (1, 1)
    after = activation(FUNCTIONS[function][0])
    spec = Convolution((2, 17, 9, 6), weight, bias, one, one, one, 1, after, adds)
    kernel = CONVOLUTIONS_TESTED[name](spec)
    assert kernel is not None
    x, other = torch.randn(2, 17, 9, 6), torch.randn(2, 18, 9, 6) if adds else None
    check(kernel(x, other), convolved(spec, x, other, function))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("size", [7, 30])
@pytest.mark.parametrize("inputs, outputs", [(3, 40), (16, 1), (36, 16)])
def test_winograd_on_threads(threads: int, size: int, inputs: int, outputs: int) -> None:
    """Tiles are divided among threads, and channels into vectors, whatever their number."""
    torch.manual_seed(0)
    x = random((2, inputs + 5, size, size), "channels_last")[:, 2:-3]
    weight, one = torch.randn(outputs, inputs, 3, 3) / 12, (1, 1)
    spec = Convolution(x.shape, weight, None, one, one, one, 1, activation("relu"), True)
    other = random(spec.result)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        kernel = CONVOLUTIONS["winograd"](spec)
        assert kernel is not None
        check(kernel(x, other), convolved(spec, x, other, "relu"))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("make", [CONVOLUTIONS["winograd"], without_native])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_winograd_keeps_what_is_not_finite_in_its_place(make: Any, value: float) -> None:
    weight, one = torch.randn(4, 5, 3, 3), (1, 1)
    spec = Convolution((1, 5, 9, 9), weight, None, one, one, one, 1, activation("relu"), False)
    x = torch.randn(1, 5, 9, 9)
    x[0, 4, 8, 2] = value
    y = make(spec)(x, None)
    torch.testing.assert_close(y, convolved(spec, x, None, "relu"), equal_nan=True)


def test_plain_is_always_made_and_winograd_where_it_applies() -> None:
    def made(name: str, dtype: torch.dtype = torch.float32, **changed: Any) -> bool:
        geometry: dict[str, Any] = {"stride": (1, 1), "dilation": (1, 1), "groups": 1, **changed}
        weight = torch.randn(4, 4 // geometry["groups"], 3, 3, dtype=dtype)
        spec = Convolution(
            (1, 4, 9, 9), weight, None, padding=(1, 1), activation=None, adds=False, **geometry
        )
        return CONVOLUTIONS_TESTED[name](spec) is not None

    others: list[dict[str, Any]] = [
        *({"stride": (2, 1)}, {"dilation": (1, 2)}, {"groups": 2}, {"dtype": torch.float64})
    ]
    assert made("winograd") and made("mkldnn-winograd-2")
    assert not any(made(name, **c) for name in ("winograd", "mkldnn-winograd-2") for c in others)
    assert all(made("plain", **changed) for changed in others)


@pytest.mark.parametrize("r", [1, 3, 5, 7])
@pytest.mark.parametrize("m", [2, 4])
def test_winograd_is_exact(m: int, r: int) -> None:
    """F(m, r) is a direct correlation, but for the rounding errors of f64."""
    a, g, b = winograd.matrices(m, r)
    assert a.shape == (m, m + r - 1) and g.shape == (m + r - 1, r) and b.shape == (m + r - 1,) * 2
    rng = np.random.default_rng(0)
    for _ in range(20):
        kernel, tile = rng.standard_normal(r), rng.standard_normal(m + r - 1)
        direct = np.correlate(tile, kernel, "valid")
        assert np.abs(a @ ((g @ kernel) * (b @ tile)) - direct).max() < 1e-9


# --- products ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", MULTIPLYING)
@settings(deadline=None, derandomize=True, max_examples=40)
@given(data=st.data())
def test_product(name: str, data: st.DataObject) -> None:
    draw = data.draw
    torch.manual_seed(draw(st.integers(0, 1000)))
    lead = draw(st.sampled_from([(), (1,), (5,), (2, 3), (1, 17), (2, 1, 3)]))
    inner, columns = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    function = draw(st.sampled_from(sorted(FUNCTIONS)))
    adds, layouts = draw(st.booleans()), st.sampled_from(("contiguous", "slice", "transposed"))
    weight = torch.randn(columns, inner) / inner**0.5
    bias = torch.randn(columns) if draw(st.booleans()) else None

    def operand(size: int) -> Tensor:
        return random((*lead, size), draw(layouts)) if lead else torch.randn(size)

    x, other = operand(inner), operand(columns) if adds else None
    rows = torch.Size(lead).numel()
    spec = Product(rows, weight, bias, activation(FUNCTIONS[function][0]), adds)
    kernel = PRODUCTS[name](spec)
    if kernel is not None:
        y = F.linear(x, weight, bias)
        expected = FUNCTIONS[function][1](y if other is None else y + other)
        for _ in range(2):
            check(kernel(x, other), expected)


@pytest.mark.parametrize("name", MULTIPLYING)
@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_activation_of_product(name: str, adds: bool, function: str) -> None:
    torch.manual_seed(0)
    weight, bias, x = torch.randn(18, 33) / 6, torch.randn(18), torch.randn(2, 5, 33)
    other = torch.randn(2, 5, 18) if adds else None
    kernel = PRODUCTS[name](Product(10, weight, bias, activation(FUNCTIONS[function][0]), adds))
    assert kernel is not None
    y = F.linear(x, weight, bias)
    check(kernel(x, other), FUNCTIONS[function][1](y if other is None else y + other))


# --- pools -------------------------------------------------------------------------------


@settings(deadline=None, derandomize=True, max_examples=150)
@given(data=st.data())
def test_pools(data: st.DataObject) -> None:
    draw = data.draw
    torch.manual_seed(draw(st.integers(0, 1000)))
    pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    padding = tuple(draw(st.integers(0, size // 2)) for size in kernel)
    stride, ceil = draw(st.none() | pairs), draw(st.booleans())
    dilation = draw(pairs) if draw(st.booleans()) else (1, 1)
    least = (d * (k - 1) + 1 - 2 * p for k, p, d in zip(kernel, padding, dilation, strict=True))
    size = [max(1, n) + draw(st.integers(0, 7)) for n in least]
    channels = draw(st.sampled_from([1, 3, 16, 18]))
    x = random((draw(st.integers(1, 3)), channels, *size), draw(st.sampled_from(LAYOUTS)))
    expected = F.max_pool2d(x, kernel, stride, padding, dilation, ceil)
    assert torch.equal(max_pool2d(x, kernel, stride, padding, dilation, ceil), expected)
    if dilation == (1, 1):
        counts = draw(st.booleans())
        expected = F.avg_pool2d(x, kernel, stride, padding, ceil, counts)
        check(avg_pool2d(x, kernel, stride, padding, ceil, counts), expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_pools_of_other_types(dtype: torch.dtype) -> None:
    x = torch.randn(1, 3, 8, 8).to(dtype)
    assert torch.equal(max_pool2d(x, 3, padding=1), F.max_pool2d(x, 3, padding=1))
    torch.testing.assert_close(avg_pool2d(x, 3), F.avg_pool2d(x, 3))
    assert torch.equal(max_pool2d(x[0], 3), F.max_pool2d(x[0], 3))


def test_pools_have_gradients() -> None:
    x = torch.randn(1, 3, 8, 8, requires_grad=True)
    (max_pool2d(x, 2).sum() + avg_pool2d(x, 2).sum()).backward()
    assert x.grad is not None and x.grad.any()


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((1, 3, 8, 8), {"kernel_size": 3, "stride": 0}),
        ((1, 3, 8, 8), {"kernel_size": 0}),
        ((1, 3, 8, 8), {"kernel_size": 3, "padding": 2}),
        ((1, 3, 8, 8), {"kernel_size": 3, "padding": -1}),
        ((1, 3, 2, 2), {"kernel_size": 3}),
        ((3, 3), {"kernel_size": 3}),
        ((1, 0, 8, 8), {"kernel_size": 3}),
    ],
    ids=str,
)
def test_pools_refuse_what_pytorch_refuses(shape: tuple[int, ...], options: Any) -> None:
    x = torch.zeros(shape)
    for ours, theirs in ((max_pool2d, F.max_pool2d), (avg_pool2d, F.avg_pool2d)):
        with pytest.raises(Exception) as expected:
            theirs(x, **options)
        with pytest.raises(expected.type) as raised:
            ours(x, **options)
        assert str(raised.value) == str(expected.value)


def test_pools_of_nothing() -> None:
    x = torch.zeros(0, 3, 8, 8)
    assert max_pool2d(x, 2).shape == F.max_pool2d(x, 2).shape
    assert avg_pool2d(x, 2).shape == F.avg_pool2d(x, 2).shape
