"""cluster-streams: places operations on the streams of a GPU."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ramiel.errors import CompileError
from ramiel.schedule.streams import SCHEDULERS, automatic
from ramiel.torch_level.placements import Placed, check_workers, write_placement
from ramiel.torch_level.tasks import main_function, tasks_of


@dataclass(frozen=True)
class ClusterStreamsPass(ModulePass):
    """Places each operation on one of at most `streams` streams.

    `schedule` is `serial`, `linear` (merged linear clusters), `list`, `opara` (the rule of Opara),
    or `auto`, which takes the best by a simulation in which kernels share the device. How many
    streams are used is a result: more than there are clusters that overlap gain nothing. Needs
    costs for a device. See `ramiel.schedule.streams`.

        %y = torch.call F.relu(%x) {cluster.cost = 2.5 : f64, cluster.share = 0.1 : f64} : ...
        // becomes
        %y = torch.call F.relu(%x) {..., cluster.workers = [array<i64: 1>],
                                    cluster.position = array<i64: 2>} : ...
    """

    name = "cluster-streams"

    schedule: str = "auto"
    streams: int = 32

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_workers(self.streams)
        function = main_function(op)
        tasks = tasks_of(function)
        if not tasks.graph.shares and len(tasks.graph):
            raise CompileError("there are no costs for a device: run cluster-costs{device=cuda}")
        if self.schedule == "auto":
            choice = automatic(tasks.graph, self.streams)
            name, placement = choice.name, choice.placement
        elif self.schedule in SCHEDULERS:
            name, placement = self.schedule, SCHEDULERS[self.schedule](tasks.graph, self.streams)
        else:
            names = ", ".join(("auto", *SCHEDULERS))
            raise CompileError(
                f"there is no schedule {self.schedule!r} of streams; there are {names}"
            )
        write_placement(function, Placed(name, tasks, tasks.graph, placement))
