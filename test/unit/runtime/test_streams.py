"""Programs of streams, on a device of the CPU whose streams run in their own time."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from stream_programs import SEEDS, Net, X, expected, net, net_weights, program, same
from torch._C._dynamo.eval_frame import set_eval_frame

from ramiel.runtime import Events, OpError
from ramiel.runtime.streams.device import programs_on
from ramiel.runtime.streams.issue import Issue
from ramiel.runtime.streams.stand_in import Race, StandIn

# --- the order that events enforce ---


@pytest.mark.parametrize("seed", SEEDS)
def test_streams_in_any_order_compute_the_same(seed: int) -> None:
    """Captured and not, for one shape after the other."""
    model = net(seed)
    for captures in (True, False):
        model.captures = captures
        for x in (X, X + 1, torch.cat([X, X]), X):
            assert same(model(x), expected(x))
            assert same(model.serial(x), expected(x))


class Hasty(Net):
    """Worker 1 does not wait for `a`."""

    async def worker_1(self, ch: Events) -> None:
        with ch.stream(1):
            a = ch.a.sent_value()
            b = a * self.scale + 3
            ch.b.send(b)
            c = await ch.c
            z = (b + c).sum()
            ch.z.send(z)


@pytest.mark.parametrize("captures", [True, False])
def test_a_missing_wait_shows_in_values(captures: bool) -> None:
    """In some of the orders in which streams may run."""
    wrong = 0
    for seed in range(40):
        model = net(seed, Hasty, strict=False)
        model.captures = captures
        wrong += any(not same(model(X), expected(X)) for _ in range(3))
    assert wrong > 3


@pytest.mark.parametrize("seed", SEEDS)
def test_a_missing_wait_is_named(seed: int) -> None:
    """Whether or not values are wrong in this order."""
    model = net(seed, Hasty)
    with pytest.raises(
        OpError, match=r"^b .*reads what stream \d writes, without a wait"
    ) as failure:
        model(X)
    assert isinstance(failure.value.__cause__, Race)


class Dropping(StandIn):
    """One of the waits that a program issues within some methods of Issue does nothing."""

    def __init__(self, seed: int, dropped: int, *, strict: bool) -> None:
        super().__init__(seed, strict=strict)
        self.dropped, self.waits, self.counts = dropped, 0, False

    def stream(self) -> Any:
        stream: Any = super().stream()
        wait = stream.wait_event

        def waiting(event: Any) -> None:
            self.waits += self.counts
            if not self.counts or self.waits != self.dropped:
                wait(event)

        stream.wait_event = waiting
        return stream


def run_without(dropped: int, seed: int = 0, *, strict: bool = True) -> tuple[int, bool]:
    """The waits of channels, and of the end of streams, in a run of Net on an input that the
    device computes, of which one is dropped; and whether the results were right.

    Raises what the run does."""
    device = Dropping(seed, dropped, strict=strict)

    def counting(method: Any) -> Any:
        def counted(*args: Any) -> None:
            device.counts = True
            try:
                method(*args)
            finally:
                device.counts = False

        return counted

    with programs_on(device), pytest.MonkeyPatch.context() as patch:
        for name in ("received", "_join"):
            patch.setattr(Issue, name, counting(getattr(Issue, name)))
        model = Net(net_weights())
        model.captures = False
        with device.issuing():
            results = model(X * 2.0)
            device.settle()
            return device.waits, same(results, expected(X * 2.0))


def test_each_wait_is_needed_and_is_found_if_it_is_missing() -> None:
    """By the clocks in any order, and by values in some of the orders in which streams may run."""
    waits, right = run_without(0)
    assert right and waits == 5 + 2, "of channels, and of streams that end"
    for dropped in range(1, waits + 1):
        with pytest.raises((OpError, Race), match=r"without a wait|may reuse memory"):
            run_without(dropped)
        assert any(not run_without(dropped, seed, strict=False)[1] for seed in range(60))


class Forgetful(Net):
    """The channel `b` lets go of its value when it is received."""

    async def worker_0(self, ch: Events) -> None:
        with ch.stream(0):
            x = await ch.x
            a = self.fc1(x)
            ch.a.send(a)
            b = await ch.b
            ch.b._value = None
            y = (a + b).relu()
            ch.y.send(y)

    async def worker_1(self, ch: Events) -> None:
        with ch.stream(1):
            a = await ch.a
            b = a * self.scale + 3
            ch.b.send(b)
            del b
            await ch.c
            z = a.sum()
            ch.z.send(z)

    async def worker_2(self, ch: Events) -> None:
        """`c` comes after the read of `b`."""
        with ch.stream(2):
            y = await ch.y
            ch.c.send(y)
            w = y + 1
            ch.w.send(w)


class Unordered(Forgetful):
    async def worker_2(self, ch: Events) -> None:
        """`c` is issued after the read of `b`, but does not wait for it."""
        with ch.stream(2):
            x = await ch.x
            while not ch.y.is_sent:
                await _turn(ch.y)
            ch.c.send(x)
            w = x + 1
            ch.w.send(w)


def test_memory_that_another_stream_reads_is_not_used_again() -> None:
    """Which is why channels keep their values: nothing else here orders the two uses."""
    for kind in (Forgetful, Unordered):
        model = net(0, kind)
        model.captures = False
        if kind is Forgetful:
            model(X)
        else:
            with pytest.raises(OpError, match=r"^z: .* may reuse memory that stream \d uses"):
                model(X)


async def _turn(channel: Any) -> None:
    """Lets others issue until a channel is sent, without a wait of the stream."""

    class Turn:
        def __await__(self) -> Any:
            yield channel

    await Turn()


@pytest.mark.parametrize("kept", ["nothing", "a variable", "a view"])
@pytest.mark.parametrize("waits", [True, False])
def test_a_taken_value_is_let_go_of_once_its_reads_have_been_waited_for(
    kept: str, waits: bool
) -> None:
    """Unless a variable or a view of the reader still has its memory."""
    there: list[bool] = []

    async def reading(_: Any, ch: Events) -> None:
        b = await ch.b.take()
        c = b + 1
        view = b[:1] if kept == "a view" else None
        if kept != "a variable":
            del b
        ch.c.send(c)
        await ch.d
        y = c + 1 if view is None else c + view
        ch.y.send(y)

    async def sending(_: Any, ch: Events) -> None:
        x = await ch.x
        b = x + 1
        ch.b.send(b)
        del b
        if waits:
            await ch.c
        else:
            while not ch.c.is_sent:
                await _turn(ch.c)
        there.append(ch.b.sent_value() is not None)
        d = x + 2  # may get the memory of b
        ch.d.send(d)

    for seed in range(5):
        model = program(reading, sending, channels="b c d", device=StandIn(seed))
        for _ in range(3):
            model(torch.ones(2))
    assert there and all(it == (kept != "nothing" or not waits) for it in there)


def test_a_taken_value_is_let_go_of_while_torch_compile_looks_at_frames() -> None:
    """As it does where Python is in one of its functions: arguments are held twice then."""
    before = set_eval_frame(False)
    try:
        test_a_taken_value_is_let_go_of_once_its_reads_have_been_waited_for("nothing", True)
    finally:
        set_eval_frame(before)


def test_runs_of_several_threads_reuse_memory_in_order() -> None:
    """Each thread has a current stream of its own, from which its runs start."""
    model = net()
    model.captures = False
    failures: list[BaseException] = []

    def call() -> None:
        try:
            for _ in range(5):
                assert same(model(X), expected(X))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# --- issuing ---


def test_workers_that_wait_for_each_other_are_named() -> None:
    async def first(_: Any, ch: Events) -> None:
        b = await ch.b
        ch.a.send(b)

    async def second(_: Any, ch: Events) -> None:
        a = await ch.a
        ch.b.send(a)

    model = program(first, second, outputs=(), channels="a b")
    with pytest.raises(RuntimeError, match='deadlock: worker 0 for "b", worker 1 for "a"'):
        model(torch.ones(2))


def test_a_value_is_sent_once_and_outputs_are_sent() -> None:
    async def twice(_: Any, ch: Events) -> None:
        x = await ch.x
        ch.y.send(x)
        ch.y.send(x)

    async def never(_: Any, ch: Events) -> None:
        await ch.x

    with pytest.raises(RuntimeError, match='channel "y" was sent twice'):
        program(twice)(torch.ones(2))
    with pytest.raises(RuntimeError, match='no worker sent "y"'):
        program(never)(torch.ones(2))


def test_waits_that_others_imply_are_not_issued() -> None:
    """A graph has an edge less for each."""
    waits: list[object] = []

    class Counting(StandIn):
        def stream(self) -> Any:
            stream: Any = super().stream()
            wait = stream.wait_event
            stream.wait_event = lambda event: (waits.append(event), wait(event))
            return stream

    async def first(_: Any, ch: Events) -> None:
        x = await ch.x
        for name in "abcd":
            getattr(ch, name).send(x + 1)

    async def second(_: Any, ch: Events) -> None:
        d = await ch.d
        a, b, c = await ch.a, await ch.b, await ch.c
        ch.y.send(a + b + c + d)

    model = program(first, second, channels="a b c d", device=Counting())
    model.captures = False
    assert model(torch.ones(2)).tolist() == [8.0, 8.0]
    # The start, `d`, the end of worker 1, and the end of the run.
    assert len(waits) == 4


def test_more_workers_than_streams() -> None:
    class Few(StandIn):
        def streams(self, count: int) -> Any:
            return super().streams(1)

    for seed in SEEDS:
        with programs_on(Few(seed)):
            model = Net(net_weights())
        assert all(same(model(X), expected(X)) for _ in range(2))


def test_an_error_names_its_operation_and_the_next_call_works() -> None:
    async def failing(_: Any, ch: Events) -> None:
        x = await ch.x
        y = x.reshape(2, -1)
        ch.y.send(y)

    async def other(_: Any, ch: Events) -> None:
        await ch.y

    model = program(failing, other)
    with pytest.raises(RuntimeError, match="invalid for input of size 3"):
        model(torch.ones(3))
    for _ in range(3):
        assert model(torch.ones(4)).shape == (2, 2)
    wrong = net()
    wrong.scale = torch.ones(7)
    with pytest.raises(OpError, match=r"^b \(ONNX node \"\", Add\)"):
        wrong(X)
