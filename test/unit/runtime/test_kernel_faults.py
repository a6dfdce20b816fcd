"""Layers with kernels that are given wrong inputs, or kernels that compute something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from prepared_layers import (
    RESULT,
    SHAPE,
    WEIGHT,
    PreparedLayer,
    check,
    each_kernel,
    made,
    reference,
)
from torch import Tensor

from ramiel.runtime import Conv2d, Linear, Weights, prepared
from ramiel.runtime.kernels import CONVOLUTIONS
from ramiel.runtime.kernels import plain as plain_kernels
from ramiel.runtime.kernels.geometry import Convolution, Kernel
from ramiel.runtime.prepared import compared


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def nothing_was_compared() -> None:
    """Whatever kernels other tests have used."""
    compared.clear()


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
            with pytest.raises(ValueError, match="unknown kernel"):
                made(kind, name)
        for spec in ("", "selu", "clip", ["clip", 0.0], ["leaky_relu"], ["relu", 1.0], ["x", 1.0]):
            with pytest.raises(ValueError, match="unknown activation"):
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

    monkeypatch.setitem(CONVOLUTIONS, "mkldnn", lambda spec: kernel)
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

    monkeypatch.setitem(CONVOLUTIONS, "onednn", lambda spec: None)
    monkeypatch.setitem(CONVOLUTIONS, "mkldnn", raising)
    monkeypatch.setitem(CONVOLUTIONS, "plain", plain)
    layer, x = made(Conv2d, None), torch.randn(SHAPE[Conv2d])
    for _ in range(2):
        check(layer(x), reference(layer, x))
    assert len(calls) == 2  # the first one is checked


@each_kernel
def test_what_is_compared(
    kind: type[PreparedLayer], name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first layer of a kind, and by Winograd's algorithm, whose errors depend on the weights,
    each; also with another shape, another configuration and on another number of threads."""
    count, plainly = 0, kind._plainly  # pyright: ignore[reportPrivateUsage]

    def counted(layer: Any, x: Tensor, other: Tensor | None) -> Tensor:
        nonlocal count
        count += 1
        return plainly(layer, x, other)

    monkeypatch.setattr(kind, "_plainly", counted)
    torch.set_num_threads(1)
    x, wider = torch.randn(SHAPE[kind]), torch.randn(7, *SHAPE[kind][1:])
    each = "winograd" in (name or "")
    for i, given in enumerate((x, x, wider, x, wider)):
        layer = made(kind, name)
        check(layer(given), reference(layer, given))
        assert count == (i + 1 if each else (1, 1, 2, 2, 2)[i])
    before = count
    layer = made(kind, name, activation="relu")
    check(layer(x), reference(layer, x).relu())
    assert count == before + 1
    torch.set_num_threads(2)
    check(layer(x), reference(layer, x).relu())
    torch.set_num_threads(1)
    assert count == before + 2


def test_kinds_that_were_compared_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "_MOST_COMPARED", 3)
    layer = made(Linear, "plain")
    for rows in range(1, 9):
        layer(torch.randn(rows, 5))
        assert 1 <= len(compared) <= 3
