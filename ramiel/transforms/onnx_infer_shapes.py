"""onnx-infer-shapes: the types of all values, from the schemas' own rules."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import FunctionType, ModuleOp
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.passes import ModulePass

from ramiel.dialects.onnx.custom_shapes import infer_custom_types
from ramiel.dialects.onnx.operation import OnnxOperation, SchemaOperation
from ramiel.dialects.onnx.shapes import ShapeError, infer_types, join, meet
from ramiel.dialects.onnx.structure import Custom, Yield, type_of_constant
from ramiel.errors import CompileError


def infer_shapes(module: ModuleOp) -> None:
    """Sets the type of each result. Raises CompileError where types contradict each other."""
    for function in module.ops:
        if isinstance(function, func.FuncOp) and function.body.blocks:
            _infer_block(function.body.block)
            update_signature(function)


def _infer_block(block: Block) -> None:
    for op in block.ops:
        for region in op.regions:
            for inner in region.blocks:
                _infer_block(inner)
        if isinstance(op, SchemaOperation | Custom):
            for result, type in zip(op.results, _types(op), strict=True):
                set_type(result, join(result.type, type))


def _types(op: SchemaOperation | Custom) -> list[Attribute]:
    if isinstance(op, SchemaOperation) and op.name == "onnx.Constant":
        return [type_of_constant(op) or op.results[0].type]
    if op.name == "onnx.If":
        return _meet_branches(op)
    return types_by_rule(op) or [r.type for r in op.results]


def types_by_rule(op: SchemaOperation | Custom) -> list[Attribute] | None:
    """The types of an operation's results by its operator's rules; None where they say nothing.

    Raises CompileError where the types of its inputs contradict each other, but not in a
    subgraph: a branch may make no sense for the shapes of an input if it is never taken for it.
    """
    try:
        return infer_custom_types(op) if isinstance(op, Custom) else infer_types(op)
    except ShapeError as error:
        if isinstance(op.parent_op(), OnnxOperation):
            return None
        raise CompileError(f"{op.title}: {error}") from error


def _meet_branches(op: Operation) -> list[Attribute]:
    ends = [region.block.last_op for region in op.regions]
    if not all(isinstance(end, Yield) and len(end.operands) == len(op.results) for end in ends):
        return [r.type for r in op.results]
    one, other = ([v.type for v in end.operands] for end in ends if end is not None)
    return [meet(a, b) for a, b in zip(one, other, strict=True)]


def set_type(value: SSAValue, type: Attribute) -> None:
    """Changes a value's type in place. xDSL asks to rebuild the operation instead, which would
    cost more than the inference itself and lose the identity of everything around it."""
    value._type = type  # pyright: ignore[reportPrivateUsage]


def update_signature(function: func.FuncOp) -> None:
    """Makes a function's type that of its arguments and of what it returns."""
    end = function.body.block.last_op
    outputs = [v.type for v in end.operands] if end is not None else []
    inputs = [a.type for a in function.body.block.args]
    function.properties["function_type"] = FunctionType.from_lists(inputs, outputs)


@dataclass(frozen=True)
class OnnxInferShapesPass(ModulePass):
    """Infers types by ONNX's rules, with the values of constants at hand.

    %y = onnx.Relu(%x) : (tensor<2x3xf32>) -> tensor<*xf32>
    // becomes
    %y = onnx.Relu(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    """

    name = "onnx-infer-shapes"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        infer_shapes(op)
