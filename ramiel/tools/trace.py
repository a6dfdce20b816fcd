"""`ramiel trace`: a schedule and a run of it as Chrome trace events.

The format is Google's "Trace Event Format" (JSON object format): complete events `X`, metadata
`M`, and flows `s` to `f` for hand-overs. Perfetto and chrome://tracing open it. Times are in µs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ramiel.api import load
from ramiel.compiler import Compilation
from ramiel.errors import CompileError
from ramiel.runtime import OpError
from ramiel.runtime.events import Trace
from ramiel.runtime.trace import trace
from ramiel.tools.check import Inputs, inputs_of
from ramiel.tools.schedule_view import OpView, ScheduleView, view_of
from ramiel.weights.store import replacing

RUNS = 9
"""The number of runs, of which the one of median length is shown."""
PREDICTED, MEASURED = 1, 2
"""The process ids of the two timelines."""

INSIDE = 0.001
"""A flow belongs to the slice that is open at its time: it must be this many µs before the end."""

JsonEvent = dict[str, Any]


def run_traced(compilation: Compilation, how: Inputs, model: Path, replay: bool) -> Trace:
    """Runs a compiled program on random inputs and traces it, as traces() does. Raises CompileError
    if it fails."""
    with load(compilation) as program:
        inputs = inputs_of(program, how)
        try:
            return trace(program, *inputs, runs=RUNS, replay=replay)
        except OpError as error:
            raise CompileError(f"the program fails: {error}", file=str(model)) from error


def write_trace(compilation: Compilation, measured: Trace, path: Path) -> None:
    """Writes both timelines to a file, which appears only when it is complete."""
    with replacing(path) as temporary:
        document = chrome_trace(view_of(compilation.module), measured)
        temporary.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")


def chrome_trace(view: ScheduleView, measured: Trace) -> dict[str, Any]:
    """The trace as a JSON object: process 1 is the simulated run, process 2 the measured one."""
    workers = len(view.placed.placement.workers)
    events = [
        *_names(PREDICTED, "predicted", workers, view.lane),
        *_names(MEASURED, f"measured, {measured.form}", workers, view.lane),
        *_predicted(view),
        *_measured(view, measured),
    ]
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def _names(process: int, name: str, workers: int, lane: str) -> Iterable[JsonEvent]:
    def metadata(event: str, thread: int, **args: object) -> JsonEvent:
        return {"ph": "M", "name": event, "pid": process, "tid": thread, "args": args}

    yield metadata("process_name", 0, name=name)
    yield metadata("process_sort_index", 0, sort_index=process)
    for worker in range(workers):
        yield metadata("thread_name", worker, name=f"{lane} {worker}")
        yield metadata("thread_sort_index", worker, sort_index=worker)


def _predicted(view: ScheduleView) -> Iterable[JsonEvent]:
    for worker, order in enumerate(view.placed.placement.workers):
        for task in order:
            op = view.ops[task]
            kind = "op" if op.worker == worker else "lent"
            yield _slice(PREDICTED, worker, kind, op.name, op.start, op.finish, _args(op))
    for number, (producer, consumer) in enumerate(view.hand_overs):
        source, target = view.ops[producer], view.ops[consumer]
        ends = (source.worker, source.finish - INSIDE), (target.worker, target.start)
        yield from _flow(PREDICTED, number, source.name, *ends)


def _measured(view: ScheduleView, measured: Trace) -> Iterable[JsonEvent]:
    ops = {op.name: op for op in view.ops}
    sends = {event.name: event for event in measured.events if event.kind == "send"}
    for event in measured.events:
        op = ops.get(event.name)
        args = _args(op) if op is not None else {}
        name = event.name if event.kind == "op" else f"{event.kind} {event.name}".strip()
        yield _slice(MEASURED, event.worker, event.kind, name, event.start, event.end, args)
    # The caller sends the inputs: their channels have no sender here.
    received = (event for event in measured.events if event.kind == "recv" and event.name in sends)
    for number, event in enumerate(received):
        sent = sends[event.name]
        ends = (sent.worker, sent.start), (event.worker, event.end - INSIDE)
        yield from _flow(MEASURED, number, event.name, *ends)


def _args(op: OpView) -> JsonEvent:
    return {
        "node": op.node,
        "op": op.op_type,
        "cluster": op.cluster,
        "cost": op.cost,
        "shape": op.type,
    }


def _slice(
    process: int, worker: int, kind: str, name: str, start: float, end: float, args: JsonEvent
) -> JsonEvent:
    return {
        "ph": "X",
        "pid": process,
        "tid": worker,
        "cat": kind,
        "name": name,
        "ts": round(start, 3),
        "dur": round(round(end, 3) - round(start, 3), 3),  # whole ns, so that slices do not overlap
        "args": args,
    }


def _flow(
    process: int, number: int, name: str, start: tuple[int, float], end: tuple[int, float]
) -> Iterable[JsonEvent]:
    # Viewers match flows by category, name and id, and some of them across processes.
    common = {"cat": "hand-over", "name": name, "id": f"{process}.{number}", "pid": process}
    yield {"ph": "s", "tid": start[0], "ts": round(start[1], 3), **common}
    yield {"ph": "f", "bp": "e", "tid": end[0], "ts": round(end[1], 3), **common}
