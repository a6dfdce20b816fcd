"""When each statement of each worker of a program ran.

The program is not changed. Its workers are straight-line code, and `ast` says which lines are one
statement. Where calls are replayed, a plan's own clock says when each step ended, and its tape
which line the step comes from. Where they run in Python, its line events (`sys.settrace`) in the
workers' frames say when each statement begins. Programs of streams have a tracer of their own,
ramiel.runtime.streams.trace.
"""

from __future__ import annotations

import copy
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from types import CodeType, FrameType
from typing import Any

from ramiel.runtime.channels import Channels
from ramiel.runtime.events import Event, Statement, Trace, index_of, statements_of_codes, trace_of
from ramiel.runtime.program import Program
from ramiel.runtime.replay.plans import is_replayed
from ramiel.runtime.replay.split import Part
from ramiel.runtime.replay.tape import NotCapturable, Noted
from ramiel.runtime.workers import Worker


def trace(program: Program, *inputs: Any, runs: int = 1, replay: bool = True) -> Trace:
    """Run a program and record when each statement ran; of several runs, that of median length.

    See traces().
    """
    return median_of(traces(program, *inputs, runs=runs, replay=replay))


def median_of(taken: Sequence[Trace]) -> Trace:
    """The run of median length."""
    return sorted(taken, key=lambda run: run.makespan_us)[(len(taken) - 1) // 2]


def traces(program: Program, *inputs: Any, runs: int, replay: bool = True) -> list[Trace]:
    """Run a program several times and record when each statement ran.

    The runs are replays if calls with such inputs are captured, by the program itself or by
    capture(), and if `replay` has it so; else they are made in Python. A replay has an event for
    each operation, send and wait for another worker: an operation without steps, such as a view,
    has a length of 0, and there are none for freeing values and receiving inputs. Where a replay
    goes on in Python, so do the events.

    Runs to warm up and start the threads come first. All runs use a copy that shares the weights,
    so other callers of the program are not traced. Tracing a replay costs 0.02 µs a step; in Python
    it costs a few µs a statement (one call of a Python function for each of its lines, and one for
    each Python function that it calls). O(statements) for each run.

    Raises ValueError if `runs` is less than 1 or the source of a worker is not available, and what
    the program raises. Tracing is off again then, in all threads.
    """
    if runs < 1:
        raise ValueError(f"need at least 1 run, not {runs}")
    from ramiel.runtime.streams.program import StreamProgram  # it needs this module

    if isinstance(program, StreamProgram):
        from ramiel.runtime.streams.trace import traces_of_streams

        return traces_of_streams(program, inputs, runs, replay)
    traced = copy.copy(program)
    names = traced._workers  # pyright: ignore[reportPrivateUsage]
    methods = [getattr(program, name) for name in names]
    clocks = [_Clock(method, method.__code__) for method in methods]
    statements = statements_of_codes([clock.__code__ for clock in clocks])
    try:
        reason = _captured(program, traced, inputs) if replay else "as was asked for"
        if is_replayed(reason):
            replays = [_replay(traced, inputs, statements, reason) for _ in range(runs + 1)]
            done = [run for run in replays if run is not None]
            if len(done) == len(replays):
                return done[1:]
            reason = "a step fails"
        traced.captures = False
        traced._plans.clear()  # pyright: ignore[reportPrivateUsage]
        traced(*inputs)
        # An attribute of the object comes before the method of the class.
        traced.__dict__.update(zip(names, clocks, strict=True))
        return [_run(traced, inputs, clocks, statements, reason) for _ in range(runs)]
    finally:
        traced.close()


def _captured(program: Program, traced: Program, inputs: Sequence[Any]) -> str:
    """Captures calls of a copy, if the program's are; how far, or why not."""
    status = program.capture_status(*inputs)
    if not is_replayed(status) and not program.captures:
        return status
    try:
        traced.capture(*inputs)
    except NotCapturable as reason:
        return str(reason)
    return traced.capture_status(*inputs)


class _Clock:
    """A worker that records (line, ns) whenever one of its lines begins, and at its end, by call.

    It has the worker's `__code__`, by which the program finds the operation that failed.
    """

    def __init__(self, worker: Worker, code: CodeType) -> None:
        self.worker = worker
        self.__code__ = code
        self.calls: list[list[tuple[int, int]]] = []

    def __call__(self, ch: Channels) -> None:
        code = self.__code__
        marks: list[tuple[int, int]] = []
        self.calls.append(marks)
        note, now = marks.append, time.monotonic_ns

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


def _replay(
    traced: Program,
    inputs: Sequence[Any],
    statements: Sequence[Sequence[Statement]],
    status: str,
) -> Trace | None:
    """A replay, with what it leaves to Python; None if all of it has to be made there."""
    clocks: dict[int, list[_Clock]] = defaultdict(list)

    def clocked(worker: int, part: Part) -> _Clock:
        clocks[worker].append(_Clock(part, part.code))
        return clocks[worker][-1]

    start = time.monotonic_ns()
    batches = traced._times(inputs, clocked)  # pyright: ignore[reportPrivateUsage]
    if batches is None:
        return None
    events: list[Event] = []
    for worker, own in enumerate(statements):
        for number, (workers, times, left) in enumerate(batches):
            part = left.parts.get(worker) if left is not None else None
            before = own if part is None else own[: index_of(own, part.line)]
            events += _replayed(worker, before, workers[worker], times[worker], start)
            if part is not None:
                (marks,) = clocks[worker][number].calls
                events += _events(worker, own, marks, start)
    return trace_of(events, status)


def _replayed(
    worker: int,
    statements: Sequence[Statement],
    steps: Sequence[Noted],
    times: Sequence[int],
    start: int,
) -> Iterator[Event]:
    """A statement lasts from the end of the one before to that of its last step."""
    ends: dict[int, int] = {}
    for step, end in zip(steps, times[1:], strict=True):
        ends[index_of(statements, step.line)] = end
    before = times[0]
    for index, statement in enumerate(statements):
        if index in ends or statement.kind == "op":
            end = ends.get(index, before)
            yield _event(worker, statement, before - start, end - start)
            before = end


def _run(
    traced: Program,
    inputs: Sequence[Any],
    clocks: Sequence[_Clock],
    statements: Sequence[Sequence[Statement]],
    reason: str,
) -> Trace:
    for clock in clocks:
        clock.calls = []
    start = time.monotonic_ns()
    traced(*inputs)
    events = [
        event
        for worker, clock in enumerate(clocks)
        for marks in clock.calls
        for event in _events(worker, statements[worker], marks, start)
    ]
    return trace_of(events, reason)


def _events(
    worker: int, statements: Sequence[Statement], marks: Sequence[tuple[int, int]], start: int
) -> list[Event]:
    """A statement lasts until the next one begins: in between, nothing else runs."""
    begun: list[tuple[int, int]] = []
    for line, ns in marks:
        # A call that is written on several lines goes back and forth between them.
        index = index_of(statements, line)
        if index >= 0 and (not begun or begun[-1][0] != index):
            begun.append((index, ns))
    ends = [*(ns for _, ns in begun[1:]), marks[-1][1]]
    return [
        _event(worker, statements[index], ns - start, end - start)
        for (index, ns), end in zip(begun, ends, strict=True)
    ]


def _event(worker: int, statement: Statement, start_ns: int, end_ns: int) -> Event:
    return Event(worker, statement.kind, statement.name, start_ns / 1e3, end_ns / 1e3)
