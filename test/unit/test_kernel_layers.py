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
from torch import Tensor

from ramiel.runtime import Conv2d, Linear, Weights
from ramiel.runtime.kernels import CONVOLUTIONS, PRODUCTS, winograd
from ramiel.runtime.kernels import plain as plain_kernels
from ramiel.runtime.kernels.activations import ACTIVATIONS
from ramiel.runtime.kernels.geometry import Convolution, Kernel

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


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


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


def _set_bias(layer: PreparedLayer) -> PreparedLayer:
    layer.bias = torch.randn_like(layer.bias)  # pyright: ignore
    return layer


def _set_weight(layer: PreparedLayer) -> PreparedLayer:
    layer.weight = torch.randn_like(layer.weight)  # pyright: ignore
    return layer


def _load_copy(layer: PreparedLayer) -> PreparedLayer:
    return _load(copy.deepcopy(layer))


CHANGES: Sequence[Callable[[PreparedLayer], PreparedLayer]] = (
    *(_load, _assign, _set_bias, _set_weight, _load_copy),
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


@each_kernel
def test_transforms_and_modes(kind: type[PreparedLayer], name: str | None) -> None:
    """vmap, forward derivatives, and what records calls: a kernel does not hide from them."""
    from torch.utils.flop_counter import FlopCounterMode

    layer, x = made(kind, name), torch.randn(SHAPE[kind])
    expected = reference(layer, x)
    for _ in range(2):  # before there is a kernel, and after
        check(torch.vmap(layer)(torch.stack([x, x]))[1], expected)
        _, tangent = torch.func.jvp(layer, (x,), (x,))
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
    monkeypatch.setattr(winograd, "_workspaces", type(winograd._workspaces)())  # pyright: ignore
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


# --- wrong input -------------------------------------------------------------------------


def outcome(compute: Callable[[], Tensor]) -> Tensor | type[BaseException]:
    try:
        return compute()
    except Exception as error:
        return type(error)


def wrong_inputs(kind: type[PreparedLayer]) -> Iterator[tuple[Tensor, Tensor | None]]:
    n, c, *rest = SHAPE[kind]
    x, result = torch.randn(n, c, *rest), RESULT[kind]
    yield torch.randn(n, c + 1, *rest), None
    yield torch.randn(n, c, *rest[:-1], rest[-1] + 1), None
    yield from ((y, None) for y in (x[0], x[0, 0], x[None], x.flatten()[:5], x.flatten()[0]))
    yield from ((x.to(t), None) for t in (torch.float64, torch.float16, torch.int64, torch.bool))
    yield from ((y, None) for y in (x[:0], x[:, :0], x[..., :0], x.to("meta")))
    yield from ((x, torch.randn(result[-k:])) for k in range(len(result)))
    yield from ((x, y) for y in (torch.randn(1, *result), torch.randn(result).double()))
    yield from ((x, torch.randn(result).to(t)) for t in (torch.float16, torch.int32))
    yield x, torch.randn(result)[1:]
    yield x, torch.randn(result)[..., 1:]
    yield x[:1], torch.randn(result)


@each_kernel
def test_wrong_inputs(kind: type[PreparedLayer], name: str | None) -> None:
    """They raise what PyTorch raises, or give what PyTorch gives, also after a right one."""
    layer = made(kind, name)
    right = torch.randn(SHAPE[kind]), torch.randn(RESULT[kind])
    for x, other in wrong_inputs(kind):
        expected = outcome(lambda x=x, other=other: reference(layer, x, other))
        for _ in range(2):
            got = outcome(lambda x=x, other=other: layer(x, other))
            if not isinstance(expected, Tensor):
                assert got is expected, (x.shape, x.dtype, other is not None and other.shape)
            elif expected.is_meta or not expected.numel():
                assert isinstance(got, Tensor) and got.shape == expected.shape
            else:
                assert isinstance(got, Tensor)
                check(got, expected)
            check(layer(*right), reference(layer, *right))
            check(layer(right[0]), reference(layer, right[0]))


def test_what_there_is_not() -> None:
    for kind in (Conv2d, Linear):
        for name in ("", "cudnn", "winograd-3"):
            with pytest.raises(ValueError, match="there is no kernel"):
                made(kind, name)
        for spec in ("", "selu", "clip", ["clip", 0.0], ["leaky_relu"], ["relu", 1.0], ["x", 1.0]):
            with pytest.raises(ValueError, match="there is no activation"):
                made(kind, None, activation=spec)


# --- kernels that compute something else -------------------------------------------------


def _refusing(x: Tensor, other: Tensor | None) -> Tensor:
    raise RuntimeError("this CPU cannot compute that")


WRONG: dict[str, Callable[[Tensor, Tensor | None], Tensor]] = {
    "zeros": lambda x, other: torch.zeros(RESULT[Conv2d]),
    "not a number": lambda x, other: torch.full(RESULT[Conv2d], torch.nan),
    "one percent off": lambda x, other: torch.conv2d(x, WEIGHTS * 1.01, padding=1),
    "another shape": lambda x, other: torch.zeros(1),
    "an error": _refusing,
}
WEIGHTS = torch.randn(WEIGHT[Conv2d], generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_kernel_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Tensor] = []

    def kernel(x: Tensor, other: Tensor | None) -> Tensor:
        calls.append(x)
        return WRONG[name](x, other)

    monkeypatch.setitem(CONVOLUTIONS, "mkldnn", lambda spec: kernel)  # pyright: ignore
    layer = Conv2d(Weights.from_tensors({"m.weight": WEIGHTS}), "m", padding=1, kernel="mkldnn")
    x = torch.randn(SHAPE[Conv2d])
    for _ in range(3):
        check(layer(x), torch.conv2d(x, WEIGHTS, padding=1))
    assert len(calls) == 1


def test_a_kernel_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next best one is."""
    calls: list[Tensor] = []

    def raising(spec: Convolution) -> None:
        raise RuntimeError("no such type")

    def plain(spec: Convolution) -> Kernel:
        kernel = plain_kernels.convolution(spec)

        def counted(x: Tensor, other: Tensor | None) -> Tensor:
            calls.append(x)
            return kernel(x, other)

        return counted

    monkeypatch.setitem(CONVOLUTIONS, "onednn", lambda spec: None)  # pyright: ignore
    monkeypatch.setitem(CONVOLUTIONS, "mkldnn", raising)  # pyright: ignore
    monkeypatch.setitem(CONVOLUTIONS, "plain", plain)  # pyright: ignore
    layer, x = made(Conv2d, None), torch.randn(SHAPE[Conv2d])
    for _ in range(2):
        check(layer(x), reference(layer, x))
    assert len(calls) == 3  # one of them is the check
