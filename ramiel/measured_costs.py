"""Costs measured on this machine, each distinct operation once: from the cache, or timed now."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects import func

from ramiel.backend.pytorch.overheads import measure_hand_over, measure_switch
from ramiel.backend.pytorch.profiler import FEWEST, key_of, profile
from ramiel.cores import cores
from ramiel.cost_cache import CacheUnavailable, CostCache
from ramiel.dialects.torch import CallOp, LayerOp, TorchOperation
from ramiel.machine import machine_fingerprint
from ramiel.openmp import waiting
from ramiel.progress import Progress

HAND_OVER = ("hand-over between workers", 1)
SWITCH = "switch between one thread and several"
LEAST = 0.01
"""µs; a difference of two times can come out as nothing, and the cache takes positive times."""


@dataclass(frozen=True)
class MeasuredCosts:
    """µs by operation and number of threads, of a hand-over and of a switch of threads."""

    costs: dict[tuple[str, int], float]
    measured: tuple[int, ...]
    """The thread counts that were measured, ascending from 1."""
    hand_over: float
    switch: float

    def of(self, op: TorchOperation, threads: int) -> float:
        """The cost of an operation in µs.

        On more threads than this machine has cores it is extrapolated by Amdahl's law: what
        did not get faster from one thread to the most measured stays, the rest is shared out. An
        operation that got faster than its threads are many (caches add up) goes on in proportion.
        """
        key = key_of(op)
        if threads in self.measured:
            return self.costs[key, threads]
        most = self.measured[-1]
        one, many = self.costs[key, 1], self.costs[key, most]
        if most == 1 or many >= one:
            return many
        alone = max(0.0, (most * many - one) / (most - 1))
        return alone + (many - alone) * most / threads


def measured_costs(
    function: func.FuncOp, counts: Sequence[int], progress: Progress
) -> MeasuredCosts:
    """The costs of a function's operations on these numbers of threads, up to the cores.

    What an earlier run measured on this machine, with these versions, comes from the cache; the
    rest is timed now and goes there. Raises CompileError if an input's shape is open, or for a
    cache that cannot be trusted; without write access, measuring goes on without it.
    """
    measured = tuple(count for count in counts if count <= cores())
    keys = {key_of(op) for op in function.body.block.ops if isinstance(op, CallOp | LayerOp)}
    wanted = {(key, count) for key in keys for count in measured}
    switch = (" ".join((SWITCH, waiting())).strip(), measured[-1])
    machine = machine_fingerprint()
    known = _cached(machine, wanted | {HAND_OVER, switch})
    found: dict[tuple[str, int], float] = {}
    missing = [c for c in measured if any((key, c) not in known for key in keys)]
    runs = FEWEST
    if missing:
        times, runs = profile(function, missing, lambda done, n: progress("profiling", done, n))
        found |= {key: max(us, LEAST) for key, us in times.items() if key not in known}
    if HAND_OVER not in known:
        found[HAND_OVER] = measure_hand_over()
    if switch not in known:
        found[switch] = max(measure_switch(measured[-1]), LEAST) if measured[-1] > 1 else LEAST
    if found:
        _keep(machine, found, runs)
    costs = known | found
    return MeasuredCosts(costs, measured, costs[HAND_OVER], costs[switch])


def _cached(machine: str, keys: set[tuple[str, int]]) -> dict[tuple[str, int], float]:
    try:
        with CostCache.open() as cache:
            return cache.get_many(machine, keys)
    except CacheUnavailable:
        return {}


def _keep(machine: str, costs: dict[tuple[str, int], float], runs: int) -> None:
    try:
        with CostCache.open() as cache:
            cache.put_many(machine, costs, runs)
    except CacheUnavailable as error:
        print(f"note: measured costs are not kept: {error}", file=sys.stderr)
