"""onnx-to-torch: ONNX operators to the PyTorch calls that they mean."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import FunctionType, ModuleOp
from xdsl.ir import Block, Region
from xdsl.passes import ModulePass

from ramiel.backend.pytorch.lowering import Builder, lower_operation, lowering_of, missing
from ramiel.dialects.onnx.operation import OnnxOperation, SchemaOperation
from ramiel.dialects.onnx.structure import Custom, NoValue, Weight
from ramiel.dialects.torch import TorchOperation
from ramiel.errors import CompileError


@dataclass(frozen=True)
class OnnxToTorchPass(ModulePass):
    """Lowers all operations by the lowering table.

        %y = onnx.Relu "relu1"(%x) : (tensor<4xf32>) -> tensor<4xf32>
        // becomes
        %y = torch.call F.relu(%x) {torch.node = "relu1", torch.op = "Relu"} : ...

    Raises CompileError that names every unsupported operator, with counts.
    """

    name = "onnx-to-torch"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        functions = [f for f in op.ops if isinstance(f, func.FuncOp) and f.body.blocks]
        _refuse_unsupported(functions)
        for function in functions:
            _lower_function(function)


def _refuse_unsupported(functions: list[func.FuncOp]) -> None:
    unsupported = [op for f in functions for op in f.body.block.ops if not _is_supported(op)]
    if not unsupported:
        return
    first = unsupported[0]
    assert isinstance(first, OnnxOperation)
    counts = Counter(op.op_type for op in unsupported if isinstance(op, OnnxOperation))
    message = f"{first.title}: {missing(first)}"
    if len(unsupported) > 1:
        listed = ", ".join(f"{name} ({count})" for name, count in counts.most_common())
        message += f"; unsupported in all: {listed}"
    raise CompileError(message)


def _is_supported(op: object) -> bool:
    if isinstance(op, Custom):
        return False
    if not isinstance(op, SchemaOperation) or op.op_type == "Constant":
        return True
    declared = op.schema()
    return declared is not None and lowering_of(op.op_type, declared.since) is not None


def _lower_function(function: func.FuncOp) -> None:
    old = function.body.block
    block = Block(arg_types=old.arg_types)
    builder = Builder(block)
    for before, after in zip(old.args, block.args, strict=True):
        after.name_hint = before.name_hint
        builder.values[before] = after
    for op in old.ops:
        if isinstance(op, func.ReturnOp):
            block.add_op(func.ReturnOp(*(builder.value(v) for v in op.operands)))
        elif isinstance(op, NoValue | Weight) or op.name == "onnx.Constant":
            continue
        elif isinstance(op, OnnxOperation):
            lower_operation(op, builder)
        else:
            raise CompileError(f"{op.name} is not an operation of the onnx dialect")
    for op in reversed(list(block.ops)):
        # An entry of the table may look at an operand that it then does not need.
        if isinstance(op, TorchOperation) and not any(r.uses for r in op.results):
            op.detach()
            op.erase()
    results = [v.type for v in block.last_op.operands] if block.last_op else []
    function.detach_region(function.body).drop_all_references()
    function.add_region(Region(block))
    function.properties["function_type"] = FunctionType.from_lists(block.arg_types, results)
