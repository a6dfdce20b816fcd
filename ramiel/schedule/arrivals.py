"""When the inputs of a task are there, on workers of one machine or of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ramiel.analysis.task_graph import TaskGraph


def machines(graph: TaskGraph, workers: int) -> list[list[int]]:
    """The workers 0 .. workers - 1 of each rank."""
    found: dict[int, list[int]] = {}
    for worker in range(workers):
        found.setdefault(graph.rank_of(worker), []).append(worker)
    return list(found.values())


def spans(graph: TaskGraph, workers: int) -> list[int]:
    """Numbers of workers to try: all, and those of the first rank, of two, of four and so on, since
    a link may be too slow to be worth its use."""
    counts = [workers]
    ranks = 1
    while graph.ranks and ranks < graph.rank_count:
        counts.append(sum(rank < ranks for rank in graph.ranks[:workers]))
        ranks *= 2
    return sorted({count for count in counts if count})


FILLED = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5, 0.3)
"""The parts of a rank's memory that homes() tries to fill with weights."""


def homes(
    graph: TaskGraph, orders: Sequence[Sequence[int]], memory_limit: float
) -> list[list[int]]:
    """Ranks for the tasks by which weights of at most `memory_limit` bytes are on each.

    Tasks are taken in topological orders, and each rank gets a stretch of them, so that few values
    cross: as many as its memory holds, or a part of that holds, which leaves room for values. Ways
    for which there are too few ranks are left out. O(V) for each.
    """
    weights = graph.messages.weights if graph.messages else ()
    found: dict[tuple[int, ...], None] = {}
    for order in orders:
        for filled in FILLED:
            home, rank, held = [0] * len(graph), 0, 0.0
            for task in order:
                if held and held + weights[task] > filled * memory_limit:
                    rank, held = rank + 1, 0.0
                home[task], held = rank, held + weights[task]
            if rank < graph.rank_count:
                found[tuple(home)] = None
    return [list(home) for home in found]


class Arrivals:
    """When values that have been computed so far are where they are read. The times of tasks may
    change between calls; links are taken to be free."""

    def __init__(self, graph: TaskGraph, finish: Sequence[float], worker_of: Sequence[int]) -> None:
        self._graph, self._finish, self._worker_of = graph, finish, worker_of

    def of(self, producers: Sequence[int], task: int) -> tuple[Mapping[int, float], list[float]]:
        """When the values of `producers` can be used by `task`, µs: on the workers on which that is
        sooner than on the others of their rank, and on the others of each rank."""
        if self._graph.ranks:
            return self._across(producers, task)
        # Only the worker of the latest value can have all before that has been handed over.
        latest, nearest, hand_over = 0.0, -1, self._graph.hand_over
        for producer in producers:
            if nearest < 0 or self._finish[producer] > latest:
                latest, nearest = self._finish[producer], self._worker_of[producer]
        if nearest < 0:
            return {}, [0.0]
        near = latest
        for producer in producers:
            if self._worker_of[producer] != nearest:
                near = max(near, self._finish[producer] + hand_over)
        return {nearest: near}, [latest + hand_over]

    def _across(
        self, producers: Sequence[int], task: int
    ) -> tuple[Mapping[int, float], list[float]]:
        graph, finish, worker_of = self._graph, self._finish, self._worker_of
        own = graph.inputs_far[task]
        far = [own if rank else 0.0 for rank in range(graph.rank_count)]
        for producer in producers:
            home, end = graph.rank_of(worker_of[producer]), finish[producer]
            for rank, time in enumerate(far):
                delay = graph.hand_over if rank == home else graph.far[producer]
                far[rank] = max(time, end + delay)
        near: dict[int, float] = {}
        for worker in {worker_of[producer] for producer in producers}:
            near[worker] = max(finish[p] + graph.delay(p, worker_of[p], worker) for p in producers)
            if graph.rank_of(worker):
                near[worker] = max(near[worker], own)
        return near, far
