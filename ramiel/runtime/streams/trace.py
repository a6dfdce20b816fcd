"""When each statement of each worker of a program of streams ran, by the device's own clock.

Python's line events (`sys.settrace`) say when a worker begins a statement, and then a timer is
recorded on the worker's stream: it tells when the device has done what the stream got before. In a
captured graph the timers are nodes of it, so each replay records them. They cost the device about
as much as a small kernel, so a traced run takes longer than others.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from ramiel.runtime.events import Event, Statement, Trace, index_of, statements_of_codes, trace_of
from ramiel.runtime.replay.plans import CAPTURED
from ramiel.runtime.replay.tape import NotCapturable
from ramiel.runtime.streams.device import Device, Timer, programs_on
from ramiel.runtime.streams.plans import Form, StreamPlan, issuing

if TYPE_CHECKING:
    from collections.abc import Generator

    from ramiel.runtime.streams.program import StreamProgram


def traces_of_streams(
    program: StreamProgram, inputs: Sequence[Any], runs: int, replay: bool
) -> list[Trace]:
    """As ramiel.runtime.trace.traces(), of the first samples that run at a time.

    A worker's statement lasts from the end of the one before on its stream until its own end: a
    kernel's time includes that of launching it. The workers are traced even if calls are replayed
    on one stream, as that is faster. A program that cannot be captured is issued from Python, and
    then the device mostly waits for that.
    """
    with programs_on(program._target):  # pyright: ignore[reportPrivateUsage]
        traced = copy.copy(program)
    try:
        return traced.undisturbed(lambda: _traces(traced, inputs, runs, replay))
    finally:
        traced.close()


def _traces(program: StreamProgram, inputs: Sequence[Any], runs: int, replay: bool) -> list[Trace]:
    form, device, given = program.workers_form(inputs)
    codes = program.worker_codes()
    marks = _Marks(device, codes, statements_of_codes(codes))
    with device.issuing(), issuing:
        placed = [x.to(device.torch_device) if hasattr(x, "to") else x for x in given]
        form.issue(placed)  # prepares the kernels
        reason = "as was asked for"
        if replay:
            captured, reason = _captured(program, device, form, placed, marks)
            if captured is not None:
                return [marks.trace(captured.replay, CAPTURED) for _ in range(runs + 1)][1:]
        issue = marks.marking(form)
        return [marks.trace(lambda: issue(placed), reason) for _ in range(runs + 1)][1:]


def _captured(
    program: StreamProgram, device: Device, form: Form, inputs: Sequence[Any], marks: _Marks
) -> tuple[StreamPlan | None, str]:
    """A graph of the workers with timers, or why there is none."""
    if not program.captures:
        return None, "capture is off"
    try:
        return StreamPlan(device, replace(form, issue=marks.marking(form)), inputs), CAPTURED
    except NotCapturable as reason:
        return None, str(reason)
    except Exception as error:
        return None, program.told(error)


class _Marks:
    """Timers at the beginnings of statements."""

    def __init__(
        self,
        device: Device,
        codes: Sequence[CodeType],
        statements: Sequence[Sequence[Statement]],
    ) -> None:
        self._device = device
        self._worker = {code: worker for worker, code in enumerate(codes)}
        self._statements = statements
        self._start: Timer = device.timer()
        self._marks: list[list[tuple[int, Timer]]] = []

    def marking(self, form: Form) -> Callable[[Sequence[Any]], list[Any]]:
        """Issues a form with timers."""

        def issue(inputs: Sequence[Any]) -> list[Any]:
            self._marks = [[] for _ in self._statements]
            self._start = self._device.timer()
            self._start.record(self._device.current())
            with self._noting():
                return form.issue(inputs)

        return issue

    @contextmanager
    def _noting(self) -> Generator[None]:
        def on_call(frame: FrameType, event: str, arg: object) -> Any:
            worker = self._worker.get(frame.f_code)
            if worker is None:
                return None

            def on_line(frame: FrameType, event: str, arg: object) -> Any:
                if event == "line":
                    self._note(worker, frame.f_lineno)
                return on_line

            return on_line

        before = sys.gettrace()
        sys.settrace(on_call)
        try:
            yield
        finally:
            sys.settrace(before)

    def _note(self, worker: int, line: int) -> None:
        marks, statements = self._marks[worker], self._statements[worker]
        index = index_of(statements, line)
        # A worker is on its stream within its `with`, whose line comes again at the end.
        begins = not marks and statements[index].kind == "other"
        if index < 0 or begins or (marks and marks[-1][0] == index):
            return
        timer = self._device.timer()
        timer.record(self._device.current())
        marks.append((index, timer))

    def trace(self, run: Callable[[], object], replay: str) -> Trace:
        """What a run of what was issued with timers took."""
        run()
        self._device.synchronize()
        events: list[Event] = []
        for worker, marks in enumerate(self._marks):
            times = [self._start.elapsed_time(timer) * 1e3 for _, timer in marks]
            for (index, _), (start, end) in zip(marks, pairwise(times), strict=False):
                statement = self._statements[worker][index]
                if statement.kind != "other":
                    events.append(Event(worker, statement.kind, statement.name, start, end))
        return trace_of(events, replay)
