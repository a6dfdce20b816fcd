"""cluster-serial: one operation after the other."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ramiel.errors import CompileError
from ramiel.schedule.hyper import replicate
from ramiel.schedule.place import intra_op, serial
from ramiel.torch_level.placements import Placed, check_batch, check_workers, write_placement
from ramiel.torch_level.tasks import main_function, tasks_of


@dataclass(frozen=True)
class ClusterSerialPass(ModulePass):
    """Places all operations on one worker, or each of them on the threads of all `workers`.

    The latter is the intra-op parallelism of frameworks. It needs costs on several threads:
    `cluster-costs{threads=2}`. The samples of a `batch` run one after the other.

        %y = torch.call F.relu(%x) {cluster.cost = 9.0 : f64} : ...
        // becomes
        %y = torch.call F.relu(%x) {..., cluster.workers = [array<i64: 0>],
                                    cluster.position = array<i64: 2>} : ...
    """

    name = "cluster-serial"

    workers: int = 1
    batch: int = 1

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_workers(self.workers)
        function = main_function(op)
        check_batch(function, self.batch)
        tasks = tasks_of(function)
        graph = replicate(tasks.graph, self.batch)
        if self.workers == 1:
            placed = Placed("serial", tasks, graph, serial(graph), self.batch)
        elif tasks.graph.threads == (1,):
            raise CompileError(
                "there are no costs on more than one thread: run cluster-costs with threads="
                f"{self.workers}"
            )
        else:
            placement = intra_op(graph, self.workers)
            placed = Placed("intra-op", tasks, graph, placement, self.batch)
        write_placement(function, placed)
