"""cluster-auto: the fastest schedule by simulation."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ramiel.errors import CompileError
from ramiel.schedule.choose import choose_automatically
from ramiel.schedule.hyper import replicate
from ramiel.schedule.throughput import choose_for_throughput
from ramiel.torch_level.placements import (
    Placed,
    check_batch,
    check_workers,
    limit_of,
    write_placement,
    write_streaming,
)
from ramiel.torch_level.tasks import Tasks, main_function, tasks_of


@dataclass(frozen=True)
class ClusterAutoPass(ModulePass):
    """Places the operations by the quick scheduler whose schedule is fastest in simulation.

    Serial execution, on one thread or on several, is among the candidates, so the result is never
    slower than that. `memory_limit` is in bytes; 0 is no limit. With `thorough`, IOS is also a
    candidate, which may take seconds. Needs costs. See `ramiel.schedule.choose`.

    With `objective=throughput` it is the program of the most requests a second if they follow each
    other, of which each takes at most `latency_limit` ms; 0 is no limit. See
    `ramiel.schedule.throughput`.

        %y = torch.call F.relu(%x) {cluster.cost = 9.0 : f64} : ...
        // becomes
        %y = torch.call F.relu(%x) {..., cluster.workers = [array<i64: 0>],
                                    cluster.position = array<i64: 2>} : ...
        // and with objective=throughput the function gets
        cluster.streaming = "serial", cluster.at_a_time = 2 : i64, cluster.in_flight = 3 : i64
    """

    name = "cluster-auto"

    workers: int = 2
    batch: int = 1
    memory_limit: int = 0
    thorough: bool = False
    objective: str = "latency"
    latency_limit: int | float = 0.0

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_workers(self.workers)
        function = main_function(op)
        check_batch(function, self.batch)
        tasks = tasks_of(function)
        limit = limit_of(self.memory_limit)
        try:
            if self.objective == "throughput":
                self._for_throughput(function, tasks, limit)
            else:
                self._for_latency(function, tasks, limit)
        except ValueError as error:
            raise CompileError(str(error)) from error

    def _for_latency(self, function: func.FuncOp, tasks: Tasks, limit: float | None) -> None:
        choice = choose_automatically(
            tasks.graph, self.workers, self.batch, limit, thorough=self.thorough
        )
        graph = replicate(tasks.graph, self.batch)
        write_placement(function, Placed(choice.name, tasks, graph, choice.placement, self.batch))

    def _for_throughput(self, function: func.FuncOp, tasks: Tasks, limit: float | None) -> None:
        stream = choose_for_throughput(
            tasks.graph,
            self.workers,
            self.latency_limit * 1e3 if self.latency_limit else None,
            limit,
            batches=_can_be_batch(function),
        )
        graph = replicate(tasks.graph, stream.batch)
        placed = Placed(stream.name, tasks, graph, stream.placement, stream.batch)
        write_placement(function, placed)
        write_streaming(function, stream.streaming)


def _can_be_batch(function: func.FuncOp) -> bool:
    try:
        check_batch(function, 2)
    except CompileError:
        return False
    return True
