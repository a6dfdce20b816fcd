"""Clusters as attributes of operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from xdsl.dialects.builtin import IntegerAttr, ModuleOp, StringAttr, i64

from ramiel.analysis.task_graph import TaskGraph
from ramiel.dialects.cluster.attributes import CLUSTER, CLUSTERING, LANE
from ramiel.schedule.edges import Clusters, by_edges
from ramiel.torch_level.tasks import main_function, tasks_of


def write_clusters(
    module: ModuleOp, name: str, cluster: Callable[[TaskGraph, Sequence[float]], Clusters]
) -> None:
    """Writes the number of its cluster on each operation, and the name of the clustering on the
    function. Discards earlier clusters and lanes. `cluster` gets the costs of edges: see
    by_edges()."""
    function = main_function(module)
    tasks = tasks_of(function)
    function.attributes[CLUSTERING] = StringAttr(name)
    graph = tasks.graph
    found = by_edges(graph, len(graph.ranks), partial(cluster, graph))
    for number, members in enumerate(found):
        for task in members:
            tasks.ops[task].attributes[CLUSTER] = IntegerAttr(number, i64)
            tasks.ops[task].attributes.pop(LANE, None)
