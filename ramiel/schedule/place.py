"""Placing whole clusters on a given number of workers."""

from collections.abc import Sequence
from heapq import heapreplace
from itertools import pairwise

from ramiel.analysis.critical_path import by_distance, distance_to_end
from ramiel.analysis.placement import Placement, group_of
from ramiel.analysis.simulate import simulate
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.arrivals import Arrivals, spans
from ramiel.schedule.order import order_tasks

TOLERANCE = 1.01
"""The factor in makespan that is accepted for an order that keeps clusters together."""


def serial(graph: TaskGraph) -> Placement:
    """All tasks on one worker, in id order."""
    return Placement((tuple(range(len(graph))),))


def intra_op(graph: TaskGraph, workers: int) -> Placement:
    """All tasks in id order, each on the most threads up to `workers` that there are costs for.

    Raises ValueError if `workers` is less than 1.
    """
    if workers < 1:
        raise ValueError(f"need at least 1 worker, not {workers}")
    threads = max(count for count in graph.threads if count <= workers)
    return Placement((tuple(range(len(graph))),) * threads)


def place(graph: TaskGraph, clusters: Sequence[Sequence[int]], workers: int) -> Placement:
    """Places each cluster on one of `workers` workers; some may stay empty.

    `clusters` (linear clusters or merged lanes) is a partition of the tasks. Three heuristics
    assign clusters to workers: longest processing time first, which gives each cluster its own
    worker if there are enough; earliest start; and earliest start after all work that is already
    assigned to the worker. `order_tasks` orders each assignment, with and without keeping clusters
    together. The least simulated makespan wins, but an order that keeps clusters together wins if
    it is within 1 % of it. With several ranks the first, the first two and so on are
    tried. O((V + E) log V + len(clusters) * min(workers, len(clusters))).

    Raises ValueError if `workers` is less than 1 or `clusters` is not a partition of the tasks.
    """
    if workers < 1:
        raise ValueError(f"need at least 1 worker, not {workers}")
    cluster_of = group_of(clusters, len(graph))
    totals = [sum(graph.costs[task] for task in cluster) for cluster in clusters]
    assignments: list[list[int]] = []
    for span in spans(graph, workers):
        useful = min(span, len(clusters)) if not graph.ranks else span
        assignments += [
            _longest_first(totals, useful),
            _earliest_start(graph, cluster_of, totals, useful, promises=False),
            _earliest_start(graph, cluster_of, totals, useful, promises=True),
        ]
    follower = _followers(graph, clusters)
    candidates: list[tuple[float, Placement]] = []
    for follow in (follower, None):
        for assignment in assignments:
            worker_of = [assignment[cluster] for cluster in cluster_of]
            placement = order_tasks(graph, worker_of, workers, follow)
            candidates.append((simulate(graph, placement).makespan, placement))
    least = min(makespan for makespan, _ in candidates)
    return next(p for makespan, p in candidates if makespan <= TOLERANCE * least)


def _followers(graph: TaskGraph, clusters: Sequence[Sequence[int]]) -> list[int]:
    """The next task of each task's cluster, or -1."""
    follower = [-1] * len(graph)
    for cluster in clusters:
        for task, following in pairwise(cluster):
            follower[task] = following
    return follower


def _longest_first(totals: Sequence[float], workers: int) -> list[int]:
    """The worker of each cluster: in descending total, each goes to the least loaded worker."""
    assignment = [0] * len(totals)
    loads = [(0.0, 0, worker) for worker in range(workers)]  # heap of (µs, clusters, worker)
    for cluster in sorted(range(len(totals)), key=lambda cluster: -totals[cluster]):
        load, count, worker = loads[0]
        assignment[cluster] = worker
        heapreplace(loads, (load + totals[cluster], count + 1, worker))
    return assignment


def _earliest_start(
    graph: TaskGraph,
    cluster_of: Sequence[int],
    totals: Sequence[float],
    workers: int,
    *,
    promises: bool,
) -> list[int]:
    """The worker of each cluster: the one that can start its first task earliest.

    Tasks are visited in descending distance to end; the first task of a cluster decides, ties go
    to the smaller load, then to the smaller worker. With `promises`, a worker is available only
    after the remaining tasks of all clusters assigned to it.
    """
    assignment = [-1] * len(totals)
    worker_of = [-1] * len(graph)
    finish = [0.0] * len(graph)
    arrivals = Arrivals(graph, finish, worker_of)
    free = [0.0] * workers  # the finish of the tasks visited so far
    promised = [0.0] * workers  # the cost of its clusters' tasks that are not visited yet
    load = [0.0] * workers
    for task in by_distance(distance_to_end(graph, graph.hand_over)):
        near, far = arrivals.of(graph.predecessors[task], task)
        cluster = cluster_of[task]
        if assignment[cluster] < 0:
            available = list(map(float.__add__, free, promised)) if promises else free
            starts = [max(far[graph.rank_of(w)], time) for w, time in enumerate(available)]
            for nearest, time in near.items():
                starts[nearest] = max(available[nearest], time)
            worker = min(zip(starts, load, range(workers), strict=True))[2]
            assignment[cluster] = worker
            promised[worker] += totals[cluster]
            load[worker] += totals[cluster]
        worker = assignment[cluster]
        worker_of[task] = worker
        promised[worker] -= graph.costs[task]
        start = max(free[worker], near.get(worker, far[graph.rank_of(worker)]))
        free[worker] = finish[task] = start + graph.costs[task]
    return assignment
