"""The operations of the `cluster` dialect, and what makes a schedule valid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self, cast

from xdsl.dialects.builtin import FloatAttr, IntegerAttr, StringAttr, f64, i64
from xdsl.ir import Attribute, Block, Operation, OpResult, Region, SSAValue, TypeAttribute
from xdsl.irdl import traits_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import HasParent, IsolatedFromAbove, NoTerminator, SymbolTable
from xdsl.utils.exceptions import VerifyException

from ramiel.dialects.cluster.attributes import TAKES, reserved_by
from ramiel.dialects.cluster.verify import Compute, Event, Recv, Send, Threads, verify_program
from ramiel.dialects.torch import FreeOp, Task, ThreadsOp, TorchOperation, WeightOp
from ramiel.dialects.torch.operation import is_identifier, verify_properties

KINDS = ("input", "value", "output", "turn")


def _text(op: Operation, name: str) -> str:
    return cast(StringAttr, op.properties[name]).data


class ProgramOp(Operation):
    """A schedule: channels and workers. Its attributes say what is expected of it."""

    name = "cluster.program"
    traits = traits_def(NoTerminator(), SymbolTable(), IsolatedFromAbove())

    @classmethod
    def of(cls, name: str, region: Region, attributes: Mapping[str, Attribute]) -> Self:
        return cls.create(
            properties={"sym_name": StringAttr(name)}, regions=[region], attributes=attributes
        )

    @property
    def sym_name(self) -> str:
        return _text(self, "sym_name")

    @property
    def channels(self) -> list[ChannelOp]:
        return [op for op in self.regions[0].block.ops if isinstance(op, ChannelOp)]

    @property
    def workers(self) -> list[WorkerOp]:
        return [op for op in self.regions[0].block.ops if isinstance(op, WorkerOp)]

    @property
    def batch(self) -> int:
        """The number of samples that run at the same time; 1 if the program does not say it."""
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
        printer.print_symbol_name(self.sym_name)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" ")
        printer.print_region(self.regions[0])

    def verify_(self) -> None:
        verify_properties(self, sym_name=StringAttr)
        for op in _block(self).ops:
            if not isinstance(op, ChannelOp | WorkerOp):
                raise VerifyException(f"a program holds channels and workers, not {op.name}")
            op.verify_()
        numbers = [w.number for w in self.workers]
        if numbers != list(range(len(numbers))) or not numbers:
            raise VerifyException(f"workers must be numbered 0, 1, ...; got {numbers}")
        names = [c.sym_name for c in self.channels]
        if len(set(names)) < len(names):
            raise VerifyException("two channels have the same name")
        verify_program(
            {c.sym_name: (c.kind, c.type) for c in self.channels},
            [[_event(op) for op in _block(w).ops] for w in self.workers],
        )
        for worker in self.workers:
            _verify_order(worker)


def _parse_region(parser: Parser) -> Region:
    """Parses a region of one block. An empty one is text without any block."""
    region = parser.parse_region()
    if not region.blocks:
        region.add_block(Block())
    return region


def _block(op: Operation) -> Block:
    """The one block of a program or worker."""
    if len(op.regions) != 1 or len(op.regions[0].blocks) != 1 or op.regions[0].block.args:
        raise VerifyException("expected one region with one block without arguments")
    return op.regions[0].block


def _verify_values(op: Operation, operands: int, results: int) -> None:
    if len(op.operands) != operands or len(op.results) != results:
        raise VerifyException(f"expected {operands} operand(s) and {results} result(s)")


def _event(op: Operation) -> Event:
    """What an operation means to the schedule."""
    match op:
        case SendOp():
            return Send(op.channel, op.operands[0].type if op.operands else None)
        case RecvOp():
            return Recv(op.channel, op.results[0].type, op.takes)
        case WaitOp():
            return Recv(op.channel, None)
        case ThreadsOp():
            return Threads(op.count, reserved_by(op))
        case _:
            return Compute() if isinstance(op, Task) else None


def _verify_order(worker: WorkerOp) -> None:
    """xDSL does not check that values are defined before they are used."""
    seen: set[SSAValue] = set()
    for op in worker.regions[0].block.ops:
        for value in op.operands:
            if value not in seen:
                raise VerifyException(
                    f"worker {worker.number}: {op.name} uses a value that is not computed there "
                    "before, or is freed"
                )
        seen.update(op.results)
        if isinstance(op, FreeOp):
            seen.difference_update(op.operands)


class ChannelOp(Operation):
    """Declares a channel. `input` ones are sent by the caller, `output` ones received by it.

    A `turn` carries nothing: whoever waits for it goes on after what came before its send.
    """

    name = "cluster.channel"
    traits = traits_def(HasParent(ProgramOp))

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
        return _text(self, "kind")

    @property
    def sym_name(self) -> str:
        return _text(self, "sym_name")

    @property
    def type(self) -> Attribute | None:
        return self.properties.get("type")

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
        printer.print_symbol_name(self.sym_name)
        printer.print_op_attributes(self.attributes)
        if self.type is not None:
            printer.print_string(" : ")
            printer.print_attribute(self.type)

    def verify_(self) -> None:
        verify_properties(self, kind=StringAttr, sym_name=StringAttr)
        if self.kind not in KINDS:
            raise VerifyException(f"a channel is one of {', '.join(KINDS)}")
        if isinstance(self.type, TypeAttribute) == (self.kind == "turn"):
            raise VerifyException("a channel has a type, unless it is a turn")
        if not is_identifier(self.sym_name):
            raise VerifyException(f"{self.sym_name!r} is no Python identifier")


class WorkerOp(Operation):
    """A straight-line program that one thread runs."""

    name = "cluster.worker"
    traits = traits_def(NoTerminator(), IsolatedFromAbove(), HasParent(ProgramOp))

    @classmethod
    def of(cls, number: int, region: Region) -> Self:
        return cls.create(properties={"number": IntegerAttr(number, i64)}, regions=[region])

    @property
    def number(self) -> int:
        return cast(IntegerAttr, self.properties["number"]).value.data

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        number = parser.parse_integer(allow_boolean=False, allow_negative=False)
        return cls.of(number, _parse_region(parser))

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.number} ")
        printer.print_region(self.regions[0], print_empty_block=False)

    def verify_(self) -> None:
        verify_properties(self, number=IntegerAttr)
        for op in _block(self).ops:
            if not isinstance(op, _InWorker):
                raise VerifyException(f"a worker cannot run {op.name}")
            op.verify_()


class SectionOp(Operation):
    """What follows belongs to a cluster: its number, its title, and the cost of this part, µs."""

    name = "cluster.section"
    traits = traits_def(HasParent(WorkerOp))

    @classmethod
    def of(cls, cluster: int, title: str, cost: float) -> Self:
        return cls.create(
            properties={
                "cluster": IntegerAttr(cluster, i64),
                "title": StringAttr(title),
                "cost": FloatAttr(cost, f64),
            }
        )

    @property
    def cluster(self) -> int:
        return cast(IntegerAttr, self.properties["cluster"]).value.data

    @property
    def title(self) -> str:
        return _text(self, "title")

    @property
    def cost(self) -> float:
        return cast(FloatAttr, self.properties["cost"]).value.data

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        cluster = parser.parse_integer(allow_boolean=False, allow_negative=False)
        title = parser.parse_str_literal()
        return cls.of(cluster, title, float(parser.parse_number(allow_boolean=False)))

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.cluster} ")
        printer.print_string_literal(self.title)
        printer.print_string(f" {self.cost:.1f}")

    def verify_(self) -> None:
        verify_properties(self, cluster=IntegerAttr, title=StringAttr, cost=FloatAttr)
        if not all(c.isalnum() or c in " _-.," for c in self.title):
            raise VerifyException("a title is letters, digits, spaces and ._-, only")


class RecvOp(TorchOperation):
    """Waits for a channel's value. With `cluster.takes` it is the only one to do so, and the
    channel does not keep the value alive."""

    name = "cluster.recv"
    traits = traits_def(HasParent(WorkerOp))

    @classmethod
    def of(cls, channel: str, type: Attribute) -> Self:
        return cls.create(properties={"channel": StringAttr(channel)}, result_types=[type])

    @property
    def channel(self) -> str:
        return _text(self, "channel")

    @property
    def takes(self) -> bool:
        return TAKES in self.attributes

    @property
    def value(self) -> OpResult:
        return self.results[0]

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        channel = parser.parse_symbol_name()
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        op = cls.of(channel.data, parser.parse_type())
        op.attributes.update(attributes)
        return op

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.channel)
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_attribute(self.results[0].type)

    def verify_(self) -> None:
        verify_properties(self, channel=StringAttr)
        _verify_values(self, 0, 1)
        self.verify_names()


class WaitOp(Operation):
    """Waits for a turn: the worker goes on after what came before the turn's send."""

    name = "cluster.wait"
    traits = traits_def(HasParent(WorkerOp))

    @classmethod
    def of(cls, channel: str) -> Self:
        return cls.create(properties={"channel": StringAttr(channel)})

    @property
    def channel(self) -> str:
        return _text(self, "channel")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        return cls.of(parser.parse_symbol_name().data)

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_symbol_name(self.channel)

    def verify_(self) -> None:
        verify_properties(self, channel=StringAttr)
        _verify_values(self, 0, 0)


class SendOp(Operation):
    """Puts a value into a channel, or nothing into a turn: `cluster.send turn @turn_1`."""

    name = "cluster.send"
    traits = traits_def(HasParent(WorkerOp))

    @classmethod
    def of(cls, channel: str, value: SSAValue | None = None) -> Self:
        return cls.create(
            properties={"channel": StringAttr(channel)},
            operands=[] if value is None else [value],
        )

    @property
    def channel(self) -> str:
        return _text(self, "channel")

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        if parser.parse_optional_keyword("turn") is not None:
            return cls.of(parser.parse_symbol_name().data)
        channel = parser.parse_symbol_name()
        value = parser.parse_unresolved_operand()
        parser.parse_punctuation(":")
        return cls.of(channel.data, parser.resolve_operand(value, parser.parse_type()))

    def print(self, printer: Printer) -> None:
        # Without the keyword, the result of the next operation would be read as the value.
        printer.print_string(" " if self.operands else " turn ")
        printer.print_symbol_name(self.channel)
        for value in self.operands:
            printer.print_string(" ")
            printer.print_ssa_value(value)
            printer.print_string(" : ")
            printer.print_attribute(value.type)

    def verify_(self) -> None:
        verify_properties(self, channel=StringAttr)
        _verify_values(self, min(len(self.operands), 1), 0)


_InWorker = Task | WeightOp | ThreadsOp | FreeOp | RecvOp | SendOp | WaitOp | SectionOp
"""What a worker may run."""
