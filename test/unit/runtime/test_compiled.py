"""Functions of a program that are compiled."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

import ramiel.runtime.streams.compiled as module_of_compiled
from ramiel.runtime import compiled


class Holder:
    @staticmethod
    @compiled
    def swish(x: Tensor, w: Tensor) -> Tensor:
        y = x * w
        return y * y.sigmoid()


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The compilations, by a compiler that does not need one of C."""
    calls: list[Any] = []
    original = torch.compile

    def compile(function: Any, **options: Any) -> Any:
        calls.append(options)
        return original(function, backend="eager", **options)

    monkeypatch.setattr(torch, "compile", compile)
    return calls


X, W = torch.linspace(-2, 2, 12).reshape(3, 4), torch.arange(1.0, 5.0)


def expected(x: Tensor) -> Tensor:
    return torch.nn.functional.silu(x * W)


def test_on_the_cpu_it_is_called_as_it_is(made: list[Any]) -> None:
    assert torch.allclose(Holder.swish(X, W), expected(X))
    assert not made and getattr(Holder.swish, "__name__", "") == "swish"


def test_it_is_compiled_once(made: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module_of_compiled, "compiles", lambda _: True)
    function = compiled(Holder.swish._function)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for x in (X, X[:2], X):
            assert torch.allclose(function(x, W), expected(x))
    assert made == [{"dynamic": False, "fullgraph": True}]


def test_what_cannot_be_compiled_is_called_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says so, once."""

    def failing(message: str, *_: Tensor) -> Tensor:
        raise RuntimeError(message)

    monkeypatch.setattr(module_of_compiled, "compiles", lambda _: True)
    monkeypatch.setattr(torch, "compile", lambda *_, **__: partial(failing, "no triton\nhere"))
    function = compiled(Holder.swish._function)
    with pytest.warns(RuntimeWarning) as said:
        assert torch.allclose(function(X, W), expected(X))
    (line,) = [str(warning.message) for warning in said]
    assert line == "Holder.swish is not compiled, but called as it is: no triton"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.allclose(function(X, W), expected(X))


def test_an_error_of_an_operation_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """And does not end compilation for other inputs."""
    monkeypatch.setattr(module_of_compiled, "compiles", lambda _: True)
    function = compiled(Holder.swish._function)
    with pytest.raises(RuntimeError, match="size of tensor a"):
        function(X, torch.ones(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.allclose(function(X, W), expected(X))
