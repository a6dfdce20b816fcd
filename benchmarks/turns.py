"""Programs that run in turns, so that a machine that becomes slower disturbs all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

FEWEST = 3
"""Runs in a burst, after one to warm up."""


def burst(run: Callable[[], object], seconds: float) -> list[float]:
    """ms of each run."""
    run()
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while len(taken) < FEWEST or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        taken.append((time.perf_counter() - start) * 1e3)
    return taken


def side_by_side(pool: ThreadPoolExecutor, calls: Sequence[Callable[[], object]]) -> None:
    """Calls at the same time, each on a thread."""
    for done in [pool.submit(call) for call in calls]:
        done.result()


def in_turns(
    programs: Mapping[str, Callable[..., object]],
    inputs: Sequence[object],
    rounds: int,
    seconds: float,
) -> dict[str, list[float]]:
    """ms of each run of each program: a burst each in every round, backwards in every second."""
    runs: dict[str, list[float]] = {name: [] for name in programs}
    for program in programs.values():
        for _ in range(3):  # prepares, captures, replays
            program(*inputs)
    for turn in range(rounds):
        for name in list(programs)[:: -1 if turn % 2 else 1]:
            runs[name] += burst(lambda name=name: programs[name](*inputs), seconds)
    return runs
