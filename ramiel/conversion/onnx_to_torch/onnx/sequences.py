"""Sequences and optionals: lists, and values that may be None."""

from __future__ import annotations

from xdsl.ir import SSAValue

from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.types import OptionalType, element_of


@lowers("SequenceConstruct", 11)
def sequence_construct(n: Node) -> Lowered:
    return n.call("ops.sequence", *n.inputs())


@lowers("SequenceEmpty", 11)
def sequence_empty(n: Node) -> Lowered:
    return n.call("ops.sequence")


def _position(n: Node, i: int) -> list[int | SSAValue]:
    """The position in input i, a Python number if it is constant; empty if it is not given."""
    if not n.given(i):
        return []
    known = n.scalar(i)
    return [n[i] if known is None else int(known)]


@lowers("SequenceAt", 11)
def sequence_at(n: Node) -> Lowered:
    (position,) = _position(n, 1)
    callee = "operator.getitem" if isinstance(position, int) else "ops.sequence_at"
    return n.call(callee, n[0], position)


@lowers("SequenceInsert", 11)
def sequence_insert(n: Node) -> Lowered:
    return n.call("ops.sequence_insert", n[0], n[1], *_position(n, 2))


@lowers("SequenceErase", 11)
def sequence_erase(n: Node) -> Lowered:
    return n.call("ops.sequence_erase", n[0], *_position(n, 1))


@lowers("SequenceLength", 11)
def sequence_length(n: Node) -> Lowered:
    return n.call("ops.sequence_length", n[0])


@lowers("SplitToSequence", 11)
def split_to_sequence(n: Node) -> Lowered:
    axis = n.integer("axis", 0)
    if not n.given(1):
        keep = [] if n.integer("keepdims", 1) else [False]
        return n.call("ops.split_to_sequence", n[0], axis, 1, *keep)
    sizes: object = n[1]
    if (known := n.integers(1)) is not None:
        sizes = known[0] if n.rank(1) == 0 else known
        if min(known, default=0) < 0 or sizes == 0:
            n.fail(f"the sizes {known} of its parts are not positive")
    return n.call("ops.split_to_sequence", n[0], axis, sizes)


@lowers("ConcatFromSequence", 11)
def concat_from_sequence(n: Node) -> Lowered:
    callee = "torch.stack" if n.integer("new_axis", 0) else "torch.cat"
    return n.call(callee, n[0], dim=n.integer("axis"))


@lowers("Optional", 15)
def optional(n: Node) -> Lowered:
    return n[0] if n.given(0) else n.call("ops.nothing")


@lowers("OptionalHasElement", 15)
def optional_has_element(n: Node) -> Lowered:
    if not n.given(0):
        return n.call("torch.full", [], False)
    return n.call("ops.has_element", n[0])


@lowers("OptionalGetElement", 15)
def optional_get_element(n: Node) -> Lowered:
    type = n.op.operands[0].type
    may_be_empty = isinstance(type, OptionalType) or element_of(type) is None
    return n.call("ops.get_element", n[0]) if may_be_empty else n[0]
