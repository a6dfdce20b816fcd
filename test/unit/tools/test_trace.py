"""Tracing: when each statement of a program ran, and the same as Chrome trace events."""

from __future__ import annotations

import json
import linecache
import re
import sys
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import run
from onnx import parser
from small_models import branches
from small_programs import Net, X, net_weights, pool_threads, program

import ramiel
from ramiel.api import load
from ramiel.compiler import compile_model
from ramiel.pipelines import Options
from ramiel.runtime import OpError, Program
from ramiel.runtime.events import Event, Trace, statements_of
from ramiel.runtime.replay.native import native
from ramiel.runtime.replay.plans import CAPTURED
from ramiel.runtime.trace import trace
from ramiel.tools.schedule_view import placement_of, view_of
from ramiel.tools.trace import chrome_trace

SOURCE = """
@decorated
def worker_0(self, ch):
    # a comment is no statement
    x = ch.x.recv()
    ch.turn.recv()
    torch.set_num_threads(2)
    a, b = torch.split(
        x, [1, 2],
        dim=0,
    )
    del x
    ch.a.send(a)
    ch.done.send()
"""
"""Every kind of statement that a worker may hold."""


def by_worker(run: Trace, worker: int) -> list[Event]:
    return [event for event in run.events if event.worker == worker]


REPLAY = pytest.param(
    True, id="replay", marks=pytest.mark.skipif(native() is None, reason="without the native part")
)
FORMS = pytest.mark.parametrize("replay", [REPLAY, pytest.param(False, id="Python")])


def check_times(run: Trace) -> None:
    """Every statement ends where the next one begins, and none outlasts the run."""
    for worker in {event.worker for event in run.events}:
        events = by_worker(run, worker)
        assert events[0].start >= 0 and events[-1].end <= run.makespan_us
        assert all(event.start <= event.end for event in events)
        assert all(before.end == after.start for before, after in pairwise(events))


def test_statements_are_told_apart() -> None:
    (statements,) = statements_of(SOURCE).values()
    assert [(s.kind, s.name, s.first, s.last) for s in statements] == [
        ("recv", "x", 5, 5),
        ("recv", "turn", 6, 6),
        ("other", "", 7, 7),
        ("op", "a, b", 8, 11),
        ("free", "x", 12, 12),
        ("send", "a", 13, 13),
        ("send", "done", 14, 14),
    ]
    assert list(statements_of(SOURCE)) == [("worker_0", 2)]


@FORMS
def test_each_statement_of_each_worker_is_an_event(replay: bool) -> None:
    """Of a replay, each that takes time: inputs are there from the beginning."""
    with Net(net_weights()) as net:
        run = trace(net, X, 3, runs=3, replay=replay)
    assert run.form == ("replayed" if replay else "in Python (as was asked for)")
    inputs = [] if replay else [("recv", "x")], [] if replay else [("recv", "n")]
    assert [(e.kind, e.name) for e in by_worker(run, 0)] == [
        *inputs[0],
        ("op", "a"), ("send", "a"), ("recv", "b"), ("op", "y"), ("send", "y"),
    ]  # fmt: skip
    assert [(e.kind, e.name) for e in by_worker(run, 1)] == [
        *inputs[1],
        ("recv", "a"), ("op", "b"), ("send", "b"), ("op", "z"), ("send", "z"),
    ]  # fmt: skip
    check_times(run)
    ops = [event for event in run.events if event.kind == "op"]
    assert all(event.start < event.end for event in ops)
    sent = next(e for e in by_worker(run, 0) if e.name == "a" and e.kind == "send")
    received = next(e for e in by_worker(run, 1) if e.name == "a")
    assert sent.start <= received.end, "a value is there after it was sent"


VIEWS = """
<ir_version: 8, opset_import: ["" : 17]>
views (float[2, 6] x) => (y) {
  a = Relu (x)  s = Constant <value_ints = [3, 4]> ()  b = Reshape (a, s)  c = Exp (b)
  d = Transpose (c)  y = Exp (d)
}
"""


@FORMS
def test_views_are_operations_that_take_no_time(replay: bool) -> None:
    with ramiel.compile(parser.parse_model(VIEWS), workers=1) as views:
        run = trace(views, torch.ones(2, 6), replay=replay)
    taken = [e.end - e.start for e in run.events if e.kind == "op"]
    assert len(taken) == 5
    check_times(run)
    assert min(taken[::2]) > 0
    assert (taken[1] == taken[3] == 0) is replay


def test_a_program_that_is_not_captured_is_traced_in_python() -> None:
    with Net(net_weights()) as net:
        net.captures = False
        assert trace(net, X, 3).form == "in Python (capture is off)"
        net.capture(X, 3)
        assert (trace(net, X, 3).replay == CAPTURED) is (native() is not None)
    chance = """
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[4, 4] x) => (y) { a = RandomNormalLike (x)  y = Add (a, x) }
    """
    with ramiel.compile(parser.parse_model(chance), workers=1) as program:
        run = trace(program, torch.ones(4, 4))
    assert sorted(e.kind for e in run.events) == ["op", "op", "recv", "send"]
    if native() is not None:
        assert re.search(r'\(random.* \(ONNX node ".*", RandomNormalLike\): .* on chance', run.form)


@FORMS
def test_the_program_is_left_as_it_was(replay: bool) -> None:
    """A traced program keeps no threads, trace functions or attributes of the tracing."""

    def theirs(frame: Any, event: str, arg: object) -> None:
        return None

    before = sys.gettrace()
    with Net(net_weights()) as net:
        expected = net(X, 3)
        state = dict(net.__dict__)
        threads = set(pool_threads("Net"))
        sys.settrace(theirs)
        try:
            trace(net, X, 3, replay=replay)
            assert sys.gettrace() is theirs
        finally:
            sys.settrace(before)
        assert net.__dict__ == state
        assert set(pool_threads("Net")) == threads
        assert all(map(torch.equal, net(X, 3), expected))


def failing(text: str) -> Program:
    """A program in memory whose second worker ends with a line of choice."""
    source = (
        "import sys\nfrom ramiel.runtime import *\nimport torch\n\n\n"
        "class Failing(Program):\n"
        '    inputs = (Input("x", torch.float32, (None,)),)\n    outputs = ("y",)\n\n'
        "    def worker_0(self, ch):\n        y = ch.y.recv()\n\n"
        f"    def worker_1(self, ch):\n        x = ch.x.recv()\n        {text}\n"
    )
    name = f"<failing {text}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {"__name__": "failing"}
    exec(compile(source, name, "exec"), namespace)
    return namespace["Failing"](net_weights(), workers=2)


def test_errors_are_those_of_the_program_and_end_the_tracing() -> None:
    before, threads = sys.gettrace(), threading.active_count()
    with (
        failing("y = x.no_such_method()") as broken,
        pytest.raises(OpError, match=r"^y: .*no_such"),
    ):
        trace(broken, torch.zeros(4))
    # The runs before succeed here, and the traced run fails: in both threads tracing ends.
    text = "y = ch.y.send(x) if sys.gettrace() is None else x.no_such_method()"
    with failing(text) as broken, pytest.raises(OpError, match=r"^y: .*no_such"):
        trace(broken, torch.zeros(4), replay=False)
    assert sys.gettrace() is before
    assert threading.active_count() == threads, "the threads of the traced copy have ended"


def test_what_cannot_be_traced() -> None:
    with Net(net_weights()) as net, pytest.raises(ValueError, match="at least 1 run, not 0"):
        trace(net, X, 3, runs=0)
    steps = program(lambda ch: ch.y.send(ch.x.recv()))
    with steps, pytest.raises(ValueError, match=r"source of .* is not available"):
        trace(steps, torch.zeros(2))


OPTIONS = {
    "serial": Options(schedule="serial"),
    "two workers": Options(2, "linear"),
    "two threads an operation": Options(2, "intra-op"),
    "a batch": Options(2, "hyper", batch=3),
}


@FORMS
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_chrome_trace(options: Options, replay: bool) -> None:
    """Both timelines hold each operation once, and nothing in a thread overlaps."""
    compilation = compile_model(branches(), options)
    with load(compilation) as compiled:
        measured = trace(compiled, torch.ones(options.batch, 8, 16, 16), replay=replay)
    check_times(measured)
    view = view_of(compilation.module)
    document = json.loads(json.dumps(chrome_trace(view, measured)))
    events = document["traceEvents"]
    for event in events:
        assert event["ph"] in ("M", "X", "s", "f") and event["name"]
        assert event["pid"] in (1, 2) and isinstance(event["tid"], int)

    names = sorted(op.name for op in view.ops)
    assert len(set(names)) == len(names) == options.batch * len(view.placed.tasks.ops)
    for process, title in ((1, "predicted"), (2, f"measured, {measured.form}")):
        own = [event for event in events if event["pid"] == process]
        assert [e["args"]["name"] for e in own if e["name"] == "process_name"] == [title]
        slices = [event for event in own if event["ph"] == "X"]
        operations = [e for e in slices if e["cat"] == "op"]
        assert sorted(e["name"] for e in operations) == names
        for event in operations:
            assert event["args"].keys() == {"node", "op", "cluster", "cost", "shape"}
        threads: dict[int, list[Any]] = {}
        for event in slices:
            threads.setdefault(event["tid"], []).append(event)
        labelled = {e["tid"] for e in own if e["name"] == "thread_name"}
        assert threads.keys() <= labelled
        for row in threads.values():
            row.sort(key=lambda e: e["ts"])
            assert all(e["dur"] >= 0 for e in row)
            for before, after in pairwise(row):
                assert before["ts"] + before["dur"] <= after["ts"] + 1e-6
        check_flows(own, threads)


def check_flows(events: list[Any], threads: dict[int, list[Any]]) -> None:
    """A flow starts and ends in slices of different threads, and not before it started."""
    starts = {event["id"]: event for event in events if event["ph"] == "s"}
    ends = {event["id"]: event for event in events if event["ph"] == "f"}
    assert starts.keys() == ends.keys()
    assert len(starts) == sum(event["ph"] == "s" for event in events)
    for number, start in starts.items():
        end = ends[number]
        assert start["tid"] != end["tid"] and start["ts"] <= end["ts"]
        for event in (start, end):
            assert any(s["ts"] <= event["ts"] <= s["ts"] + s["dur"] for s in threads[event["tid"]])


@FORMS
def test_hand_overs_are_flows(replay: bool) -> None:
    compilation = compile_model(branches(), Options(2, "linear"))
    with load(compilation) as compiled:
        measured = trace(compiled, torch.ones(1, 8, 16, 16), replay=replay)
    view = view_of(compilation.module)
    assert len(view.hand_overs) == compilation.report.channels > 0
    flows = [e for e in chrome_trace(view, measured)["traceEvents"] if e["ph"] == "s"]
    assert {(e["pid"], e["name"]) for e in flows} == {
        (process, view.ops[producer].name) for process in (1, 2) for producer, _ in view.hand_overs
    }


def test_workers_are_numbered_as_in_the_program() -> None:
    """The worker of an operation in the schedule is the one whose lines hold it."""
    compilation = compile_model(branches(), Options(2, "linear"))
    view = view_of(compilation.module)
    functions = statements_of(compilation.emitted.source)
    written = {
        (name, s.name) for (name, _), rows in functions.items() for s in rows if s.kind == "op"
    }
    assert {(f"worker_{op.worker}", op.name) for op in view.ops} <= written
    assert placement_of(compilation.module) == view.placed


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "branches.onnx").write_bytes(branches().SerializeToString())
    arguments = ["branches.onnx", "--schedule", "linear", "-w", 2, "--no-replay"]
    result = run("trace", *arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    told = "wrote branches.trace.json; the run was in Python (as was asked for)"
    assert result.stdout.strip() == told
    document = json.loads((tmp_path / "branches.trace.json").read_text())
    assert {event["pid"] for event in document["traceEvents"]} == {1, 2}
    failed = run("trace", "branches.onnx", "-o", "no/where.json", cwd=tmp_path)
    assert failed.returncode == 1 and "no/where.json: cannot be written" in failed.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"branches.onnx", "branches.trace.json"}
