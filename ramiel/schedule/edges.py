"""Clusters for several ranks: what a value costs depends on whether its readers are far."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ramiel.analysis.simulate import simulate
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.place import place

Clusters = list[list[int]]


def by_edges(
    graph: TaskGraph, workers: int, cluster: Callable[[Sequence[float]], Clusters]
) -> Clusters:
    """What `cluster` finds for the costs of edges by which its clusters, placed on `workers`
    workers, are fastest in simulation.

    Costs, µs for each producer, are those of hand-overs within a machine and, with several ranks,
    those of messages between them, by size and link. Clustering cannot know which edges will cross
    a link: those that do not let clusters be small, those that may keep large values within them.
    """
    near = (graph.hand_over,) * len(graph)
    if not graph.ranks:
        return cluster(near)
    found = [cluster(near), cluster(graph.far)]
    if found[0] == found[1]:
        return found[0]
    return min(found, key=lambda c: simulate(graph, place(graph, c, workers)).makespan)
