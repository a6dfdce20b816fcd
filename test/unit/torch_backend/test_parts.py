"""Graphs with operators of other libraries, which PyTorch calls between programs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ramiel.torch_backend import graphs, ramiel


@torch.library.custom_op("ramiel_test::halves", mutates_args=())
def halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """An operator of another library, with two results."""
    half = x.shape[-1] // 2
    return x[..., :half].clone(), x[..., half:].clone()


@halves.register_fake
def _(x: Tensor) -> tuple[Tensor, Tensor]:
    half = x.shape[-1] // 2
    return x.new_empty(*x.shape[:-1], half), x.new_empty(*x.shape[:-1], x.shape[-1] - half)


def test_operators_of_other_libraries_are_between_programs() -> None:
    first, second = nn.Linear(4, 8), nn.Linear(4, 4)

    def model(x: Tensor) -> tuple[Tensor, Tensor]:
        y = first(x).relu()
        left, right = halves(y)
        return second(left) * right, halves(second(right))[1]

    x = torch.randn(2, 4)
    run = torch.compile(model, backend=ramiel, options={"schedule": "serial"})
    before = set(graphs())
    with torch.no_grad():
        for factor in (1, 1, 1, 2):  # the third call is replayed, the fourth has other weights
            second.weight.mul_(factor)
            torch.testing.assert_close(run(x), model(x), rtol=1e-4, atol=1e-4)
    found = set(graphs()) - before
    assert len(found) >= 2 and all(graph.programs and not graph.reasons for graph in found)
    assert {graph.title.partition(", ")[2][:4] for graph in found} == {"part"}
    torch._dynamo.reset()
