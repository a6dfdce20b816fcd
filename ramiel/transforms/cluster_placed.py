"""cluster-placed: the placement that the model itself has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp
from xdsl.ir import Attribute
from xdsl.passes import ModulePass

from ramiel.analysis.task_graph import TaskGraph
from ramiel.dialects.cluster.attributes import integers
from ramiel.dialects.onnx.operation import CONFIGURATIONS
from ramiel.dialects.text import text_of
from ramiel.dialects.torch.operation import NODE, STAGES
from ramiel.errors import CompileError, shorten
from ramiel.schedule.list_scheduling import list_schedule_at
from ramiel.schedule.order import order_tasks
from ramiel.schedule.throughput import stages_of
from ramiel.torch_level.placements import Placed, check_workers, write_placement, write_streaming
from ramiel.torch_level.tasks import Tasks, main_function, tasks_of


@dataclass(frozen=True)
class ClusterPlacedPass(ModulePass):
    """Places each operation on the worker of its pipeline stage in a device configuration.

    Stage k is on worker k, or on rank k, whose workers are found by list scheduling.
    `configuration` may be left out if the model has one only. Needs costs, by which the operations
    of a worker are ordered. If no stage reads a value of a later one, requests that follow each
    other pass through the stages; how they do where stages are ranks is left to cluster-requests.

    An operation has the stage of the node whose value it computes; one that comes from no node has
    the latest of those whose values it reads, or else the earliest of its readers.

        module attributes {onnx.configurations = ["two"]}
        %y = torch.call F.relu(%x) {torch.stages = array<i64: 1>, cluster.cost = 9.0 : f64} : ...
        // becomes
        %y = torch.call F.relu(%x) {..., cluster.workers = [array<i64: 1>],
                                    cluster.position = array<i64: 2>} : ...
    """

    name = "cluster-placed"

    workers: int = 2
    configuration: str = ""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        check_workers(self.workers)
        function = main_function(op)
        tasks = tasks_of(function)
        names = _configurations(op)
        which = _chosen(names, self.configuration)
        stages = _stages(tasks, which, names)
        worker_of = _workers(tasks.graph, stages, self.workers)
        if tasks.graph.ranks:
            placement = list_schedule_at(tasks.graph, stages)
        else:
            placement = order_tasks(tasks.graph, worker_of, self.workers)
        write_placement(function, Placed("placed", tasks, tasks.graph, placement))
        if not tasks.graph.ranks and all(
            stages[producer] <= stages[consumer] for producer, consumer in tasks.graph.edges
        ):
            write_streaming(function, stages_of(placement))


def _configurations(module: ModuleOp) -> list[str]:
    names = module.attributes.get(CONFIGURATIONS)
    if not isinstance(names, ArrayAttr):
        return []
    return [text_of(name) or "" for name in cast(ArrayAttr[Attribute], names)]


def _chosen(names: Sequence[str], name: str) -> int:
    """The number of the configuration of a name, or of the only one."""
    if not names:
        raise CompileError("the model has no device configuration that says where nodes run")
    known = ", ".join(map(shorten, names))
    if name and name not in names:
        raise CompileError(f"there is no device configuration {shorten(name)!r}; there are {known}")
    if not name and len(names) > 1:
        raise CompileError(f"the model has several device configurations, choose one of {known}")
    return names.index(name) if name else 0


def _stages(tasks: Tasks, which: int, names: Sequence[str]) -> list[int]:
    """The stage of each task in a configuration. Raises CompileError if a node has none."""
    stages: list[int] = []
    for op in tasks.ops:
        written = integers(op, STAGES)
        if written and len(written) != len(names):
            raise CompileError(
                f"{op.title} has {len(written)} stage(s) for {len(names)} device configuration(s)"
            )
        stage = written[which] if written else -1
        if stage < 0 and NODE in op.attributes:
            raise CompileError(
                f"{op.title} has no pipeline stage in the device configuration "
                f"{shorten(names[which])!r}"
            )
        stages.append(stage)
    graph = tasks.graph
    for task, stage in enumerate(stages):
        if stage < 0:
            stages[task] = max((stages[p] for p in graph.predecessors[task]), default=-1)
    for task in reversed(range(len(stages))):
        if stages[task] < 0:
            stages[task] = min((stages[c] for c in graph.successors[task]), default=0)
    return stages


def _workers(graph: TaskGraph, stages: Sequence[int], workers: int) -> list[int]:
    """The worker of each task: the first of its rank if there are ranks."""
    first = [graph.team_of(r)[0] for r in range(graph.rank_count)] if graph.ranks else None
    hosts = first or list(range(workers))
    last = max(stages, default=0)
    if last >= len(hosts):
        what = "rank" if first else "worker"
        raise CompileError(
            f"the model has a pipeline stage {last}, which needs {last + 1} {what}s; there "
            f"{'is' if len(hosts) == 1 else 'are'} {len(hosts)}: give more with --{what}s"
        )
    return [hosts[stage] for stage in stages]
