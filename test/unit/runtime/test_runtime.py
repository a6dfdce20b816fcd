"""Channels, calls and inputs of programs."""

import contextlib
import random
import sys
import threading
import weakref

import numpy as np
import pytest
import torch
from small_programs import Net, X, net_weights, pool_threads, program

from ramiel.runtime import (
    Channel,
    Channels,
    Input,
    OpError,
    Program,
    Stopped,
    Weights,
)

pytestmark = pytest.mark.timeout(60)


# Channels


def test_channel_is_sent_once_and_received_often() -> None:
    channel = Channel("a")
    channel.send(1)
    assert [channel.recv(), channel.recv(), channel.sent()] == [1, 1, 1]
    with pytest.raises(RuntimeError, match='channel "a" was sent twice'):
        channel.send(2)
    with pytest.raises(RuntimeError, match='no worker sent "b"'):
        Channel("b").sent()


def test_a_channel_that_is_taken_lets_go() -> None:
    class Value:
        pass

    channel, value = Channel("a"), Value()
    alive = weakref.ref(value)
    channel.send(value)
    del value
    assert alive() is not None
    assert channel.take() is alive()
    assert alive() is None
    with pytest.raises(RuntimeError, match="sent twice"):
        channel.send(2)


def test_channel_wakes_all_receivers() -> None:
    for _ in range(200):
        channel = Channel("a")
        received: list[int] = []
        threads = [
            threading.Thread(target=lambda c=channel, r=received: r.append(c.recv()))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        channel.send(7)
        for thread in threads:
            thread.join()
        assert received == [7] * 4


def test_failed_channels() -> None:
    channels = Channels(["a", "b", "fail"])
    channels.a.send(1)
    Channels.fail(channels)
    Channels.fail(channels)
    assert channels.a.recv() == 1
    for channel in (channels.b, channels.__dict__["fail"]):
        with pytest.raises(Stopped):
            channel.recv()
        with pytest.raises(Stopped):
            channel.send(1)


def test_failure_races_with_send() -> None:
    """Whoever wins, every receiver gets on."""
    for _ in range(300):
        channels = Channels(["a"])
        ends: list[object] = []

        def receive(channels: Channels = channels, ends: list[object] = ends) -> None:
            try:
                ends.append(channels.a.recv())
            except Stopped:
                ends.append(None)

        def send(channels: Channels = channels) -> None:
            with contextlib.suppress(Stopped):
                channels.a.send(1)

        threads = [threading.Thread(target=receive) for _ in range(3)]
        threads += [
            threading.Thread(target=send),
            threading.Thread(target=Channels.fail, args=(channels,)),
        ]
        random.shuffle(threads)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ends) == 3
        assert set(ends) <= {1, None}


# Calls


def test_parallel_is_serial() -> None:
    with Net(net_weights()) as net:
        for x in (X, X[:0], X[:1].requires_grad_()):
            y, z = net(x, 3)
            serial_y, serial_z = net.serial(x, 3)
            assert torch.equal(y, serial_y)
            assert torch.equal(z, serial_z)
            assert not y.requires_grad


def test_settings_of_the_caller_are_restored() -> None:
    net = Net(net_weights())
    counts: list[object] = []
    net.fc1.register_forward_hook(
        lambda *_: counts.append((torch.get_num_threads(), torch.is_grad_enabled()))
    )
    before = torch.get_num_threads()
    interval = sys.getswitchinterval()
    try:
        torch.set_num_threads(3)
        net(X, 1)
        net.serial(X, 1)
        net.fc1.register_forward_hook(_fail)
        with pytest.raises(OpError):
            net(X, 1)
        assert torch.get_num_threads() == 3
        assert torch.is_grad_enabled()
        assert sys.getswitchinterval() == interval
        assert counts == [(1, False)] * 3
        started: list[int] = []
        thread = threading.Thread(target=lambda: started.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert started == [3]
    finally:
        torch.set_num_threads(before)


def _fail(*_: object) -> None:
    raise ValueError("no")


def test_calls_from_many_threads() -> None:
    with Net(net_weights()) as net:
        wrong: list[object] = []

        def call(seed: int) -> None:
            for i in range(150):
                x = X + seed + i
                if not torch.equal(net(x, i)[0], net.serial(x, i)[0]):
                    wrong.append((seed, i))

        threads = [threading.Thread(target=call, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert [t.name for t in pool_threads("Net")].count("ramiel-Net-1") >= 1


def test_two_programs_from_many_threads() -> None:
    """Pools do not share threads, so programs cannot block each other."""
    nets = [Net(net_weights()) for _ in range(2)]
    expected = nets[0].serial(X, 1)[0]
    equal: list[bool] = []

    def call(k: int) -> None:
        for i in range(100):
            equal.append(torch.equal(nets[(k + i) % 2](X, 1)[0], expected))

    threads = [threading.Thread(target=call, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert equal == [True] * 400


def test_outputs() -> None:
    def step(ch: Channels) -> None:
        x = ch.x.recv()
        ch.a.send(x)
        ch.b.send(x)

    x = torch.ones(2)
    outputs = program(step, outputs=("a", "x", "b", "a"))(x)
    assert all(torch.equal(output, x) for output in outputs)
    assert len({output.data_ptr() for output in (x, *outputs)}) == 5
    assert torch.equal(program(step, outputs=("x",), channels="a b")(x), x)
    assert program(step, outputs=(), channels="a b")(x) == ()
    with pytest.raises(RuntimeError, match='no worker sent "y"'):
        program(step, outputs=("y",), channels="a b")(x)


def test_program_is_a_module() -> None:
    net = Net(net_weights())
    assert set(net.state_dict()) == {"scale", "fc1.weight", "fc1.bias"}
    assert repr(net) == "Net(x: float32[?, 4], n: int64[]) -> (y, z) on 2 workers"
    net.scale = torch.tensor(0.0)
    net(X, 0)
    assert net.state_dict()["scale"] == 0
    net.to(torch.float64)
    assert net.scale.dtype == torch.float64


# Inputs


class Typed(Program):
    inputs = (
        Input("x", torch.float32, (1, None, 2), "input:0"),
        Input("mask", torch.bool, (None,), "x"),
    )
    outputs = ("x", "mask")

    def __init__(self) -> None:
        super().__init__(Weights.from_tensors({}), workers=1)

    def worker_0(self, ch: Channels) -> None:
        pass


def test_inputs_by_name() -> None:
    x, mask = torch.zeros(1, 3, 2), torch.tensor([True])
    typed = Typed()
    for outputs in (
        typed(x, mask),
        typed(x, mask=mask),
        typed(x=x, mask=mask),
        typed(mask=mask, **{"input:0": x}),
    ):
        assert torch.equal(outputs[0], x)
        assert torch.equal(outputs[1], mask)
    for message, args, kwargs in (
        ('Typed has no input "y"', (x,), {"y": x}),
        ('Typed is missing input "mask"', (x,), {}),
        ('Typed is missing input "x"', (), {"mask": mask}),
        ('Typed got input "x" twice', (x,), {"x": x}),
        ('Typed got input "x" twice', (x,), {"input:0": x}),
        ('Typed got input "x" twice', (), {"x": x, "input:0": x}),
        (r"Typed takes 2 inputs \(x, mask\), got 3", (x, x, x), {}),
    ):
        with pytest.raises(TypeError, match=message):
            typed(*args, **kwargs)


def test_inputs_are_converted() -> None:
    x = np.arange(4, dtype=np.float32).reshape(1, 2, 2)
    frozen = x.copy()
    frozen.setflags(write=False)
    typed = Typed()
    for value in (x, x[:, ::-1], frozen, x.tolist(), [[[1, 2], [3, 4]]]):
        outputs = typed(value, [True, False])
        assert torch.equal(outputs[0], torch.tensor(np.array(value, dtype=np.float32)))
        assert torch.equal(outputs[1], torch.tensor([True, False]))
    net = Net(net_weights())
    assert torch.equal(net(X, np.int64(2))[0], net(X, 2)[0])


@pytest.mark.parametrize(
    ("error", "message", "value"),
    [
        (ValueError, r"expected float32\[1, \?, 2\], got float64\[1, 3, 2\]", np.zeros((1, 3, 2))),
        (ValueError, r"expected float32\[1, \?, 2\], got float32\[1, 3, 1\]", torch.zeros(1, 3, 1)),
        (ValueError, r"expected float32\[1, \?, 2\], got float32\[1, 2\]", torch.zeros(1, 2)),
        (ValueError, r"expected float32\[1, \?, 2\], got float32\[\]", 1),
        (ValueError, r"expected float32\[1, \?, 2\], got list", [[1], [2, 3]]),
        (TypeError, r"expected float32\[1, \?, 2\], got object", object()),
        (TypeError, r"expected float32\[1, \?, 2\], got NoneType", None),
        (TypeError, r"expected float32\[1, \?, 2\], got ndarray", np.array(["a"])),
    ],
)
def test_wrong_inputs(error: type[Exception], message: str, value: object) -> None:
    with pytest.raises(error, match='input "x": ' + message):
        Typed()(value, [True])
