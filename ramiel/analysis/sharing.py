"""The timeline of a placement on a device that concurrent tasks share."""

from collections.abc import Sequence
from functools import partial
from heapq import heappop, heappush
from math import inf

from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import Timeline, follow, simulate
from ramiel.analysis.task_graph import TaskGraph


def timeline_of(graph: TaskGraph, placement: Placement) -> Timeline:
    """simulate_sharing() if the tasks share a device, else simulate()."""
    return (simulate_sharing if graph.shares else simulate)(graph, placement)


def simulate_sharing(graph: TaskGraph, placement: Placement) -> Timeline:
    """Simulates `placement` on a device of which each task fills a part, `graph.shares`.

    Tasks start as in simulate(), each on one thread. As long as the running tasks fill at most the
    whole device, none slows another down; beyond that, all run at the same part of their speed
    (processor sharing). O((V + E) log V + V * workers).

    Raises ValueError if a task is missing or on several workers, Deadlock as simulate() does.
    """
    if any(count > 1 for count in placement.threads(len(graph))):
        raise ValueError("a task that shares a device runs on one stream")
    return follow(graph, placement, partial(_OnDevice, graph.shares))


class _OnDevice:
    """Tasks that slow each other down once they fill more than the device."""

    def __init__(self, shares: Sequence[float], times: list[float]) -> None:
        self.times = times
        self._shares = shares
        self._ready: list[tuple[float, int]] = []
        self._start = [0.0] * len(times)
        self._left: dict[int, float] = {}
        self._filled = self._now = 0.0

    def add(self, task: int, time: float) -> None:
        heappush(self._ready, (time, task))

    def next(self) -> tuple[int, float, float] | None:
        ready, left = self._ready, self._left
        while ready or left:
            speed = min(1.0, 1.0 / self._filled) if self._filled > 0 else 1.0
            task = min(left, key=left.__getitem__) if left else -1
            ends = self._now + left[task] / speed if left else inf
            begins = max(self._now, ready[0][0]) if ready else inf
            time = min(ends, begins)
            for other in left:
                left[other] -= (time - self._now) * speed
            self._now = time
            if begins <= ends:
                task = heappop(ready)[1]
                self._start[task] = time
                left[task] = self.times[task]
                self._filled += self._shares[task]
                continue
            del left[task]
            self._filled = sum(self._shares[other] for other in left)
            self.times[task] = time - self._start[task]
            return task, self._start[task], time
        return None
