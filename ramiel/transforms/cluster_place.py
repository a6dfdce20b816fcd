"""cluster-place: places clusters on workers."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ramiel.dialects.cluster.attributes import CLUSTER, CLUSTERING, LANE
from ramiel.dialects.text import text_of
from ramiel.schedule.choose import Candidate, choose
from ramiel.schedule.place import place
from ramiel.torch_level.placements import Placed, check_workers, write_placement
from ramiel.torch_level.tasks import main_function, numbers_of, tasks_of


@dataclass(frozen=True)
class ClusterPlacePass(ModulePass):
    """Places each cluster on one of `workers` workers, and orders the operations of each worker.

    If there are merged clusters as well, the faster of the two by simulation is taken. Needs costs
    and clusters. See `ramiel.schedule.place`.

        %y = torch.call F.relu(%x) {cluster.cost = 9.0 : f64, cluster.id = 1 : i64} : ...
        // becomes
        %y = torch.call F.relu(%x) {..., cluster.workers = [array<i64: 0>],
                                    cluster.position = array<i64: 2>} : ...
    """

    name = "cluster-place"

    workers: int = 2

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_workers(self.workers)
        function = main_function(op)
        tasks = tasks_of(function)
        clusters = numbers_of(tasks.ops, CLUSTER, "cluster-linear")
        clustering = text_of(function.attributes.get(CLUSTERING)) or "clusters"
        candidates: list[Candidate] = []
        if any(LANE in task.attributes for task in tasks.ops):
            lanes = numbers_of(tasks.ops, LANE, "cluster-merge")
            candidates.append((f"{clustering}, merged", place(tasks.graph, lanes, self.workers)))
        candidates.append((clustering, place(tasks.graph, clusters, self.workers)))
        best = choose(tasks.graph, candidates)
        write_placement(function, Placed(best.name, tasks, tasks.graph, best.placement))
