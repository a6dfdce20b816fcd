"""onnx-to-torch: lowers ONNX operators to PyTorch calls."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import FunctionType, ModuleOp
from xdsl.ir import Block, Region
from xdsl.passes import ModulePass

from ramiel.conversion.onnx_to_torch import Builder, lower_block, missing
from ramiel.dialects.onnx.operation import OnnxOperation
from ramiel.errors import CompileError


@dataclass(frozen=True)
class OnnxToTorchPass(ModulePass):
    """Lowers all operations by the lowering table.

        %y = onnx.Relu "relu1"(%x) : (tensor<4xf32>) -> tensor<4xf32>
        // becomes
        %y = torch.call F.relu(%x) {torch.node = "relu1", torch.op = "Relu"} : ...

    Raises CompileError, which names every unsupported operator with its count.
    """

    name = "onnx-to-torch"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        functions = [f for f in op.ops if isinstance(f, func.FuncOp) and f.body.blocks]
        _refuse_unsupported(functions)
        for function in functions:
            _lower_function(function)


def _refuse_unsupported(functions: list[func.FuncOp]) -> None:
    unsupported = [
        op for f in functions for op in f.walk() if isinstance(op, OnnxOperation) and missing(op)
    ]
    if not unsupported:
        return
    first = unsupported[0]
    counts = Counter(op.op_type for op in unsupported)
    message = f"{first.title}: {missing(first)}"
    if len(unsupported) > 1:
        listed = ", ".join(f"{name} ({count})" for name, count in counts.most_common())
        message += f"; unsupported in all: {listed}"
    raise CompileError(message)


def _lower_function(function: func.FuncOp) -> None:
    old = function.body.block
    block = Block(arg_types=old.arg_types)
    results = lower_block(old, Builder(block))
    block.add_op(func.ReturnOp(*results))
    function.detach_region(function.body).drop_all_references()
    function.add_region(Region(block))
    types = [v.type for v in results]
    function.properties["function_type"] = FunctionType.from_lists(block.arg_types, types)
