"""Type and shape inference for a whole module, by the rules of ONNX's schemas."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xdsl.dialects import func
from xdsl.dialects.builtin import FunctionType, ModuleOp
from xdsl.ir import Attribute, Block, Operation, SSAValue

from ramiel.dialects.onnx.custom_shapes import infer_custom_types
from ramiel.dialects.onnx.operation import OnnxOperation, SchemaOperation
from ramiel.dialects.onnx.shapes import ShapeError, infer_types, join, meet
from ramiel.dialects.onnx.structure import Custom, Yield, type_of_constant
from ramiel.dialects.onnx.types import BY_PROTO, element_of, shape_of, tensor_type
from ramiel.errors import CompileError


def infer_shapes(module: ModuleOp) -> None:
    """Sets the type of each result. Raises CompileError where types contradict each other."""
    for function in module.ops:
        if isinstance(function, func.FuncOp) and function.body.blocks:
            _infer_block(function.body.block)
            update_signature(function)


def _infer_block(block: Block) -> None:
    for op in block.ops:
        if op.name not in _LOOPS:
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
    if op.name in _LOOPS:
        return _LOOPS[op.name](op)
    return types_by_rule(op) or [r.type for r in op.results]


def types_by_rule(op: SchemaOperation) -> list[Attribute] | None:
    """The types of an operation's results by its operator's rules; None if there are none.

    Raises CompileError if the types of its inputs contradict each other, except in a subgraph:
    a branch may be invalid for the shapes of inputs for which it is never taken.
    """
    try:
        found = infer_custom_types(op) if isinstance(op, Custom) else None
        return found or infer_types(op)
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


# --- loops -------------------------------------------------------------------------------


def _loop(op: SchemaOperation) -> list[Attribute]:
    """The types of a Loop's results: the states, then the stacked scan outputs."""
    body = op.regions[0].block
    for arg, proto in zip(body.args[:2], (7, 9), strict=False):  # int64 and bool
        set_type(arg, join(tensor_type(BY_PROTO[proto].ir, ()), arg.type))
    states = [v.type for v in op.operands[2:]]
    yielded = _settle(body, 2, states)
    if yielded is None:
        return [r.type for r in op.results]
    count = len(states)
    return [*yielded[1 : 1 + count], *(_stacked(t, 0, None) for t in yielded[1 + count :])]


def _scan(op: SchemaOperation) -> list[Attribute]:
    """The types of a Scan's results, unchanged before opset 9, where it has a batch dimension."""
    count = op.attribute("num_scan_inputs", 0)
    if not isinstance(count, int) or not 0 < count <= len(op.operands) or (op.version or 0) < 9:
        return [r.type for r in op.results]
    body, first = op.regions[0].block, len(op.operands) - count
    axes = _list(op, "scan_input_axes", count)
    length: int | None = None
    for operand, arg, axis in zip(op.operands[first:], body.args[first:], axes, strict=False):
        shape, element = shape_of(operand.type), element_of(operand.type)
        if element is None or shape is None or not -len(shape) <= axis < len(shape):
            continue
        part = list(shape)
        size = part.pop(axis)
        length = size if length is None else length
        set_type(arg, join(arg.type, tensor_type(element, part)))
    yielded = _settle(body, 0, [v.type for v in op.operands[:first]])
    if yielded is None:
        return [r.type for r in op.results]
    axes = _list(op, "scan_output_axes", len(yielded) - first)
    stacked = zip(yielded[first:], axes, strict=False)
    return [*yielded[:first], *(_stacked(t, axis, length) for t, axis in stacked)]


_LOOPS: dict[str, Callable[[SchemaOperation], list[Attribute]]] = {
    "onnx.Loop": _loop,
    "onnx.Scan": _scan,
}


def _settle(body: Block, start: int, states: Sequence[Attribute]) -> list[Attribute] | None:
    """Infers a loop body to a fixed point over the types of its states, its arguments from
    `start` on; None if the body has too few arguments or yields too few values.

    The states start with the types of the initial states, which are widened (`meet`) by those
    that the body yields until they no longer change. Returns the types that the body yields, with
    those of the states widened to hold before and after every iteration.
    """
    end = body.last_op
    offset = 1 if start else 0  # a Loop's body yields its condition first
    args = body.args[start : start + len(states)]
    if not isinstance(end, Yield) or len(end.operands) < offset + len(states):
        return None
    if len(args) < len(states):
        return None
    before = {v: v.type for v in _values_of(body)}
    wanted = [join(arg.type, state) for arg, state in zip(args, states, strict=True)]
    while True:
        for value, type in before.items():
            set_type(value, type)
        for arg, type in zip(args, wanted, strict=True):
            set_type(arg, type)
        _infer_block(body)
        yielded = [v.type for v in end.operands]
        seen = yielded[offset : offset + len(states)]
        wider = [meet(a, b) for a, b in zip(wanted, seen, strict=True)]
        if wider == wanted:
            return [*yielded[:offset], *wider, *yielded[offset + len(states) :]]
        wanted = wider


def _values_of(body: Block) -> list[SSAValue]:
    inner = [b for op in body.walk() for r in op.regions for b in r.blocks]
    return [
        *(a for block in (body, *inner) for a in block.args),
        *(r for op in body.walk() for r in op.results),
    ]


def _stacked(part: Attribute, axis: int, length: int | None) -> Attribute:
    """The type of values of type `part` stacked along a new dimension."""
    shape, element = shape_of(part), element_of(part)
    if element is None or shape is None:
        return part
    dims = list(shape)
    dims.insert(axis if axis >= 0 else axis + len(dims) + 1, length)
    return tensor_type(element, dims)


def _list(op: SchemaOperation, name: str, count: int) -> list[int]:
    """An attribute that is a list of integers; `count` zeros if it is not given."""
    value = op.attribute(name)
    return [int(v) for v in value] if isinstance(value, list | tuple) else [0] * count  # pyright: ignore


def set_type(value: SSAValue, type: Attribute) -> None:
    """Changes a value's type in place. xDSL's way, to rebuild the operation, would cost more than
    the inference itself and lose the identity of the operation and its values."""
    value._type = type  # pyright: ignore[reportPrivateUsage]


def update_signature(function: func.FuncOp) -> None:
    """Sets a function's type to the types of its arguments and returned values."""
    end = function.body.block.last_op
    outputs = [v.type for v in end.operands] if end is not None else []
    inputs = [a.type for a in function.body.block.args]
    function.properties["function_type"] = FunctionType.from_lists(inputs, outputs)
