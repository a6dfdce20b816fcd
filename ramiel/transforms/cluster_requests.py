"""cluster-requests: how requests that follow each other are computed."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ramiel.schedule.throughput import choose_for_placement
from ramiel.torch_level.placements import (
    check_workers,
    read_placement,
    read_streaming,
    write_streaming,
)
from ramiel.torch_level.tasks import main_function


@dataclass(frozen=True)
class ClusterRequestsPass(ModulePass):
    """Chooses how a program with this placement computes requests that follow each other.

    It is that of most requests a second by simulation: whole requests, one on each of `workers`
    cores or on those of all workers; workers that go from request to request; or batches. If the
    scheduler has chosen it, it stays. Needs a placement. See `ramiel.schedule.throughput`.

        func.func @main(...) attributes {cluster.schedule = "linear", ...}
        // becomes
        func.func @main(...) attributes {cluster.schedule = "linear", ...,
            cluster.streaming = "serial", cluster.at_a_time = 2 : i64, cluster.in_flight = 3 : i64}
    """

    name = "cluster-requests"

    workers: int = 2

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_workers(self.workers)
        function = main_function(op)
        placed = read_placement(function)
        if read_streaming(function) is None:
            found = choose_for_placement(placed.graph, placed.placement, self.workers, placed.batch)
            write_streaming(function, found)
