"""onnx-infer-shapes: the types of all values, from the schemas' own rules."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import FunctionType, ModuleOp
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.passes import ModulePass

from ramiel.dialects.onnx.operation import SchemaOperation
from ramiel.dialects.onnx.shapes import UNTYPED, ShapeError, infer_types, join, meet
from ramiel.dialects.onnx.structure import Yield, type_of_constant
from ramiel.dialects.onnx.types import element_of, shape_of, tensor_type
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
        if isinstance(op, SchemaOperation):
            for result, type in zip(op.results, _types(op), strict=True):
                set_type(result, join(result.type, type))


def _types(op: SchemaOperation) -> list[Attribute]:
    if op.name == "onnx.Constant":
        return [type_of_constant(op) or op.results[0].type]
    if op.name == "onnx.If":
        return _meet_branches(op)
    if op.name == "onnx.Loop":
        return _types_of_body(op)
    try:
        return infer_types(op) or [r.type for r in op.results]
    except ShapeError as error:
        raise CompileError(f"{op.title}: {error}") from error


def _meet_branches(op: Operation) -> list[Attribute]:
    ends = [region.block.last_op for region in op.regions]
    if not all(isinstance(end, Yield) and len(end.operands) == len(op.results) for end in ends):
        return [r.type for r in op.results]
    one, other = ([v.type for v in end.operands] for end in ends if end is not None)
    return [meet(a, b) for a, b in zip(one, other, strict=True)]


def _types_of_body(op: Operation) -> list[Attribute]:
    """The types of a loop's results where nothing is declared: a state's is what the body yields
    and what the loop begins with; of the other results, the body yields a slice."""
    end = op.regions[0].block.last_op
    types = [r.type for r in op.results]
    yielded = [] if end is None else [v.type for v in end.operands[1:]]
    if len(yielded) != len(types):
        return types
    states = [v.type for v in op.operands[2:]]
    for i, (type, last) in enumerate(zip(types, yielded, strict=True)):
        if type != UNTYPED:
            continue
        element, shape = element_of(last), shape_of(last)
        if i < len(states):
            types[i] = meet(states[i], last)
        elif element is not None:
            types[i] = tensor_type(element, None if shape is None else [None, *shape])
    return types


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
