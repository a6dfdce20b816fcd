"""Costs measured on this machine, each distinct operation once: from the cache, or timed now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from xdsl.dialects import func

from ramiel.analysis.static_cost import extrapolated
from ramiel.console.notes import note
from ramiel.console.progress import Progress
from ramiel.cores import cores
from ramiel.dialects.torch import Task, TorchOperation
from ramiel.execution.cost_cache import CacheUnavailable, CostCache
from ramiel.execution.machine import machine_fingerprint
from ramiel.execution.openmp import waiting
from ramiel.execution.overheads import (
    measure_call,
    measure_hand_over,
    measure_replayed_hand_over,
    measure_switch,
)
from ramiel.execution.profiler import ALONE, FEWEST, are_replayed, key_of, profile
from ramiel.runtime.kernels.onednn_library import library
from ramiel.runtime.replay.native import native
from ramiel.torch_level.candidates import Kernel, set_kernel
from ramiel.torch_level.tasks import DEFAULT_CALL
from ramiel.torch_level.work import work_of

Key = tuple[str, int]
"""An operation, in words, and a number of threads."""

CALL = ("call of workers that sleep", 1)
HAND_OVER = ("hand-over between workers", 1)
SWITCH = "switch between one thread and several"
GAIN = 0.03
"""The share of the first kernel's time that another must save to replace it."""
LEAST = 0.01
"""µs; a difference of two times can be zero or less, and the cache needs positive times."""


@dataclass(frozen=True)
class MeasuredCosts:
    """µs by operation and number of threads, of a hand-over and of a switch of threads."""

    costs: dict[tuple[str, int], float]
    measured: tuple[int, ...]
    """The thread counts that were measured, ascending from 1."""
    hand_over: float
    switch: float
    call: float = DEFAULT_CALL
    """From the begin of a call until a worker that sleeps has heard of it."""
    crowding: float = 1.0
    """How much longer the operations take on one thread while the other cores are busy, too."""

    def of(self, op: TorchOperation, threads: int) -> float:
        """The cost of an operation in µs.

        On more threads than this machine has cores it is extrapolated from the most that were
        measured, unless it gained nothing from those.
        """
        if threads in self.measured:
            return self.costs[key_of(op, threads), threads]
        most = self.measured[-1]
        one, many = self.costs[key_of(op), 1], self.costs[key_of(op, most), most]
        if most == 1 or many >= one:
            return many
        return extrapolated(many, work_of(op, threads), most, threads)


def measured_costs(
    function: func.FuncOp, counts: Sequence[int], progress: Progress
) -> MeasuredCosts:
    """The costs of a function's operations on these numbers of threads, up to the cores.

    Costs measured earlier on this machine, with these versions, come from the cache; the rest are
    timed now and stored there. Raises CompileError if an input's shape is open, or for a cache
    that cannot be trusted; without write access, measuring goes on without it.
    """
    measured = tuple(count for count in counts if count <= cores())
    lib = native() if are_replayed() else None
    if lib is not None:
        # The threads of a team that is replayed stay awake, and it takes none but those it is lent.
        overheads: dict[Key, Callable[[], float]] = {
            HAND_OVER: partial(measure_replayed_hand_over, lib),
            CALL: partial(measure_call, lib),
        }
        costs = _costs(function, measured, progress, overheads)
        tasks = [op for op in function.body.block.ops if isinstance(op, Task)]
        keys = [key_of(op, 1) for op in tasks if (key_of(op, 1) + ALONE, 1) in costs]
        alone = sum(costs[key + ALONE, 1] for key in keys)
        crowding = sum(costs[key, 1] for key in keys) / alone if alone else 1.0
        return MeasuredCosts(
            costs, measured, costs[HAND_OVER], 0.0, costs[CALL], max(crowding, 1.0)
        )
    switch = (" ".join((SWITCH, waiting())).strip(), measured[-1])
    overheads = {
        HAND_OVER: measure_hand_over,
        switch: lambda: measure_switch(measured[-1]) if measured[-1] > 1 else LEAST,
    }
    costs = _costs(function, measured, progress, overheads)
    return MeasuredCosts(costs, measured, costs[HAND_OVER], costs[switch])


def fastest_kernels(
    function: func.FuncOp,
    candidates: Mapping[TorchOperation, Sequence[Kernel]],
    counts: Sequence[int],
    progress: Progress,
) -> dict[TorchOperation, dict[int, Kernel]]:
    """The fastest of its candidates for each operation, by number of threads, up to the cores.

    All operations get their first candidate, then their second, and so on, and each time the
    whole function is measured: alone, a kernel would find its weights in the cache. Candidates
    other than the first must save at least GAIN of the time. Errors are those of measured_costs().
    """
    measured = tuple(count for count in counts if count <= cores())
    times: dict[TorchOperation, list[dict[int, float]]] = {task: [] for task in candidates}
    for turn in range(max(map(len, candidates.values()), default=0)):
        for task, kernels in candidates.items():
            set_kernel(task, kernels[turn] if turn < len(kernels) else kernels[0])
        costs = _costs(function, measured, progress, {})
        for task, kernels in candidates.items():
            if turn < len(kernels):
                times[task].append({count: costs[key_of(task), count] for count in measured})
    return {
        task: {count: kernels[_fastest([row[count] for row in times[task]])] for count in measured}
        for task, kernels in candidates.items()
    }


def _fastest(times: Sequence[float]) -> int:
    """The index of the least time; 0 unless another is less by GAIN."""
    least = min(range(len(times)), key=times.__getitem__)
    return least if times[least] < times[0] * (1 - GAIN) else 0


def _costs(
    function: func.FuncOp,
    counts: Sequence[int],
    progress: Progress,
    overheads: Mapping[Key, Callable[[], float]],
) -> dict[Key, float]:
    """µs of a function's operations on numbers of threads, and of some overheads."""
    tasks = [op for op in function.body.block.ops if isinstance(op, Task)]
    keys = {count: {key_of(op, count) for op in tasks} for count in counts}
    if cores() > 1 and counts[0] == 1 and are_replayed():
        keys[1] |= {key + ALONE for key in keys[1]}
    wanted = {(key, count) for count in counts for key in keys[count]} | overheads.keys()
    machine = machine_fingerprint(_kernels())
    known = cached(machine, wanted)
    found: dict[Key, float] = {}
    missing = [c for c in counts if any((key, c) not in known for key in keys[c])]
    runs = FEWEST
    if missing:
        times, runs, _ = profile(function, missing, lambda done, n: progress("profiling", done, n))
        found |= {key: max(us, LEAST) for key, us in times.items() if key not in known}
    for key, measure in overheads.items():
        if key not in known:
            found[key] = max(measure(), LEAST)
    if found:
        keep(machine, found, runs)
    return known | found


def _kernels() -> str:
    """What runs the operations, for the name of the machine."""
    found = library()
    kernels = "torch" if found is None else f"oneDNN {found.version}"
    return f"{kernels}, replayed" if are_replayed() else kernels


def cached(machine: str, keys: set[tuple[str, int]]) -> dict[tuple[str, int], float]:
    try:
        with CostCache.open() as cache:
            return cache.get_many(machine, keys)
    except CacheUnavailable:
        return {}


def keep(machine: str, costs: dict[tuple[str, int], float], runs: int) -> None:
    try:
        with CostCache.open() as cache:
            cache.put_many(machine, costs, runs)
    except CacheUnavailable as error:
        note(f"measured costs are not kept: {error}")
