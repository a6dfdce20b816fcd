"""cluster-linear: critical-path-based linear clustering."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, StringAttr, i64
from xdsl.passes import ModulePass

from ramiel.dialects.cluster.attributes import CLUSTER, CLUSTERING
from ramiel.schedule.edges import by_edges
from ramiel.schedule.linear import linear_clusters
from ramiel.torch_level.tasks import main_function, tasks_of


@dataclass(frozen=True)
class ClusterLinearPass(ModulePass):
    """Writes `cluster.id`, the number of the linear cluster, on each operation.

    Cluster 0 is the critical path. See `ramiel.schedule.linear` for the algorithm.

    %a = torch.call F.relu(%x) {cluster.cost = 300.0 : f64} : ...
    %b = torch.call torch.exp(%x) {cluster.cost = 100.0 : f64} : ...
    %c = torch.call operator.add(%a, %b) {cluster.cost = 10.0 : f64} : ...
    // becomes
    %a = torch.call F.relu(%x) {..., cluster.id = 0 : i64} : ...
    %b = torch.call torch.exp(%x) {..., cluster.id = 1 : i64} : ...
    %c = torch.call operator.add(%a, %b) {..., cluster.id = 0 : i64} : ...
    """

    name = "cluster-linear"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        function = main_function(op)
        tasks = tasks_of(function)
        function.attributes[CLUSTERING] = StringAttr("linear")
        graph = tasks.graph
        found = by_edges(graph, len(graph.ranks), partial(linear_clusters, graph))
        for number, cluster in enumerate(found):
            for task in cluster:
                tasks.ops[task].attributes[CLUSTER] = IntegerAttr(number, i64)
