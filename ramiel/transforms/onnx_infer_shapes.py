"""onnx-infer-shapes: the types of all values, from the schemas' own rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import FunctionType, ModuleOp
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.passes import ModulePass

from ramiel.dialects.onnx.custom_shapes import infer_custom_types
from ramiel.dialects.onnx.operation import OnnxOperation, SchemaOperation
from ramiel.dialects.onnx.shapes import ShapeError, infer_types, join, meet
from ramiel.dialects.onnx.structure import Custom, Yield, type_of_constant
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
        if isinstance(op, SchemaOperation) and op.name == "onnx.Scan":
            _enter_scan(op)
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
    if isinstance(op, SchemaOperation) and op.name == "onnx.Scan":
        return _leave_scan(op)
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


def _scanned(op: SchemaOperation) -> int | None:
    """How many of a Scan's operands, the last ones, it goes through slice by slice; None if the
    operation has not the form of opset 9 and later, or does not fit its body."""
    count = op.attribute("num_scan_inputs")
    if op.version == 8 or not isinstance(count, int) or not 0 <= count <= len(op.operands):
        return None
    end = op.regions[0].block.last_op
    fits = isinstance(end, Yield) and len(end.operands) == len(op.results)
    return count if fits and len(op.regions[0].block.args) == len(op.operands) else None


def _axes(op: SchemaOperation, name: str, count: int) -> list[int]:
    given = op.attribute(name)
    axes = cast("list[int]", list(given)) if isinstance(given, list | tuple) else []
    return axes if len(axes) == count else [0] * count


def _enter_scan(op: Operation) -> None:
    """The types of a Scan's states and slices, for its body."""
    assert isinstance(op, SchemaOperation)
    count = _scanned(op)
    if count is None:
        return
    states = len(op.operands) - count
    axes = _axes(op, "scan_input_axes", count)
    for i, (arg, operand) in enumerate(zip(op.regions[0].block.args, op.operands, strict=True)):
        element, shape = element_of(operand.type), shape_of(operand.type)
        if element is None:
            continue
        if i >= states and shape:
            axis = axes[i - states] % len(shape)
            shape = shape[:axis] + shape[axis + 1 :]
        set_type(arg, join(arg.type, tensor_type(element, shape)))


def _leave_scan(op: SchemaOperation) -> list[Attribute]:
    """A Scan's states keep their types, and its other results are stacked."""
    count = _scanned(op)
    if count is None:
        return [r.type for r in op.results]
    states = len(op.operands) - count
    axes = _axes(op, "scan_output_axes", len(op.results) - states)
    end = op.regions[0].block.last_op
    assert end is not None
    types: list[Attribute] = []
    for i, value in enumerate(end.operands):
        element, shape = element_of(value.type), shape_of(value.type)
        if i >= states and element is not None:
            if shape is not None:
                axis = axes[i - states] % (len(shape) + 1)
                shape = (*shape[:axis], _steps(op, count), *shape[axis:])
            types.append(tensor_type(element, shape))
        else:
            types.append(value.type)
    return types


def _steps(op: SchemaOperation, count: int) -> int | None:
    """How many slices a Scan goes through."""
    first = shape_of(op.operands[len(op.operands) - count].type) if count else None
    axis = _axes(op, "scan_input_axes", count)[0] if count else 0
    return first[axis] if first and -len(first) <= axis < len(first) else None


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
