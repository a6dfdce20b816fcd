"""The geometry of a Gantt chart: bars by worker, in percent of a common span of time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10

from ramiel.runtime.events import Trace
from ramiel.tools.schedule_view import ScheduleView

LEAST_WAIT = 0.05
"""Shorter waits are not drawn, in percent."""


@dataclass(frozen=True)
class Bar:
    """A task, from `x` to `x + width`; `lent` if it is on a worker that lends its core to it."""

    op: int
    worker: int
    x: float
    width: float
    lent: bool = False


@dataclass(frozen=True)
class Link:
    """A value that goes from one worker and time to another."""

    op: int
    x1: float
    worker1: int
    x2: float
    worker2: int


@dataclass(frozen=True)
class Gantt:
    """One timeline. `name` also names its elements in the page; `form` says how it came about."""

    name: str
    form: str
    prefix: str
    makespan: float
    workers: int
    bars: tuple[Bar, ...]
    waits: tuple[Bar, ...]
    links: tuple[Link, ...]


def predicted(view: ScheduleView, span: float) -> Gantt:
    """The simulated run; `span` is the time of the whole width, µs."""
    at = _percent(span)
    bars = [
        Bar(task, worker, at(op.start), at(op.finish - op.start), op.worker != worker)
        for worker, order in enumerate(view.placed.placement.workers)
        for task in order
        for op in [view.ops[task]]
    ]
    links = [
        Link(p, at(view.ops[p].finish), view.ops[p].worker, at(c.start), c.worker)
        for p, c in ((p, view.ops[consumer]) for p, consumer in view.hand_overs)
    ]
    workers = len(view.placed.placement.workers)
    makespan = view.timeline.makespan
    return Gantt("predicted", "simulated", "bar", makespan, workers, tuple(bars), (), tuple(links))


def measured(view: ScheduleView, trace: Trace, span: float) -> Gantt:
    """A traced run, on the same scale. A wait is the time that a worker spends receiving."""
    at = _percent(span)
    ops = {op.name: task for task, op in enumerate(view.ops)}
    producer = {name: task for text, task in ops.items() for name in text.split(", ")}
    bars: list[Bar] = []
    waits: list[Bar] = []
    links: list[Link] = []
    sends = {event.name: event for event in trace.events if event.kind == "send"}
    for event in trace.events:
        place = event.worker, at(event.start), at(event.end - event.start)
        if event.kind == "op" and event.name in ops:
            bars.append(Bar(ops[event.name], *place))
        elif event.kind == "recv":
            if place[2] >= LEAST_WAIT:
                waits.append(Bar(-1, *place))
            sent = sends.get(event.name)
            if sent is not None and event.name in producer:
                ends = at(sent.start), sent.worker, at(event.end), event.worker
                links.append(Link(producer[event.name], *ends))
    workers = len(view.placed.placement.workers)
    return Gantt(
        "measured",
        trace.form,
        "run",
        trace.makespan_us,
        workers,
        tuple(bars),
        tuple(waits),
        tuple(links),
    )


@dataclass(frozen=True)
class Tick:
    """A mark of the time axis. Minor ones are shown if there is room."""

    x: float
    text: str
    minor: bool


def ticks(span: float) -> list[Tick]:
    """Marks for an axis of `span` µs at round times: at most six, and four minor ones between."""
    if span < 1e-3:  # below any clock's resolution
        return [Tick(0.0, "0 ms", False)]
    magnitude = 10.0 ** floor(log10(span / 5))
    step = next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= span / 5) / 5
    count = int(span / step + 1e-9)
    return [
        Tick(100 * i * step / span, f"{i * step / 1e3:.9g} ms", i % 5 > 0) for i in range(count + 1)
    ]


Neighbours = tuple[int, int, int, int]
"""The operations to the left, to the right, above and below; -1 for none."""


def neighbours(bars: Sequence[Bar]) -> Mapping[int, Neighbours]:
    """Where the arrow keys lead: along a worker's bars, and to the next worker's at that time."""
    rows: dict[int, list[Bar]] = {}
    for bar in sorted(bars, key=lambda bar: bar.x):
        if not bar.lent:
            rows.setdefault(bar.worker, []).append(bar)
    order = sorted(rows)
    result: dict[int, Neighbours] = {}
    for place, worker in enumerate(order):
        row = rows[worker]
        for i, bar in enumerate(row):
            up = _at_time(rows[order[place - 1]], bar.x) if place else -1
            down = _at_time(rows[order[place + 1]], bar.x) if place + 1 < len(order) else -1
            left = row[i - 1].op if i else -1
            right = row[i + 1].op if i + 1 < len(row) else -1
            result[bar.op] = (left, right, up, down)
    return result


def _at_time(row: Sequence[Bar], x: float) -> int:
    """The bar that covers a time, else the last one before it, else the first."""
    return row[max(bisect_right(row, x, key=lambda bar: bar.x) - 1, 0)].op


def _percent(span: float) -> Callable[[float], float]:
    scale = 100 / span if span > 0 else 0.0
    return lambda time: time * scale
