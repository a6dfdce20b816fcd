"""cluster-auto: the fastest schedule by simulation."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ramiel.errors import CompileError
from ramiel.schedule.choose import choose_automatically
from ramiel.schedule.hyper import replicate
from ramiel.torch_level.placements import (
    Placed,
    check_batch,
    check_workers,
    limit_of,
    write_placement,
)
from ramiel.torch_level.tasks import main_function, tasks_of


@dataclass(frozen=True)
class ClusterAutoPass(ModulePass):
    """Places the operations by the quick scheduler whose schedule is fastest in simulation.

    Serial execution, on one thread or on several, is among the candidates, so the result is never
    slower than that. `memory_limit` is in bytes; 0 is no limit. With `thorough`, IOS is also a
    candidate, which may take seconds. Needs costs. See `ramiel.schedule.choose`.

        %y = torch.call F.relu(%x) {cluster.cost = 9.0 : f64} : ...
        // becomes
        %y = torch.call F.relu(%x) {..., cluster.workers = [array<i64: 0>],
                                    cluster.position = array<i64: 2>} : ...
    """

    name = "cluster-auto"

    workers: int = 2
    batch: int = 1
    memory_limit: int = 0
    thorough: bool = False

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_workers(self.workers)
        function = main_function(op)
        check_batch(function, self.batch)
        tasks = tasks_of(function)
        limit = limit_of(self.memory_limit)
        try:
            choice = choose_automatically(
                tasks.graph, self.workers, self.batch, limit, thorough=self.thorough
            )
        except ValueError as error:
            raise CompileError(str(error)) from error
        graph = replicate(tasks.graph, self.batch)
        write_placement(function, Placed(choice.name, tasks, graph, choice.placement, self.batch))
