"""The measurements of the probe. Imports torch; `probe.py`, which asks for them, does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ramiel.analysis.static_cost import NOMINAL, Prices, Work, static_cost
from ramiel.console.notes import note
from ramiel.dialects.torch import Task
from ramiel.execution.cost_cache import Key
from ramiel.execution.fit import Sample, fitted
from ramiel.execution.overheads import measure_call, measure_replayed_hand_over
from ramiel.execution.probe_program import probe_program
from ramiel.execution.profiler import ALONE, are_replayed, key_of, profile
from ramiel.runtime.replay.native import native
from ramiel.torch_level.tasks import DEFAULT_CALL, DEFAULT_HAND_OVER
from ramiel.torch_level.work import work_of

ROUNDS = 3
"""In so many rounds all operations are timed, and in no more: nine times, as a tenth takes."""
PART = 10
"""Only one of so many times is shorter than what counts: other programs may run, too."""
SLACK = 1.15
"""How much longer than expected all operations may take on several threads; else other programs
must have used the cores."""
SMALLEST = 0.5
"""µs of an operation on one thread that is a view, and does not say what a call takes."""


class Measured(NamedTuple):
    """Prices by number of threads, µs of a hand-over and of a call, the crowding, and the number of
    runs."""

    prices: dict[int, Work]
    hand_over: float
    call: float
    crowding: float
    runs: int


def measure(counts: list[int]) -> Measured:
    """The prices of this machine on some numbers of threads, ascending from 1.

    Numbers on which other programs have disturbed get their prices from the next smaller one.
    All cores are busy on any of them, so that machines scale much alike.
    """
    function = probe_program()
    tasks = [op for op in function.body.block.ops if isinstance(op, Task)]
    measured, runs = profile(
        function, counts, lambda done, total: None, fewest=ROUNDS, budget_s=0.0, part=PART
    )
    alone = {key_of(op): measured.get((key_of(op) + ALONE, 1)) for op in tasks}
    alone = {key: measured[key, 1] if cost is None else cost for key, cost in alone.items()}
    costs = dict(measured) | crowded(measured, alone, counts[-1])
    ops = [op for op in tasks if costs[key_of(op), 1] >= SMALLEST]
    prices: dict[int, Work] = {}
    disturbed = False
    for count in counts:
        samples = [Sample(work_of(op, count), costs[key_of(op), count]) for op in ops]
        expected = Prices(prices or {1: NOMINAL.on(1)})
        times = [static_cost(sample.work, count, expected) for sample in samples]
        if prices and sum(sample.time for sample in samples) > SLACK * sum(times):
            prices[count] = expected.on(count)
            disturbed = True
        else:
            prices[count] = fitted(samples, expected.on(count))
    if disturbed:
        note(
            "other programs were running while this machine was probed: `ramiel cache clear` has "
            "it probed again"
        )
    crowding = sum(costs[key_of(op), 1] for op in ops) / sum(alone[key_of(op)] for op in ops)
    lib = native() if are_replayed() else None
    hand_over = DEFAULT_HAND_OVER if lib is None else measure_replayed_hand_over(lib)
    call = DEFAULT_CALL if lib is None else measure_call(lib)
    return Measured(prices, hand_over, call, crowding, runs)


def crowded(costs: Mapping[Key, float], alone: Mapping[str, float], most: int) -> dict[Key, float]:
    """µs on one thread while all `most` cores are busy, without what other programs added to them.

    They cannot be longer, all in all, than the shares that `most` threads compute of the same
    operations, which keep all cores busy, too.
    """
    shares = most * sum(costs[key, most] for key in alone)
    longest = max(1.0, shares / sum(alone.values()))
    return {(key, 1): min(costs[key, 1], longest * cost) for key, cost in alone.items()}
