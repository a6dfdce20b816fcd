"""The `torch` dialect: each operation prints as one PyTorch call, or as a method of its own."""

from __future__ import annotations

from xdsl.ir import Dialect

from ramiel.dialects.torch.control import ControlOp, FusedOp, IfOp, LoopOp, Task, YieldOp
from ramiel.dialects.torch.effects import FreeOp, ThreadsOp
from ramiel.dialects.torch.literals import DtypeAttr, OperandAttr, SliceAttr
from ramiel.dialects.torch.operation import TorchOperation
from ramiel.dialects.torch.ops import CallOp, LayerOp, WeightOp


def torch_dialect() -> Dialect:
    return Dialect(
        "torch",
        [CallOp, LayerOp, WeightOp, IfOp, LoopOp, FusedOp, YieldOp, FreeOp, ThreadsOp],
        [OperandAttr, DtypeAttr, SliceAttr],
    )


__all__ = [
    "CallOp",
    "ControlOp",
    "FreeOp",
    "FusedOp",
    "IfOp",
    "LayerOp",
    "LoopOp",
    "Task",
    "ThreadsOp",
    "TorchOperation",
    "WeightOp",
    "YieldOp",
    "torch_dialect",
]
