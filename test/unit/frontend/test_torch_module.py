"""ramiel.compile() of a torch.nn.Module, by PyTorch's exporter."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor, nn

import ramiel
from ramiel.api import CompiledProgram
from ramiel.errors import CompileError


class Net(nn.Module):
    """Two branches of an image, a dropout and a scale."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Conv2d(3, 8, 3, padding=1)
        self.right = nn.Conv2d(3, 8, 1)
        self.norm = nn.BatchNorm2d(16)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(16, 4)

    def forward(self, image: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.cat([self.left(image).relu(), self.right(image)], 1)
        x = self.drop(self.norm(x)).mean((2, 3))
        return self.head(x) * scale, x


def example(batch: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(batch)
    return torch.randn(batch, 3, 12, 12, generator=generator), torch.tensor(2.0)


def assert_same(program: CompiledProgram, net: Net, inputs: tuple[Tensor, Tensor]) -> None:
    with torch.no_grad():
        expected = net.eval()(*inputs)
    for got, want in zip(program(*inputs), expected, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


def test_module() -> None:
    net = Net().train()
    with ramiel.compile(net, example(), workers=2) as program:
        assert net.training, "the exporter leaves it as it was"
        assert type(program).__name__ == "Net"
        assert_same(program, net, example())


def test_arguments_by_name_and_dynamic_shapes() -> None:
    net, (image, scale) = Net(), example()
    shapes = {"image": {0: torch.export.Dim("n")}, "scale": None}
    examples = {"scale": scale, "image": image}
    with ramiel.compile(net, examples, dynamic_shapes=shapes, workers=2) as program:
        assert program(image=image, scale=scale)[0].shape == (2, 4)
        for batch in (1, 2, 5):
            assert_same(program, net, example(batch))


class Impossible(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 1 if x.sum().item() > 0 else x.unknown()  # pyright: ignore


def test_what_cannot_be_exported() -> None:
    with pytest.raises(CompileError, match="PyTorch cannot export Impossible"):
        ramiel.compile(Impossible(), (torch.ones(2),))


def test_without_the_exporter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(CompileError, match=r"pip install 'ramiel\[export\]'"):
        ramiel.compile(Net(), example())


def test_what_does_not_go_together() -> None:
    with pytest.raises(TypeError, match="give example inputs"):
        ramiel.compile(Net())
    with pytest.raises(TypeError, match=r"are for a torch\.nn\.Module"):
        ramiel.compile("model.onnx", example())
