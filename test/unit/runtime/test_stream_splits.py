"""Programs of streams that need the host: graphs before, between and after that."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from stream_programs import TimedStandIn
from torch import Tensor

from ramiel.runtime import Events, Input, OpError, StreamProgram, Weights, one_stream
from ramiel.runtime.replay.plans import MOST, is_replayed
from ramiel.runtime.replay.tape import NotCapturable
from ramiel.runtime.streams import split
from ramiel.runtime.streams.device import programs_on
from ramiel.runtime.streams.stand_in import StandIn


class Choosing(StreamProgram):
    """A choice in the middle of two branches, each of which goes on on its stream."""

    inputs = (Input("x", torch.float32, (None,)),)
    outputs = ("y", "z")
    channels = ("a", "b", "c")

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, workers=2)
        self.scale = weights.to(self.device)["scale"]
        self.choices = 0

    async def worker_0(self, ch: Events) -> None:
        with ch.stream(0):
            x = await ch.x
            a = x * self.scale
            ch.a.send(a)
            total = a.sum()
            c = self.choose(total, a)
            del a, total
            ch.c.send(c)
            b = await ch.b
            y = c.sin() + b
            ch.y.send(y)

    async def worker_1(self, ch: Events) -> None:
        with ch.stream(1):
            x = await ch.x
            a = await ch.a
            d = x.cos() + a
            b = d * 2
            ch.b.send(b)
            c = await ch.c
            z = b - c
            ch.z.send(z)

    def choose(self, total: Tensor, a: Tensor) -> Tensor:
        self.choices += 1
        if total > 0:
            return a.exp()
        return -a

    @one_stream
    def serial(self, x: Tensor) -> tuple[Tensor, ...]:
        a = x * self.scale
        total = a.sum()
        c = self.choose(total, a)
        b = (x.cos() + a) * 2
        del a
        y = c.sin() + b
        z = b - c
        return y, z

    @staticmethod
    def expected(x: Tensor) -> tuple[Tensor, ...]:
        a = x * 2
        c = a.exp() if a.sum() > 0 else -a
        b = (x.cos() + a) * 2
        return c.sin() + b, b - c


class Two(Choosing):
    """Two choices at the same time, and one that needs both."""

    async def worker_0(self, ch: Events) -> None:
        with ch.stream(0):
            x = await ch.x
            a = x * self.scale
            c = self.choose(a.sum(), a)
            ch.c.send(c)
            b = await ch.b.take()
            y = self.choose(b.sum(), c) + b
            ch.y.send(y)

    async def worker_1(self, ch: Events) -> None:
        with ch.stream(1):
            x = await ch.x
            d = x.cos()
            total = d.sum()
            b = self.choose(total, d)
            ch.b.send(b)
            c = await ch.c
            z = b - c
            ch.z.send(z)

    @one_stream
    def serial(self, x: Tensor) -> tuple[Tensor, ...]:
        a = x * self.scale
        c = self.choose(a.sum(), a)
        d = x.cos()
        b = self.choose(d.sum(), d)
        y = self.choose(b.sum(), c) + b
        z = b - c
        return y, z

    @staticmethod
    def expected(x: Tensor) -> tuple[Tensor, ...]:
        def choose(total: Tensor, a: Tensor) -> Tensor:
            return a.exp() if total > 0 else -a

        a, d = x * 2, x.cos()
        c, b = choose(a.sum(), a), choose(d.sum(), d)
        return choose(b.sum(), c) + b, b - c


class First(Choosing):
    """The choice is the first operation, and another the last."""

    async def worker_0(self, ch: Events) -> None:
        with ch.stream(0):
            x = await ch.x
            c = self.choose(x[0], x)
            ch.c.send(c)
            b = await ch.b
            y = self.choose(b[0], c)
            ch.y.send(y)

    async def worker_1(self, ch: Events) -> None:
        with ch.stream(1):
            c = await ch.c
            d = c.cos()
            b = d * self.scale
            ch.b.send(b)
            ch.z.send(d)

    @one_stream
    def serial(self, x: Tensor) -> tuple[Tensor, ...]:
        c = self.choose(x[0], x)
        d = c.cos()
        b = d * self.scale
        return self.choose(b[0], c), d

    @staticmethod
    def expected(x: Tensor) -> tuple[Tensor, ...]:
        c = x.exp() if x[0] > 0 else -x
        d = c.cos()
        return c.exp() if d[0] > 0 else -c, d


class Counting(Choosing):
    """A loop whose length, and the shape of what it makes, depend on values."""

    async def worker_0(self, ch: Events) -> None:
        with ch.stream(0):
            x = await ch.x
            a = x * self.scale
            ch.a.send(a)
            rows = self.repeat(a)
            ch.c.send(rows)
            b = await ch.b
            y = rows.sum(0) + b
            ch.y.send(y)

    async def worker_1(self, ch: Events) -> None:
        with ch.stream(1):
            a = await ch.a
            b = a.sin()
            ch.b.send(b)
            rows = await ch.c
            z = rows * b
            ch.z.send(z)

    def repeat(self, a: Tensor) -> Tensor:
        return torch.stack([a + k for k in range(int(a[0]))])

    @one_stream
    def serial(self, x: Tensor) -> tuple[Tensor, ...]:
        a = x * self.scale
        rows = self.repeat(a)
        b = a.sin()
        y = rows.sum(0) + b
        z = rows * b
        return y, z

    @staticmethod
    def expected(x: Tensor) -> tuple[Tensor, ...]:
        a = x * 2
        rows = torch.stack([a + k for k in range(int(a[0]))])
        return rows.sum(0) + a.sin(), rows * a.sin()


def weights() -> Weights:
    return Weights.from_tensors({"scale": torch.tensor(2.0)}, {"c": ("/If", "If")})


def made(kind: Callable[[Weights], Any] = Choosing, device: StandIn | None = None) -> Any:
    with programs_on(device or StandIn()):
        return kind(weights())


def close(results: Any, wanted: Any) -> bool:
    return all(torch.allclose(a, b, atol=1e-6) for a, b in zip(results, wanted, strict=True))


X = torch.tensor([1.0, 0.5, -0.25])


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

    def capture(self, issue: Any, streams: int = 1) -> Any:
        graph, result = super().capture(issue, streams)
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
        def capture(self, issue: Any, streams: int = 1) -> Any:
            graph, result = super().capture(issue, streams)
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
