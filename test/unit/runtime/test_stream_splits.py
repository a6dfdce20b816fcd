"""Programs of streams that need the host: graphs before, between and after that."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from split_programs import Choosing, Counting, First, Two, X, close, made
from stream_programs import TimedStandIn
from torch import Tensor

from ramiel.runtime import Events, OpError
from ramiel.runtime.replay.plans import MOST, is_replayed
from ramiel.runtime.replay.tape import NotCapturable
from ramiel.runtime.streams import split
from ramiel.runtime.streams.device import programs_on
from ramiel.runtime.streams.stand_in import StandIn


@pytest.mark.parametrize("kind", [Choosing, Two, First])
def test_both_ways_in_any_order(kind: type[Choosing]) -> None:
    """Of two shapes, in turns, on streams and on one."""
    for seed in range(6):
        model = made(kind, StandIn(seed))
        for x in (X, -X, X[:2], X * 3, -X[:2]):
            assert close(model(x), kind.expected(x))
            assert close(model.serial(x), kind.expected(x))
        assert is_replayed(model.capture_status(X)) and is_replayed(model.serial_capture_status(X))


def test_the_status_says_where_and_why() -> None:
    model = made()
    assert model.capture_status(X) == "not called so far"
    model(X)
    line = Choosing.worker_0.__code__.co_firstlineno + 6
    assert model.capture_status(X) == (
        f'captured but for worker_0, line {line}: c (ONNX node "/If", If): '
        "operation not permitted when stream is capturing"
    )


class Recording(StandIn):
    """Counts replays, and operations that are issued outside of graphs."""

    def __init__(self) -> None:
        super().__init__()
        self.replays = self.issued = 0

    def capture(self, issue: Any, streams: int = 1, beside: Any = None) -> Any:
        graph, result = super().capture(issue, streams, beside)
        replay = graph.replay

        def counted() -> None:
            self.replays += 1
            replay()

        graph.replay = counted
        return graph, result

    def operation(self, action: Any, access: Any) -> None:
        self.issued += not self.is_capturing()
        super().operation(action, access)


@pytest.mark.parametrize("kind, graphs, choices", [(Choosing, 2, 1), (Two, 2, 3), (First, 1, 2)])
def test_what_is_before_and_after_is_replayed(
    kind: type[Choosing], graphs: int, choices: int
) -> None:
    """Choices that are made at the same time are between the same two graphs."""
    device = Recording()
    model = made(kind, device)
    model(X)
    device.replays = device.issued = model.choices = 0
    model(X)
    assert (device.replays, model.choices) == (graphs, choices)
    # Copies of the input, of what each choice makes, and of outputs; the choices themselves read
    # one value and compute one.
    assert device.issued <= 1 + 5 * choices + 2


class Guarded(Choosing):
    """A statement behind the choice breaks a capture, and no run by the dispatcher shows it."""

    async def worker_0(self, ch: Events) -> None:
        with ch.stream(0):
            x = await ch.x
            a = x * self.scale
            ch.a.send(a)
            c = self.choose(a.sum(), a)
            ch.c.send(c)
            d = c.sin()
            b = await ch.b
            y = self.guarded(d + b)
            ch.y.send(y)

    def guarded(self, y: Tensor) -> Tensor:
        if self._target.is_capturing():
            raise RuntimeError("operation not permitted when stream is capturing")
        return y


@pytest.mark.parametrize("kind, pools", [(Choosing, 1), (Two, 1), (Counting, 1), (Guarded, 2)])
def test_parts_share_a_pool_until_a_capture_is_broken(kind: type[Choosing], pools: int) -> None:
    """What a part may overwrite is overwritten: the results stay right."""
    model = made(kind)
    x = torch.tensor([1.0, 0.5])
    for factor in (1, 2, 3, 2, 1, 3):
        assert close(model(x * factor), kind.expected(x * factor))
    nodes, found = [model._graphs._plans[next(iter(model._graphs._plans))]._parts._root], []
    for node in nodes:
        nodes += [n for n in node.following.values() if n is not None]
        found += [] if node.graph is None else [id(node.graph.pool)]
    assert len(found) >= 2 and len(set(found)) == pools


def test_memory_of_a_pool_is_spoiled_once_it_is_let_go_of() -> None:
    device = StandIn()
    with device.issuing():
        x = torch.ones(3)
        first, held = device.capture(lambda: [x * 2])
        reader, y = device.capture(lambda: held[0] + 1, beside=first)
        held.clear()
        other, _ = device.capture(lambda: x * 3, beside=reader)
        for graphs, wanted in ((first, reader), 3.0), ((first, other, reader), float("nan")):
            for graph in graphs:
                graph.replay()
            device.synchronize()
            assert torch.equal(y.isnan(), torch.full((3,), wanted).isnan())


def test_a_part_for_each_shape_that_the_host_makes() -> None:
    """Issued at first, captured when it is found again, at most so many."""
    model = made(Counting)
    for seed in range(5):
        model = made(Counting, StandIn(seed))
        for length in (2, 3, 2, 3, 1, 3, 1, 1):
            x = torch.tensor([length / 2, 1.0])
            assert close(model(x), Counting.expected(x))
            assert close(model.serial(x), Counting.expected(x))
    (plan, _) = model._graphs._plans.values()
    root = plan._parts._root
    (node,) = root.following.values()
    assert [n is not None for n in node.following.values()] == [True, True, True]
    for length in (*range(4, 6 + MOST), *range(4, 6 + MOST)):
        x = torch.tensor([length / 2, 1.0])
        assert close(model(x), Counting.expected(x))
    assert len(node.following) == MOST


def test_an_error_on_the_host_names_its_operation_and_the_next_call_works() -> None:
    model = made(Counting)
    x = torch.tensor([1.0, 1.0])
    for _ in range(2):
        assert close(model(x), Counting.expected(x))
        with pytest.raises(OpError, match="stack expects a non-empty"):
            model(x * 0)


def test_an_error_behind_it_names_its_operation() -> None:
    """What follows is issued for a shape that was not there before, and fails."""

    class Failing(Counting):
        def repeat(self, a: Tensor) -> Tensor:
            return a.new_ones(2, int(a[0]))

    model = made(Failing)
    model(torch.tensor([1.0, 1.0]))
    with pytest.raises(OpError, match=r"^(y|z): .*size"):
        model(torch.tensor([1.5, 1.0]))
    model(torch.tensor([1.0, 1.0]))


def test_changed_weights_are_noticed() -> None:
    model = made()
    model(X)
    model.scale.fill_(-1.0)
    model.captures = False
    wanted = [y.clone() for y in model(X)]
    model.captures = True
    assert not close(wanted, Choosing.expected(X))
    for _ in range(3):
        assert close(model(X), wanted)
    assert is_replayed(model.capture_status(X))


def test_outputs_belong_to_the_caller_and_streams_of_the_callers_take_turns() -> None:
    device = StandIn()
    model = made(Two, device)
    streams = [device.current(), device.stream()]
    kept: list[tuple[Any, Any]] = []
    with device.issuing():
        for turn in range(6):
            device.use(streams[turn % 2])
            x = X * 1.0 - turn
            results = model(x)
            kept.append((results, Two.expected(X - turn)))
        device.use(streams[0])
        device.synchronize()
    assert all(close(results, wanted) for results, wanted in kept)


def test_requests_in_flight() -> None:
    model = made()
    xs = [X * k for k in (1, -1, 2, -2, 3, -3)]
    for _ in range(2):
        assert all(
            close(y, Choosing.expected(x)) for x, y in zip(xs, model.stream(xs), strict=True)
        )


def test_streams_are_compared_with_one_by_whole_runs() -> None:
    class Timed(TimedStandIn):
        def capture(self, issue: Any, streams: int = 1, beside: Any = None) -> Any:
            graph, result = super().capture(issue, streams, beside)
            return self.taking(graph, lambda: 1.0 if streams > 1 else 3.0), result

    model = made(device=Timed())
    assert close(model(X), Choosing.expected(X))
    assert model.captured_form(X) == "2 streams: 2 streams 2.000 ms, one stream 6.000 ms"


def test_copies_and_closed_programs() -> None:
    model = made()
    model(X)
    with programs_on(StandIn()):
        other = copy.deepcopy(model)
    assert close(other(X), Choosing.expected(X))
    model.close()
    assert not model._graphs._plans
    assert close(model.serial(X), Choosing.expected(X))


def test_too_many_are_issued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "MOST_STOPS", 2)
    model = made(Two)
    for _ in range(2):
        assert close(model(X), Two.expected(X))
    assert "more than 2 operations need the host" in model.capture_status(X)
    with pytest.raises(NotCapturable):
        model.capture(X)


def test_without_a_source_it_is_issued() -> None:
    """A part of a method is compiled from its lines."""
    names: dict[str, Any] = {}
    source = """
async def worker_0(self, ch):
    with ch.stream(0):
        x = await ch.x
        y = x * 2
        z = self.choose(y.sum(), y)
        ch.y.send(y)
        ch.z.send(z)
"""
    exec(source, names)
    kind = type("Alone", (Choosing,), {"worker_0": names["worker_0"], "worker_1": _nothing})
    model = made(kind)
    for x in (X, -X):
        assert close(model(x), (x * 2, (x * 2).exp() if x.sum() > 0 else -x * 2))
    assert "its source" in model.capture_status(X)


async def _nothing(self: Any, ch: Events) -> None:
    with ch.stream(1):
        await ch.x


class Looping(Choosing):
    """A loop of Python's around what needs the host, and one around a wait."""

    async def worker_0(self, ch: Events) -> None:
        with ch.stream(0):
            x = await ch.x
            y = x + 1
            for _ in range(2):
                y = self.choose(y.sum(), y)
            ch.a.send(y)
            y = y * 2
            ch.y.send(y)

    async def worker_1(self, ch: Events) -> None:
        with ch.stream(1):
            z = 0
            for channel in (ch.x, ch.a):
                z = z + await channel
            z = z * 3
            ch.z.send(z)

    @staticmethod
    def expected(x: Tensor) -> tuple[Tensor, ...]:
        y = x + 1
        for _ in range(2):
            y = y.exp() if y.sum() > 0 else -y
        return y * 2, (x + y) * 3


def test_a_statement_runs_again_from_its_beginning_or_not_at_all() -> None:
    """Worker 1 stops within its loop, which has changed a variable by then."""
    model = made(Looping)
    for x in (X, -X, X, -X):
        assert close(model(x), Looping.expected(x))
