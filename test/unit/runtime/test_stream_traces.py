"""Traces of programs of streams: when the device did what each statement issued."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from stream_programs import Net, expected, net
from torch import Tensor

from ramiel.runtime import Events
from ramiel.runtime.events import Event
from ramiel.runtime.trace import trace

X = torch.linspace(-1, 1, 12).reshape(3, 4)


def by_worker(events: tuple[Event, ...], worker: int) -> list[Event]:
    return [event for event in events if event.worker == worker]


@pytest.mark.parametrize("replay", [True, False])
def test_each_statement_of_each_stream_is_an_event(replay: bool) -> None:
    model = net()
    run = trace(model, X, runs=3, replay=replay)
    assert run.form == ("replayed" if replay else "in Python (as was asked for)")
    assert [(e.kind, e.name) for e in by_worker(run.events, 0)] == [
        ("recv", "x"), ("op", "a"), ("send", "a"), ("recv", "b"), ("op", "d"), ("op", "y"),
        ("free", "d"), ("send", "y"),
    ]  # fmt: skip
    assert [(e.kind, e.name) for e in by_worker(run.events, 2)] == [
        ("recv", "x"), ("recv", "a"), ("op", "c"), ("send", "c"), ("recv", "b"), ("op", "w"),
        ("send", "w"),
    ]  # fmt: skip
    for worker in range(3):
        events = by_worker(run.events, worker)
        assert events[0].start >= 0 and events[-1].end <= run.makespan_us
        assert all(a.start <= a.end == b.start for a, b in pairwise(events))
    ends = {event.name: event.end for event in run.events if event.kind == "op"}
    starts = {event.name: event.end for event in run.events if event.kind == "recv"}
    assert ends["a"] <= starts["a"], "a value is there after it was computed"


def test_a_traced_program_goes_on_as_before() -> None:
    model = net()
    model(X)
    trace(model, X)
    assert all(map(Tensor.allclose, model(X), expected(X)))
    assert model.capture_status(X) == "captured"


def test_what_cannot_be_captured_is_traced_as_it_is_issued() -> None:
    class Reading(Net):
        async def worker_2(self, ch: Events) -> None:
            with ch.stream(2):
                x = await ch.x
                a = await ch.a
                c = a + x.sum().item()
                ch.c.send(c)
                w = c - await ch.b
                ch.w.send(w)

    run = trace(net(0, Reading), X)
    assert run.form.startswith("in Python (it needs the host: c: operation not permitted")
    model = net()
    model.captures = False
    assert trace(model, X).form == "in Python (capture is off)"
