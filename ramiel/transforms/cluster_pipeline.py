"""cluster-pipeline: stages through which requests that follow each other pass."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ramiel.schedule.pipeline import pipeline
from ramiel.schedule.throughput import stages_of
from ramiel.torch_level.placements import (
    Placed,
    check_workers,
    limit_of,
    write_placement,
    write_streaming,
)
from ramiel.torch_level.tasks import main_function, tasks_of


@dataclass(frozen=True)
class ClusterPipelinePass(ModulePass):
    """Cuts the operations into at most `workers` contiguous stages, the largest as small as can be.

    Worker k runs stage k, of one request after the other when requests are streamed. Needs costs.
    On several ranks each rank's weights take at most `memory_limit` bytes, if that is not 0.
    See `ramiel.schedule.pipeline`.

        %y = torch.call F.relu(%x) {cluster.cost = 9.0 : f64} : ...
        // becomes
        %y = torch.call F.relu(%x) {..., cluster.workers = [array<i64: 1>],
                                    cluster.position = array<i64: 2>} : ...
        // and the function gets
        cluster.streaming = "pipeline", cluster.at_a_time = 2 : i64, cluster.in_flight = 3 : i64
    """

    name = "cluster-pipeline"

    workers: int = 2
    memory_limit: int = 0

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_workers(self.workers)
        function = main_function(op)
        tasks = tasks_of(function)
        limit = limit_of(self.memory_limit)
        placement = pipeline(tasks.graph, self.workers, limit)
        write_placement(function, Placed("pipeline", tasks, tasks.graph, placement))
        write_streaming(function, stages_of(placement))
