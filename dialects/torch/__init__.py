"""The `torch` dialect: one operation prints as one PyTorch call."""

from __future__ import annotations

from xdsl.ir import Dialect

from ramiel.dialects.torch.effects import FreeOp, ThreadsOp
from ramiel.dialects.torch.literals import DtypeAttr, OperandAttr, SliceAttr
from ramiel.dialects.torch.operation import TorchOperation
from ramiel.dialects.torch.ops import CallOp, LayerOp, WeightOp


def torch_dialect() -> Dialect:
    return Dialect(
        "torch",
        [CallOp, LayerOp, WeightOp, FreeOp, ThreadsOp],
        [OperandAttr, DtypeAttr, SliceAttr],
    )


__all__ = [
    "CallOp",
    "FreeOp",
    "LayerOp",
    "ThreadsOp",
    "TorchOperation",
    "WeightOp",
    "torch_dialect",
]
