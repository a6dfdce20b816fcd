"""What a trace is made of: the statements of workers, and when each of them ran."""

from __future__ import annotations

import ast
import linecache
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Literal

from ramiel.runtime.replay.plans import form_of

Kind = Literal["op", "recv", "send", "free", "other"]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement of a method: its first and last line (from 1), and what it does.

    `name` is what an "op" assigns (`a`, or `a, b`), the channel of a "recv" or "send", and what
    a "free" deletes; "other" statements have none.
    """

    first: int
    last: int
    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Event:
    """One statement of one run; `start` and `end` are µs since the program was called."""

    worker: int
    kind: Kind
    name: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Trace:
    """A run: its events, by worker and then by time, and when the last of them ended, µs."""

    events: tuple[Event, ...]
    makespan_us: float
    replay: str
    """`captured` if it was a replay; how far, if it was in part; or why it was made in Python."""

    @property
    def form(self) -> str:
        """The same in words."""
        return form_of(self.replay)


def trace_of(events: Sequence[Event], replay: str) -> Trace:
    return Trace(tuple(events), max((event.end for event in events), default=0.0), replay)


def statements_of(source: str) -> dict[tuple[str, int], list[Statement]]:
    """The statements of each function of a source, by its name and first line."""
    return {
        (node.name, min([node.lineno, *(d.lineno for d in node.decorator_list)])): [
            statement for child in node.body for statement in _statements(child)
        ]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def _statements(node: ast.stmt) -> Iterator[Statement]:
    """A statement; of a `with`, its first line, and those within."""
    if not isinstance(node, ast.With):
        yield _statement(node)
        return
    yield Statement(node.lineno, node.body[0].lineno - 1, "other", "")
    for child in node.body:
        yield from _statements(child)


def _statement(node: ast.stmt) -> Statement:
    kind: Kind
    match node:
        case (ast.Assign() | ast.Expr()) as line if (found := _channel(line.value)) is not None:
            kind, name = found
        case ast.Assign(targets=[ast.Tuple(elts=targets)]):
            kind, name = "op", _joined(targets)
        case ast.Assign(targets=targets):
            kind, name = "op", _joined(targets)
        case ast.Delete(targets=targets):
            kind, name = "free", _joined(targets)
        case _:
            kind, name = "other", ""
    return Statement(node.lineno, node.end_lineno or node.lineno, kind, name)


def _channel(call: ast.expr) -> tuple[Kind, str] | None:
    """What an expression does with which channel: `ch.a.recv()`, `ch.a.take()`, `ch.a.send(a)`,
    `await ch.a`, `await ch.a.take()`."""
    match call:
        case ast.Await(ast.Call() as taking):
            return _channel(taking)
        case ast.Await(ast.Attribute(value=ast.Name("ch"), attr=name)):
            return "recv", name
        case ast.Call(
            func=ast.Attribute(
                value=ast.Attribute(value=ast.Name("ch"), attr=name),
                attr="recv" | "take" | "send" as verb,
            )
        ):
            return ("send" if verb == "send" else "recv"), name
        case _:
            return None


def _joined(targets: Sequence[ast.expr]) -> str:
    return ", ".join(map(ast.unparse, targets))


def statements_of_codes(codes: Sequence[CodeType]) -> list[list[Statement]]:
    files = {
        file: statements_of("".join(linecache.getlines(file)))
        for file in {code.co_filename for code in codes}
    }
    found: list[list[Statement]] = []
    for code in codes:
        statements = files[code.co_filename].get((code.co_name, code.co_firstlineno))
        if statements is None:
            raise ValueError(f"the source of {code.co_qualname} is not available")
        found.append(statements)
    return found


def index_of(statements: Sequence[Statement], line: int) -> int:
    """The statement of a line; -1 for a line before the first."""
    return bisect_right(statements, line, key=lambda statement: statement.first) - 1
