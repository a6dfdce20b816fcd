"""Control flow: branches and loops, whose bodies are lowered like the rest of the model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import StringAttr
from xdsl.ir import Attribute, Block, Region, SSAValue

from ramiel.conversion.onnx_to_torch.table import Builder, Lowered, Node, lower_block, lowers
from ramiel.dialects.onnx.operation import SchemaOperation
from ramiel.dialects.onnx.shapes import ShapeError, infer_types
from ramiel.dialects.onnx.structure import constant_attribute_of, constant_of
from ramiel.dialects.onnx.types import BY_PROTO, element_of, shape_of, tensor_type, type_of_nothing
from ramiel.dialects.torch import CallOp, IfOp, LoopOp, YieldOp
from ramiel.dialects.torch.operation import NODE, OP_TYPE
from ramiel.errors import CompileError

_INT64, _BOOL = BY_PROTO[7].ir, BY_PROTO[9].ir


@lowers("If")
def if_(n: Node) -> Lowered:
    captured = captured_by(n.op.regions)
    # The regions are in the order of the attributes' names: the else branch comes first.
    other, then = n.op.regions
    bodies = tuple(_body(n, region.block, captured)[0] for region in (then, other))
    values = [n.builder.value(v) for v in captured]
    condition = n[0] if n.rank(0) == 0 else n.call("Tensor.reshape", n[0], [], type=_scalar(_BOOL))
    types = [r.type for r in n.op.results]
    return n.add(IfOp.of(condition, values, (bodies[0], bodies[1]), types))


@lowers("Loop")
def loop(n: Node) -> Lowered:
    captured = captured_by(n.op.regions)
    old = n.op.regions[0].block
    states = [n[i] for i in range(2, len(n))]
    conditional = _is_conditional(n, old)
    region, block = _body(n, old, captured)
    end = block.last_op
    assert isinstance(end, YieldOp)
    if shape_of(block.args[0].type) == (1,):
        _reshape_step(block)
    if not conditional:
        kept = list(end.operands)[1:]
        end.detach()
        end.erase()
        block.add_op(YieldOp.of(kept))
        if block.args[1].uses:
            block.args[1].replace_all_uses_with(_true(block))
        block.erase_arg(block.args[1])
    condition = n.get(1) if conditional else None
    if conditional and condition is None:
        condition = n.tensor(np.array(True), "condition")
    values = [n.builder.value(v) for v in captured]
    types = [r.type for r in n.op.results]
    return n.add(LoopOp.of(n.get(0), condition, states, values, region, types))


def _is_conditional(n: Node, body: Block) -> bool:
    """Whether a loop may end before its maximum count: exporters write a `for` loop with a
    condition that is always true."""
    first = n.constant(1) if n.given(1) else np.array(True)
    end = body.last_op
    assert end is not None
    value = end.operands[0]
    while value.owner is not body and getattr(value.owner, "op_type", "") == "Identity":
        value = value.owner.operands[0]  # pyright: ignore
    again = constant_of(value)
    goes_on = value is body.args[1] or (again is not None and bool(again.all()))
    return first is None or not first.all() or not goes_on


def _reshape_step(block: Block) -> None:
    """Reshapes the iteration number, a scalar, to [1] for a body that declares it so."""
    old = block.args[0]
    step = block.insert_arg(_scalar(_INT64), 0)
    step.name_hint = "step"
    assert block.first_op is not None
    op = CallOp.of("Tensor.reshape", [step, 1], {}, [old.type])
    op.results[0].name_hint = old.name_hint
    block.insert_op_before(op, block.first_op)
    old.replace_all_uses_with(op.results[0])
    block.erase_arg(old)


def _true(block: Block) -> SSAValue:
    op = CallOp.of("torch.full", [[], True], {}, [_scalar(_BOOL)])
    assert block.first_op is not None
    block.insert_op_before(op, block.first_op)
    return op.results[0]


@lowers("Scan", 9)
def scan(n: Node) -> Lowered:
    """A loop over the slices of some inputs."""
    count = n.integer("num_scan_inputs")
    states = [n[i] for i in range(len(n) - count)]
    inputs = [n[i] for i in range(len(n) - count, len(n))]
    axes = n.integer_list("scan_input_axes") or [0] * count
    reverse = n.integer_list("scan_input_directions") or [0] * count
    captured = captured_by(n.op.regions)
    region = _over_slices(n, captured, [v.type for v in inputs], axes, reverse)
    trips = n.call("ops.length", inputs[0], axes[0], type=_scalar(_INT64))
    values = [n.builder.value(v) for v in captured]
    types = [_stacked_type(n, i, len(states)) for i in range(len(n.op.results))]
    made = n.add(LoopOp.of(trips, None, states, [*values, *inputs], region, types))
    outputs = len(made) - len(states)
    out_axes = n.integer_list("scan_output_axes") or [0] * outputs
    out_reverse = n.integer_list("scan_output_directions") or [0] * outputs
    results = list(made[: len(states)])
    ends = zip(made[len(states) :], out_axes, out_reverse, strict=True)
    for i, (value, axis, backward) in enumerate(ends, len(states)):
        type = n.result_type(i)
        if backward:
            value = n.call("torch.flip", value, [0], type=value.type)
        if axis:
            value = n.call("torch.movedim", value, 0, axis, type=type)
        results.append(value)
    return results


@lowers("Scan", 8)
def scan_of_samples(n: Node) -> Lowered:
    """The first version of Scan: a loop over the samples of a batch (dimension 0), around a loop
    over dimension 1, the first of a sample."""
    if n.given(0):
        n.fail("lengths of the sequences (sequence_lens) are not supported")
    count = n.integer("num_scan_inputs")
    whole = [n[i] for i in range(1, len(n))]
    captured = captured_by(n.op.regions)
    outside = [*whole, *(n.builder.value(v) for v in captured)]
    block = Block(arg_types=[_scalar(_INT64), *(v.type for v in outside)])
    sample, *inside = block.args
    sample.name_hint = "sample"
    for arg, value in zip(inside, outside, strict=True):
        arg.name_hint = value.name_hint
    parts = [
        CallOp.of("ops.part", [v, 0, sample], {}, [_of_sample(v.type)])
        for v in inside[: len(whole)]
    ]
    values = [op.results[0] for op in parts]
    states, inputs = values[: len(values) - count], values[len(values) - count :]
    reverse = n.integer_list("directions") or [0] * count
    region = _over_slices(n, captured, [v.type for v in inputs], [0] * count, reverse)
    trips = CallOp.of("ops.length", [inputs[0], 0], {}, [_scalar(_INT64)])
    types = [r.type for r in n.op.results]
    free = [*inside[len(whole) :], *inputs]
    inner = [_of_sample(t) for t in types]
    scanned = LoopOp.of(trips.results[0], None, states, free, region, inner)
    block.add_ops([*parts, trips, scanned, YieldOp.of(scanned.results)])
    samples = n.call("ops.length", whole[0], 0, type=_scalar(_INT64))
    return n.add(LoopOp.of(samples, None, [], outside, Region(block), types))


def _of_sample(type: Attribute) -> Attribute:
    """The type of one sample of a batch."""
    shape, element = shape_of(type), element_of(type)
    return type if shape is None or element is None else tensor_type(element, shape[1:])


def _over_slices(
    n: Node,
    captured: Sequence[SSAValue],
    inputs: Sequence[Attribute],
    axes: Sequence[int],
    reverse: Sequence[int],
) -> Region:
    """The body of a Scan as a loop body: after its captured values it takes the whole inputs, of
    the types `inputs`, and slices them itself."""
    old = n.op.regions[0].block
    region, block = _body(n, old, captured, extra=inputs)
    step = block.insert_arg(_scalar(_INT64), 0)
    step.name_hint = "step"
    slices = block.args[1 + len(old.args) - len(inputs) : 1 + len(old.args)]
    whole = block.args[len(block.args) - len(inputs) :]
    for part, value, axis, backward in zip(slices, whole, axes, reverse, strict=True):
        options = {"reverse": True} if backward else {}
        op = CallOp.of("ops.part", [value, axis, step], options, [part.type])
        op.results[0].name_hint = part.name_hint
        assert block.first_op is not None
        block.insert_op_before(op, block.first_op)
        part.replace_all_uses_with(op.results[0])
    for part in reversed(slices):
        block.erase_arg(part)
    return region


def _stacked_type(n: Node, i: int, states: int) -> Attribute:
    """The type of result i as the loop stacks it, along dimension 0."""
    axes = n.integer_list("scan_output_axes")
    type = n.result_type(i)
    shape = shape_of(type)
    if i < states or not axes or not axes[i - states] or shape is None:
        return type
    order = list(shape)
    first = order.pop(axes[i - states])
    element = element_of(type)
    assert element is not None
    return tensor_type(element, [first, *order])


def _body(
    n: Node, old: Block, captured: Sequence[SSAValue], extra: Sequence[Attribute] = ()
) -> tuple[Region, Block]:
    """A body lowered to `torch` operations. Its arguments are those of the old one, then the
    captured values, then `extra` ones."""
    types = [*old.arg_types, *(v.type for v in captured), *extra]
    block = Block(arg_types=types)
    builder = Builder(block, n.builder)
    inner = block.args[len(old.args) : len(old.args) + len(captured)]
    for value, arg in zip(captured, inner, strict=True):
        arg.name_hint = value.name_hint
        builder.values[value] = arg
    try:
        results = lower_block(old, builder)
    except CompileError:
        contradiction = _contradiction(old)
        if contradiction is None:
            raise
        block = Block(arg_types=types)
        end = old.last_op
        assert end is not None
        call = CallOp.of("ops.refuse", [contradiction], {}, [v.type for v in end.operands])
        call.attributes[NODE] = StringAttr(n.op.label)
        call.attributes[OP_TYPE] = StringAttr(n.op.op_type)
        block.add_op(call)
        results = call.results
    block.add_op(YieldOp.of(results))
    return Region(block), block


def _contradiction(block: Block) -> str | None:
    """Why a body cannot run on inputs of these shapes, or None. A model may be specialised for
    shapes for which a branch is invalid; that is an error only if the branch is taken."""
    for op in block.walk():
        if isinstance(op, SchemaOperation):
            try:
                infer_types(op)
            except ShapeError as error:
                return f"{op.title}: {error}"
    return None


def captured_by(regions: Sequence[Region]) -> list[SSAValue]:
    """The values that regions capture, without constants, which each body gets its own copy of."""
    own: set[SSAValue] = set()
    read: dict[SSAValue, None] = {}
    for region in regions:
        for op in region.walk():
            own.update(op.results)
            own.update(a for r in op.regions for b in r.blocks for a in b.args)
        own.update(a for b in region.blocks for a in b.args)
    for region in regions:
        for op in region.walk():
            for value in op.operands:
                outside = value not in own and value.type != type_of_nothing
                if outside and constant_attribute_of(value) is None:
                    read[value] = None
    return list(read)


def _scalar(element: Attribute) -> Attribute:
    return tensor_type(element, ())
