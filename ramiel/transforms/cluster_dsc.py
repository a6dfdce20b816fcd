"""cluster-dsc: dominant sequence clustering."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ramiel.schedule.dsc import dsc_clusters
from ramiel.torch_level.clusters import write_clusters


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
        write_clusters(op, "dsc", dsc_clusters)
