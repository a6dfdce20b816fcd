"""Lays out Python code as ruff format does, for the few constructs in emitted programs.

An expression is a tree of text, brackets and operators. It is put on one line if it fits;
else its last bracket is split and the content indented, on one line or one line an item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 88
INDENT = "    "


@dataclass(frozen=True)
class Bracket:
    """`head` + open + items + close: a call, a list, a tuple or a subscript.

    `prefix` precedes it on the same line, such as the name of a keyword.
    """

    head: str
    items: Sequence[Expression]
    open: str = "("
    close: str = ")"
    prefix: str = ""

    @property
    def is_literal(self) -> bool:
        """Whether it is a list or tuple, whose content is never put on one line when split."""
        return not self.head

    @property
    def inside(self) -> str:
        text = ", ".join(flat(i) for i in self.items)
        one_tuple = self.is_literal and self.open == "(" and len(self.items) == 1
        return f"{text}," if one_tuple else text


@dataclass(frozen=True)
class Operation:
    """Operands joined by a binary operator."""

    operator: str
    operands: Sequence[Expression]


Expression = str | Bracket | Operation


def flat(expression: Expression) -> str:
    """The expression on one line."""
    match expression:
        case str():
            return expression
        case Bracket():
            e = expression
            return f"{e.prefix}{e.head}{e.open}{e.inside}{e.close}"
        case Operation():
            # Powers of simple operands are written without spaces.
            operator = expression.operator
            joint = operator if operator == "**" else f" {operator} "
            return joint.join(flat(o) for o in expression.operands)


def statement(target: str, expression: Expression, indent: str) -> list[str]:
    """`target = expression`, `return expression`, or the expression alone, as lines of code."""
    if target == "return":
        return _lay_out(f"{indent}return ", expression, indent, "")
    start = f"{indent}{target} = " if target else indent
    return _lay_out(start, expression, indent, "")


def _lay_out(start: str, expression: Expression, indent: str, end: str) -> list[str]:
    line = f"{start}{flat(expression)}{end}"
    if len(line) <= WIDTH:
        return [line]
    match expression:
        case Bracket() if expression.items:
            return _open(start, expression, indent, end)
        case Bracket() if start.endswith(" = ") and not end:
            return [f"{start}(", f"{indent}{INDENT}{flat(expression)}", f"{indent})"]
        case Operation():
            first, *rest = expression.operands
            inner = indent + INDENT
            if len(inner + flat(expression)) <= WIDTH:
                return [f"{start}(", inner + flat(expression), f"{indent}){end}"]
            lines = [f"{start}(", *_lay_out(inner, first, inner, "")]
            for operand in rest:
                lines += _lay_out(f"{inner}{expression.operator} ", operand, inner, "")
            return [*lines, f"{indent}){end}"]
        case _:
            return [line]


def _open(start: str, bracket: Bracket, indent: str, end: str) -> list[str]:
    inner = indent + INDENT
    head = f"{start}{bracket.prefix}{bracket.head}{bracket.open}"
    tail = f"{indent}{bracket.close}{end}"
    one = inner + bracket.inside
    if len(one) <= WIDTH and not bracket.is_literal:
        return [head, one, tail]
    lines = [head]
    for item in bracket.items:
        lines += _lay_out(inner, item, inner, ",")
    return [*lines, tail]


def quoted(text: str) -> str:
    """A string literal with everything unusual escaped, in the quotes that need fewer escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(_escaped(c, quote) for c in text) + quote


def _escaped(c: str, quote: str) -> str:
    if c in (quote, "\\"):
        return f"\\{c}"
    if c.isascii() and c.isprintable():
        return c
    return c.encode("unicode_escape", "surrogatepass").decode()
