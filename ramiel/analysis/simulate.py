"""The timeline of a placement: what each worker does when."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ramiel.analysis.placement import Placement
from ramiel.analysis.task_graph import TaskGraph


@dataclass(frozen=True)
class Timeline:
    """A simulated run. All times are in µs since its start."""

    start: tuple[float, ...]
    """When each task starts."""
    finish: tuple[float, ...]
    """When each task ends."""
    makespan: float
    """When the last task ends."""
    busy: tuple[float, ...]
    """The summed cost of each worker's tasks."""
    hand_overs: int
    """The number of tasks whose value is read on another worker."""


class Deadlock(ValueError):
    """Workers wait for each other; `blocked` holds the task at which each of them is stuck."""

    def __init__(self, blocked: Sequence[int]) -> None:
        self.blocked = tuple(blocked)
        named = ", ".join(str(task) for task in self.blocked[:8])
        more = ", ..." if len(self.blocked) > 8 else ""
        super().__init__(f"deadlock: workers are blocked forever at tasks {named}{more}")


def simulate(graph: TaskGraph, placement: Placement) -> Timeline:
    """Run `placement`: a task starts once its worker is free and all its inputs are there.

    A value is there when its producer finishes, or `graph.hand_over` µs later if it comes from
    another worker. Start times are longest paths in the graph of the edges and of each worker's
    program order, in O(V + E).

    Raises ValueError if the placement misses or repeats a task, and Deadlock if that graph
    has a cycle.
    """
    worker_of = placement.worker_of(len(graph))
    waits_for = [len(producers) for producers in graph.predecessors]
    follower: list[int | None] = [None] * len(graph)
    for order in placement.workers:
        for task, following in pairwise(order):
            follower[task] = following
            waits_for[following] += 1

    start = [0.0] * len(graph)
    finish = [0.0] * len(graph)
    runnable = [task for task, count in enumerate(waits_for) if count == 0]
    crosses = bytearray(len(graph))
    while runnable:
        task = runnable.pop()
        finish[task] = start[task] + graph.costs[task]
        releases: list[tuple[int, float]] = []
        for consumer in graph.successors[task]:
            remote = worker_of[consumer] != worker_of[task]
            crosses[task] |= remote
            releases.append((consumer, finish[task] + graph.hand_over * remote))
        following = follower[task]
        if following is not None:
            releases.append((following, finish[task]))
        for released, time in releases:
            start[released] = max(start[released], time)
            waits_for[released] -= 1
            if waits_for[released] == 0:
                runnable.append(released)

    if any(waits_for):
        stuck = (next((t for t in order if waits_for[t]), None) for order in placement.workers)
        raise Deadlock([task for task in stuck if task is not None])
    return Timeline(
        start=tuple(start),
        finish=tuple(finish),
        makespan=max(finish, default=0.0),
        busy=tuple(sum((graph.costs[t] for t in order), 0.0) for order in placement.workers),
        hand_overs=sum(crosses),
    )
