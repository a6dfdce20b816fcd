"""Layers with kernels: what they compute stays what PyTorch computes, whatever is done to them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from prepared_layers import RESULT, SHAPE, PreparedLayer, check, each_kernel, made, reference
from torch import Tensor

from ramiel.runtime import Conv2d, Weights
from ramiel.runtime.kernels import CONVOLUTIONS, winograd
from ramiel.runtime.kernels.activations import ACTIVATIONS


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


# --- one call after the other ------------------------------------------------------------


@each_kernel
def test_later_calls_agree_with_the_first(kind: type[PreparedLayer], name: str | None) -> None:
    """On one thread and on two, with and without something added, in any order of shapes."""
    layer = made(kind, name)
    inputs = [torch.randn(n, *SHAPE[kind][1:]) for n in (2, 1, 3)]
    if kind is Conv2d:
        inputs.append(torch.randn(1, 5, 4, 3))
    others = [torch.randn_like(reference(layer, x)) for x in inputs]
    first: dict[Any, Tensor] = {}
    for count in (1, 2, 1):
        torch.set_num_threads(count)
        for i, x in enumerate(inputs * 2):
            for other in (None, others[i % len(others)]):
                y = layer(x, other)
                check(y, reference(layer, x, other))
                assert torch.equal(y, first.setdefault((count, x.shape, other is None), y))


def test_more_shapes_than_a_layer_keeps() -> None:
    layer = made(Conv2d, None)
    for _ in range(2):
        for width in range(3, 3 + Conv2d.MOST + 2):
            x = torch.randn(1, 5, 4, width)
            check(layer(x), reference(layer, x))


@each_kernel
def test_results_are_not_overwritten(kind: type[PreparedLayer], name: str | None) -> None:
    """Nor are inputs, not even by layers that share memory for what is between."""
    layer, other = made(kind, name), made(kind, name)
    x, z = torch.randn(SHAPE[kind]), torch.randn(SHAPE[kind])
    y, before = layer(x), x.clone()
    kept = y.clone()
    for _ in range(2):
        layer(z)
        other(z)
    assert torch.equal(y, kept) and torch.equal(x, before)


@each_kernel
def test_threads_share_a_layer(kind: type[PreparedLayer], name: str | None) -> None:
    """Each has the bits that it would have alone."""
    torch.set_num_threads(1)
    layer = made(kind, name, activation="silu")
    fresh = copy.deepcopy(layer)
    inputs = [torch.randn(1 + i % 2, *SHAPE[kind][1:]) for i in range(8)]
    alone = [layer(x) for x in inputs]

    def run(start: int) -> bool:
        torch.set_num_threads(1)
        order = [(start + i) % len(inputs) for i in range(20)]
        return all(torch.equal(fresh(inputs[i]), alone[i]) for i in order)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, range(8)))


# --- other weights -----------------------------------------------------------------------


def changed(layer: PreparedLayer) -> dict[str, Tensor]:
    return {name: torch.randn_like(tensor) for name, tensor in layer.state_dict().items()}


def _load(layer: PreparedLayer) -> PreparedLayer:
    layer.load_state_dict(changed(layer))
    return layer


def _assign(layer: PreparedLayer) -> PreparedLayer:
    layer.load_state_dict(changed(layer), assign=True)
    return layer


def _set_bias(layer: Any) -> PreparedLayer:
    layer.bias = torch.randn_like(layer.bias)
    return layer


def _set_weight(layer: Any) -> PreparedLayer:
    layer.weight = torch.randn_like(layer.weight)
    return layer


def _in_place(layer: Any) -> PreparedLayer:
    layer.weight.mul_(-2)
    return layer


def _bias_in_place(layer: Any) -> PreparedLayer:
    layer.bias[1:3] += 1
    return layer


def _by_view(layer: Any) -> PreparedLayer:
    layer.weight.view(-1)[::2].zero_()
    return layer


def _data(layer: Any) -> PreparedLayer:
    layer.weight.data = layer.weight * 3
    return layer


def _bias_data(layer: Any) -> PreparedLayer:
    layer.bias.data = torch.randn_like(layer.bias)
    return layer


def _in_inference_mode(layer: Any) -> PreparedLayer:
    with torch.inference_mode():
        layer.weight.add_(1)
    return layer


def _forgets(layer: Any) -> PreparedLayer:
    layer.weight.data.mul_(2)  # which is not counted
    layer.forget()
    return layer


def _made_in_inference_mode(layer: Any) -> PreparedLayer:
    with torch.inference_mode():
        layer.weight = torch.randn_like(layer.weight)
    return layer


def _load_copy(layer: PreparedLayer) -> PreparedLayer:
    return _load(copy.deepcopy(layer))


CHANGES: Sequence[Callable[[PreparedLayer], PreparedLayer]] = (
    *(_load, _assign, _set_bias, _set_weight, _load_copy),
    *(_in_place, _bias_in_place, _by_view, _data, _bias_data),
    *(_in_inference_mode, _made_in_inference_mode, _forgets),
    *(copy.copy, copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))),
)


@each_kernel
def test_no_weights_are_stale(kind: type[PreparedLayer], name: str | None) -> None:
    x = torch.randn(SHAPE[kind])
    for change in CHANGES:
        layer = made(kind, name)
        before = reference(layer, x)
        check(layer(x), before)
        other = change(layer)
        check(other(x), reference(other, x))
        check(layer(x), reference(layer, x))


@each_kernel
@pytest.mark.parametrize("names", [("weight",), ("bias",), ("weight", "bias")])
def test_functional_call(
    kind: type[PreparedLayer], name: str | None, names: tuple[str, ...]
) -> None:
    layer, x = made(kind, name), torch.randn(SHAPE[kind])
    expected = reference(layer, x)
    given = {k: v for k, v in changed(layer).items() if k in names}
    with_given = copy.deepcopy(layer)
    with_given.load_state_dict(given, strict=False)
    for _ in range(2):
        check(layer(x), expected)
        check(torch.func.functional_call(layer, given, x), reference(with_given, x))


@each_kernel
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_types(kind: type[PreparedLayer], name: str | None, dtype: torch.dtype) -> None:
    layer, x = made(kind, name), torch.randn(SHAPE[kind])
    layer(x)
    other = copy.deepcopy(layer).to(dtype)
    residual = torch.randn(RESULT[kind]).to(dtype)
    for _ in range(2):
        check(other(x.to(dtype), residual), reference(other, x.to(dtype), residual), 2e-2)
    check(layer(x), reference(layer, x))


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_activation_is_pickled(name: str) -> None:
    spec = {"clip": [name, -1.0, 2.0], "leaky_relu": [name, 0.1]}.get(name, name)
    layer, x = made(Conv2d, None, activation=spec), torch.randn(SHAPE[Conv2d])
    y = layer(x)
    assert torch.equal(pickle.loads(pickle.dumps(layer))(x), y)
    assert torch.equal(copy.deepcopy(layer)(x), y)


# --- what PyTorch does around a layer ----------------------------------------------------


@each_kernel
def test_gradients(kind: type[PreparedLayer], name: str | None) -> None:
    layer, x, other = made(kind, name), torch.randn(SHAPE[kind]), torch.randn(RESULT[kind])
    layer(x, other)
    for tensor in (x, other):
        tensor.requires_grad_()
        layer(x, other).square().sum().backward()
        assert tensor.grad is not None and tensor.grad.any()
        tensor.requires_grad_(False)
    weight = layer.weight.clone().requires_grad_()  # pyright: ignore
    torch.func.functional_call(layer, {"weight": weight}, x).sum().backward()
    assert weight.grad is not None and weight.grad.any()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@each_kernel
def test_transforms_and_modes(kind: type[PreparedLayer], name: str | None) -> None:
    """vmap, forward derivatives, and what records calls: a kernel does not hide from them."""
    from torch.utils.flop_counter import FlopCounterMode

    layer, x = made(kind, name), torch.randn(SHAPE[kind])
    expected = reference(layer, x)
    for _ in range(2):  # before there is a kernel, and after
        check(torch.vmap(layer)(torch.stack([x, x]))[1], expected)
        tangent = torch.func.jvp(layer, (x,), (x,))[1]
        check(tangent, expected - reference(layer, torch.zeros_like(x)))
        with FlopCounterMode(display=False) as counter:
            layer(x)
        assert counter.get_total_flops() > 0
        check(layer(x), expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
@each_kernel
def test_traced(kind: type[PreparedLayer], name: str | None) -> None:
    layer, x = made(kind, name), torch.randn(SHAPE[kind])
    for _ in range(2):
        traced = torch.jit.trace(layer, x)
        check(traced(2 * x), reference(layer, 2 * x))  # pyright: ignore
        layer(x)


@each_kernel
def test_inference_mode(
    kind: type[PreparedLayer], name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is made in it is used outside of it, too."""
    monkeypatch.setattr(winograd, "_workspaces", type(winograd._workspaces)())
    layer, x = made(kind, name), torch.randn(SHAPE[kind])
    with torch.inference_mode():
        check(layer(x), reference(layer, x))
    check(layer(x), reference(layer, x))
    with torch.inference_mode():
        inner = made(kind, name)
        inner(x)
        z = x.clone()
    check(inner(x), reference(inner, x))
    check(layer(z), reference(layer, z))


@pytest.mark.parametrize("name", [None, *CONVOLUTIONS])
def test_images_of_one_channel(name: str | None) -> None:
    """Strides of channels_last describe the same memory as those of a contiguous tensor, and some
    convolutions of PyTorch's read the wrong elements."""
    weight = torch.randn(3, 1, 3, 3)
    layer = Conv2d(Weights.from_tensors({"m.weight": weight}), "m", stride=(1, 2), kernel=name)
    x = torch.randn(2, 1, 5, 4)
    expected = F.conv2d(x.double(), weight.double(), stride=(1, 2)).float()
    for image in (x, x.as_strided(x.shape, (20, 1, 4, 1))):
        for _ in range(2):
            check(layer(image), expected)
