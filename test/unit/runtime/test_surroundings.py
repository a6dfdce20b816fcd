"""A program computes what it was compiled to, whatever its thread or process has set up."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import onnx
import pytest
import torch
from onnx import parser
from torch import Tensor

import ramiel
from ramiel.api import CompiledProgram
from ramiel.runtime.measure import same_bits

MODEL = """
<ir_version: 10, opset_import: ["" : 21]>
mixed (float[2, 8, 12, 12] x) => (y, q, count, r) {
  shape = Constant <value_ints = [16, 8, 3, 3]> ()
  w = ConstantOfShape <value = float[1] {0.03125}> (shape)
  a = Conv <pads = [1, 1, 1, 1]> (x, w)
  b = Relu (a)
  p = MaxPool <kernel_shape = [3, 3], strides = [2, 2]> (b)
  m = Constant <value_ints = [2, 16, 25]> ()
  s = Reshape (p, m)
  t = Transpose <perm = [0, 2, 1]> (s)
  k = MatMul (t, s)
  q = Softmax (k)
  y = MatMul (q, t)
  count = Shape (x)
  zero = Constant <value_float = 0.0> ()
  six = Constant <value_float = 6.0> ()
  half = Constant <value_float = 0.5> ()
  r = Range (zero, six, half)
}
"""


def model() -> onnx.ModelProto:
    return parser.parse_model(MODEL)


def image() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 8, 12, 12, generator=generator, dtype=torch.float32, device="cpu")


@contextmanager
def default_dtype(dtype: torch.dtype) -> Generator[None]:
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def default_device(device: str) -> Generator[None]:
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def deterministic() -> Generator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


SETTINGS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "nothing": nullcontext,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "float64": lambda: default_dtype(torch.float64),
    "float16": lambda: default_dtype(torch.float16),
    "with meta": lambda: torch.device("meta"),
    "default meta": lambda: default_device("meta"),
    "deterministic": deterministic,
    "inference": torch.inference_mode,
    "gradients": torch.enable_grad,
    "anomalies": torch.autograd.detect_anomaly,
}


def results(program: CompiledProgram) -> list[Tensor]:
    return [*program(image()), *program.serial(image())]


@pytest.mark.filterwarnings("ignore:Anomaly")
@pytest.mark.parametrize("provider", ["auto", "torch"])
@pytest.mark.parametrize("schedule", ["linear", "intra-op"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_settings(setting: str, schedule: str, provider: str) -> None:
    """A program that was compiled and called before, one that is called first, and one that is
    compiled meanwhile."""
    options: dict[str, Any] = {"workers": 2, "schedule": schedule, "provider": provider}
    with ramiel.compile(model(), **options) as program, ramiel.compile(model(), **options) as new:
        wanted = results(program)
        with SETTINGS[setting]():
            with ramiel.compile(model(), **options) as newest:
                found = [results(program), results(new), results(newest)]
            assert torch.is_grad_enabled() == (setting != "inference")
            assert torch.is_autocast_enabled("cpu") == (setting == "autocast")
        for outputs in found:
            for output, other in zip(outputs, wanted, strict=True):
                assert same_bits(output, other)


@pytest.mark.filterwarnings("ignore:.*fork")
@pytest.mark.parametrize("schedule", ["linear", "intra-op", "serial"])
def test_forked_children(schedule: str) -> None:
    """What OpenMP's threads in the parent have begun does not go on in the child."""
    with ramiel.compile(model(), workers=2, schedule=schedule) as program:
        wanted = results(program)

        def child(answers: multiprocessing.SimpleQueue[bool]) -> None:
            again = results(program) + results(program)
            with ramiel.compile(model(), workers=2, schedule=schedule) as new:
                again += results(new)
            pairs = zip(again, wanted * 3, strict=True)
            answers.put(all(same_bits(a, b) for a, b in pairs))

        context = multiprocessing.get_context("fork")
        answers: multiprocessing.SimpleQueue[bool] = context.SimpleQueue()
        children = [context.Process(target=child, args=(answers,)) for _ in range(3)]
        for process in children:
            process.start()
        for process in children:
            process.join(100)
        assert [process.exitcode for process in children] == [0, 0, 0]
        assert all(answers.get() for _ in children)
        assert all(same_bits(a, b) for a, b in zip(results(program), wanted, strict=True))
