"""The operations of the `torch` dialect that compute nothing but affect how others run.

torch.free %a, %b : tensor<..>, tensor<..>
torch.threads 2
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from xdsl.dialects.builtin import I64, IntegerAttr, i64
from xdsl.ir import SSAValue
from xdsl.irdl import irdl_op_definition, prop_def, traits_def, var_operand_def
from xdsl.traits import MemoryFreeEffect
from xdsl.utils.exceptions import VerifyException

from ramiel.dialects.torch.operation import TorchOperation
from ramiel.dialects.torch.ops import WeightOp


@irdl_op_definition
class FreeOp(TorchOperation):
    """Ends the lifetimes of values, so that their memory can be reused: `torch.free %a, %b`."""

    name = "torch.free"
    traits = traits_def(MemoryFreeEffect())
    values = var_operand_def()
    assembly_format = "$values attr-dict `:` type($values)"

    @classmethod
    def of(cls, values: Sequence[SSAValue]) -> Self:
        return cls.create(operands=values)

    def verify_(self) -> None:
        if not self.values or len(set(self.values)) < len(self.values):
            raise VerifyException("expected one or more distinct values")
        if any(isinstance(value.owner, WeightOp) for value in self.values):
            raise VerifyException("a weight cannot be freed")


@irdl_op_definition
class ThreadsOp(TorchOperation):
    """Sets the number of intra-op threads of the later operations of this function or worker.

    It prints as `torch.set_num_threads(2)`, which holds for the thread that calls it.
    """

    name = "torch.threads"
    traits = traits_def()  # not Pure: nothing may drop it or move an operation over it
    count = prop_def(IntegerAttr[I64])
    assembly_format = "$count attr-dict"

    @classmethod
    def of(cls, count: int) -> Self:
        return cls.create(properties={"count": IntegerAttr(count, i64)})

    def verify_(self) -> None:
        if self.count.value.data < 1:
            raise VerifyException("expected 1 thread or more")
