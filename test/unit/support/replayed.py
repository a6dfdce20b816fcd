"""Programs that are replayed, and whether they are."""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from ramiel.api import CompiledProgram
from ramiel.runtime import Program
from ramiel.runtime.replay.native import Kind, native
from ramiel.runtime.replay.plan import Plan
from ramiel.runtime.replay.tape import (
    Tape,
    running,
)

MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
branches (float[1, 8, 48, 48] x, float[1, 8, 48, 48] z) => (y, pooled)
{
  shape = Constant <value_ints = [8, 8, 3, 3]> ()
  a_w = ConstantOfShape <value = float[1] {0.01}> (shape)
  b_w = ConstantOfShape <value = float[1] {-0.02}> (shape)
  a = Conv <pads = [1, 1, 1, 1]> (x, a_w)
  a_relu = Relu (a)
  b = Conv <pads = [1, 1, 1, 1]> (z, b_w)
  b_pool = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (b)
  c = Conv <pads = [1, 1, 1, 1]> (a_relu, b_w)
  d = Add (c, b_pool)
  e = Sigmoid (d)
  y = Concat <axis = 1> (a_relu, e, b_pool)
  pooled = GlobalAveragePool (y)
}
"""


def inputs(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x, z = (torch.randn(1, 8, 48, 48, generator=generator) for _ in range(2))
    return x, z


def plans(program: Program) -> list[Plan]:
    return [p for p in program._plans._plans.values() if isinstance(p, Plan)]


def check(program: CompiledProgram, *given: Any) -> None:
    program._serial_plans.clear()  # the first call runs in Python
    for got, expected in zip(program(*given), program.serial(*given), strict=True):
        assert got.is_contiguous()
        assert torch.equal(got, expected) or (got - expected).abs().max() < 1e-5


def serial_replays(program: CompiledProgram, *given: Any) -> bool:
    """Whether a call of serial() is replayed: Python's function is not run."""
    function = inspect.unwrap(type(program).serial).__code__
    called: list[object] = []

    def profile(frame: FrameType, event: str, arg: object) -> None:
        if event == "call" and frame.f_code is function:
            called.append(1)

    threading.setprofile(profile)  # a taped run has a thread of its own
    sys.setprofile(profile)
    try:
        program.serial(*given)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # pyright: ignore[reportArgumentType]
    return not called


def replays(program: CompiledProgram, *given: Any) -> bool:
    """Whether a call is replayed: Python's workers are not run."""
    before = program._run_in_python
    called: list[object] = []
    program.__dict__["_run_in_python"] = lambda samples: called.append(1) or before(samples)
    try:
        program(*given)
    finally:
        del program.__dict__["_run_in_python"]
    return not called


def capture(function: Callable[[Tensor], Tensor], x: Tensor, threads: int) -> Plan:
    found = native()
    assert found is not None
    torch.set_num_threads(threads)
    tape = Tape()
    with torch.no_grad(), running(tape):
        y = function(x)
    return Plan(found, [tape], [x], [y])


def python_steps(plan: Plan) -> int:
    return sum(step.kind == Kind.CALL for a in plan._idle[0]._arrays for step in a)
