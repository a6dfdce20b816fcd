"""Task cloning: a value that a cluster would wait for is recomputed in that cluster.

Source: Das & Rauchwerger, "Automatic Task Parallelization of Dataflow Graphs in ML/DL models",
arXiv 2308.11192, the section on task cloning. The tasks to clone are chosen as in Kruatrachue &
Lewis, "Grain Size Determination for Parallel Processing", IEEE Software 5(1), 1988 (the
duplication scheduling heuristic): the idle time before a task is filled with the producer that the
task waits for longest, then with the producer which that one waits for, as long as it helps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ramiel.analysis.placement import group_of
from ramiel.analysis.task_graph import TaskGraph

LONGEST = 8
"""The most tasks in a chain of clones, so that the search stays linear."""
LEAST_GAIN = 1.0
"""The least gain in µs: smaller ones are below the precision of a cost model."""


class Clone(NamedTuple):
    """A copy of a task in the cluster whose tasks, clones included, read it."""

    task: int
    cluster: int


class _Proposal(NamedTuple):
    price: float
    """The work in µs added for each µs gained."""
    consumer: int
    tasks: tuple[int, ...]


def plan_clones(
    graph: TaskGraph,
    clusters: Sequence[Sequence[int]],
    budget: float,
    most: float,
    fixed: Sequence[bool] = (),
) -> list[Clone]:
    """The clones that let tasks start earlier, given a worker for each cluster.

    A clone helps if its operands are in the consumer's cluster before the original's value would
    arrive there: a single clone whose operands must be handed over instead gains nothing; a chain
    up to an input of the graph saves a hand-over and the wait for a busy worker. The chains that
    add the least work for their gain are taken first. `budget` is the share of the graph's work
    that all clones together may add, `most` the largest cost (µs) of a task to clone; the tasks
    marked in `fixed` are not cloned. The result is in ascending order by task.

    No task starts later than without clones. Raises ValueError if `clusters` is not a partition of
    the tasks, or `budget` or `most` is not positive. O(V log V + LONGEST * E).
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
    """The times of all tasks, given a worker for each cluster, and the effects of clones."""

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
        """The chain of clones with which `consumer` starts earliest; None if none helps."""
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
                break  # no other cluster reads it: cloning it would amount to moving it
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
        """The start time of `consumer` if its worker first runs the clones in `chain`."""
        here = self.cluster[consumer]
        time = self.idle_from[consumer]
        for task in sorted(chain):
            time = max([time, *self._arrivals(task, here, chain)]) + self.graph.costs[task]
        return max([time, *self._arrivals(consumer, here, chain)])

    def _arrivals(self, task: int, here: int, cloned: Sequence[int]) -> list[float]:
        """The times at which a task's operands arrive in a cluster, without the `cloned` ones."""
        hand_over = self.graph.hand_over
        return [
            self.finish[p] + (0.0 if self.cluster[p] == here else hand_over)
            for p in self.graph.predecessors[task]
            if p not in cloned
        ]
