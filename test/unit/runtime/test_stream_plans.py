"""Graphs of programs of streams: what is captured, when it is kept, whose memory it uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from stream_programs import Net, TimedStandIn, X, expected, net, net_weights, program, same

from ramiel.runtime import Events
from ramiel.runtime.errors import DeviceUnavailable
from ramiel.runtime.replay.plans import MOST
from ramiel.runtime.replay.tape import NotCapturable
from ramiel.runtime.streams.device import programs_on
from ramiel.runtime.streams.stand_in import StandIn


def test_calls_are_captured_by_shape_and_plans_are_bounded() -> None:
    model = net()
    assert model.capture_status(X) == "not called so far"
    for rows in range(1, MOST + 4):
        x = torch.randn(rows, 4)
        assert same(model(x), expected(x))
        assert model.capture_status(x) == "captured"
    assert model.capture_status(X[:1]) == "not called so far"
    assert len(model._graphs._plans) == MOST


def test_a_replay_issues_nothing_but_the_graph() -> None:
    model = net()
    model(X)

    def fail(*_: object) -> None:
        raise AssertionError("a worker was called")

    model._issue_workers = fail  # pyright: ignore
    assert same(model(X * 2), expected(X * 2))


def test_the_variable_and_the_attribute_switch_capture_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAMIEL_CAPTURE", "0")
    model = net()
    assert not model.captures and same(model(X), expected(X))
    assert model.capture_status(X) == "RAMIEL_CAPTURE is 0"
    model.capture(X)
    assert model.capture_status(X) == "captured"
    assert same(model(X), expected(X))


def replaced(model: Net) -> None:
    model.scale = torch.tensor(5.0)


def changed(model: Net) -> None:
    model.scale.fill_(5.0)


def loaded(model: Net) -> None:
    model.load_state_dict({**model.state_dict(), "scale": torch.tensor(5.0)})


@pytest.mark.parametrize("change", [replaced, changed, loaded])
def test_changed_weights_are_noticed(change: Callable[[Net], None]) -> None:
    model = net()
    model(X)
    change(model)
    model.captures = False
    wanted = [y.clone() for y in model(X)]
    model.captures = True
    assert not same(wanted, expected(X))
    for _ in range(3):
        assert same(model(X), wanted)
    assert model.capture_status(X) == "captured"


def test_hooks_run() -> None:
    model = net()
    model(X)
    calls: list[object] = []
    hook = model.fc1.register_forward_hook(lambda *_: calls.append(1))
    model(X)
    model(X)
    assert len(calls) == 2 and model.capture_status(X) == "a layer has hooks"
    hook.remove()
    assert same(model(X), expected(X))


class Small(StandIn):
    """A device whose memory suffices for so many captures only."""

    def __init__(self, failing: int) -> None:
        super().__init__()
        self.failing = failing

    def capture(self, issue: Any, streams: int = 1, beside: Any = None) -> Any:
        self.failing -= 1
        if self.failing >= 0:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().capture(issue, streams, beside)


def test_without_memory_fewer_streams_are_captured_or_none() -> None:
    with programs_on(Small(1)):
        model = Net(net_weights())
    with pytest.warns(RuntimeWarning, match="Net: .* to capture 3 streams: one stream instead"):
        model(X)
    assert model.capture_status(X) == "captured" and same(model(X), expected(X))
    assert model.captured_form(X) == "one stream"
    with programs_on(Small(2)):
        model = Net(net_weights())
    with (
        pytest.warns(RuntimeWarning, match="3 streams: one stream instead"),
        pytest.warns(RuntimeWarning, match="one stream: it runs eagerly"),
    ):
        model(X)
    assert same(model(X), expected(X))
    assert "not enough memory" in model.capture_status(X) and not model.captured_form(X)


class Measured(TimedStandIn):
    """A device whose graphs take times and memory by the number of their streams."""

    def __init__(self, times: Mapping[int, float], memory: Mapping[int, int] | None = None) -> None:
        super().__init__()
        self.times, self.bytes = times, memory or {}

    def capture(self, issue: Any, streams: int = 1, beside: Any = None) -> Any:
        graph, result = super().capture(issue, streams, beside)
        graph.memory = self.bytes.get(streams, 0)
        return self.taking(graph, lambda: self.times[streams]), result


def test_several_streams_are_never_slower_than_one() -> None:
    for several, form in (
        (1.0, "3 streams: 3 streams 1.000 ms, one stream 2.000 ms"),
        (3.0, "one stream: 3 streams 3.000 ms, one stream 2.000 ms"),
    ):
        with programs_on(Measured({3: several, 1: 2.0})):
            model = Net(net_weights())
        for _ in range(3):
            assert same(model(X), expected(X))
        assert model.captured_form(X) == form
        model.compares = False
        model(X[:1])
        assert model.captured_form(X[:1]) == "3 streams"


def test_several_streams_take_at_most_so_much_memory() -> None:
    """They are fewer then."""
    times = {7: 1.0, 3: 1.5, 1: 2.0}
    workers = [_turning(k) for k in range(7)]
    for memory, form in (
        ({7: 150, 3: 150, 1: 100}, "7 streams: 7 streams 1.000 ms, one stream 2.000 ms"),
        ({7: 151, 3: 150, 1: 100}, "3 streams: 3 streams 1.500 ms, one stream 2.000 ms"),
        ({7: 151, 3: 151, 1: 100}, "one stream"),
    ):
        model = program(*workers, channels="a b c d e f", device=Measured(times, memory))
        for _ in range(2):
            assert model(torch.ones(2)).tolist() == [2.0, 2.0]
        assert model.captured_form(torch.ones(2)) == form


def _turning(number: int) -> Callable[[Any, Events], Any]:
    """A worker that hands the input on to the next one; the last adds 1."""
    names = ["x", *"abcdef", "y"]

    async def step(_: Any, ch: Events) -> None:
        value = await getattr(ch, names[number])
        getattr(ch, names[number + 1]).send(value + (number == 6))

    return step


def test_operators_without_a_kernel_are_named_with_counts() -> None:
    """All of them, with the operations that call them, in one line."""
    with programs_on(StandIn(lacks=["aten::add", "aten::sin"])):
        model = Net(net_weights())
    message = 'cpu has no kernel for aten::add (3 calls: b (ONNX node "", Add), y, z)'
    with pytest.raises(DeviceUnavailable) as failure:
        model(X)
    assert str(failure.value) == f"{message}; aten::sin (1 call: c)"
    with pytest.raises(DeviceUnavailable):
        model.serial(X)


def test_what_needs_the_host_and_cannot_be_split_runs_eagerly() -> None:
    async def choosing(_: Any, ch: Events) -> None:
        x = await ch.x
        y = x + 1 if x.sum().item() > 0 else x - 1
        ch.y.send(y)

    model = program(choosing)
    for _ in range(2):
        assert model(torch.ones(2)).tolist() == [2.0, 2.0]
        assert model(-torch.ones(2)).tolist() == [-2.0, -2.0]
    status = model.capture_status(torch.ones(2))
    assert status.startswith("it needs the host: ")
    assert "operation not permitted when stream is capturing" in status
    assert status.endswith("(worker has arguments with defaults)")
    with pytest.raises(NotCapturable, match="capturing"):
        model.capture(torch.ones(2))


def test_work_on_a_stream_that_is_not_forked_is_not_captured() -> None:
    """The stand-in refuses what CUDA does: a stream that is not joined to the capture."""
    device = StandIn()
    stream = device.stream()

    def issue() -> None:
        start = device.event()
        start.record(device.current())
        stream.wait_event(start)
        origin = device.current()
        device.use(stream)
        with device.issuing():
            torch.ones(2).add_(1)
        device.use(origin)

    with pytest.raises(RuntimeError, match="not joined"):
        device.capture(issue)


def test_an_output_is_in_memory_of_the_callers_stream() -> None:
    """Also a view of what another stream made, whose memory would be used again on that."""
    device = StandIn()

    async def viewing(_: Any, ch: Events) -> None:
        a = await ch.a
        y = a[:1]
        ch.y.send(y)

    async def making(_: Any, ch: Events) -> None:
        x = await ch.x
        a = x + 1
        ch.a.send(a)

    model = program(viewing, making, channels="a", device=device)
    model.captures = False
    with device.issuing():
        y = model(torch.ones(2))
        owner = device._deferring._memory[y.untyped_storage().data_ptr()].owner
        assert owner == device.current().number
    assert y.tolist() == [2.0]


def test_outputs_belong_to_the_caller() -> None:
    model = net()
    for _ in range(3):
        results = model(X)
        kept = [y.clone() for y in results]
        for y in results:
            assert y.is_contiguous()
        model(X + 5)
        assert same(results, kept)
        for y in results:
            y.zero_()
        assert same(model(X), expected(X))


def test_a_call_is_a_part_of_the_callers_graph() -> None:
    device = StandIn()
    with programs_on(device):
        model = Net(net_weights())
    model(X)  # has a plan

    with device.issuing():
        x = X.clone()
        graph, results = device.capture(lambda: [y.clone() for y in model(x)])
        for factor in (1.0, 2.0):
            x.copy_(X * factor)
            graph.replay()
            device.settle()
            assert same(results, expected(X * factor))


def test_a_stream_of_the_callers() -> None:
    """Calls from other streams take turns, and each finds its inputs there."""
    device = StandIn()
    with programs_on(device):
        model = Net(net_weights())
    streams = [device.current(), device.stream(), device.stream()]
    with device.issuing():
        for turn in range(6):
            device.use(streams[turn % 3])
            x = X * 1.0 + turn
            results = model(x)
            device.settle()
            assert same(results, expected(X + turn))
        device.use(streams[0])
