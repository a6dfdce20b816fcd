"""Task cloning: what a cluster waits for is computed again where it is needed.

Source: Das & Rauchwerger, "Automatic Task Parallelization of Dataflow Graphs in ML/DL models",
arXiv 2308.11192, the section on task cloning. Which tasks are cloned is decided as in Kruatrachue
& Lewis, "Grain Size Determination for Parallel Processing", IEEE Software 5(1), 1988 (the
duplication scheduling heuristic): into the time that a worker idles before a task goes the
producer that the task waits for longest, then what that one waits for, while it helps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ramiel.analysis.placement import group_of
from ramiel.analysis.task_graph import TaskGraph

LONGEST = 8
"""A chain of clones has at most this many tasks, so that the search stays linear."""
LEAST_GAIN = 1.0
"""µs; a cost model can not tell less from nothing."""


class Clone(NamedTuple):
    """A copy of a task in the cluster whose tasks, clones included, read it."""

    task: int
    cluster: int


class _Proposal(NamedTuple):
    price: float
    """µs added for each µs gained."""
    consumer: int
    tasks: tuple[int, ...]


def plan_clones(
    graph: TaskGraph,
    clusters: Sequence[Sequence[int]],
    budget: float,
    most: float,
    fixed: Sequence[bool] = (),
) -> list[Clone]:
    """The clones that let tasks start earlier, if each cluster has a worker of its own.

    A clone helps if what it reads is in the consumer's cluster before its own value would
    arrive there: a lone clone whose operands have to cross instead gains nothing, a chain down
    to an input of the graph saves a hand-over and the wait for a busy worker. Of the chains that
    help, those that add the least work for what they gain come first. `budget` is the share of
    the graph's work that all clones together may add, `most` the largest cost (µs) of a task
    that is cloned, and the tasks marked in `fixed` are not. In ascending order, by task.

    No task starts later for it. Raises ValueError if `clusters` is not a partition of the
    tasks, or unless `budget` and `most` are positive. O(V log V + LONGEST * E).
    """
    for name, limit in (("budget", budget), ("largest cost", most)):
        if not limit > 0:
            raise ValueError(f"a {name} of {limit:g} clones nothing: it must be more than 0")
    search = _Search(graph, group_of(clusters, len(graph)))
    may = [cost <= most for cost in graph.costs]
    for task, is_fixed in enumerate(fixed):
        may[task] = may[task] and not is_fixed
    left = budget * graph.work
    plan: set[Clone] = set()
    for proposal in sorted(filter(None, (search.propose(t, may) for t in range(len(graph))))):
        cluster = search.cluster[proposal.consumer]
        added = {Clone(task, cluster) for task in proposal.tasks} - plan
        cost = sum(graph.costs[clone.task] for clone in added)
        if cost <= left:
            left -= cost
            plan |= added
    return sorted(plan)


class _Search:
    """When each task runs if each cluster has a worker, and what clones would change."""

    def __init__(self, graph: TaskGraph, cluster: Sequence[int]) -> None:
        self.graph = graph
        self.cluster = cluster
        self.idle_from: list[float] = []
        self.start: list[float] = []
        self.finish: list[float] = []
        ready = [0.0] * len(graph)
        for task, cost in enumerate(graph.costs):
            here = cluster[task]
            self.idle_from.append(ready[here])
            self.start.append(max([ready[here], *self._arrivals(task, here, ())]))
            ready[here] = self.start[task] + cost
            self.finish.append(ready[here])

    def propose(self, consumer: int, may: Sequence[bool]) -> _Proposal | None:
        """The chain of clones with which a task starts earliest; None if none helps."""
        here = self.cluster[consumer]
        latest = self.start[consumer]
        chain: list[int] = []
        best: tuple[int, ...] = ()
        awaited = self._foreign(consumer, here)
        while awaited and len(chain) < LONGEST:
            last = max(awaited, key=lambda task: (self.finish[task], task))
            if (
                not may[last]
                or self.finish[last] + self.graph.hand_over <= self.idle_from[consumer]
            ):
                break
            if not chain and all(self.cluster[t] == here for t in self.graph.successors[last]):
                break  # nobody else reads it: to clone it would be to move it
            chain.append(last)
            awaited.discard(last)
            awaited |= self._foreign(last, here)
            if (start := self._start_with(consumer, chain)) < latest:
                latest, best = start, tuple(chain)
        gain = self.start[consumer] - latest
        if gain < LEAST_GAIN:
            return None
        cost = sum(self.graph.costs[task] for task in best)
        return _Proposal(cost / gain, consumer, tuple(sorted(best)))

    def _foreign(self, task: int, here: int) -> set[int]:
        """The producers of a task that are in other clusters than `here`."""
        return {p for p in self.graph.predecessors[task] if self.cluster[p] != here}

    def _start_with(self, consumer: int, chain: Sequence[int]) -> float:
        """When a task starts if its worker first runs a chain of clones, one after the other."""
        here = self.cluster[consumer]
        time = self.idle_from[consumer]
        for task in sorted(chain):
            time = max([time, *self._arrivals(task, here, chain)]) + self.graph.costs[task]
        return max([time, *self._arrivals(consumer, here, chain)])

    def _arrivals(self, task: int, here: int, cloned: Sequence[int]) -> list[float]:
        """When the operands of a task are in a cluster, those apart that are cloned there."""
        hand_over = self.graph.hand_over
        return [
            self.finish[p] + (0.0 if self.cluster[p] == here else hand_over)
            for p in self.graph.predecessors[task]
            if p not in cloned
        ]
