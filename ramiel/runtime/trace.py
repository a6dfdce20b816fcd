"""When each statement of each worker of a program ran.

The program is not changed. Its workers are straight-line code, so Python's line events
(`sys.settrace`) in the workers' frames say when each statement begins, and `ast` which lines are
one statement.
"""

from __future__ import annotations

import ast
import copy
import linecache
import sys
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any, Literal

from ramiel.runtime.channels import Channels
from ramiel.runtime.program import Program

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


def trace(program: Program, *inputs: Any, runs: int = 1) -> Trace:
    """Run a program and record when each statement ran; of several runs, that of median length.

    See traces().
    """
    return median_of(traces(program, *inputs, runs=runs))


def median_of(taken: Sequence[Trace]) -> Trace:
    """The run of median length."""
    return sorted(taken, key=lambda run: run.makespan_us)[(len(taken) - 1) // 2]


def traces(program: Program, *inputs: Any, runs: int) -> list[Trace]:
    """Run a program several times and record when each statement ran.

    A run to warm up and start the threads comes first. All runs use a copy that shares the
    weights, so other callers of the program are not traced. Tracing costs a few µs a statement
    (one call of a Python function for each of its lines, and one for each Python function that it
    calls). O(statements) for each run.

    Raises ValueError if `runs` is less than 1 or the source of a worker is not available, and what
    the program raises. Tracing is off again then, in all threads.
    """
    if runs < 1:
        raise ValueError(f"need at least 1 run, not {runs}")
    traced = copy.copy(program)
    traced._plans.are_automatic = False  # pyright: ignore[reportPrivateUsage]
    names = traced._workers  # pyright: ignore[reportPrivateUsage]
    clocks = [_Clock(getattr(program, name)) for name in names]
    statements = _statements_of_codes([clock.__code__ for clock in clocks])
    try:
        traced(*inputs)
        # An attribute of the object comes before the method of the class.
        traced.__dict__.update(zip(names, clocks, strict=True))
        return [_run(traced, inputs, clocks, statements) for _ in range(runs)]
    finally:
        traced.close()


def statements_of(source: str) -> dict[tuple[str, int], list[Statement]]:
    """The statements of each function of a source, by its name and first line."""
    return {
        (node.name, min([node.lineno, *(d.lineno for d in node.decorator_list)])): [
            _statement(statement) for statement in node.body
        ]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
    }


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
    """What an expression does with which channel: `ch.a.recv()`, `ch.a.take()`, `ch.a.send(a)`."""
    match call:
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


def _statements_of_codes(codes: Sequence[CodeType]) -> list[list[Statement]]:
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


class _Clock:
    """A worker that records (line, ns) whenever one of its lines begins, and at its end, by call.

    It has the worker's `__code__`, by which the program finds the operation that failed.
    """

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        self.__code__: CodeType = worker.__code__
        self.calls: list[list[tuple[int, int]]] = []

    def __call__(self, ch: Channels) -> None:
        code = self.__code__
        marks: list[tuple[int, int]] = []
        self.calls.append(marks)
        note, now = marks.append, time.perf_counter_ns

        def on_line(frame: FrameType, event: str, arg: object) -> Any:
            note((frame.f_lineno, now()))
            return on_line

        def on_call(frame: FrameType, event: str, arg: object) -> Any:
            return on_line if frame.f_code is code else None

        before = sys.gettrace()
        sys.settrace(on_call)
        try:
            self.worker(ch)
        finally:
            sys.settrace(before)


def _run(
    traced: Program,
    inputs: Sequence[Any],
    clocks: Sequence[_Clock],
    statements: Sequence[Sequence[Statement]],
) -> Trace:
    for clock in clocks:
        clock.calls = []
    start = time.perf_counter_ns()
    traced(*inputs)
    events = [
        event
        for worker, clock in enumerate(clocks)
        for marks in clock.calls
        for event in _events(worker, statements[worker], marks, start)
    ]
    return Trace(tuple(events), max((event.end for event in events), default=0.0))


def _events(
    worker: int, statements: Sequence[Statement], marks: Sequence[tuple[int, int]], start: int
) -> list[Event]:
    """A statement lasts until the next one begins: in between, nothing else runs."""
    lines = [statement.first for statement in statements]
    begun: list[tuple[int, int]] = []
    for line, ns in marks:
        # A call that is written on several lines goes back and forth between them.
        index = bisect_right(lines, line) - 1
        if index >= 0 and (not begun or begun[-1][0] != index):
            begun.append((index, ns))
    ends = [*(ns for _, ns in begun[1:]), marks[-1][1]]
    return [
        Event(
            worker,
            statements[index].kind,
            statements[index].name,
            (ns - start) / 1e3,
            (end - start) / 1e3,
        )
        for (index, ns), end in zip(begun, ends, strict=True)
    ]
