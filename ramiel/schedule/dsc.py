"""Dominant sequence clustering: groups tasks so that the longest path gets shorter at each step.

Source: Yang & Gerasoulis, "DSC: Scheduling Parallel Tasks on an Unbounded Number of Processors",
IEEE TPDS 5(9), 1994: sections 4.2 (the algorithm, CT1), 4.3 (edges into a task with several
producers) and 4.4 (CT2, the DSRW condition).
"""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from ramiel.analysis.critical_path import distance_to_end
from ramiel.analysis.task_graph import TaskGraph

FETCHED = 16
"""The most producers of one task that may be moved along with it, so that time stays linear."""


def dsc_clusters(graph: TaskGraph, edges: Sequence[float] | None = None) -> list[list[int]]:
    """Partitions the tasks into clusters, each in the order in which one worker is to run it.

    Tasks cost their time on one thread; a value costs `graph.hand_over` µs, or what `edges` has
    for its producer, unless it stays in its cluster. Each step examines the free task (all of whose
    producers are examined) with the longest path through it. It is appended to the cluster of the
    producer that it would wait for, if it then starts no later (CT1). Producers that are alone in
    their clusters and have no other consumer move along with it, as long as that makes it start
    earlier. A partly free task on a longer path must not lose its chance to do the same (CT2,
    DSRW).

    Given a worker for each cluster, no task starts later than with every task in a cluster of its
    own, so the graph does not end later either. O((V + E) log (V + E)).
    """
    return _Clustering(graph, edges or (graph.hand_over,) * len(graph)).run()


class _Clustering:
    """The tasks examined so far, their times, and the times that the others wait for."""

    def __init__(self, graph: TaskGraph, edges: Sequence[float]) -> None:
        self.graph, self.edges = graph, edges
        self.rest = distance_to_end(graph, edges)
        self.start = [0.0] * len(graph)
        self.finish = [0.0] * len(graph)
        self.cluster = [-1] * len(graph)
        self.members: list[list[int]] = []
        self.end: list[float] = []  # the finish of the last task of each cluster
        # Over the examined producers, when values are handed over: the latest, its cluster, the
        # latest of the other clusters.
        self.latest = [0.0] * len(graph)
        self.nearest = [-1] * len(graph)
        self.elsewhere = [0.0] * len(graph)
        self.missing = [len(producers) for producers in graph.predecessors]

    def run(self) -> list[list[int]]:
        free = [(-self.rest[t], t) for t, count in enumerate(self.missing) if count == 0]
        heapify(free)
        partly: list[tuple[float, int]] = []  # heap; an entry is stale once the task is free
        while free:
            path, task = heappop(free)
            while partly and not self.missing[partly[0][1]]:
                heappop(partly)
            rival = partly[0][1] if partly and partly[0][0] < path else -1
            self._meet(task, rival)
            for consumer in self.graph.successors[task]:
                self._arrive(consumer, task)
                entry = (-self._alone(consumer) - self.rest[consumer], consumer)
                heappush(partly if self.missing[consumer] else free, entry)
        return [members for members in self.members if members]

    def _alone(self, task: int) -> float:
        """The earliest start of `task` in a new cluster, by its examined producers."""
        return self.latest[task]

    def _handed_over(self, task: int) -> float:
        """When the value of `task` is in other clusters."""
        return self.finish[task] + self.edges[task]

    def _arrive(self, task: int, producer: int) -> None:
        """Records that a producer of `task` has been examined."""
        self.missing[task] -= 1
        time, cluster = self._handed_over(producer), self.cluster[producer]
        if cluster == self.nearest[task]:
            self.latest[task] = max(self.latest[task], time)
        elif self.nearest[task] < 0 or time > self.latest[task]:
            if self.nearest[task] >= 0:
                self.elsewhere[task] = max(self.elsewhere[task], self.latest[task])
            self.latest[task], self.nearest[task] = time, cluster
        else:
            self.elsewhere[task] = max(self.elsewhere[task], time)

    def _meet(self, task: int, rival: int) -> None:
        """Gives `task` a cluster and a time; `rival` is a partly free task on a longer path."""
        cluster, start = self.nearest[task], self._alone(task)
        if cluster >= 0:
            others = self.elsewhere[task]
            begin = max(self.end[cluster], others)
            fetched: list[int] = []
            if others > self.end[cluster] and rival < 0:
                fetched, begin = self._fetch(task, cluster, begin)
            end = begin + self.graph.costs[task]
            if begin <= start and not self._spoils(rival, cluster, end):
                for producer in fetched:
                    self._append(producer, cluster, max(self.start[producer], self.end[cluster]))
                self._append(task, cluster, begin)
                return
        self.members.append([])
        self.end.append(0.0)
        self._append(task, len(self.members) - 1, start)

    def _fetch(self, task: int, cluster: int, begin: float) -> tuple[list[int], float]:
        """The producers, alone in their clusters, to move to `cluster`, and the start of `task`.

        They are moved in descending order of when they are handed over: as long as a later one
        stays, moving an earlier one gains nothing.
        """
        outside = [p for p in self.graph.predecessors[task] if self.cluster[p] != cluster]
        outside.sort(key=lambda p: (-self._handed_over(p), p))
        fetched: list[int] = []
        best: tuple[list[int], float] = ([], begin)
        for i, producer in enumerate(outside[:FETCHED]):
            home = self.cluster[producer]
            if len(self.graph.successors[producer]) > 1 or len(self.members[home]) > 1:
                break
            fetched.append(producer)
            end = self.end[cluster]
            order = sorted(fetched, key=lambda p: (self.start[p], p))
            for p in order:
                end = max(end, self.start[p]) + self.graph.costs[p]
            left = self._handed_over(outside[i + 1]) if i + 1 < len(outside) else 0.0
            if max(end, left) >= best[1]:
                break
            best = (order, max(end, left))
        return best

    def _spoils(self, rival: int, cluster: int, end: float) -> bool:
        """Whether `rival` would gain less by joining `cluster` if that ended at `end` (µs)."""
        if rival < 0 or self.nearest[rival] != cluster:
            return False
        others = self.elsewhere[rival]
        before = max(self.end[cluster], others)
        return before < self._alone(rival) and max(end, others) > before

    def _append(self, task: int, cluster: int, start: float) -> None:
        if self.cluster[task] >= 0:
            self.members[self.cluster[task]] = []
        self.cluster[task] = cluster
        self.members[cluster].append(task)
        self.start[task] = start
        self.finish[task] = self.end[cluster] = start + self.graph.costs[task]
