"""What `python program.py` does."""

import re
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from ramiel.runtime import (
    Conv2d,
    Weights,
)

pytestmark = pytest.mark.timeout(60)


# main()

PROGRAM = """
import torch
from torch import Tensor

from ramiel.runtime import Channels, Conv2d, Input, Program, Weights, main, one_thread


class Small(Program):
    inputs = (Input("x", torch.float32, (None, 3, 8, 8)), Input("i", torch.int64, (), "i.0"))
    outputs = ("y",)
    channels = ("a",)

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, workers=2)
        self.conv1 = Conv2d(weights, "conv1", padding=1)

    def worker_0(self, ch: Channels) -> None:
        x = ch.x.recv()
        a = self.conv1(x)
        ch.a.send(a)

    def worker_1(self, ch: Channels) -> None:
        i = ch.i.recv()
        a = ch.a.recv()
        y = a + i
        ch.y.send(y)

    @one_thread
    def serial(self, x: Tensor, i: Tensor) -> Tensor:
        a = self.conv1(x)
        y = a + i  # SERIAL
        return y


if __name__ == "__main__":
    main(Small, __file__)
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.py"
    path.write_text(PROGRAM)
    weight = torch.randn(3, 3, 3, 3)
    nodes = {"a": ("/conv1/Conv", "Conv")}
    weights = Weights.from_tensors({"conv1.weight": weight}, nodes)
    weights.save(path.with_suffix(".safetensors"))
    return path


def run_main(path: Path, monkeypatch: pytest.MonkeyPatch, *args: str) -> Any:
    """Run a program file as a script; return what it exits with."""
    monkeypatch.setattr(sys, "argv", [str(path), *args])
    try:
        runpy.run_path(str(path), run_name="__main__")
    except SystemExit as end:
        return end.code
    return 0


def test_main(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(small, monkeypatch, "--runs", "3", "--shape", "x=2x3x8x8") == 0
    printed = capsys.readouterr().out
    assert "bit for bit" in printed
    assert "speedup" in printed


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--shape", "x=1x3x8x9"], r'input "x": expected float32\[\?, 3, 8, 8\], got .*8, 9\]'),
        (["--shape", "y=1"], "--shape: no input y"),
        (["--shape", "x"], "--shape x: expected NAME=1x3x224x224"),
        (["--shape", "x=1xa"], "expected NAME=1x3x224x224"),
        (["--shape", "i.0=2"], r'input "i": expected int64\[\], got int64\[2\]'),
        (["--runs", "0"], "2"),
    ],
)
def test_main_options(
    small: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], message: str
) -> None:
    code = run_main(small, monkeypatch, *args)
    assert re.search(message, str(code))


def test_main_finds_a_difference(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small.write_text(PROGRAM.replace("a + i  # SERIAL", "a + i + 1e-6"))
    code = run_main(small, monkeypatch)
    assert code == 'the workers and the serial form differ in output "y"'


def test_main_without_weights(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = small.with_suffix(".safetensors")
    Weights.from_tensors({}).save(weights)
    assert 'no weight "conv1.weight" in ' in run_main(small, monkeypatch)
    weights.unlink()
    assert run_main(small, monkeypatch) == f"no weights file {weights}"


def test_conv_needs_no_program() -> None:
    """A layer stands alone."""
    layer = Conv2d(Weights.from_tensors({"c.weight": torch.ones(1, 1, 1, 1)}), "c")
    assert layer(torch.ones(1, 1, 2, 2)).sum() == 4
