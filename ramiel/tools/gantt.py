"""The geometry of a Gantt chart: bars by worker, in percent of a common span of time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10

from ramiel.analysis.simulate import Message
from ramiel.backend.pytorch.devices import microseconds
from ramiel.runtime.events import Trace
from ramiel.tools.schedule_view import ScheduleView

LEAST_WAIT = 0.05
"""Shorter waits are not drawn, in percent."""


@dataclass(frozen=True)
class Bar:
    """A task, from `x` to `x + width`; `lent` if it is on a worker that lends its core to it."""

    op: int
    worker: int
    row: int
    x: float
    width: float
    lent: bool = False


@dataclass(frozen=True)
class Link:
    """A value that goes from one row and time to another; `told` says what is known of a message
    between ranks."""

    op: int
    x1: float
    row1: int
    x2: float
    row2: int
    told: str = ""


@dataclass(frozen=True)
class Head:
    """The row above the workers of a rank."""

    rank: int


@dataclass(frozen=True)
class Gantt:
    """One timeline. `name` also names its elements in the page; `form` says how it came about."""

    name: str
    form: str
    prefix: str
    makespan: float
    rows: tuple[Head | int, ...]
    """Its workers, those of each rank below the rank's head if there are several."""
    bars: tuple[Bar, ...]
    waits: tuple[Bar, ...]
    links: tuple[Link, ...]


def predicted(view: ScheduleView, span: float) -> Gantt:
    """The simulated run; `span` is the time of the whole width, µs."""
    at = _percent(span)
    rows = _rows(view)
    row = {worker: i for i, worker in enumerate(rows)}
    bars = [
        Bar(task, worker, row[worker], at(op.start), at(op.finish - op.start), op.worker != worker)
        for worker, order in enumerate(view.placed.placement.workers)
        for task in order
        for op in [view.ops[task]]
    ]
    rank = view.placed.graph.rank_of
    sent = {(message.task, message.receiver): message for message in view.timeline.sent}
    links: list[Link] = []
    for producer, consumer in view.hand_overs:
        p, c = view.ops[producer], view.ops[consumer]
        begin, end, told = p.finish, c.start, ""
        if rank(p.worker) != rank(c.worker):
            message = sent[producer, rank(c.worker)]
            begin, end, told = message.begin, message.end, message_told(view, message)
        links.append(Link(producer, at(begin), row[p.worker], at(end), row[c.worker], told))
    makespan = view.timeline.makespan
    return Gantt("predicted", "simulated", "bar", makespan, rows, tuple(bars), (), tuple(links))


def message_told(view: ScheduleView, message: Message) -> str:
    """A message in words."""
    took = microseconds(message.end - message.begin)
    return (
        f"{view.ops[message.task].name}, {size_told(message.bytes)} from rank {message.sender} to "
        f"rank {message.receiver} in {took}"
    )


def size_told(size: float) -> str:
    """A number of bytes as it is read: `1.61 MB`."""
    for unit, least in (("MB", 1e6), ("KB", 1e3)):
        if size >= least:
            return f"{size / least:.3g} {unit}"
    return f"{size:.0f} bytes"


def _rows(view: ScheduleView) -> tuple[Head | int, ...]:
    """The workers of a chart by row, from the top."""
    if not view.ranks:
        return tuple(range(len(view.placed.placement.workers)))
    return tuple(row for rank, workers in view.ranks.items() for row in (Head(rank), *workers))


def measured(view: ScheduleView, trace: Trace, span: float) -> Gantt:
    """A traced run, on the same scale. A wait is the time that a worker spends receiving."""
    at = _percent(span)
    rows = _rows(view)
    row = {worker: i for i, worker in enumerate(rows)}
    ops = {op.name: task for task, op in enumerate(view.ops)}
    producer = {name: task for text, task in ops.items() for name in text.split(", ")}
    bars: list[Bar] = []
    waits: list[Bar] = []
    links: list[Link] = []
    sends = {event.name: event for event in trace.events if event.kind == "send"}
    for event in trace.events:
        place = event.worker, row[event.worker], at(event.start), at(event.end - event.start)
        if event.kind == "op" and event.name in ops:
            bars.append(Bar(ops[event.name], *place))
        elif event.kind == "recv":
            if place[3] >= LEAST_WAIT:
                waits.append(Bar(-1, *place))
            sent = sends.get(event.name)
            if sent is not None and event.name in producer:
                ends = at(sent.start), row[sent.worker], at(event.end), row[event.worker]
                links.append(Link(producer[event.name], *ends))
    return Gantt(
        "measured",
        trace.form,
        "run",
        trace.makespan_us,
        rows,
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
            rows.setdefault(bar.row, []).append(bar)
    order = sorted(rows)
    result: dict[int, Neighbours] = {}
    for place, number in enumerate(order):
        row = rows[number]
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
