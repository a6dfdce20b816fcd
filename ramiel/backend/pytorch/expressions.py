"""Operations of the `torch` dialect as Python expressions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from xdsl.dialects.builtin import ArrayAttr
from xdsl.ir import Attribute

from ramiel.backend.pytorch.format import Bracket, Expression, Operation, flat, quoted
from ramiel.dialects.torch import CallOp, LayerOp
from ramiel.dialects.torch.callees import BINARY_OPERATORS, UNARY_OPERATORS
from ramiel.dialects.torch.literals import DtypeAttr, OperandAttr, SliceAttr, python_literal


def call_expression(op: CallOp, operands: Sequence[str]) -> Expression:
    """A call as Python code, given the names of its operands."""
    callee = op.callee
    if callee == "operator.getitem":
        return _subscript(flat(argument(op.args[0], operands)), op.args[1], operands)
    args = [argument(a, operands) for a in op.args]
    kwargs = keywords(op.kwargs, operands)
    if callee in BINARY_OPERATORS:
        if callee == "operator.pow" and flat(args[0]).startswith("-"):
            args[0] = f"({flat(args[0])})"
        return Operation(BINARY_OPERATORS[callee], args)
    if callee in UNARY_OPERATORS:
        return f"{UNARY_OPERATORS[callee]}{flat(args[0])}"
    prefix, _, name = callee.partition(".")
    if prefix != "Tensor":
        shown = f"torch.ops.{callee}" if prefix == "aten" else callee
        return Bracket(shown, [*args, *kwargs])
    receiver = f"{flat(args[0])}.{name}"
    return receiver if callee in PROPERTIES else Bracket(receiver, [*args[1:], *kwargs])


PROPERTIES = frozenset(["Tensor.mT"])
"""Attributes of a tensor, printed without a call."""


def layer_expression(op: LayerOp) -> Expression:
    """The constructor call of a layer in `__init__`."""
    name = op.layer_name or "layer"
    return Bracket(op.layer, ["weights", quoted(name), *keywords(op.config, ())])


def keywords(kwargs: Mapping[str, Attribute], operands: Sequence[str]) -> list[Expression]:
    return [_keyword(k, argument(v, operands)) for k, v in kwargs.items()]


def _keyword(key: str, value: Expression) -> Expression:
    if isinstance(value, Bracket):
        return replace(value, prefix=f"{key}=")
    return f"{key}={flat(value)}"


def argument(attribute: Attribute, operands: Sequence[str]) -> Expression:
    """An argument as Python code."""
    match attribute:
        case OperandAttr():
            return operands[attribute.data]
        case DtypeAttr():
            return f"torch.{attribute.data}"
        case ArrayAttr():
            return Bracket("", [argument(i, operands) for i in attribute], "[", "]")
        case SliceAttr():
            raise TypeError("a slice may only be in a subscript")
        case _:
            return literal_code(python_literal(attribute))


def literal_code(value: object) -> str:
    """A Python literal as code; infinities and strings included."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)


def _subscript(target: str, index: Attribute, operands: Sequence[str]) -> Expression:
    parts = list(cast(ArrayAttr[Attribute], index)) if isinstance(index, ArrayAttr) else [index]
    items: list[Expression] = [_index(p, operands) for p in parts]
    return Bracket(target, items, "[", "]")


def _index(attribute: Attribute, operands: Sequence[str]) -> Expression:
    if not isinstance(attribute, SliceAttr):
        return argument(attribute, operands)
    bounds = [python_literal(a) for a in (attribute.start, attribute.stop, attribute.step)]
    start, stop, step = ("" if b is None else str(b) for b in bounds)
    return f"{start}:{stop}:{step}" if step else f"{start}:{stop}"
