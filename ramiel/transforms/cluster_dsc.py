"""cluster-dsc: dominant sequence clustering."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, StringAttr, i64
from xdsl.passes import ModulePass

from ramiel.dialects.cluster.attributes import CLUSTER, CLUSTERING, LANE
from ramiel.schedule.dsc import dsc_clusters
from ramiel.schedule.edges import by_edges
from ramiel.torch_level.tasks import main_function, tasks_of


@dataclass(frozen=True)
class ClusterDscPass(ModulePass):
    """Writes `cluster.id`, the number of the DSC cluster, on each operation.

    Discards earlier clusters and lanes. See `ramiel.schedule.dsc`.

        %y = torch.call F.relu(%x) {cluster.cost = 9.0 : f64} : ...
        // becomes
        %y = torch.call F.relu(%x) {cluster.cost = 9.0 : f64, cluster.id = 1 : i64} : ...
    """

    name = "cluster-dsc"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        function = main_function(op)
        tasks = tasks_of(function)
        function.attributes[CLUSTERING] = StringAttr("dsc")
        graph = tasks.graph
        found = by_edges(graph, len(graph.ranks), partial(dsc_clusters, graph))
        for number, cluster in enumerate(found):
            for task in cluster:
                tasks.ops[task].attributes[CLUSTER] = IntegerAttr(number, i64)
                tasks.ops[task].attributes.pop(LANE, None)
