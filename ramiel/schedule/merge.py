"""Cluster merging: clusters that are never active at the same time share a lane.

Source: Das & Rauchwerger, "Automatic Task Parallelization of Dataflow Graphs in ML/DL models",
arXiv 2308.11192, the section on cluster merging.
"""

from collections.abc import Sequence
from heapq import heappush, heapreplace

from ramiel.analysis.critical_path import by_distance, distance_to_end
from ramiel.analysis.placement import group_of
from ramiel.analysis.task_graph import TaskGraph


def merge_clusters(
    graph: TaskGraph, clusters: Sequence[Sequence[int]], edges: Sequence[float] | None = None
) -> list[list[int]]:
    """Merges clusters, a partition of the tasks, into as few lanes as their spans allow.

    In distance to end (µs, with `graph.hand_over` for each edge, or what `edges` has for its
    producer), a cluster's span reaches from its first task's distance down to its last task's
    distance minus that task's cost. Two spans overlap unless one of them ends where, or before, the
    other starts; spans in a lane do not overlap.

    The paper merges any two clusters that do not overlap, and repeats until nothing merges.
    Here clusters are taken by descending start, each into the lane that ended first, or into a
    new lane if that one has not ended: greedy interval partitioning. A new lane is only opened
    where spans of all lanes overlap at one point, so the number of lanes is minimal. Hence no two
    lanes can merge: the result is a fixpoint of the paper's rule, and no order of pairwise merges
    reaches a smaller one. O((V + E) + V log V).

    The tasks of a lane are in descending distance, ties by id. That is a topological order of the
    whole graph, so workers that run lanes in it cannot deadlock.

    Raises ValueError if `clusters` is not a partition of the tasks.
    """
    cluster_of = group_of(clusters, len(graph))
    distance = distance_to_end(graph, graph.hand_over if edges is None else edges)
    members: list[list[int]] = [[] for _ in clusters]
    for task in by_distance(distance):
        members[cluster_of[task]].append(task)

    spans: list[tuple[float, float, list[int]]] = []
    for tasks in filter(None, members):
        spans.append((-distance[tasks[0]], graph.costs[tasks[-1]] - distance[tasks[-1]], tasks))
    spans.sort()  # at equal starts the empty spans come first: they fit before the others

    lanes: list[list[int]] = []
    ends: list[tuple[float, int]] = []  # heap of (-distance at which it ended, lane)
    for start, end, tasks in spans:
        if ends and ends[0][0] <= start:
            lane = ends[0][1]
            heapreplace(ends, (end, lane))
            lanes[lane].extend(tasks)
        else:
            heappush(ends, (end, len(lanes)))
            lanes.append(tasks)
    return [sorted(lane, key=lambda task: (-distance[task], task)) for lane in lanes]
