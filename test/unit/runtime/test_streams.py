"""Programs of streams, on a device of the CPU whose streams run in their own time."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from stream_programs import SEEDS, Net, TimedStandIn, expected, net, net_weights, program
from torch import Tensor

from ramiel.runtime import Events, OpError, StreamProgram, Weights
from ramiel.runtime.errors import DeviceUnavailable
from ramiel.runtime.replay.plans import MOST
from ramiel.runtime.replay.tape import NotCapturable
from ramiel.runtime.streams.device import programs_on
from ramiel.runtime.streams.stand_in import Race, StandIn

X = torch.linspace(-1, 1, 12).reshape(3, 4)


def same(results: Any, wanted: Any) -> bool:
    return all(torch.allclose(a, b, atol=1e-6) for a, b in zip(results, wanted, strict=True))


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


# --- plans ---


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

    def capture(self, issue: Any, streams: int = 1) -> Any:
        self.failing -= 1
        if self.failing >= 0:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().capture(issue, streams)


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

    def capture(self, issue: Any, streams: int = 1) -> Any:
        graph, result = super().capture(issue, streams)
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


def test_what_needs_the_host_runs_eagerly() -> None:
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
    assert status.endswith("operation not permitted when stream is capturing")
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


# --- programs as objects ---


def test_copies_work_on_their_own() -> None:
    with programs_on(StandIn()):
        model = Net(net_weights())
        model(X)
        other = copy.deepcopy(model)
        again = pickle.loads(pickle.dumps(model))
    other.scale.fill_(0.0)
    assert same(model(X), expected(X)) and same(again(X), expected(X))
    assert not same(other(X), expected(X))


def test_a_closed_program_frees_its_graphs_and_stays_serial() -> None:
    model = net()
    model(X)
    model.close()
    assert not model._graphs._plans
    with pytest.raises(RuntimeError, match="Net is closed"):
        model(X)
    assert same(model.serial(X), expected(X))


def test_several_models_and_threads() -> None:
    models = [net(seed) for seed in range(3)]
    xs = [torch.randn(rows, 4) for rows in (1, 2, 3)]
    failures: list[BaseException] = []

    def call(number: int) -> None:
        try:
            for turn in range(6):
                model, x = models[(number + turn) % 3], xs[turn % 3]
                assert same(model(x), expected(x))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=call, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_cuda_a_program_is_refused_in_one_line() -> None:
    with pytest.raises(DeviceUnavailable, match="this program is for CUDA, and ") as failure:
        Net(net_weights())
    assert "\n" not in str(failure.value) and "--device cpu" in str(failure.value)


def test_the_stand_in_can_be_chosen_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMIEL_STREAMS", "stand-in")
    assert same(Net(net_weights())(X), expected(X))


def test_nothing_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = net()
        model(X)
        model(X)


def test_channels_are_awaited() -> None:
    """A channel is not a value: what is forgotten to be awaited fails at once."""

    async def forgetful(_: Any, ch: Events) -> None:
        y: Any = ch.x
        ch.y.send(torch.add(y, 1))

    with pytest.raises(OpError, match="EventChannel"):
        program(forgetful)(torch.ones(2))


def test_inputs_are_checked_and_converted() -> None:
    model = net()
    assert same(model(X.numpy()), expected(X)) and same(model(x=X), expected(X))
    with pytest.raises(ValueError, match='input "x"'):
        model(torch.ones(3, 5))


def test_a_program_without_weights_or_inputs() -> None:
    class Constant(StreamProgram):
        outputs = ("y",)

        async def worker_0(self, ch: Events) -> None:
            with ch.stream(0):
                y = torch.arange(3)
                ch.y.send(y)

        def serial(self) -> Tensor:
            return torch.arange(3)

    with programs_on(StandIn()):
        model = Constant(Weights.from_tensors({}))
    for _ in range(3):
        assert model().tolist() == [0, 1, 2]
