"""cluster-merge: merges linear clusters that never run at the same time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.passes import ModulePass

from ramiel.dialects.cluster.attributes import CLUSTER, LANE
from ramiel.schedule.edges import by_edges
from ramiel.schedule.merge import merge_clusters
from ramiel.torch_level.tasks import main_function, numbers_of, tasks_of


@dataclass(frozen=True)
class ClusterMergePass(ModulePass):
    """Writes `cluster.lane`, the number of the merged cluster, on each operation.

    Clusters that never run at the same time share a lane. See `ramiel.schedule.merge` for the
    algorithm.

    %b = torch.call torch.exp(%a) {cluster.cost = 100.0 : f64, cluster.id = 1 : i64} : ...
    %c = torch.call torch.sin(%b) {cluster.cost = 100.0 : f64, cluster.id = 2 : i64} : ...
    // becomes, as the second starts when the first is done
    %b = torch.call torch.exp(%a) {..., cluster.id = 1 : i64, cluster.lane = 1 : i64} : ...
    %c = torch.call torch.sin(%b) {..., cluster.id = 2 : i64, cluster.lane = 1 : i64} : ...
    """

    name = "cluster-merge"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        tasks = tasks_of(main_function(op))
        clusters = numbers_of(tasks.ops, CLUSTER, "cluster-linear")
        graph = tasks.graph
        found = by_edges(graph, len(graph.ranks), partial(merge_clusters, graph, clusters))
        for number, lane in enumerate(found):
            for task in lane:
                tasks.ops[task].attributes[LANE] = IntegerAttr(number, i64)
