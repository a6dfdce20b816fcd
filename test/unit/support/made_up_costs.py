"""Costs and times that are made up, for tests of what is done with them: alike on any machine."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import pytest
from xdsl.dialects import func

from ramiel.execution import measured_costs
from ramiel.execution.profiler import FEWEST, Profile, Progress, key_of
from ramiel.torch_level.tasks import tasks_of

CONVOLUTION_US, OTHER_US, OVERHEAD_US = 500.0, 10.0, 1.0


def usual(key: str) -> float:
    """µs of an operation on any number of threads: all that takes long is a convolution."""
    return CONVOLUTION_US if key.startswith("Conv2d(") else OTHER_US


def make_up_costs(monkeypatch: pytest.MonkeyPatch, cost: Callable[[str], float] = usual) -> None:
    """Profiling asks `cost` for the µs of each operation, and times nothing."""

    def profile(function: func.FuncOp, threads: Sequence[int], progress: Progress) -> Profile:
        tasks = tasks_of(function, lambda _: 1.0).ops
        costs = {(key_of(op), count): cost(key_of(op)) for count in threads for op in tasks}
        return Profile(costs, FEWEST)

    monkeypatch.setattr(measured_costs, "profile", profile)
    make_up_overheads(monkeypatch)


def make_up_overheads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand-overs and switches of threads are not measured, which takes a second."""
    monkeypatch.setattr(measured_costs, "measure_hand_over", lambda: OVERHEAD_US)
    monkeypatch.setattr(measured_costs, "measure_switch", lambda threads: OVERHEAD_US)


def made_up_times() -> Callable[[Sequence[Callable[[], object]], int], list[list[float]]]:
    """In the place of `interleaved`: calls the forms, and says that the first of all that it ever
    saw takes a second, the next one two, and so on."""
    seen: dict[Hashable, float] = {}

    def interleaved(forms: Sequence[Callable[[], object]], runs: int) -> list[list[float]]:
        for form in forms:
            form()
        return [[seen.setdefault(form, len(seen) + 1.0)] * runs for form in forms]

    return interleaved
