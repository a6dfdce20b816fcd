"""The report page: what it says, and that a model's names are text in it and nothing else."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import run
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto
from small_models import branches

from ramiel.analysis.simulate import simulate
from ramiel.analysis.task_graph import TaskGraph
from ramiel.api import load
from ramiel.compiler import Compilation, compile_model
from ramiel.pipelines import Options
from ramiel.runtime.trace import trace
from ramiel.tools.gantt import Head, neighbours, predicted, size_told, ticks
from ramiel.tools.layered import NODE_HEIGHT, NODE_WIDTH, draw
from ramiel.tools.report import Row, compare_schedulers, page, source_chunks
from ramiel.tools.schedule_view import view_of

HOSTILE = "</script><img src=x onerror=\"alert('1')\">{{ 7 * 7 }}&amp;"
VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """The elements of a page: (tag, attributes), and the texts of those that hold data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: dict[str, str] = {}
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID and not (self.get_starttag_text() or "").endswith("/>"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if self.open:
            self.text[self.open[-1]] = self.text.get(self.open[-1], "") + data

    def ids(self) -> list[str]:
        return [str(a["id"]) for _, a in self.elements if "id" in a]


def hostile() -> ModelProto:
    model = branches()
    for node in model.graph.node:
        node.name = f"{HOSTILE}{node.output[0]}"
    return model


def html(compilation: Compilation, workers: int = 2, batch: int = 1, comparison: Any = None) -> str:
    view = view_of(compilation.module)
    with load(compilation) as program:
        measured = trace(program, torch.ones(batch, 8, 16, 16))
    rows = comparison or compare_schedulers(view.placed, workers)
    return page(compilation, view, "branches", workers, measured, rows)


OPTIONS = {
    "serial": Options(schedule="serial"),
    "two workers": Options(2, "linear"),
    "two threads an operation": Options(2, "intra-op"),
    "a batch": Options(2, "hyper", batch=2),
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_each_operation_is_linked_everywhere(options: Options) -> None:
    """It has a bar in both timelines, a line of its worker, and, once a batch, a node."""
    compilation = compile_model(branches(), options)
    found = Page(html(compilation, batch=options.batch))
    ids = found.ids()
    assert max(Counter(ids).values()) == 1, "an id stands for one element"
    one = len(view_of(compilation.module).placed.tasks.ops)
    for prefix, count in (("bar", one), ("run", one), ("op", one), ("node", one)):
        copies = 1 if prefix == "node" else options.batch
        assert {i for i in ids if re.fullmatch(rf"{prefix}-\d+", i)} == {
            f"{prefix}-{k}" for k in range(count * copies)
        }
    targets = {a["href"] for tag, a in found.elements if tag == "a"}
    assert targets <= {f"#{i}" for i in ids}, "no link leads nowhere"


def test_the_page_needs_nothing_else() -> None:
    text = html(compile_model(branches(), Options(2, "linear")))
    found = Page(text)
    assert text.startswith("<!doctype html>") and ("html", {"lang": "en"}) in found.elements
    for tag, attributes in found.elements:
        assert tag not in ("img", "link", "iframe", "object")
        assert "src" not in attributes and not any(a.startswith("on") for a in attributes)
        assert str(attributes.get("href", "#")).startswith("#")
    assert "url(" not in text and "@import" not in text
    policy = next(a["content"] for t, a in found.elements if t == "meta" and "http-equiv" in a)
    assert policy is not None and policy.startswith("default-src 'none'")


def test_names_of_a_model_are_text() -> None:
    found = Page(html(compile_model(hostile(), Options(2, "linear"))))
    assert not any(tag == "img" for tag, _ in found.elements)
    assert sum(tag == "script" for tag, _ in found.elements) == 2
    assert HOSTILE in found.text["td"], "and shown as they are"


def test_the_data_of_the_script() -> None:
    compilation = compile_model(hostile(), Options(2, "linear"))
    text = html(compilation)
    start = text.index('id="data">') + len('id="data">')
    raw = text[start : text.index("</script>", start)]
    assert "<" not in raw
    data = json.loads(raw)
    view = view_of(compilation.module)
    assert [op[1] for op in data["ops"]] == [op.node for op in view.ops]
    assert list(data["views"]) == ["predicted", "measured", "graph", "path", "source"]
    ids = set(Page(text).ids())
    for prefix, around in data["views"].values():
        for op, others in around.items():
            assert {f"{prefix}-{k}" for k in (int(op), *others) if k >= 0} <= ids


def test_the_source_is_all_there() -> None:
    compilation = compile_model(branches(), Options(2, "linear"))
    view = view_of(compilation.module)
    chunks = source_chunks(compilation.emitted.source, view)
    lines = [line for chunk in chunks for line in chunk.lines]
    assert lines == list(enumerate(compilation.emitted.source.splitlines(), start=1))
    assert sorted(chunk.op for chunk in chunks if chunk.anchor) == list(range(len(view.ops)))
    for chunk in chunks:
        if chunk.op >= 0:
            assert view.ops[chunk.op].name in chunk.lines[0][1]


def test_comparison() -> None:
    """The rows are those that are given; the page's own schedule is marked, or added."""
    compilation = compile_model(branches(), Options(2, "linear"))
    view = view_of(compilation.module)
    rows = {row.name: row for row in compare_schedulers(view.placed, 2)}
    assert rows["serial"] == Row("serial", view.placed.graph.work, 0, 1)
    own = rows[compilation.report.schedule]
    assert own.makespan == view.timeline.makespan and own.hand_overs == len(view.hand_overs)
    text = html(compilation, comparison=[Row("<best>", 10.0, 3, 2)])
    assert "&lt;best&gt;</th>" in text and f"{compilation.report.schedule} (this one)" in text


def test_bars_stand_where_the_simulation_says() -> None:
    view = view_of(compile_model(branches(), Options(2, "linear")).module)
    span = 2 * view.timeline.makespan
    chart = predicted(view, span)
    for bar in chart.bars:
        op = view.ops[bar.op]
        assert bar.worker == op.worker and not bar.lent
        assert bar.x == pytest.approx(100 * op.start / span)
        assert bar.width == pytest.approx(100 * op.cost / span)
    around = neighbours(chart.bars)
    for worker, order in enumerate(view.placed.placement.workers):
        expected = list(zip([-1, *order], order, [*order[1:], -1], strict=False))
        assert [(around[t][0], t, around[t][1]) for t in order] == expected
        assert all(view.ops[k].worker == worker - 1 for t in order if (k := around[t][2]) >= 0)


RANKED = Options(1, "linear", executor="distributed", ranks=4, link=(1.0, 1e5, 0.0, 1e9))
"""Machines with a link that is worth its use."""


def large_branches() -> ModelProto:
    """Branches that are worth a call of another machine."""
    return branches(256)


def test_lanes_are_grouped_by_rank() -> None:
    """Below a head for each rank, whatever the numbers of its workers: those that only lend their
    cores come after those that run operations of all ranks."""
    view = view_of(compile_model(large_branches(), RANKED).module)
    graph = replace(view.placed.graph, ranks=(1, 0))
    placed = replace(view.placed, graph=graph)
    view = replace(view, placed=placed, timeline=simulate(graph, placed.placement))
    chart = predicted(view, view.timeline.makespan)
    assert chart.rows == (Head(0), 1, Head(1), 0)
    assert all(chart.rows[bar.row] == bar.worker for bar in chart.bars)


def test_messages_are_shown_with_size_and_time() -> None:
    compilation = compile_model(large_branches(), RANKED)
    view = view_of(compilation.module)
    sent = {message.task: message for message in view.timeline.sent}
    assert sent, "the schedule crosses the link"
    told = {link.op: link for link in predicted(view, 100.0).links if link.told}
    assert told.keys() <= sent.keys()
    for op, link in told.items():
        assert link.x1 == pytest.approx(sent[op].begin)
        assert link.x2 == pytest.approx(sent[op].end)
        assert view.ops[op].name in link.told and "from rank" in link.told
    rows = compare_schedulers(view.placed, 4)  # on more workers than the schedule uses
    assert {row.name: row for row in rows}["linear"].messages == view.timeline.messages
    found = Page(page(compilation, view, "branches", 4, None, rows))
    assert max(Counter(found.ids()).values()) == 1
    assert "messages" in found.ids() and "rank 1" in found.text["span"]
    assert size_told(next(iter(sent.values())).bytes) in found.text["td"]
    alone = compile_model(branches(), Options(2, "linear"))
    assert "messages" not in Page(html(alone)).ids()


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 KB"), (1_612_800, "1.61 MB")]
)
def test_sizes(size: float, text: str) -> None:
    assert size_told(size) == text


def test_streams_of_requests_are_named() -> None:
    compilation = compile_model(branches(), Options(2, "pipeline"))
    view, report = view_of(compilation.module), compilation.report
    text = page(compilation, view, "branches", 2, None, [])
    assert report.streaming and report.stream in text
    assert "2 stages" in text and f"{report.in_flight} in flight" in text


def test_lent_cores_are_shown() -> None:
    view = view_of(compile_model(branches(), Options(2, "intra-op")).module)
    bars = predicted(view, view.timeline.makespan).bars
    assert sum(bar.lent for bar in bars) == len(view.ops) == len(bars) / 2


@given(st.floats(0, 1e9))
@settings(deadline=None, derandomize=True)
def test_ticks_are_few_and_inside(span: float) -> None:
    marks = ticks(span)
    assert 1 <= sum(not tick.minor for tick in marks) <= 6 and len(marks) <= 30
    assert not marks[0].minor and marks[0].x == 0
    assert all(0 <= tick.x <= 100.001 for tick in marks)
    assert len({tick.text for tick in marks}) == len(marks)


@st.composite
def graphs(draw_: st.DrawFn) -> TaskGraph:
    count = draw_(st.integers(0, 24))
    pairs = [(a, b) for b in range(count) for a in range(b)]
    edges = draw_(st.lists(st.sampled_from(pairs), unique=True, max_size=60)) if pairs else []
    return TaskGraph((1.0,) * count, tuple(edges))


@given(graphs())
@settings(deadline=None, derandomize=True)
def test_drawing(graph: TaskGraph) -> None:
    """Nodes do not overlap, all is inside, and edges run downwards from node to node."""
    drawing = draw(graph)
    assert sorted(task for layer in drawing.layers for task in layer) == list(range(len(graph)))
    for x, y in drawing.nodes:
        assert NODE_WIDTH / 2 <= x <= drawing.width - NODE_WIDTH / 2
        assert NODE_HEIGHT / 2 <= y <= drawing.height - NODE_HEIGHT / 2
    for layer in drawing.layers:
        places = [drawing.nodes[task][0] for task in layer]
        assert all(b - a > NODE_WIDTH for a, b in pairwise(places))
    for (producer, consumer), route in zip(graph.edges, drawing.routes, strict=True):
        assert route[0][0] == drawing.nodes[producer][0]
        assert route[-1][0] == drawing.nodes[consumer][0]
        assert all(a[1] < b[1] for a, b in pairwise(route))
        for x, y in route[1:-1]:  # a long edge passes between the nodes of a layer
            assert all(abs(y - b) > 1 or abs(x - a) > NODE_WIDTH / 2 for a, b in drawing.nodes)


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "branches.onnx").write_bytes(hostile().SerializeToString())
    result = run("report", "branches.onnx", "--schedule", "linear", "--run", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("wrote branches.html; the run was ")
    assert "Measured" in (tmp_path / "branches.html").read_text(encoding="utf-8")
    failed = run("report", "branches.onnx", "-o", "no/where.html", cwd=tmp_path)
    assert failed.returncode == 1 and "no/where.html: cannot be written" in failed.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"branches.onnx", "branches.html"}
