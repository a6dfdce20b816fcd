"""`ramiel report`: a schedule as one self-contained HTML page.

Everything is drawn here, so the page shows its numbers, charts and source without JavaScript;
the script links them to each other. All text of a model passes Jinja2's autoescape.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ramiel.analysis.critical_path import bound, critical_path
from ramiel.analysis.placement import Placement
from ramiel.analysis.sharing import timeline_of
from ramiel.analysis.streaming import PIPELINE
from ramiel.analysis.task_graph import TaskGraph
from ramiel.backend.pytorch.devices import microseconds, milliseconds
from ramiel.backend.pytorch.printer import counted
from ramiel.compiler import Compilation, Report
from ramiel.runtime.events import Trace, statements_of
from ramiel.schedule.choose import cooperating, separate
from ramiel.schedule.hyper import replicate
from ramiel.schedule.streams import SCHEDULERS as STREAMS
from ramiel.schedule.streams import stages
from ramiel.tools.gantt import Neighbours, measured, neighbours, predicted, size_told, ticks
from ramiel.tools.layered import NODE_HEIGHT, NODE_WIDTH, Drawing, draw
from ramiel.tools.schedule_view import OpView, ScheduleView, name_of, view_of
from ramiel.torch_level.placements import Placed
from ramiel.version import __version__
from ramiel.weights.store import replacing

_WORKER = re.compile(r"worker_\d+")
MOST_FOR_IOS = 2000
"""The most tasks for which IOS, which then takes seconds, is compared."""
_LABEL = 24
"""Characters of a name that fit into a node of the graph."""
_LEAST_LABEL = 1.5
"""A narrower bar, in percent of the width, has no label."""
_GOLDEN_ANGLE = 137.508
"""Degrees between the hues of consecutive clusters, so that hues differ clearly."""


@dataclass(frozen=True)
class Row:
    """One scheduler's result: a simulated makespan in µs, hand-overs, workers, messages."""

    name: str
    makespan: float
    hand_overs: int
    workers: int
    messages: int = 0


@dataclass(frozen=True)
class Chunk:
    """Lines of the source that are one statement. `op` is -1 if it is not an operation."""

    op: int
    anchor: bool
    """Whether links to the operation lead here; the serial program repeats it."""
    lines: tuple[tuple[int, str], ...]


def compare_schedulers(placed: Placed, workers: int) -> list[Row]:
    """The schedulers' simulated results for the same tasks and batch; IOS for small graphs only."""
    one, batch = placed.tasks.graph, placed.batch  # the graph of all workers that there could be
    if one.shares:
        if batch > 1:
            return []
        rows = [_row(name, one, scheduled(one, workers)) for name, scheduled in STREAMS.items()]
        small = len(one) <= MOST_FOR_IOS and workers > 1
        return [*rows, _row("ios", one, stages(one, workers))] if small else rows
    candidates = [*separate(one, workers, batch)]
    if workers > 1:
        small = len(one) <= MOST_FOR_IOS
        candidates += cooperating(one, workers, batch, thorough=small)
    whole = replicate(one, batch)
    return [_row(name, whole, placement) for name, placement in candidates]


def _row(name: str, graph: TaskGraph, placement: Placement) -> Row:
    timeline = timeline_of(graph, placement)
    workers = sum(map(bool, placement.workers))
    return Row(name, timeline.makespan, timeline.hand_overs, workers, timeline.messages)


def write_report(
    compilation: Compilation,
    title: str,
    workers: int,
    measured_run: Trace | None,
    path: Path,
    comparison: Sequence[Row] | None = None,
) -> None:
    """Writes the page, which appears only when it is complete.

    `workers` is the number that the bound is for. Raises CompileError if there is no schedule.
    """
    view = view_of(compilation.module)
    if comparison is None:
        comparison = compare_schedulers(view.placed, workers)
    with replacing(path) as temporary:
        text = page(compilation, view, title, workers, measured_run, comparison)
        temporary.write_text(text, encoding="utf-8")


def page(
    compilation: Compilation,
    view: ScheduleView,
    title: str,
    workers: int,
    measured_run: Trace | None,
    comparison: Sequence[Row],
) -> str:
    """The HTML of a report."""
    placed, graph = view.placed, view.placed.tasks.graph
    span = max(view.timeline.makespan, measured_run.makespan_us if measured_run else 0.0)
    charts = [predicted(view, span)]
    if measured_run is not None:
        charts.append(measured(view, measured_run, span))
    path_us, path = critical_path(graph)
    drawing = draw(graph)
    chunks = source_chunks(compilation.emitted.source, view)
    name = compilation.report.schedule
    if all(row.name != name for row in comparison):
        comparison = [*comparison, _row(name, placed.graph, placed.placement)]
    sent = list(dict.fromkeys(message.task for message in view.timeline.sent))
    data = {
        "ops": [_facts(op, view.label(op.worker)) for op in view.ops],
        "order": sorted(range(len(view.ops)), key=lambda op: view.ops[op].start),
        "nodes": len(graph),
        "edges": graph.edges,
        "views": {
            **{c.name: [c.prefix, neighbours(c.bars)] for c in charts},
            "graph": ["node", _graph_neighbours(graph, drawing)],
            "path": ["path", _column(path)],
            **({"messages": ["message", _column(sent)]} if sent else {}),
            "source": ["op", _column([c.op for c in chunks if c.anchor])],
        },
    }
    script = _asset("script.js")
    environment = Environment(
        loader=PackageLoader("ramiel.tools", "report_page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {}  # the order of the views is that of the page
    environment.filters["ms"] = milliseconds
    environment.filters["us"] = microseconds
    environment.filters["bytes"] = size_told
    environment.filters["curve"] = _curve
    return environment.get_template("page.html").render(
        title=title,
        version=__version__,
        report=compilation.report,
        headline=_headline(view, compilation.report, workers, path_us, measured_run),
        view=view,
        charts=charts,
        ticks=ticks(span),
        least_label=_LEAST_LABEL,
        drawing=drawing,
        node=(NODE_WIDTH, NODE_HEIGHT, _LABEL),
        hues={op.cluster: round(op.cluster * _GOLDEN_ANGLE) % 360 for op in view.ops},
        path=path,
        path_us=path_us,
        critical=frozenset(path),
        critical_edges=frozenset(pairwise(path)),
        comparison=comparison,
        bound=bound(placed.graph, workers),
        graph=graph,
        hand_overs=counted(len(view.hand_overs), "hand-over"),
        lane=view.lane,
        cores=counted(len(placed.placement.workers), view.lane),
        workers=counted(workers, view.lane),
        serial_us=placed.graph.serial,
        chunks=chunks,
        data=data,
        style=Markup(_asset("style.css")),
        script=Markup(script),
        # The browser runs this script and no other, whatever a model's names may contain.
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
    )


def source_chunks(source: str, view: ScheduleView) -> list[Chunk]:
    """The lines of a program, cut into the statements that are operations, and the rest."""
    workers = {op.name: task for task, op in enumerate(view.ops)}
    serial = {name_of(op): task for task, op in enumerate(view.placed.tasks.ops)}
    lines = list(enumerate(source.splitlines(), start=1))
    found = sorted(
        (s.first, s.last, task_of[s.name], task_of is workers)
        for (function, _), statements in statements_of(source).items()
        if _WORKER.fullmatch(function) or function == "serial"
        for task_of in [serial if function == "serial" else workers]
        for s in statements
        if s.kind == "op" and s.name in task_of
    )
    chunks: list[Chunk] = []
    done = 0
    for first, last, op, anchor in found:
        chunks.append(Chunk(-1, False, tuple(lines[done : first - 1])))
        chunks.append(Chunk(op, anchor, tuple(lines[first - 1 : last])))
        done = last
    chunks.append(Chunk(-1, False, tuple(lines[done:])))
    return [chunk for chunk in chunks if chunk.lines]


def _headline(
    view: ScheduleView, report: Report, workers: int, path_us: float, run: Trace | None
) -> list[tuple[str, str, str]]:
    """The headline numbers: name, value and explanation."""
    graph = view.placed.graph
    work, least, makespan = graph.work, bound(graph, workers), view.timeline.makespan
    numbers = [
        ("Work", milliseconds(work), "all operations, one after the other"),
        ("Critical path", milliseconds(path_us), f"parallelism {_ratio(work, path_us)}"),
        ("Bound", milliseconds(least), f"no schedule on {counted(workers, view.lane)} is faster"),
        (
            "Predicted",
            milliseconds(makespan),
            f"{_ratio(graph.serial, makespan)}× as fast as serial",
        ),
    ]
    if graph.link is not None:
        count = len({graph.rank_of(op.worker) for op in view.ops})
        rate = f"{graph.link.rate * 8e-3:g} Gbit/s, {graph.link.latency:g} µs"
        told = f"{counted(view.timeline.messages, 'message')} by a link of {rate}"
        numbers.append(("Ranks", str(count), told))
    if report.streaming:
        stages = f", {counted(report.workers, 'stage')}" if report.streaming == PIPELINE else ""
        interval = f"{milliseconds(report.interval_us)} from result to result"
        told = f"{report.stream}{stages}, {report.in_flight} in flight, {interval}"
        numbers.append(("Requests", report.streaming, told))
    if run is not None:
        note = f"{_ratio(run.makespan_us, makespan)}× the prediction"
        numbers.append(("Measured", milliseconds(run.makespan_us), note))
    return numbers


def _ratio(a: float, b: float) -> str:
    return f"{a / b:.2f}" if b else "1.00"


def _facts(op: OpView, lane: str) -> list[str]:
    """The page's text for a selected operation, in the order of its fields."""
    return [
        op.name,
        op.node,
        op.op_type,
        op.type,
        f"{op.cluster}",
        lane,
        milliseconds(op.cost),
        milliseconds(op.start),
    ]


def _column(ops: Sequence[int]) -> Mapping[int, Neighbours]:
    """Neighbours of the operations in one column."""
    around = [-1, *ops, -1]
    return {op: (-1, -1, around[i], around[i + 2]) for i, op in enumerate(ops)}


def _graph_neighbours(graph: TaskGraph, drawing: Drawing) -> Mapping[int, Neighbours]:
    """Sideways in the layer, up to a producer and down to a consumer."""
    result: dict[int, Neighbours] = {}
    for layer in drawing.layers:
        around = [-1, *layer, -1]
        for i, op in enumerate(layer):
            up = max(graph.predecessors[op], default=-1)
            down = min(graph.successors[op], default=-1)
            result[op] = (around[i], around[i + 2], up, down)
    return result


def _curve(route: Sequence[tuple[float, float]]) -> str:
    """A route as SVG path data: it leaves and enters every point vertically."""
    (x, y), *rest = route
    parts = [f"M{x:.0f} {y:.0f}"]
    for next_x, next_y in rest:
        middle = (y + next_y) / 2
        parts.append(f"C{x:.0f} {middle:.0f} {next_x:.0f} {middle:.0f} {next_x:.0f} {next_y:.0f}")
        x, y = next_x, next_y
    return "".join(parts)


def _asset(name: str) -> str:
    return files("ramiel.tools").joinpath("report_page", name).read_text(encoding="utf-8")
