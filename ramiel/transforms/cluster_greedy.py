"""cluster-greedy: stages of all operations that are ready."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ramiel.schedule.greedy import greedy_stages
from ramiel.torch_level.placements import Placed, check_workers, write_placement
from ramiel.torch_level.tasks import main_function, tasks_of


@dataclass(frozen=True)
class ClusterGreedyPass(ModulePass):
    """Places the operations in stages, each of which runs all ready operations in parallel.

    It is the baseline of the IOS paper. See `ramiel.schedule.greedy`.

        %y = torch.call F.relu(%x) {cluster.cost = 9.0 : f64} : ...
        // becomes
        %y = torch.call F.relu(%x) {..., cluster.workers = [array<i64: 0>],
                                    cluster.position = array<i64: 2>} : ...
    """

    name = "cluster-greedy"

    workers: int = 2

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_workers(self.workers)
        function = main_function(op)
        tasks = tasks_of(function)
        placement = greedy_stages(tasks.graph, self.workers).placement(tasks.graph, self.workers)
        write_placement(function, Placed("greedy", tasks, tasks.graph, placement))
