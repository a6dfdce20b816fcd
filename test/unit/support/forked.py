"""Programs whose workers are processes, and whether these are there."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import onnx
from replayed import inputs, plans

import ramiel
from ramiel.api import CompiledProgram
from ramiel.runtime import Program
from ramiel.runtime.measure import same_bits
from ramiel.runtime.processes.plan import ProcessPlan

LIMIT_S = 60.0
"""What would hang is waited for so long."""


def compiled(model: onnx.ModelProto, workers: int = 2, schedule: str = "linear") -> CompiledProgram:
    program = ramiel.compile(model, workers=workers, schedule=schedule, executor="processes")
    program.capture(*inputs())
    return program


def same(got: Any, expected: Any) -> bool:
    return all(map(same_bits, got, expected))


def processes(program: Program) -> list[int]:
    found: list[int] = []
    for plan in plans(program):
        found += plan.processes if isinstance(plan, ProcessPlan) else []
    return found


def is_alive(pid: int) -> bool:
    """Whether any of its threads is there, but for what is left until its parent asks for it."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z" or len(threads) > 1


def wait_until_gone(pids: list[int]) -> None:
    end = time.monotonic() + LIMIT_S
    while any(map(is_alive, pids)):
        assert time.monotonic() < end
        time.sleep(0.01)
