"""The first versions of operators whose form has changed since."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import cast

from xdsl.ir import SSAValue

from ramiel.conversion.onnx_to_torch.onnx.shape import padded, reshaped
from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowering_of, lowers
from ramiel.dialects.onnx.legacy import data_type
from ramiel.dialects.onnx.types import BY_PROTO, tensor_type
from ramiel.dialects.torch import WeightOp

_BROADCAST = {
    "Add": "operator.add",
    "And": "operator.and_",
    "Div": "operator.truediv",
    "Equal": "operator.eq",
    "Greater": "operator.gt",
    "Less": "operator.lt",
    "Mul": "operator.mul",
    "Or": "operator.or_",
    "Pow": "operator.pow",
    "Sub": "operator.sub",
    "Xor": "operator.xor",
}
"""Operators whose attributes, up to opset 6, determine how the second operand broadcasts."""


def _binary(op_type: str, callee: str, n: Node) -> Lowered:
    """The second operand's first dimension is aligned with `axis` of the first operand; without
    `axis`, the last dimensions are aligned, as in later opsets."""
    trailing = _trailing(n)
    if not trailing:
        modern = lowering_of(op_type, 7)
        assert modern is not None
        return modern(n)
    b = _with_ones(n, 1, trailing)
    if op_type == "Div" and not n.is_float():
        return n.call("torch.div", n[0], b, rounding_mode="trunc")
    return n.call(callee, n[0], b)


for _op, _callee in _BROADCAST.items():
    lowers(_op)(partial(_binary, _op, _callee))


def _trailing(n: Node) -> int:
    """The number of dimensions of size 1 to append to the second operand."""
    axis = n.attribute("axis")
    if not n.integer("broadcast", 0) or axis is None:
        return 0
    rank, own = n.known_rank(0), n.known_rank(1)
    assert isinstance(axis, int)
    trailing = rank - axis % max(rank, 1) - own
    if trailing < 0:
        n.fail(f"axis {axis} leaves no room for {own} dimensions among {rank}")
    return trailing


def _with_ones(n: Node, i: int, count: int) -> SSAValue:
    """Input i with `count` dimensions of size 1 appended."""
    shape = cast("Sequence[int | None]", n.shape(i))
    wide = [*shape, *[1] * count]
    type = n.like(wide, i)
    if n.is_constant(i):
        sizes = cast("list[int]", wide)
        op = WeightOp.of(n.new_weight(i, "wide", wide, lambda a: a.reshape(sizes)), type)
        return n.add(op)[0]
    return n.call("ops.unsqueeze", n[i], list(range(len(shape), len(wide))), type=type)


@lowers("PRelu")
def prelu(n: Node) -> Lowered:
    """The slope holds one number for all channels, or one for each."""
    slope = n.shape(1)
    if slope is None or len(slope) != 1:
        modern = lowering_of("PRelu", 7)
        assert modern is not None
        return modern(n)
    if n.is_constant(1) and n.is_float():
        return n.layer("PReLU", n[0], {"weight": n.weight(1)})
    return n.call("F.prelu", n[0], n[1])


@lowers("Cast")
def cast_by_name(n: Node) -> Lowered:
    number = data_type(n.text("to"))
    if number is None or number not in BY_PROTO:
        n.fail(f"the type {n.text('to')!r} to cast to is unknown")
    return n.call("Tensor.to", n[0], n.dtype(tensor_type(BY_PROTO[number].ir, None)))


@lowers("Concat")
def concat(n: Node) -> Lowered:
    return n[0] if len(n) == 1 else n.call("torch.cat", n.inputs(), dim=n.integer("axis", 1))


@lowers("Reshape")
def reshape(n: Node) -> Lowered:
    shape = n.integer_list("shape")
    return n.fail("its shape is not given") if shape is None else reshaped(n, shape)


@lowers("Pad")
def pad(n: Node) -> Lowered:
    return padded(n, n.integer_list("paddings"), n.number("value", 0.0), None)


@lowers("Split")
def split(n: Node) -> Lowered:
    """The sizes are an attribute or an input."""
    modern = lowering_of("Split", 13 if n.given(1) else 2)
    assert modern is not None
    return modern(n)


@lowers("Tile")
def tile(n: Node) -> Lowered:
    """The first version copies along one axis."""
    copies, axis = n.scalar(1), n.scalar(2)
    if copies is None or axis is None:
        n.fail("its tiles and its axis must be constant")
    repeats = [1] * n.known_rank()
    if not -len(repeats) <= axis < len(repeats):
        n.fail(f"its input has no axis {int(axis)}")
    repeats[int(axis)] = int(copies)
    return n.call("ops.tile", n[0], repeats)


@lowers("TopK")
def top_k(n: Node) -> Lowered:
    return n.calls("ops.top_k", n[0], n.integer("k"), axis=n.integer("axis", -1))
