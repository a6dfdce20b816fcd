"""What graphs change in place, and results that share memory, as PyTorch has it."""

from __future__ import annotations

from typing import Any

import torch
from compiled import assert_same, compiled, made
from torch import Tensor, nn


class Changes(nn.Module):
    """Changes an input, a view of it and a buffer, and returns an input, a view of it and None."""

    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(2))

    def forward(self, x: Tensor, y: Tensor) -> tuple[Any, ...]:
        x[0].mul_(2)
        z = x + y
        z[:, 1:].add_(1).relu_()
        self.calls += 1
        return z, y, x[1], None, z.t(), self.calls * 2


def test_in_place_views_and_buffers() -> None:
    net, twin = Changes(), Changes()
    run = compiled(net)
    x, y = torch.randn(3, 4), torch.randn(3, 4)
    given, same = x.clone(), x.clone()

    def call() -> None:
        for _ in range(3):
            got, expected = run(given, y), twin(same, y)
            torch.testing.assert_close(got, expected)
            torch.testing.assert_close(given, same)
            assert got[1] is y and got[2].data_ptr() == given[1].data_ptr()
            assert [t.stride() for t in got if t is not None] == [
                t.stride() for t in expected if t is not None
            ]
            torch.testing.assert_close(net.calls, twin.calls)

    (graph,) = made(call)
    assert len(graph.programs) == 1 and not graph.reasons


def test_results_that_are_views_of_the_same_memory() -> None:
    """As in PyTorch, also where no result is all of it; and copies are others' in nothing."""

    def whole(x: Tensor) -> list[Tensor]:
        y = x * 2
        return [y[1:], y.t(), y, y.view(-1)[5:9], y[:1].expand(4, 4), y.view(torch.int32)]

    def parts(x: Tensor) -> list[Tensor]:
        y = x * 2
        return [y[1:3], y[2:], y[:, ::2], y[:1].expand(3, 4), y[0].expand(2, 2, 4)]

    def copies(x: Tensor) -> list[Tensor]:
        y = x * 2
        return [y, y.clone(), y.clone().t(), y, x.sum().expand(3)]

    x = torch.randn(4, 4)
    for model in (whole, parts, copies):
        run = compiled(model)

        def calls(model: Any = model, run: Any = run) -> None:
            for _ in range(3):
                got, expected = run(x), model(x)
                for i in range(len(got)):
                    if 0 not in got[i].stride():
                        for changed in (got[i], expected[i]):
                            changed.mul_(i + 2)
                    for one, other in zip(got, expected, strict=True):
                        torch.testing.assert_close(one, other)
                        assert one.stride() == other.stride()

        (graph,) = made(calls)
        assert len(graph.programs) == 1 and not graph.reasons


def test_a_view_is_changed_after_a_graph_break() -> None:
    def model(x: Tensor) -> Tensor:
        y = x * 2
        row = y[1]
        torch._dynamo.graph_break()
        row.add_(1)
        return y

    x = torch.randn(3, 4)
    assert len(made(lambda: assert_same(model, x, compiled_model=compiled(model)))) == 2


def test_conjugates() -> None:
    """PyTorch's are computed where they are read; a replay reads memory."""

    def model(z: Tensor) -> tuple[Tensor, ...]:
        return z * z.conj(), z.conj().imag + 1, z.real + 1, torch.linalg.norm(z)

    z = torch.randn(3, 4, dtype=torch.complex64)
    (graph,) = made(lambda: assert_same(model, z, compiled_model=compiled(model)))
    assert len(graph.programs) == 1
