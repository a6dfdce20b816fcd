"""The arguments of calls: Python literals as attributes, with placeholders for operands.

Their syntax is close to Python's:

    torch.call torch.cat([%a, %b], dim = 1)
    torch.call operator.getitem(%x, [slice(none, none), slice(0, 8)])
    torch.call torch.zeros([2, 3], dtype = float32)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

from xdsl.dialects.builtin import (
    ArrayAttr,
    FloatAttr,
    IntegerAttr,
    NoneType,
    StringAttr,
    f64,
    i1,
    i64,
)
from xdsl.ir import Attribute, Data, ParametrizedAttribute, SSAValue
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser, Parser, UnresolvedOperand
from xdsl.printer import Printer

from ramiel.dialects.text import parse_optional_text, text_of
from ramiel.dialects.torch.dtypes import DTYPES

T = TypeVar("T")


@irdl_attr_definition
class OperandAttr(Data[int]):
    """A placeholder for operand n among a call's arguments."""

    name = "torch.operand"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> int:
        with parser.in_angle_brackets():
            return parser.parse_integer(allow_boolean=False, allow_negative=False)

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_int(self.data)


@irdl_attr_definition
class DtypeAttr(Data[str]):
    """An element type of torch: `#torch.dtype<float32>`."""

    name = "torch.dtype"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> str:
        with parser.in_angle_brackets():
            return parser.parse_identifier()

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(self.data)


@irdl_attr_definition
class SliceAttr(ParametrizedAttribute):
    """A slice in an index: start, stop and step, each an integer or none."""

    name = "torch.slice"
    start: Attribute
    stop: Attribute
    step: Attribute


class Dtype(str):
    """Marks a string as the name of a torch element type."""


def literal(value: object, operands: list[SSAValue]) -> Attribute:
    """The attribute of a Python value; SSA values are appended to `operands`.

    Raises TypeError for a value that has no literal.
    """
    match value:
        case None:
            return NoneType()
        case bool():
            return IntegerAttr(int(value), i1)
        case int():
            return IntegerAttr(value, i64)
        case float():
            return FloatAttr(value, f64)
        case Dtype():
            return DtypeAttr(str(value))
        case str():
            return StringAttr(value)
        case SSAValue():
            operands.append(value)
            return OperandAttr(len(operands) - 1)
        case slice():
            parts = cast("slice[object, object, object]", value)
            return SliceAttr(*(literal(v, operands) for v in (parts.start, parts.stop, parts.step)))
        case list() | tuple():
            return ArrayAttr([literal(v, operands) for v in cast("Sequence[object]", value)])
        case _:
            raise TypeError(f"{value!r} cannot be a literal")


def fold_literal(
    attribute: Attribute,
    leaf: Callable[[Attribute], T],
    sequence: Callable[[list[T]], T],
    cut: Callable[[T, T, T], T],
) -> T:
    """Folds a literal bottom-up, as the evaluator and the printer do to read arguments."""
    match attribute:
        case ArrayAttr():
            return sequence([fold_literal(a, leaf, sequence, cut) for a in attribute])
        case SliceAttr():
            parts = (attribute.start, attribute.stop, attribute.step)
            return cut(*(fold_literal(a, leaf, sequence, cut) for a in parts))
        case _:
            return leaf(attribute)


def visit_leaves(attribute: Attribute, visit: Callable[[Attribute], None]) -> None:
    """Calls `visit` for each leaf of a literal."""

    def sequence(_: list[None]) -> None: ...

    def cut(*_: None) -> None: ...

    fold_literal(attribute, visit, sequence, cut)


def python_literal(attribute: Attribute) -> object:
    """The Python value of a scalar or string literal. Raises TypeError for any other."""
    match attribute:
        case NoneType():
            return None
        case IntegerAttr():
            value = attribute.value.data
            return bool(value) if attribute.type == i1 else value
        case FloatAttr():
            return attribute.value.data
        case _:
            text = text_of(attribute)
            if text is None:
                raise TypeError(f"{attribute} is not a literal")
            return text


def verify_literal(attribute: Attribute, index: bool = False) -> str | None:
    """Why an attribute is not a valid argument, or a valid index; None if it is valid."""
    match attribute:
        case ArrayAttr():
            problems = (verify_literal(a, index and isinstance(a, SliceAttr)) for a in attribute)
            return next((p for p in problems if p is not None), None)
        case SliceAttr():
            bounds = (attribute.start, attribute.stop, attribute.step)
            if not index:
                return "a slice is only allowed in an index"
            if not all(isinstance(b, NoneType | IntegerAttr) for b in bounds):
                return "the bounds of a slice must be integers or none"
            return None
        case DtypeAttr():
            known = attribute.data in DTYPES
            return None if known else f"torch has no element type {attribute.data!r}"
        case OperandAttr() | NoneType() | IntegerAttr() | FloatAttr():
            return None
        case _:
            return f"{attribute} is not a valid argument" if text_of(attribute) is None else None


# --- text --------------------------------------------------------------------------------


def print_literal(printer: Printer, attribute: Attribute, operands: Sequence[SSAValue]) -> None:
    match attribute:
        case OperandAttr():
            printer.print_ssa_value(operands[attribute.data])
        case NoneType():
            printer.print_string("none")
        case DtypeAttr():
            printer.print_string(attribute.data)
        case IntegerAttr() | FloatAttr():
            printer.print_string(_number(python_literal(cast(Attribute, attribute))))
        case ArrayAttr():
            with printer.in_square_brackets():
                printer.print_list(attribute, lambda a: print_literal(printer, a, operands))
        case SliceAttr():
            printer.print_string("slice")
            with printer.in_parens():
                parts = (attribute.start, attribute.stop, attribute.step)
                printer.print_list(parts, lambda a: print_literal(printer, a, operands))
        case _:
            text = text_of(attribute)
            if text is None:
                raise TypeError(f"{attribute} is not a valid argument")
            printer.print_string_literal(text)


def _number(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value):
        text = repr(value)
        # MLIR's lexer needs a point before an exponent.
        return text if "." in text or "e" not in text else text.replace("e", ".0e")
    return str(value)


_WORDS: Mapping[str, object] = {
    "none": None,
    "true": True,
    "false": False,
    "inf": math.inf,
    "nan": math.nan,
}


def parse_literal(parser: Parser, operands: list[UnresolvedOperand]) -> Attribute:
    """Parses an argument; operands are appended to `operands`, to be resolved later."""
    unresolved = parser.parse_optional_unresolved_operand()
    if unresolved is not None:
        operands.append(unresolved)
        return OperandAttr(len(operands) - 1)
    items = parser.parse_optional_comma_separated_list(
        parser.Delimiter.SQUARE, lambda: parse_literal(parser, operands)
    )
    if items is not None:
        return ArrayAttr(items)
    text = parse_optional_text(parser)
    if text is not None:
        return StringAttr(text)
    word = parser.parse_optional_identifier()
    if word is None:
        if parser.parse_optional_punctuation("-") is not None:
            if parser.parse_optional_keyword("inf") is not None:
                return literal(-math.inf, [])
            return literal(-parser.parse_number(allow_boolean=False), [])
        return literal(parser.parse_number(allow_boolean=False), [])
    if word in _WORDS:
        return literal(_WORDS[word], [])
    if word == "slice":
        with parser.in_parens():
            parts = parser.parse_comma_separated_list(
                parser.Delimiter.NONE, lambda: parse_literal(parser, operands)
            )
        if len(parts) != 3:
            parser.raise_error("a slice has a start, a stop and a step")
        return SliceAttr(*parts)
    if word not in DTYPES:
        parser.raise_error(f"torch has no element type {word!r}")
    return DtypeAttr(word)


def scalar(values: list[int]) -> int | list[int]:
    """One number if all values are equal, else the list: `(3, 3)` prints as `3`."""
    return values[0] if len(set(values)) == 1 else values
