"""Several requests in flight on a program of streams, on the stand-in of a device."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from stream_programs import SEEDS, X, expected, net, program, same

from ramiel.runtime import Events, StreamProgram
from ramiel.runtime.streaming import Streaming
from ramiel.runtime.streams.device import programs_on
from ramiel.runtime.streams.plans import StreamPlan
from ramiel.runtime.streams.requests import LANES
from ramiel.runtime.streams.stand_in import Race, StandIn

XS = [X + k for k in range(2 * LANES + 1)]


@pytest.mark.parametrize("way", ["serial", "calls"])
@pytest.mark.parametrize("seed", SEEDS[:5])
def test_results_are_those_of_calls_in_order(way: str, seed: int) -> None:
    """However many are in flight: more than there are lanes, or one."""
    model = net(seed)
    model.streaming = Streaming(way)  # pyright: ignore[reportAttributeAccessIssue]
    for in_flight in (None, 1, 3, 20):
        results = list(model.stream(XS, in_flight=in_flight))
        assert all(same(y, expected(x)) for x, y in zip(XS, results, strict=True))
        assert len(model._lanes._numbers) == LANES


def test_requests_in_flight_are_on_streams_and_graphs_of_their_own() -> None:
    """Each is launched before the result of an earlier one is asked for."""
    model = net()
    launched: list[tuple[StreamPlan, object]] = []
    start = StreamPlan.start

    def noted(plan: StreamPlan, inputs: Any) -> None:
        launched.append((plan, model._target.current()))
        start(plan, inputs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StreamPlan, "start", noted)
        results = model.stream(XS, in_flight=3)
        assert same(next(results), expected(XS[0]))
        assert len(launched) == 3
        assert all(len({id(item) for item in row}) == 3 for row in zip(*launched, strict=True))
        assert len(list(results)) == len(XS) - 1
    assert len({id(plan) for plan, _ in launched}) == 3 and len(launched) == len(XS)


class Careless(StandIn):
    """One of the waits of a request that is replayed is not issued."""

    dropped = -1
    counted = 0

    def stream(self) -> Any:
        stream: Any = super().stream()
        wait = stream.wait_event

        def waits(event: Any) -> None:
            self.counted += 1
            if self.counted != self.dropped:
                wait(event)

        stream.wait_event = waits
        return stream


def test_each_wait_between_the_caller_and_a_lane_is_needed() -> None:
    """Inputs that the caller's stream computes, and outputs that it reads and that the lane's next
    request writes to: without a wait, the stand-in finds a race."""

    def found(dropped: int) -> tuple[bool, int]:
        device = Careless(1)
        with programs_on(device), device.issuing():
            model = adding(device)
            list(model.stream([torch.ones(3)], in_flight=1))  # captures
            device.counted, device.dropped = 0, dropped
            requests = (
                torch.ones(3) * 1.0 + k for k in range(2)
            )  # computed by the caller's stream
            try:
                list(model.stream(requests, in_flight=1))
            except Race:
                return True, 0
            return False, device.counted

    races, waits = found(-1)
    assert not races and waits == 6  # for inputs, the last request, outputs; of two requests
    # The first request's stream has waited for its capture already, and the second one's for the
    # outputs' copy by way of its inputs, which come from the same stream.
    assert [found(k)[0] for k in range(1, waits + 1)] == [True, False, True, True, False, True]


def adding(device: StandIn) -> StreamProgram:
    async def worker(_: Any, ch: Events) -> None:
        x = await ch.x
        ch.y.send(x + 1)

    return program(worker, device=device)


def test_a_request_that_fails_is_an_error_in_its_place() -> None:
    model = net()
    wrong = torch.ones(3, 5)
    found = list(model.stream([X, wrong, X, wrong, X], return_exceptions=True, in_flight=2))
    assert [isinstance(y, ValueError) for y in found] == [False, True, False, True, False]
    with pytest.raises(ValueError, match='input "x"'):
        list(model.stream([X, wrong]))
    assert len(model._lanes._numbers) == LANES


def test_a_stream_that_is_dropped_gives_its_lanes_back() -> None:
    model = net()

    def endless() -> Iterator[Any]:
        while True:
            yield X

    results = model.stream(endless())
    assert same(next(results), expected(X))
    assert len(model._lanes._numbers) < LANES
    del results
    assert len(model._lanes._numbers) == LANES
    assert same(next(iter(model.stream([XS[3]]))), expected(XS[3]))


def test_weights_that_change_while_requests_are_in_flight_are_noticed() -> None:
    model = net()
    results = model.stream([X, X, X], in_flight=2)
    before = next(results)
    model.scale.fill_(7.0)
    model.captures = False
    wanted = model(X)
    model.captures = True
    assert not same(before, wanted)
    assert all(same(y, wanted) for y in results)


def test_what_is_not_captured_is_called() -> None:
    model = net()
    model.captures = False
    assert all(same(y, expected(x)) for x, y in zip(XS, model.stream(XS), strict=True))
    assert not model._graphs._plans

    async def choosing(_: Any, ch: Events) -> None:
        x = await ch.x
        ch.y.send(x + 1 if x.sum().item() > 0 else x - 1)

    reading = program(choosing)
    reading.streaming = Streaming("calls")  # pyright: ignore[reportAttributeAccessIssue]
    assert [y.tolist() for y in reading.stream([torch.ones(1), -torch.ones(1)])] == [[2.0], [-2.0]]


def test_streams_of_several_threads_share_the_lanes() -> None:
    """Those that find none call."""
    model = net()
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            xs = [x * (number + 1) for x in XS]
            results = list(model.stream(xs, in_flight=3))
            assert all(same(y, expected(x)) for x, y in zip(xs, results, strict=True))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and len(model._lanes._numbers) == LANES


def test_after_close_serial_requests_go_on_and_others_are_refused() -> None:
    model = net()
    model.close()
    assert same(next(iter(model.stream([X]))), expected(X))
    model.streaming = Streaming("calls")  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(RuntimeError, match="Net is closed"):
        list(model.stream([X]))
