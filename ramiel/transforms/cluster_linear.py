"""cluster-linear: critical-path-based linear clustering."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ramiel.schedule.linear import linear_clusters
from ramiel.torch_level.clusters import write_clusters


@dataclass(frozen=True)
class ClusterLinearPass(ModulePass):
    """Writes `cluster.id`, the number of the linear cluster, on each operation.

    Cluster 0 is the critical path. Discards earlier clusters and lanes. See
    `ramiel.schedule.linear` for the algorithm.

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
        write_clusters(op, "linear", linear_clusters)
