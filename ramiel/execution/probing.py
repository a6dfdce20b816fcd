"""The measurements of the probe. Imports torch; `probe.py`, which asks for them, does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ramiel.analysis.static_cost import NOMINAL, Prices, Work, static_cost
from ramiel.cores import cores
from ramiel.dialects.torch import Task
from ramiel.execution.cost_cache import Key
from ramiel.execution.fit import Sample, fitted
from ramiel.execution.overheads import measure_call, measure_replayed_hand_over
from ramiel.execution.probe_program import probe_program
from ramiel.execution.profiler import ALONE, are_replayed, key_of, profile
from ramiel.runtime.disturbance import Watch
from ramiel.runtime.replay.native import native
from ramiel.torch_level.tasks import DEFAULT_CALL, DEFAULT_HAND_OVER
from ramiel.torch_level.work import work_of

RUNS = 9
"""So many undisturbed runs of all operations are timed on each number of threads: as many as a
tenth takes."""
PATIENCE_S = 4.0
"""The seconds after the first runs in which there are more of them. On a quiet machine they take
one or two."""
TRIES = 3
"""How often an overhead is measured if other programs disturb."""
PART = 10
"""Only one of so many times is shorter than what counts: other programs may run, too."""
SLACK = 1.15
"""How much longer than expected all operations may take on several threads; else other programs
must have used the cores."""
SMALLEST = 0.5
"""µs of an operation on one thread that is a view, and does not say what a call takes."""


class Measured(NamedTuple):
    """Prices by number of threads; µs of a hand-over, of a call, and of the whole program, on each
    number of threads once; the crowding; the number of runs; and whether other programs took the
    cores all the time."""

    prices: dict[int, Work]
    hand_over: float
    call: float
    total: float
    crowding: float
    runs: int
    disturbed: bool


def measure(counts: list[int]) -> Measured:
    """The prices of this machine on some numbers of threads, ascending from 1.

    What other programs disturb is measured again. Numbers of threads on which they disturbed all
    the same get their prices from the next smaller one, if they take much longer than these say.
    All cores are busy on any of them, so that machines scale much alike.
    """
    function = probe_program()
    tasks = [op for op in function.body.block.ops if isinstance(op, Task)]
    measured, runs, disturbed = profile(
        function,
        counts,
        lambda done, total: None,
        fewest=1,
        budget_s=0.0,
        part=PART,
        quiet=RUNS,
        patience_s=PATIENCE_S,
    )
    alone = {key_of(op): measured.get((key_of(op) + ALONE, 1)) for op in tasks}
    alone = {key: measured[key, 1] if cost is None else cost for key, cost in alone.items()}
    costs = dict(measured) | crowded(measured, alone, counts[-1])
    ops = [op for op in tasks if costs[key_of(op), 1] >= SMALLEST]
    prices: dict[int, Work] = {}
    for count in counts:
        samples = [Sample(work_of(op, count), costs[key_of(op), count]) for op in ops]
        expected = Prices(prices or {1: NOMINAL.on(1)})
        times = [static_cost(sample.work, count, expected) for sample in samples]
        if prices and sum(sample.time for sample in samples) > SLACK * sum(times):
            prices[count] = expected.on(count)
            disturbed = True
        else:
            prices[count] = fitted(samples, expected.on(count))
    crowding = sum(costs[key_of(op), 1] for op in ops) / sum(alone[key_of(op)] for op in ops)
    total = sum(costs[key_of(op), count] for count in counts for op in ops)
    hand_over, call = DEFAULT_HAND_OVER, DEFAULT_CALL
    if (lib := native() if are_replayed() else None) is not None:
        tries = 1 if disturbed else TRIES
        hand_over, first = undisturbed(lambda: measure_replayed_hand_over(lib), hand_over, tries)
        call, second = undisturbed(lambda: measure_call(lib), call, tries)
        disturbed = disturbed or first or second
    return Measured(prices, hand_over, call, total, crowding, runs, disturbed)


def undisturbed(measure: Callable[[], float], usual: float, tries: int) -> tuple[float, bool]:
    """What `measure` finds while no other program takes a core. If they do each of so many times,
    the least that it finds, but no more than is usual; and whether they do.

    One core is taken from each other by the threads that are measured, which says nothing.
    """
    found = usual
    for _ in range(tries):
        watch = Watch()
        value = measure()
        if cores() == 1 or watch.is_quiet():
            return value, False
        found = min(found, value)
    return found, True


def crowded(costs: Mapping[Key, float], alone: Mapping[str, float], most: int) -> dict[Key, float]:
    """µs on one thread while all `most` cores are busy, without what other programs added to them.

    They cannot be longer, all in all, than the shares that `most` threads compute of the same
    operations, which keep all cores busy, too.
    """
    shares = most * sum(costs[key, most] for key in alone)
    longest = max(1.0, shares / sum(alone.values()))
    return {(key, 1): min(costs[key, 1], longest * cost) for key, cost in alone.items()}
