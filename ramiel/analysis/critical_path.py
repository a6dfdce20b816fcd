"""Distances to the end of a task graph, and the lower bounds on a makespan that follow.

The distance to end is the priority of Das & Rauchwerger, "Automatic Task Parallelization of
Dataflow Graphs in ML/DL models", arXiv 2308.11192 (elsewhere: bottom level, upward rank).
"""

from collections.abc import Sequence

from ramiel.analysis.task_graph import TaskGraph


def distance_to_end(
    graph: TaskGraph,
    edge_cost: float | Sequence[float] = 0.0,
    costs: Sequence[float] | None = None,
) -> list[float]:
    """The longest path in µs from the start of each task to the end of the graph.

    A path's length is the sum of its tasks' `costs` (by default their times on one thread) plus
    `edge_cost` µs for each edge, or those of its producer.
    Raises ValueError if an `edge_cost` is negative. O(V + E).
    """
    edges = (edge_cost,) * len(graph) if isinstance(edge_cost, float | int) else edge_cost
    if not all(edge >= 0 for edge in edges):
        raise ValueError(f"edge_cost is {edge_cost}: need numbers >= 0")
    distance = list(graph.costs if costs is None else costs)
    for task in reversed(range(len(graph))):
        consumers = graph.successors[task]
        if consumers:
            distance[task] += edges[task] + max([distance[consumer] for consumer in consumers])
    return distance


def by_distance(distance: Sequence[float]) -> list[int]:
    """All tasks in descending distance to end, ties by smaller id first.

    This is a topological order: a producer is at least as far from the end as its consumer,
    and has a smaller id. O(V log V).
    """
    return sorted(range(len(distance)), key=lambda task: -distance[task])


def critical_path(
    graph: TaskGraph, costs: Sequence[float] | None = None
) -> tuple[float, list[int]]:
    """The length in µs and the tasks of a longest path, without hand-overs.

    Tasks take `costs`, by default their times on one thread. Ties are broken by the smaller task
    id. The result for an empty graph is `(0.0, [])`. O(V + E).
    """
    distance = distance_to_end(graph, costs=costs)
    path: list[int] = []
    reachable: Sequence[int] = range(len(graph))
    while reachable:
        path.append(max(reachable, key=distance.__getitem__))
        reachable = graph.successors[path[-1]]
    return (distance[path[0]] if path else 0.0), path


def bound(graph: TaskGraph, workers: int) -> float:
    """A lower bound in µs on the makespan of any schedule on `workers` workers.

    It is the larger of the critical path, with each task on its fastest number of threads, and the
    work divided by `workers`, with each task on the number of threads that takes the least core
    time; but at most the time of one core while the others are idle, on which tasks may be faster.
    Raises ValueError if `workers` is less than 1.
    """
    if workers < 1:
        raise ValueError(f"need at least 1 worker, not {workers}")
    columns = [(count, graph.costs_on(count)) for count in graph.threads if count <= workers]
    fastest = [min(times) for times in zip(*(costs for _, costs in columns), strict=True)]
    least = [[count * cost for cost in costs] for count, costs in columns]
    work = sum(map(min, zip(*least, strict=True)), 0.0)
    return min(max(critical_path(graph, fastest)[0], work / workers), graph.serial)
