"""The operations of the `cluster` dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from xdsl.dialects.builtin import (
    I64,
    Float64Type,
    FloatAttr,
    IntegerAttr,
    StringAttr,
    SymbolNameConstraint,
    f64,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue, TypeAttribute
from xdsl.irdl import (
    AnyAttr,
    EqIntConstraint,
    IRDLOperation,
    RangeOf,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import HasParent, IsolatedFromAbove, NoTerminator, SymbolTable
from xdsl.utils.exceptions import VerifyException

from ramiel.dialects.cluster.attributes import (
    CPU,
    CUDA,
    TAKES,
    Executor,
    device_of,
    executor_of,
    reserved_by,
)
from ramiel.dialects.cluster.ranks import Crossing, crossings, verify_ranks
from ramiel.dialects.cluster.streaming import verify_streaming
from ramiel.dialects.cluster.verify import Compute, Event, Recv, Send, Threads, verify_program
from ramiel.dialects.torch import FreeOp, Task, ThreadsOp, TorchOperation, WeightOp
from ramiel.dialects.torch.operation import is_identifier

KINDS = ("input", "value", "output", "turn")
NO_ARGUMENTS = RangeOf(AnyAttr()).of_length(EqIntConstraint(0))


@irdl_op_definition
class ProgramOp(IRDLOperation):
    """A schedule: channels and workers. Its attributes hold counts, simulated times and memory, and
    how requests that follow each other are computed (streaming.py).

    With `device = "cuda"` a worker is a stream and a channel an event. With
    `executor = "processes"` a worker is a process, and a value in memory that all of them share.
    With `executor = "distributed"` each worker is a thread of a rank, a process that is usually on
    a machine of its own, and channels that cross ranks are messages (ranks.py).
    """

    name = "cluster.program"
    traits = traits_def(NoTerminator(), SymbolTable(), IsolatedFromAbove())
    sym_name = prop_def(SymbolNameConstraint())
    body = region_def("single_block", entry_args=NO_ARGUMENTS)

    @classmethod
    def of(cls, name: str, region: Region, attributes: Mapping[str, Attribute]) -> Self:
        return cls.create(
            properties={"sym_name": StringAttr(name)}, regions=[region], attributes=attributes
        )

    @property
    def channels(self) -> list[ChannelOp]:
        return [op for op in self.body.block.ops if isinstance(op, ChannelOp)]

    @property
    def workers(self) -> list[WorkerOp]:
        return [op for op in self.body.block.ops if isinstance(op, WorkerOp)]

    @property
    def device(self) -> str:
        """The kind of device whose threads or streams the workers are."""
        return device_of(self, "device")

    @property
    def executor(self) -> str:
        """What the workers are: an Executor, once this is verified."""
        return executor_of(self.device, self.attributes.get("executor"))

    @property
    def ranks(self) -> int:
        """The number of ranks that have a worker."""
        return len({worker.rank for worker in self.workers})

    @property
    def crossings(self) -> list[Crossing]:
        """The channels that cross ranks."""
        return crossings(self._typed, self._events, [worker.rank or 0 for worker in self.workers])

    @property
    def _typed(self) -> dict[str, tuple[str, Attribute | None]]:
        return {c.sym_name.data: (c.kind, c.type) for c in self.channels}

    @property
    def _events(self) -> list[list[Event]]:
        return [[_event(op) for op in worker.body.block.ops] for worker in self.workers]

    @property
    def batch(self) -> int:
        """The number of samples that run at the same time; 1 if there is no `batch` attribute."""
        batch = self.attributes.get("batch")
        return max(batch.value.data, 1) if isinstance(batch, IntegerAttr) else 1

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        name = parser.parse_symbol_name()
        attributes = parser.parse_optional_attr_dict_with_keyword()
        region = _parse_region(parser)
        return cls.of(name.data, region, dict(attributes.data) if attributes else {})

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.sym_name.data)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.body)

    def verify_(self) -> None:
        for op in self.body.block.ops:
            if not isinstance(op, ChannelOp | WorkerOp):
                raise VerifyException(f"a program holds only channels and workers, not {op.name}")
        numbers = [w.number.value.data for w in self.workers]
        if numbers != list(range(len(numbers))) or not numbers:
            raise VerifyException(f"workers must be numbered 0, 1, ...; got {numbers}")
        events = self._events
        verify_program(self._typed, events)
        for worker in self.workers:
            _verify_order(worker)
        if self.device not in (CPU, CUDA):
            raise VerifyException(f"there is no kind of device {self.device!r}: {CPU} or {CUDA}")
        if self.executor not in tuple(Executor):
            known = ", ".join(Executor)
            raise VerifyException(f"there is no executor {self.executor!r}; there are {known}")
        if (self.device == CUDA) != (self.executor == Executor.STREAMS):
            raise VerifyException(f"workers on the device {self.device} cannot be {self.executor}")
        if self.device == CUDA:
            for worker in self.workers:
                _verify_stream(worker)
        wide = any(isinstance(op, ThreadsOp) and op.count.value.data > 1 for op in self.walk())
        verify_streaming(self.attributes, self.device, self.batch, wide)
        if self.executor == Executor.DISTRIBUTED:
            verify_ranks(self._typed, events, [worker.rank for worker in self.workers])
        elif any(worker.rank is not None for worker in self.workers):
            raise VerifyException(f"workers that are {self.executor} have no ranks")


def _parse_region(parser: Parser) -> Region:
    """Parses a region of one block; the parser gives an empty region no block."""
    region = parser.parse_region()
    if not region.blocks:
        region.add_block(Block())
    return region


def _event(op: Operation) -> Event:
    """The scheduling event of an operation; None if it has none."""
    match op:
        case SendOp():
            return Send(op.channel.data, op.value.type)
        case SignalOp():
            return Send(op.channel.data, None)
        case RecvOp():
            return Recv(op.channel.data, op.value.type, op.takes)
        case WaitOp():
            return Recv(op.channel.data, None)
        case ThreadsOp():
            return Threads(op.count.value.data, reserved_by(op))
        case _:
            return Compute() if isinstance(op, Task) else None


def _verify_order(worker: WorkerOp) -> None:
    """Checks that values are defined before their uses, which xDSL does not."""
    seen: set[SSAValue] = set()
    number = worker.number.value.data
    for op in worker.body.block.ops:
        for value in op.operands:
            if value not in seen:
                raise VerifyException(
                    f"worker {number}: {op.name} uses a value that is not computed there "
                    "before, or is freed"
                )
        seen.update(op.results)
        if isinstance(op, FreeOp):
            seen.difference_update(op.operands)


def _verify_stream(worker: WorkerOp) -> None:
    """Checks that a stream has no threads."""
    if any(isinstance(op, ThreadsOp) for op in worker.body.block.ops):
        raise VerifyException(
            f"worker {worker.number.value.data} is a stream, which has no threads"
        )


@irdl_op_definition
class ChannelOp(IRDLOperation):
    """Declares a channel. The caller sends on `input` channels and receives on `output` channels.

    A `turn` carries no value: a wait for it returns once its signal has been given.
    """

    name = "cluster.channel"
    traits = traits_def(HasParent(ProgramOp))
    kind_attr = prop_def(StringAttr, prop_name="kind")
    sym_name = prop_def(SymbolNameConstraint())
    type = opt_prop_def()

    @classmethod
    def of(cls, kind: str, name: str, type: Attribute | None = None) -> Self:
        properties: dict[str, Attribute] = {
            "kind": StringAttr(kind),
            "sym_name": StringAttr(name),
        }
        if type is not None:
            properties["type"] = type
        return cls.create(properties=properties)

    @property
    def kind(self) -> str:
        return self.kind_attr.data

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        kind = parser.parse_keyword_in(KINDS)
        name = parser.parse_symbol_name()
        attributes = parser.parse_optional_attr_dict()
        has_type = parser.parse_optional_punctuation(":") is not None
        op = cls.of(kind, name.data, parser.parse_type() if has_type else None)
        op.attributes.update(attributes)
        return op

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.kind} ")
        printer.print_symbol_name(self.sym_name.data)
        printer.print_op_attributes(self.attributes)
        if self.type is not None:
            printer.print_string(" : ")
            printer.print_attribute(self.type)

    def verify_(self) -> None:
        if self.kind not in KINDS:
            raise VerifyException(f"a channel must be one of {', '.join(KINDS)}")
        if isinstance(self.type, TypeAttribute) == (self.kind == "turn"):
            raise VerifyException("a channel must have a type, unless it is a turn")
        if not is_identifier(self.sym_name.data):
            raise VerifyException(f"{self.sym_name.data!r} is not a Python identifier")


@irdl_op_definition
class WorkerOp(IRDLOperation):
    """A straight-line program that one thread runs: `cluster.worker 2 rank 1 {...}` on a rank."""

    name = "cluster.worker"
    traits = traits_def(NoTerminator(), IsolatedFromAbove(), HasParent(ProgramOp))
    number = prop_def(IntegerAttr[I64])
    rank_attr = opt_prop_def(IntegerAttr[I64], prop_name="rank")
    body = region_def("single_block", entry_args=NO_ARGUMENTS)

    @classmethod
    def of(cls, number: int, region: Region, rank: int | None = None) -> Self:
        properties: dict[str, Attribute] = {"number": IntegerAttr(number, i64)}
        if rank is not None:
            properties["rank"] = IntegerAttr(rank, i64)
        return cls.create(properties=properties, regions=[region])

    @property
    def rank(self) -> int | None:
        """The process that it is a thread of, if there are several."""
        return None if self.rank_attr is None else self.rank_attr.value.data

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        number = parser.parse_integer(allow_boolean=False, allow_negative=False)
        rank = None
        if parser.parse_optional_keyword("rank") is not None:
            rank = parser.parse_integer(allow_boolean=False, allow_negative=False)
        return cls.of(number, _parse_region(parser), rank)

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.number.value.data} ")
        if self.rank is not None:
            printer.print_string(f"rank {self.rank} ")
        printer.print_region(self.body, print_empty_block=False)

    def verify_(self) -> None:
        for op in self.body.block.ops:
            if not isinstance(op, _InWorker):
                raise VerifyException(f"a worker cannot run {op.name}")


@irdl_op_definition
class SectionOp(IRDLOperation):
    """Starts a part of a cluster: the cluster's number, its title, and the part's cost, µs."""

    name = "cluster.section"
    traits = traits_def(HasParent(WorkerOp))
    cluster = prop_def(IntegerAttr[I64])
    title = prop_def(StringAttr)
    cost = prop_def(FloatAttr[Float64Type])

    @classmethod
    def of(cls, cluster: int, title: str, cost: float) -> Self:
        return cls.create(
            properties={
                "cluster": IntegerAttr(cluster, i64),
                "title": StringAttr(title),
                "cost": FloatAttr(cost, f64),
            }
        )

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        cluster = parser.parse_integer(allow_boolean=False, allow_negative=False)
        title = parser.parse_str_literal()
        return cls.of(cluster, title, float(parser.parse_number(allow_boolean=False)))

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.cluster.value.data} ")
        printer.print_string_literal(self.title.data)
        printer.print_string(f" {self.cost.value.data:.1f}")

    def verify_(self) -> None:
        if not all(c.isalnum() or c in " _-.," for c in self.title.data):
            raise VerifyException("a title may only contain letters, digits, spaces and ._-,")


@irdl_op_definition
class RecvOp(TorchOperation):
    """Waits for a channel's value. With `cluster.takes` it is the channel's only receive, and the
    channel does not keep the value alive."""

    name = "cluster.recv"
    traits = traits_def(HasParent(WorkerOp))
    channel = prop_def(SymbolNameConstraint())
    value = result_def()
    assembly_format = "$channel attr-dict `:` type($value)"

    @classmethod
    def of(cls, channel: str, type: Attribute) -> Self:
        return cls.create(properties={"channel": StringAttr(channel)}, result_types=[type])

    @property
    def takes(self) -> bool:
        return TAKES in self.attributes

    def verify_(self) -> None:
        self.verify_names()


@irdl_op_definition
class WaitOp(IRDLOperation):
    """Waits until a turn is signalled."""

    name = "cluster.wait"
    traits = traits_def(HasParent(WorkerOp))
    channel = prop_def(SymbolNameConstraint())
    assembly_format = "$channel attr-dict"

    @classmethod
    def of(cls, channel: str) -> Self:
        return cls.create(properties={"channel": StringAttr(channel)})


@irdl_op_definition
class SendOp(IRDLOperation):
    """Puts a value into a channel."""

    name = "cluster.send"
    traits = traits_def(HasParent(WorkerOp))
    channel = prop_def(SymbolNameConstraint())
    value = operand_def()
    assembly_format = "$channel $value attr-dict `:` type($value)"

    @classmethod
    def of(cls, channel: str, value: SSAValue) -> Self:
        return cls.create(properties={"channel": StringAttr(channel)}, operands=[value])


@irdl_op_definition
class SignalOp(IRDLOperation):
    """Signals a turn: the workers that wait for it go on."""

    name = "cluster.signal"
    traits = traits_def(HasParent(WorkerOp))
    channel = prop_def(SymbolNameConstraint())
    assembly_format = "$channel attr-dict"

    @classmethod
    def of(cls, channel: str) -> Self:
        return cls.create(properties={"channel": StringAttr(channel)})


_InWorker = Task | WeightOp | ThreadsOp | FreeOp | RecvOp | SendOp | SignalOp | WaitOp | SectionOp
"""The operations that a worker may contain."""
