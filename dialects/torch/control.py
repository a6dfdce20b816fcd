"""The operations of the `torch` dialect with regions: a branch, a loop, and calls that are fused.

    %y = torch.if(%condition, %x) ({
    ^bb0(%a : tensor<4xf32>):
      %0 = torch.call F.relu(%a) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %0 : tensor<4xf32>
    }, {
    ^bb0(%a : tensor<4xf32>):
      torch.yield %a : tensor<4xf32>
    }) : (tensor<i1>, tensor<4xf32>) -> tensor<4xf32>

Bodies are isolated from above, so that every value that a body reads is an operand, and they only
compute: for a scheduler the operation is one task like any other. It prints as a call of a method
that contains a plain `if` or `for`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, cast

from xdsl.dialects.builtin import I1, I64, ArrayAttr, IntegerAttr, i1, i64
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    lazy_traits_def,
    operand_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import HasParent, IsolatedFromAbove, IsTerminator, Pure, RecursiveMemoryEffect
from xdsl.utils.exceptions import VerifyException

from ramiel.dialects.text import text_of
from ramiel.dialects.torch.callees import CALLEES, Trait
from ramiel.dialects.torch.operation import (
    METHOD,
    PARAMETERS,
    TorchOperation,
    is_identifier,
    string_attribute,
)
from ramiel.dialects.torch.ops import CallOp, LayerOp, WeightOp


@irdl_op_definition
class YieldOp(TorchOperation):
    """Ends a body and yields its values: `torch.yield %a, %b : tensor<..>, tensor<..>`."""

    name = "torch.yield"
    traits = lazy_traits_def(lambda: (IsTerminator(), Pure(), HasParent(IfOp, LoopOp, FusedOp)))
    values = var_operand_def()
    assembly_format = "attr-dict ($values^ `:` type($values))?"

    @classmethod
    def of(cls, values: Sequence[SSAValue]) -> Self:
        return cls.create(operands=values)


class ControlOp(TorchOperation):
    """Base class of the operations with bodies."""

    @property
    def method(self) -> str | None:
        """The name of the method that it prints as; None before it is assigned."""
        return string_attribute(self, METHOD)

    @property
    def parameters(self) -> list[str]:
        """The Python names of its operands inside the method, followed, for a loop, by that of the
        iteration number. Empty before they are assigned."""
        names = self.attributes.get(PARAMETERS)
        if not isinstance(names, ArrayAttr):
            return []
        return [text_of(n) or "" for n in cast(ArrayAttr[Attribute], names)]

    @property
    def bodies(self) -> list[Block]:
        return [region.block for region in self.regions]

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        operands = parser.parse_op_args_list()
        regions = parser.parse_region_list()
        entries = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        position = parser.pos
        type = parser.parse_function_type()
        return cls.create(
            operands=parser.resolve_operands(operands, type.inputs.data, position),
            result_types=type.outputs.data,
            properties={k: v for k, v in entries.items() if "." not in k},
            attributes={k: v for k, v in entries.items() if "." in k},
            regions=regions,
        )

    def print(self, printer: Printer) -> None:
        printer.print_operands(self.operands)
        printer.print_regions(self.regions)
        printer.print_op_attributes({**self.properties, **self.attributes})
        printer.print_string(" : ")
        printer.print_operation_type(self)

    def _verify_bodies(self, arguments: int, yielded: int) -> None:
        """Checks the number of arguments and yielded values of each body, and its operations.

        A body only computes. Threads and channels belong to workers, and a value that a loop's
        body frees may be read by the next iteration.
        """
        for body in self.bodies:
            end = body.last_op
            if not isinstance(end, YieldOp):
                raise VerifyException("a body must end with torch.yield")
            if len(body.args) != arguments:
                raise VerifyException(
                    f"a body must take {arguments} value(s), this one takes {len(body.args)}"
                )
            if len(end.operands) != yielded:
                raise VerifyException(
                    f"a body must yield {yielded} value(s), this one yields {len(end.operands)}"
                )
            for op in body.ops:
                if not isinstance(op, Task | WeightOp | YieldOp):
                    raise VerifyException(f"a body cannot hold {op.name}")
        for name in (*self.parameters, *([self.method] if self.method else [])):
            if not is_identifier(name):
                raise VerifyException(f"{name!r} is not a Python identifier")
        self.verify_names()


Task = CallOp | LayerOp | ControlOp
"""An operation that is scheduled."""


@irdl_op_definition
class IfOp(ControlOp):
    """The first body if the first operand is true, else the second.

    Each body takes the other operands and yields the results.
    """

    name = "torch.if"
    traits = traits_def(RecursiveMemoryEffect(), IsolatedFromAbove())
    condition = operand_def()
    inputs = var_operand_def()
    outputs = var_result_def()
    on_true = region_def("single_block")
    on_false = region_def("single_block")

    @classmethod
    def of(
        cls,
        condition: SSAValue,
        values: Sequence[SSAValue],
        bodies: tuple[Region, Region],
        result_types: Sequence[Attribute],
    ) -> Self:
        return cls.create(
            operands=[condition, *values], regions=list(bodies), result_types=result_types
        )

    def verify_(self) -> None:
        self._verify_bodies(len(self.inputs), len(self.outputs))


@irdl_op_definition
class LoopOp(ControlOp):
    """Runs its body repeatedly, each time on the states that the previous iteration yielded.

    The operands are the maximum number of iterations, if `counted`; the initial condition, if
    `conditional`; the initial `states`; and the other values that the body reads. The body takes
    the iteration number, the condition (if conditional), the states and the other values; it
    yields the next condition (if conditional), the next states, and one part of each further
    result. The results are the final states, then the stacked parts of all iterations.
    """

    name = "torch.loop"
    traits = traits_def(Pure(), IsolatedFromAbove())
    inputs = var_operand_def()
    outputs = var_result_def()
    region = region_def("single_block")
    counted_attr = prop_def(IntegerAttr[I1], prop_name="counted")
    conditional_attr = prop_def(IntegerAttr[I1], prop_name="conditional")
    states_attr = prop_def(IntegerAttr[I64], prop_name="states")

    @classmethod
    def of(
        cls,
        most: SSAValue | None,
        condition: SSAValue | None,
        states: Sequence[SSAValue],
        values: Sequence[SSAValue],
        body: Region,
        result_types: Sequence[Attribute],
    ) -> Self:
        return cls.create(
            properties={
                "counted": IntegerAttr(int(most is not None), i1),
                "conditional": IntegerAttr(int(condition is not None), i1),
                "states": IntegerAttr(len(states), i64),
            },
            operands=[v for v in (most, condition, *states, *values) if v is not None],
            regions=[body],
            result_types=result_types,
        )

    @property
    def counted(self) -> bool:
        return bool(self.counted_attr.value.data)

    @property
    def conditional(self) -> bool:
        return bool(self.conditional_attr.value.data)

    @property
    def states(self) -> int:
        return self.states_attr.value.data

    @property
    def body(self) -> Block:
        return self.region.block

    @property
    def stacked(self) -> Sequence[SSAValue]:
        """The values that the body yields to be stacked, one for each result after the states."""
        end = self.body.last_op
        assert end is not None
        return end.operands[int(self.conditional) + self.states :]

    def verify_(self) -> None:
        counted, conditional = int(self.counted), int(self.conditional)
        most = min(len(self.operands) - counted - conditional, len(self.results))
        if not 0 <= self.states <= most:
            raise VerifyException(f"{self.states} states exceed the operands or results")
        self._verify_bodies(1 + len(self.operands) - counted, conditional + len(self.results))


@irdl_op_definition
class FusedOp(ControlOp):
    """Calls on each element, compiled to one kernel. Its body takes the operands, and yields the
    only result.

    %y = torch.fused(%x, %b) ({
    ^bb0(%a : tensor<4xf32>, %c : tensor<4xf32>):
      %0 = torch.call operator.add(%a, %c) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
      %1 = torch.call F.relu(%0) : (tensor<4xf32>) -> tensor<4xf32>
      torch.yield %1 : tensor<4xf32>
    }) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    """

    name = "torch.fused"
    traits = traits_def(Pure(), IsolatedFromAbove())
    inputs = var_operand_def()
    output = result_def()
    region = region_def("single_block")

    @classmethod
    def of(cls, values: Sequence[SSAValue], body: Region, result_type: Attribute) -> Self:
        return cls.create(operands=values, regions=[body], result_types=[result_type])

    @property
    def body(self) -> Block:
        return self.region.block

    @property
    def calls(self) -> list[CallOp]:
        return [op for op in self.body.ops if isinstance(op, CallOp)]

    def verify_(self) -> None:
        self._verify_bodies(len(self.inputs), 1)
        for op in self.body.ops:
            if not (isinstance(op, YieldOp) or is_pointwise(op)):
                told = op.callee if isinstance(op, CallOp) else op.name
                raise VerifyException(f"{told} is not computed element by element")


def is_pointwise(op: Operation) -> bool:
    """Whether an operation is a call that can be fused with others on each element."""
    return (
        isinstance(op, CallOp)
        and op.callee in CALLEES
        and CALLEES[op.callee].is_a(Trait.ELEMENTWISE)
        and not op.callee.startswith("ops.")
        and len(op.results) == 1
    )
