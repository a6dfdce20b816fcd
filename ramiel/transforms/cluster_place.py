"""cluster-place: clusters onto workers, with the channels between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os.path import commonprefix

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import (
    ArrayAttr,
    FloatAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    f64,
    i64,
)
from xdsl.ir import Attribute, Block, OpResult, Region, SSAValue
from xdsl.passes import ModulePass

from ramiel.analysis.critical_path import bound, critical_path
from ramiel.analysis.simulate import simulate
from ramiel.dialects.cluster import ChannelOp, ProgramOp, RecvOp, SectionOp, SendOp, WorkerOp
from ramiel.dialects.cluster.ops import CLUSTER, LANE
from ramiel.dialects.torch import TorchOperation, WeightOp
from ramiel.dialects.torch.operation import NAMES, PYTHON_NAME
from ramiel.errors import CompileError
from ramiel.schedule.choose import Choice, choose
from ramiel.schedule.place import place, serial
from ramiel.tasks import Tasks, main_function, numbers_of, tasks_of

SCHEDULES = ("auto", "linear", "serial")
MOST_WORKERS = 1024
GAIN = 0.95
"""`auto` takes a parallel schedule if it is simulated to need at most this part of the serial
time: a static cost model cannot tell smaller gains from none."""


@dataclass(frozen=True)
class ClusterPlacePass(ModulePass):
    """Places clusters on workers and adds the `cluster.program` that says what each one runs.

    `schedule` is `linear` (the best simulated placement of the linear or merged clusters),
    `serial` (one worker), or `auto` (whichever is simulated to be faster). The function itself
    stays: it is the serial program. Needs names, costs, clusters and lanes.
    """

    name = "cluster-place"

    workers: int = 2
    schedule: str = "auto"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if not 1 <= self.workers <= MOST_WORKERS:
            raise CompileError(f"workers must be 1 to {MOST_WORKERS}, not {self.workers}")
        if self.schedule not in SCHEDULES:
            raise CompileError(
                f"there is no schedule {self.schedule!r}; there are {', '.join(SCHEDULES)}"
            )
        function = main_function(op)
        tasks = tasks_of(function)
        clusters = numbers_of(tasks.ops, CLUSTER, "cluster-linear")
        lanes = numbers_of(tasks.ops, LANE, "cluster-merge")
        choice = self._choose(tasks, clusters, lanes)
        workers = [w for w in choice.placement.workers if w] or [()]
        program = _Materializer(function, tasks, workers).program()
        graph = tasks.graph
        program.attributes.update(
            {
                "schedule": StringAttr(choice.name),
                "clusters_before_merge": IntegerAttr(len(clusters), i64),
                "clusters": IntegerAttr(len(lanes), i64),
                "workers": IntegerAttr(len(workers), i64),
                "channels": IntegerAttr(choice.timeline.hand_overs, i64),
                "serial_us": _us(graph.work),
                "parallel_us": _us(choice.timeline.makespan),
                "critical_path_us": _us(critical_path(graph)[0]),
                "bound_us": _us(bound(graph, self.workers)),
            }
        )
        op.body.block.add_op(program)

    def _choose(self, tasks: Tasks, clusters: list[list[int]], lanes: list[list[int]]) -> Choice:
        graph = tasks.graph
        one = Choice("serial", serial(graph), simulate(graph, serial(graph)))
        if self.schedule == "serial" or self.workers == 1:
            return one
        best = choose(
            graph,
            {
                "linear, merged": place(graph, lanes, self.workers),
                "linear": place(graph, clusters, self.workers),
            },
        )
        if self.schedule == "auto" and best.timeline.makespan > GAIN * one.timeline.makespan:
            return one
        return best


def _us(value: float) -> FloatAttr:
    return FloatAttr(round(value, 1), f64)


class _Materializer:
    """Writes a placement as workers with channels."""

    def __init__(
        self, function: func.FuncOp, tasks: Tasks, workers: Sequence[Sequence[int]]
    ) -> None:
        self.function = function
        self.tasks = tasks
        self.workers = workers
        self.channels: dict[SSAValue, str] = {}

    def program(self) -> ProgramOp:
        block = self.function.body.block
        assert block.last_op is not None
        outputs = list(dict.fromkeys(block.last_op.operands))
        declared = self._declare_channels(outputs)
        bodies = [self._worker(number, tasks, outputs) for number, tasks in enumerate(self.workers)]
        region = Region(Block([*declared, *bodies]))
        return ProgramOp.of(f"{self.function.sym_name.data}_parallel", region, {})

    def _declare_channels(self, outputs: Sequence[SSAValue]) -> list[ChannelOp]:
        """A channel for each input, each value that crosses workers, and each output."""
        worker_of = {t: w for w, tasks in enumerate(self.workers) for t in tasks}
        task_of: dict[SSAValue, int] = {
            r: i for i, op in enumerate(self.tasks.ops) for r in op.results
        }
        crossing: dict[SSAValue, None] = {}
        for i, op in enumerate(self.tasks.ops):
            for value in op.operands:
                if value in task_of and worker_of[task_of[value]] != worker_of[i]:
                    crossing[value] = None
        channels: list[ChannelOp] = []
        for arg in self.function.body.block.args:
            channels.append(self._channel("input", arg))
        for value in crossing:
            if value not in outputs:
                channels.append(self._channel("value", value))
        for value in outputs:
            if value not in self.channels:
                channels.append(self._channel("output", value))
        return channels

    def _channel(self, kind: str, value: SSAValue) -> ChannelOp:
        name = self._name(value)
        self.channels[value] = name
        return ChannelOp.of(kind, name, value.type)

    def _name(self, value: SSAValue) -> str:
        """The Python name of a value, which its channel shares."""
        if isinstance(value, OpResult):
            owner = value.owner
            assert isinstance(owner, TorchOperation)
            if isinstance(owner, WeightOp):
                return owner.layer_name or "weight"
            if not owner.python_names:
                raise CompileError(f"{owner.name} has no name: run torch-assign-names first")
            return owner.python_names[value.index]
        arg_attrs = self.function.arg_attrs
        entry = arg_attrs.data[value.index].data.get(PYTHON_NAME) if arg_attrs else None  # pyright: ignore
        if not isinstance(entry, StringAttr):
            raise CompileError("an input has no name: run torch-assign-names first")
        return entry.data

    def _worker(self, number: int, tasks: Sequence[int], outputs: Sequence[SSAValue]) -> WorkerOp:
        block = Block()
        values: dict[SSAValue, SSAValue] = {}

        def local(value: SSAValue) -> SSAValue:
            """The worker's own copy of a value: computed here, received, or a weight."""
            if value not in values:
                if isinstance(value.owner, WeightOp):
                    copy = value.owner.clone()
                    block.add_op(copy)
                    values[value] = copy.results[0]
                else:
                    recv = RecvOp.of(self.channels[value], value.type)
                    recv.attributes[NAMES] = _names([self.channels[value]])
                    recv.value.name_hint = value.name_hint
                    block.add_op(recv)
                    values[value] = recv.value
            return values[value]

        for section in _sections(tasks, self.tasks.ops):
            block.add_op(self._title(section))
            for task in section:
                op = self.tasks.ops[task]
                for value in op.operands:
                    local(value)
                copy = op.clone(values)
                block.add_op(copy)
                for old, new in zip(op.results, copy.results, strict=True):
                    if (channel := self.channels.get(old)) is not None:
                        block.add_op(SendOp.of(channel, new))
        if number == 0:
            for value in outputs:
                if isinstance(value.owner, WeightOp):
                    block.add_op(SendOp.of(self.channels[value], local(value)))
        return WorkerOp.of(number, Region(block))

    def _title(self, section: Sequence[int]) -> SectionOp:
        """The mark of a section: its cluster, what its values have in common, and its cost."""
        ops = self.tasks.ops
        number = ops[section[0]].attributes[CLUSTER]
        assert isinstance(number, IntegerAttr)
        names = [self._name(ops[t].results[0]) for t in section]
        cost = sum(self.tasks.graph.costs[t] for t in section)
        return SectionOp.of(number.value.data, _common(names), cost)


def _common(names: Sequence[str]) -> str:
    """What names have in common, in whole words; else the first and the last."""
    words = [f"{n}_" for n in names]
    shared = commonprefix(words).rpartition("_")[0]
    if shared or len(names) == 1:
        return shared or names[0]
    return f"{names[0]} to {names[-1]}"


def _sections(tasks: Sequence[int], ops: Sequence[TorchOperation]) -> Iterable[list[int]]:
    """A worker's tasks, cut where the cluster changes."""
    section: list[int] = []
    for task in tasks:
        if section and ops[task].attributes[CLUSTER] != ops[section[-1]].attributes[CLUSTER]:
            yield section
            section = []
        section.append(task)
    if section:
        yield section


def _names(names: Sequence[str]) -> ArrayAttr[Attribute]:
    return ArrayAttr([StringAttr(n) for n in names])
