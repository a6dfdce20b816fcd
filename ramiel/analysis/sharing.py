"""The timeline of a placement on a device that concurrent tasks share."""

from heapq import heappop, heappush
from itertools import pairwise
from math import inf

from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import Timeline, deadlock, simulate
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
    leader = placement.leaders(len(graph))
    if any(count > 1 for count in placement.threads(len(graph))):
        raise ValueError("a task that shares a device runs on one stream")
    missing = [len(producers) for producers in graph.predecessors]
    following = [-1] * len(graph)
    for order in placement.workers:
        for task, after in pairwise(order):
            following[task] = after
            missing[after] += 1
    start, finish = [0.0] * len(graph), [0.0] * len(graph)
    crosses = bytearray(len(graph))
    ready = [(0.0, task) for task, count in enumerate(missing) if not count]
    left: dict[int, float] = {}
    filled = now = 0.0
    while ready or left:
        speed = min(1.0, 1.0 / filled) if filled > 0 else 1.0
        task = min(left, key=left.__getitem__) if left else -1
        ends = now + left[task] / speed if left else inf
        begins = max(now, ready[0][0]) if ready else inf
        time = min(ends, begins)
        for other in left:
            left[other] -= (time - now) * speed
        now = time
        if begins <= ends:
            task = heappop(ready)[1]
            start[task] = now
            left[task] = graph.costs[task]
            filled += graph.shares[task]
            continue
        del left[task]
        filled = sum(graph.shares[other] for other in left)
        finish[task] = now
        for consumer in graph.successors[task]:
            crossing = leader[consumer] != leader[task]
            crosses[task] |= crossing
            _arrive(consumer, now + graph.hand_over * crossing, start, missing, ready)
        if following[task] >= 0:
            _arrive(following[task], now, start, missing, ready)
    if any(missing):
        raise deadlock(placement, missing)
    return Timeline(
        start=tuple(start),
        finish=tuple(finish),
        makespan=max(finish, default=0.0),
        busy=tuple(sum(finish[t] - start[t] for t in order) for order in placement.workers),
        hand_overs=sum(crosses),
    )


def _arrive(
    task: int,
    time: float,
    start: list[float],
    missing: list[int],
    ready: list[tuple[float, int]],
) -> None:
    """One of the things that a task waits for is there."""
    start[task] = max(start[task], time)
    missing[task] -= 1
    if not missing[task]:
        heappush(ready, (start[task], task))
