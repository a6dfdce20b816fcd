"""cluster-channels: turns a placement into workers with channels between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from os.path import commonprefix

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import (
    ArrayAttr,
    DenseArrayBase,
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
from ramiel.analysis.memory import most_bytes
from ramiel.analysis.sharing import timeline_of
from ramiel.analysis.streaming import steady
from ramiel.dialects.cluster import (
    ChannelOp,
    ProgramOp,
    RecvOp,
    SectionOp,
    SendOp,
    SignalOp,
    WaitOp,
    WorkerOp,
)
from ramiel.dialects.cluster.attributes import (
    CLUSTER,
    COST,
    CPU,
    LANE,
    MERGE,
    POSITION,
    RANKS,
    RESERVES,
    SEARCH,
    SHARE,
    WIDE_COST,
    WORKERS,
    Executor,
    device_of,
    integers,
)
from ramiel.dialects.torch import ThreadsOp, TorchOperation, WeightOp
from ramiel.dialects.torch.operation import NAMES, PYTHON_NAME
from ramiel.errors import CompileError
from ramiel.torch_level.placements import Placed, limit_of, read_placement, read_streaming
from ramiel.torch_level.tasks import main_function


@dataclass(frozen=True)
class ClusterChannelsPass(ModulePass):
    """Adds the `cluster.program`: the operations of each worker, in order.

    A value that crosses workers goes through a channel. If an operation takes over a core from
    another worker without a value, a turn orders the two. The function stays as the serial program
    of one sample, with the same thread counts. A schedule whose values occupy more than
    `memory_limit` bytes is refused; 0 is no limit. With `executor=processes` workers are processes,
    with `executor=distributed` each has a rank. If a pass has chosen how requests are streamed,
    that is written with its predicted interval and latency. Needs names and a placement.

        %y = torch.call F.relu(%x) {cluster.workers = [array<i64: 1>], ...} : ...
        // becomes, in the program
        cluster.worker 1 {
          %x = cluster.recv @x : tensor<4xf32>
          %y = torch.call F.relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
          cluster.send @y %y : tensor<4xf32>
        }
    """

    name = "cluster-channels"

    memory_limit: int = 0
    executor: str = ""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        function = main_function(op)
        written = read_placement(function)
        placed = written.numbered()
        graph, placement = placed.graph, placed.placement
        timeline = timeline_of(graph, placement)
        memory = most_bytes(graph, placement, timeline)
        if (limit := limit_of(self.memory_limit)) is not None and memory > limit:
            others = "the schedules auto and list can keep to it"
            others = others if device_of(function) == CPU else "fewer streams may keep to it"
            raise CompileError(
                f"the schedule {placed.name!r} needs {memory / 1e6:.1f} MB for its values"
                f"{' and weights on one rank' if graph.ranks else ''}, the limit is "
                f"{limit / 1e6:.1f} MB: {others}"
            )
        is_distributed = self.executor == Executor.DISTRIBUTED
        if graph.ranks and not is_distributed:
            raise CompileError(f"several ranks need the executor {Executor.DISTRIBUTED}")
        program = _Materializer(function, placed, is_distributed).program()
        leading = set(placement.leaders(len(graph)))
        available = len(written.placement.workers)
        program.attributes.update(
            {
                "schedule": StringAttr(placed.name),
                "clusters_before_merge": _distinct(placed, CLUSTER),
                "clusters": _distinct(placed, LANE),
                "batch": IntegerAttr(placed.batch, i64),
                "workers": IntegerAttr(max(len(leading), 1), i64),
                "cores": IntegerAttr(len(placement.workers), i64),
                "channels": IntegerAttr(timeline.hand_overs, i64),
                "serial_us": _us(graph.serial),
                "parallel_us": _us(timeline.makespan),
                "critical_path_us": _us(critical_path(graph)[0]),
                "bound_us": _us(bound(graph, available)),
                "memory_bytes": IntegerAttr(int(memory), i64),
            }
        )
        if (idle := len(set(integers(function, RANKS))) - program.ranks) > 0:
            program.attributes["idle_ranks"] = IntegerAttr(idle, i64)
        program.attributes.update(_streaming(function, placed))
        if (device := device_of(function)) != CPU:
            program.attributes["device"] = StringAttr(device)
        if self.executor:
            program.attributes["executor"] = StringAttr(self.executor)
        if (search := function.attributes.get(SEARCH)) is not None:
            program.attributes["search"] = search
        _set_threads(function, placed)
        op.body.block.add_op(program)


def _streaming(function: func.FuncOp, placed: Placed) -> dict[str, Attribute]:
    """How requests that follow each other are computed, if it was chosen, and its prediction."""
    if (streaming := read_streaming(function)) is None:
        return {}
    try:
        found = steady(placed.graph, placed.placement, streaming, placed.batch)
    except ValueError as error:
        raise CompileError(f"requests cannot be streamed: {error}") from error
    return {
        "streaming": StringAttr(streaming.way),
        "at_a_time": IntegerAttr(streaming.at_a_time, i64),
        "in_flight": IntegerAttr(streaming.in_flight, i64),
        "interval_us": _us(found.interval),
        "latency_us": _us(found.latency),
    }


def _distinct(placed: Placed, attribute: str) -> IntegerAttr:
    """The number of distinct values of an attribute; 0 if no operation has it."""
    return IntegerAttr(len({op.attributes.get(attribute) for op in placed.tasks.ops} - {None}), i64)


def _us(value: float) -> FloatAttr:
    return FloatAttr(round(value, 1), f64)


def _set_threads(function: func.FuncOp, placed: Placed) -> None:
    """Sets the thread counts of the serial program to those of the first sample."""
    threads = placed.placement.threads(len(placed.graph))
    current = 1
    for op, count in zip(placed.tasks.ops, threads, strict=False):
        if count != current:
            function.body.block.insert_op_before(ThreadsOp.of(count), op)
            current = count


class _Materializer:
    """Materializes a placement as workers with channels.

    A value of the program is identified by its sample and the value of the function.
    """

    def __init__(self, function: func.FuncOp, placed: Placed, is_distributed: bool) -> None:
        self.function = function
        self.ops = placed.tasks.ops
        self.batch = placed.batch
        self.graph = placed.graph
        self.workers = placed.placement.workers
        self.leader = placed.placement.leaders(len(self.graph))
        # Workers that only lend their cores need no program.
        self.count = max(len(set(self.leader)), 1)
        self.holders: list[list[int]] = [[] for _ in self.leader]
        for worker, tasks in enumerate(self.workers):
            for task in tasks:
                self.holders[task].append(worker)
        self.ranks = [
            self.graph.rank_of(worker) if is_distributed else None for worker in range(self.count)
        ]
        self.channels: dict[tuple[int, SSAValue], str] = {}
        self.turns = self._turns()

    def program(self) -> ProgramOp:
        block = self.function.body.block
        assert block.last_op is not None
        outputs = list(dict.fromkeys(block.last_op.operands))
        declared = self._declare_channels(outputs)
        bodies = [self._worker(number, outputs) for number in range(self.count)]
        region = Region(Block([*declared, *bodies]))
        return ProgramOp.of(f"{self.function.sym_name.data}_parallel", region, {})

    def _turns(self) -> dict[tuple[int, int], str]:
        """The turns, by pairs of consecutive tasks on a core that different workers lead, if the
        second does not read a value of the first."""
        block = self.function.body.block
        values = [*block.args, *(r for op in block.ops for r in op.results)]
        taken = {self._of_sample(self._name(v), b) for v in values for b in range(self.batch)}
        turns: dict[tuple[int, int], str] = {}
        number = 0
        for order in self.workers:
            for pair in pairwise(order):
                task, following = pair
                if self.leader[task] == self.leader[following] or pair in turns:
                    continue
                if following not in self.graph.successors[task]:
                    number += 1
                    while f"turn_{number}" in taken:
                        number += 1
                    turns[pair] = f"turn_{number}"
        return turns

    def _declare_channels(self, outputs: Sequence[SSAValue]) -> list[ChannelOp]:
        """Declares a channel for each input, crossing value, output and turn."""
        task_of: dict[SSAValue, int] = {r: i for i, op in enumerate(self.ops) for r in op.results}
        channels: list[ChannelOp] = []
        for sample in range(self.batch):
            crossing: dict[SSAValue, None] = {}
            copies = sample * len(self.ops)
            for i, op in enumerate(self.ops, copies):
                for value in op.operands:
                    producer = task_of.get(value)
                    if producer is not None and self.leader[copies + producer] != self.leader[i]:
                        crossing[value] = None
            for arg in self.function.body.block.args:
                channels.append(self._channel("input", sample, arg))
            for value in crossing:
                if value not in outputs:
                    channels.append(self._channel("value", sample, value))
            for value in outputs:
                if (sample, value) not in self.channels:
                    channels.append(self._channel("output", sample, value))
        return channels + [ChannelOp.of("turn", name) for name in self.turns.values()]

    def _channel(self, kind: str, sample: int, value: SSAValue) -> ChannelOp:
        name = self._of_sample(self._name(value), sample)
        self.channels[sample, value] = name
        return ChannelOp.of(kind, name, value.type)

    def _of_sample(self, name: str, sample: int) -> str:
        """The name of one sample's copy, unique to the value and the sample; `_`, the name of
        unused results, stays."""
        return f"{name}_{sample}" if self.batch > 1 and name != "_" else name

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

    def _worker(self, number: int, outputs: Sequence[SSAValue]) -> WorkerOp:
        body = _Body()
        lead = [task for task in self.workers[number] if self.leader[task] == number]
        signals, waits = self._turns_of(number)
        for section in self._sections(lead):
            title = self._title(section)
            if title is not None:
                body.block.add_op(title)
            for task in section:
                self._task(task, body, waits.get(task, ()), signals.get(task, ()))
        if number == 0:
            for sample in range(self.batch):
                for value in outputs:
                    if isinstance(value.owner, WeightOp):
                        local = self._local(body, sample, value)
                        body.block.add_op(SendOp.of(self.channels[sample, value], local))
        return WorkerOp.of(number, Region(body.block), self.ranks[number])

    def _turns_of(self, number: int) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
        """The turns that a worker signals after its tasks, and waits for before them."""
        signals: dict[int, list[str]] = {}
        waits: dict[int, list[str]] = {}
        for (task, following), name in self.turns.items():
            if self.leader[task] == number:
                signals.setdefault(task, []).append(name)
            if self.leader[following] == number:
                waits.setdefault(following, []).append(name)
        return signals, waits

    def _task(self, task: int, body: _Body, waits: Iterable[str], signals: Iterable[str]) -> None:
        sample, i = divmod(task, len(self.ops))
        op, block = self.ops[i], body.block
        for value in op.operands:
            self._local(body, sample, value)
        for name in waits:
            block.add_op(WaitOp.of(name))
        body.run_on([w for w in self.holders[task] if w != self.leader[task]])
        copy = op.clone({value: body.values[sample, value] for value in op.operands})
        # The copy does not need the attributes of its placement; visualizations need its cluster.
        for attribute in (COST, WIDE_COST, SHARE, LANE, MERGE, WORKERS, POSITION):
            copy.attributes.pop(attribute, None)
        copy.attributes[NAMES] = _names([self._of_sample(n, sample) for n in op.python_names])
        block.add_op(copy)
        for old, new in zip(op.results, copy.results, strict=True):
            body.values[sample, old] = new
            if (channel := self.channels.get((sample, old))) is not None:
                block.add_op(SendOp.of(channel, new))
        for name in signals:
            block.add_op(SignalOp.of(name))

    def _local(self, body: _Body, sample: int, value: SSAValue) -> SSAValue:
        """The worker's own copy of a value: computed here, received, or a weight."""
        if (sample, value) not in body.values:
            if isinstance(value.owner, WeightOp):
                local = body.weights.get(value)
                if local is None:
                    copy = value.owner.clone()
                    body.block.add_op(copy)
                    local = body.weights[value] = copy.results[0]
            else:
                channel = self.channels[sample, value]
                recv = RecvOp.of(channel, value.type)
                recv.attributes[NAMES] = _names([channel])
                recv.value.name_hint = value.name_hint
                body.block.add_op(recv)
                local = recv.value
            body.values[sample, value] = local
        return body.values[sample, value]

    def _sections(self, tasks: Sequence[int]) -> Iterable[list[int]]:
        """A worker's tasks, split where the cluster changes."""
        section: list[int] = []
        for task in tasks:
            if section and self._cluster(task) != self._cluster(section[-1]):
                yield section
                section = []
            section.append(task)
        if section:
            yield section

    def _cluster(self, task: int) -> Attribute | None:
        return self.ops[task % len(self.ops)].attributes.get(CLUSTER)

    def _title(self, section: Sequence[int]) -> SectionOp | None:
        """The `cluster.section` of tasks: its cluster, a common name of its values, its cost."""
        number = self._cluster(section[0])
        if not isinstance(number, IntegerAttr):
            return None
        count = len(self.ops)
        ops = [self.ops[i] for i in dict.fromkeys(task % count for task in section)]
        title = _common([self._name(op.results[0]) for op in ops])
        if self.batch > 1:
            samples = sorted({task // count for task in section})
            numbers = (" and " if len(samples) == 2 else ", ").join(map(str, samples))
            title += f", {'sample' if len(samples) == 1 else 'samples'} {numbers}"
        cost = sum(self.graph.costs_on(len(self.holders[task]))[task] for task in section)
        return SectionOp.of(number.value.data, title, cost)


class _Body:
    """A worker under construction: its operations, its values, and its current lenders."""

    def __init__(self) -> None:
        self.block = Block()
        self.values: dict[tuple[int, SSAValue], SSAValue] = {}
        self.weights: dict[SSAValue, SSAValue] = {}
        self.lenders: list[int] = []

    def run_on(self, lenders: list[int]) -> None:
        """Makes the following operations run on the cores of `lenders` as well."""
        if lenders == self.lenders:
            return
        mark = ThreadsOp.of(1 + len(lenders))
        if lenders:
            mark.attributes[RESERVES] = DenseArrayBase.from_list(i64, lenders)
        self.block.add_op(mark)
        self.lenders = lenders


def _common(names: Sequence[str]) -> str:
    """The common prefix of names, in whole words; without one, the first and the last name."""
    words = [f"{n}_" for n in names]
    shared = commonprefix(words).rpartition("_")[0]
    if shared or len(names) == 1:
        return shared or names[0]
    return f"{names[0]} to {names[-1]}"


def _names(names: Sequence[str]) -> ArrayAttr[Attribute]:
    return ArrayAttr([StringAttr(n) for n in names])
