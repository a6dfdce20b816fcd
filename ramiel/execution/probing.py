"""The measurements of the probe. Imports torch; `probe.py`, which asks for them, does not."""

from __future__ import annotations

from typing import NamedTuple

from ramiel.analysis.static_cost import NOMINAL, Prices, Work
from ramiel.console.notes import note
from ramiel.dialects.torch import Task
from ramiel.execution.fit import Sample, fitted
from ramiel.execution.overheads import measure_replayed_hand_over
from ramiel.execution.probe_program import probe_program
from ramiel.execution.profiler import ALONE, are_replayed, key_of, profile
from ramiel.runtime.replay.native import native
from ramiel.torch_level.tasks import DEFAULT_HAND_OVER
from ramiel.torch_level.work import work_of

ROUNDS = 6
"""In so many rounds all operations are timed, and in no more."""
PART = 10
"""Only one of so many times is shorter than what counts: other programs may run, too."""
GAIN = 0.35
"""The least speed-up that each further core must give; else other programs have used it."""
SMALLEST = 0.5
"""µs of an operation on one thread that is a view, and does not say what a call takes."""


class Measured(NamedTuple):
    """Prices by number of threads, µs of a hand-over, the crowding, and the number of runs."""

    prices: dict[int, Work]
    hand_over: float
    crowding: float
    runs: int


def measure(counts: list[int]) -> Measured:
    """The prices of this machine on some numbers of threads, ascending from 1.

    Numbers on which other programs have disturbed get their prices from the next smaller one.
    """
    function = probe_program()
    tasks = [op for op in function.body.block.ops if isinstance(op, Task)]
    costs, runs = profile(
        function, counts, lambda done, total: None, fewest=ROUNDS, budget_s=0.0, part=PART
    )
    total = {count: sum(costs[key_of(op), count] for op in tasks) for count in counts}
    undisturbed = [n for n in counts if total[1] / total[n] >= 1 + GAIN * (n - 1)]
    if undisturbed != counts:
        note(
            "other programs were running while this machine was probed: `ramiel cache clear` has "
            "it probed again"
        )
    ops = [op for op in tasks if costs[key_of(op), 1] >= SMALLEST]
    prices: dict[int, Work] = {}
    for count in counts:
        if count not in undisturbed:
            prices[count] = Prices(prices).on(count)
            continue
        samples = [Sample(work_of(op, count), costs[key_of(op), count]) for op in ops]
        start = (Prices(prices) if prices else NOMINAL).on(count)
        prices[count] = fitted(samples, start)
    busy = sum(costs[key_of(op), 1] for op in ops)
    alone = sum(costs.get((key_of(op) + ALONE, 1), costs[key_of(op), 1]) for op in ops)
    lib = native() if are_replayed() else None
    hand_over = DEFAULT_HAND_OVER if lib is None else measure_replayed_hand_over(lib)
    return Measured(prices, hand_over, busy / alone, runs)
