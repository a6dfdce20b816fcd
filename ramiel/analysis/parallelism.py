"""How many tasks of a graph run at a time if there is a core for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ramiel.analysis.task_graph import TaskGraph


class Span(NamedTuple):
    """A time in which the same tasks run; in µs."""

    start: float
    finish: float
    tasks: tuple[int, ...]
    """Ascending."""


def spans(graph: TaskGraph) -> list[Span]:
    """What runs when if every task starts as soon as its producers are done, on one thread of its
    own, and hand-overs take no time.

    The spans follow each other from 0 to the end of the critical path; none is empty, in time or
    of tasks. O((V + E) log V), and the sum of the spans' tasks.
    """
    finish = list(graph.costs)
    for task, producers in enumerate(graph.predecessors):
        finish[task] += max([finish[producer] for producer in producers], default=0.0)
    starts = [(f - graph.costs[t], t) for t, f in enumerate(finish) if f - graph.costs[t] < f]
    events = sorted(
        [(start, 1, task) for start, task in starts] + [(finish[t], 0, t) for _, t in starts]
    )
    found: list[Span] = []
    running: set[int] = set()
    last = 0.0
    for time, begins, task in events:
        if running and time > last:
            found.append(Span(last, time, tuple(sorted(running))))
        last = time
        (running.add if begins else running.remove)(task)
    return found


def widths(found: Sequence[Span], parts: int) -> list[float]:
    """The mean number of tasks that run at a time in each of so many equal parts of the time."""
    if not found:
        return [0.0] * parts
    length = found[-1].finish / parts
    means = [0.0] * parts
    for span in found:
        first, last = int(span.start / length), min(int(span.finish / length), parts - 1)
        for part in range(first, last + 1):
            begin, end = max(span.start, part * length), min(span.finish, (part + 1) * length)
            means[part] += len(span.tasks) * max(0.0, end - begin) / length
    return means


def alone(found: Sequence[Span]) -> dict[int, float]:
    """How long each task runs while no other does, µs, of those that do."""
    times: dict[int, float] = {}
    for span in found:
        if len(span.tasks) == 1:
            times[span.tasks[0]] = times.get(span.tasks[0], 0.0) + span.finish - span.start
    return times
