"""Linear clustering: cuts the task graph into paths, longest first.

Source: Das & Rauchwerger, "Automatic Task Parallelization of Dataflow Graphs in ML/DL models",
arXiv 2308.11192, the sections on distance to end and on linear clustering.
"""

from collections.abc import Sequence

from ramiel.analysis.critical_path import by_distance, distance_to_end
from ramiel.analysis.task_graph import TaskGraph


def linear_clusters(graph: TaskGraph, edges: Sequence[float] | None = None) -> list[list[int]]:
    """Partitions the tasks into paths of the graph.

    A cluster starts at the unclustered task of largest distance to end, and continues with the
    unclustered successor of largest distance until there is none. Distances count
    `graph.hand_over` µs for each edge, or what `edges` has for its producer; ties go to the smaller
    task id.

    Each edge is examined once: O(V log V + E), with the logarithm from sorting by distance.
    """
    distance = distance_to_end(graph, graph.hand_over if edges is None else edges)
    clustered = [False] * len(graph)
    clusters: list[list[int]] = []
    for head in by_distance(distance):
        if clustered[head]:
            continue
        path: list[int] = []
        following = [head]
        while following:
            task = max(following, key=distance.__getitem__)
            clustered[task] = True
            path.append(task)
            following = [t for t in graph.successors[task] if not clustered[t]]
        clusters.append(path)
    return clusters
