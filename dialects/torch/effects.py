"""The operations of the `torch` dialect that compute nothing, but say how the others run.

torch.free %a, %b : tensor<..>, tensor<..>
torch.threads 2
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, cast

from xdsl.dialects.builtin import IntegerAttr, i64
from xdsl.ir import SSAValue
from xdsl.irdl import traits_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import MemoryFreeEffect
from xdsl.utils.exceptions import VerifyException

from ramiel.dialects.torch.operation import TorchOperation, verify_properties
from ramiel.dialects.torch.ops import WeightOp


class FreeOp(TorchOperation):
    """Ends the life of values, so that their memory can be used again: `torch.free %a, %b`."""

    name = "torch.free"
    traits = traits_def(MemoryFreeEffect())

    @classmethod
    def of(cls, values: Sequence[SSAValue]) -> Self:
        return cls.create(operands=values)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        values = parser.parse_comma_separated_list(
            parser.Delimiter.NONE, parser.parse_unresolved_operand
        )
        parser.parse_punctuation(":")
        position = parser.pos
        types = parser.parse_comma_separated_list(parser.Delimiter.NONE, parser.parse_type)
        return cls.of(parser.resolve_operands(values, types, position))

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_list(self.operands, printer.print_ssa_value)
        printer.print_string(" : ")
        printer.print_list([v.type for v in self.operands], printer.print_attribute)

    def verify_(self) -> None:
        if not self.operands or len(set(self.operands)) < len(self.operands):
            raise VerifyException("expected one or more distinct values")
        if any(isinstance(value.owner, WeightOp) for value in self.operands):
            raise VerifyException("a weight belongs to the program, which does not free it")


class ThreadsOp(TorchOperation):
    """From here on, operations of this function or worker run on so many intra-op threads.

    It prints as `torch.set_num_threads(2)`, which holds for the thread that calls it.
    """

    name = "torch.threads"
    traits = traits_def()  # not Pure: nothing may drop it or move an operation over it

    @classmethod
    def of(cls, count: int) -> Self:
        return cls.create(properties={"count": IntegerAttr(count, i64)})

    @property
    def count(self) -> int:
        return cast(IntegerAttr, self.properties["count"]).value.data

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        op = cls.of(parser.parse_integer(allow_boolean=False, allow_negative=False))
        op.attributes.update(parser.parse_optional_attr_dict())
        return op

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.count}")
        printer.print_op_attributes(self.attributes)

    def verify_(self) -> None:
        verify_properties(self, count=IntegerAttr)
        if self.operands or self.results or self.count < 1:
            raise VerifyException("expected a number of threads, 1 or more, and nothing else")
