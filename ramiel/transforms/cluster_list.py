"""cluster-list: list scheduling of operations that may run on several threads."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ramiel.errors import CompileError
from ramiel.schedule.list_scheduling import list_schedule
from ramiel.torch_level.placements import Placed, check_workers, limit_of, write_placement
from ramiel.torch_level.tasks import main_function, tasks_of


@dataclass(frozen=True)
class ClusterListPass(ModulePass):
    """Places each operation where it finishes first, in descending distance to end.

    With costs on several threads (`cluster-costs{threads=2}`), an operation may occupy several
    workers. `memory_limit` is in bytes; 0 is no limit. See `ramiel.schedule.list_scheduling`.

        %y = torch.call F.relu(%x) {cluster.cost = 9.0 : f64} : ...
        // becomes
        %y = torch.call F.relu(%x) {..., cluster.workers = [array<i64: 0>],
                                    cluster.position = array<i64: 2>} : ...
    """

    name = "cluster-list"

    workers: int = 2
    memory_limit: int = 0

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_workers(self.workers)
        function = main_function(op)
        tasks = tasks_of(function)
        try:
            placement = list_schedule(tasks.graph, self.workers, limit_of(self.memory_limit))
        except ValueError as error:
            raise CompileError(str(error)) from error
        write_placement(function, Placed("list", tasks, tasks.graph, placement))
