"""Programs at work: channels, pools, inputs, errors and the main program."""

import contextlib
import copy
import dis
import gc
import os
import pickle
import random
import re
import runpy
import signal
import subprocess
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ramiel.runtime import (
    Channel,
    Channels,
    Conv2d,
    Input,
    Linear,
    OpError,
    Program,
    Stopped,
    Weights,
    one_thread,
)

pytestmark = pytest.mark.timeout(60)


class Net(Program):
    """Two workers that meet twice."""

    inputs = (Input("x", torch.float32, (None, 4), "input.1"), Input("n", torch.int64, ()))
    outputs = ("y", "z")
    channels = ("a", "b")

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, workers=2)
        self.fc1 = Linear(weights, "fc1")
        self.scale = weights["scale"]

    def worker_0(self, ch: Channels) -> None:
        x = ch.x.recv()
        a = self.fc1(x)
        ch.a.send(a)
        b = ch.b.recv()
        y = a + b
        ch.y.send(y)

    def worker_1(self, ch: Channels) -> None:
        n = ch.n.recv()
        a = ch.a.recv()
        b = a * self.scale + n
        ch.b.send(b)
        z = b.sum()
        ch.z.send(z)

    @one_thread
    def serial(self, x: Tensor, n: Tensor) -> tuple[Tensor, Tensor]:
        a = self.fc1(x)
        b = a * self.scale + n
        y = a + b
        z = b.sum()
        return y, z


def net_weights() -> Weights:
    generator = torch.Generator().manual_seed(0)
    tensors = {
        "fc1.weight": torch.randn(4, 4, generator=generator),
        "fc1.bias": torch.randn(4, generator=generator),
        "scale": torch.tensor(2.0),
    }
    return Weights.from_tensors(tensors, {"a": ("/fc1/Gemm", "Gemm"), "b": ("", "Add")})


Step = Callable[[Channels], None]


def program(*steps: Step, outputs: tuple[str, ...] = ("y",), channels: str = "") -> Program:
    """A program of one input `x`, any float32 vector, whose workers are plain functions."""

    class Steps(Program):
        inputs = (Input("x", torch.float32, (None,)),)

    Steps.outputs = outputs
    Steps.channels = tuple(channels.split())
    for k, step in enumerate(steps):
        setattr(Steps, f"worker_{k}", lambda _self, ch, step=step: step(ch))
    return Steps(Weights.from_tensors({}), workers=len(steps))


def pool_threads(model: str) -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith(f"ramiel-{model}-")]


def wait_until(condition: Callable[[], object]) -> None:
    """Wait without a limit: pytest's own ends a test that waits in vain."""
    while not condition():
        time.sleep(0.001)


X = torch.arange(8.0).reshape(2, 4)


# Channels


def test_channel_is_sent_once_and_received_often() -> None:
    channel = Channel("a")
    channel.send(1)
    assert [channel.recv(), channel.recv(), channel.take()] == [1, 1, 1]
    with pytest.raises(RuntimeError, match='channel "a" was sent twice'):
        channel.send(2)
    with pytest.raises(RuntimeError, match='no worker sent "b"'):
        Channel("b").take()


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
    assert all(output is x for output in outputs)
    assert program(step, outputs=("x",), channels="a b")(x) is x
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
        assert outputs[0] is x
        assert outputs[1] is mask
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


# Errors


def test_op_error() -> None:
    net = Net(net_weights())
    net.fc1 = Linear(Weights.from_tensors({"fc1.weight": torch.zeros(4, 5)}), "fc1")
    for call in (net, net.serial):
        with pytest.raises(OpError, match=r'^a \(ONNX node "/fc1/Gemm", Gemm\): mat1 and') as info:
            call(X, 1)
        assert (info.value.value, info.value.node) == ("a", "/fc1/Gemm")
        assert isinstance(info.value.__cause__, RuntimeError)
        copied = pickle.loads(pickle.dumps(info.value))
        assert (str(copied), copied.value) == (str(info.value), "a")


def test_op_error_in_a_pool_thread() -> None:
    net = Net(net_weights())
    net.scale = torch.zeros(3)
    for call in (net, net.serial):
        with pytest.raises(OpError, match=r'^b \(ONNX node "", Add\): The size of tensor'):
            call(X, 1)
    net.scale = torch.tensor(2.0)
    assert torch.equal(net(X, 1)[0], net.serial(X, 1)[0])


def test_op_error_without_a_value() -> None:
    class Twice(Net):
        def worker_1(self, ch: Channels) -> None:
            n = ch.n.recv()
            ch.b.send(n)
            ch.b.send(n)
            z = n
            ch.z.send(z)

    with pytest.raises(OpError, match=r'Twice\.worker_1: channel "b" was sent twice') as info:
        Twice(net_weights())(X, 1)
    assert info.value.value is None


def test_op_error_of_a_tuple_and_of_an_unknown_value() -> None:
    class Split(Net):
        def worker_1(self, ch: Channels) -> None:
            n = ch.n.recv()
            b, c = torch.split(n, [2, 2])
            z = torch.add(
                b,
                c,
            )
            ch.z.send(z)

    with pytest.raises(OpError, match=r'^b \(ONNX node "", Add\): '):
        Split(net_weights())(X, 1)

    class Unknown(Net):
        def worker_1(self, ch: Channels) -> None:
            first = ch.n.recv() + torch.add(
                torch.zeros(2),
                torch.zeros(3),
            )
            z = first
            ch.z.send(z)

    with pytest.raises(OpError, match=r"^first: The size of tensor"):
        Unknown(net_weights())(X, 1)


def test_op_error_reads_fused_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.13 has instructions that store and load, or store twice, in one."""
    fused = types.SimpleNamespace(offset=10**6, opname="STORE_FAST_LOAD_FAST", argval=("a", "x"))
    monkeypatch.setattr(dis, "get_instructions", lambda _code: [fused])
    net = Net(net_weights())
    net.fc1.register_forward_hook(_fail)
    with pytest.raises(OpError, match=r"^a "):
        net(X, 1)


@pytest.mark.parametrize("workers", [2, 3, 5])
def test_failures_at_random_workers(workers: int) -> None:
    """Every worker waits for all others; whichever fail, one error of theirs is raised."""
    names = [f"c{k}" for k in range(workers)]
    failing: set[int] = set()

    def step(k: int) -> Step:
        def run(ch: Channels) -> None:
            if k in failing:
                raise ValueError(k)
            getattr(ch, names[k]).send(k)
            for name in names:
                getattr(ch, name).recv()

        return run

    model = program(*map(step, range(workers)), outputs=("c0",), channels=" ".join(names))
    rng = random.Random(0)
    for _ in range(200):
        failing.clear()
        failing.update(k for k in range(workers) if rng.random() < 0.2)
        if not failing:
            assert model(torch.ones(1)) == 0
        else:
            with pytest.raises(OpError) as info:
                model(torch.ones(1))
            assert isinstance(info.value.__cause__, ValueError)
            assert info.value.__cause__.args[0] in failing


def test_first_error_wins() -> None:
    late = threading.Event()

    def first(ch: Channels) -> None:
        try:
            ch.y.recv()
        except Stopped:
            late.set()
            raise ValueError("second") from None

    def second(_ch: Channels) -> None:
        raise ValueError("first")

    for steps in ((first, second), (second, first), (first, second, first)):
        with pytest.raises(OpError, match="first"):
            program(*steps)(torch.ones(1))
        assert late.is_set()


def test_base_exceptions_are_carried_to_the_caller() -> None:
    def leave(_ch: Channels) -> None:
        raise SystemExit(3)

    def wait(ch: Channels) -> None:
        ch.y.recv()

    model = program(wait, leave)
    for _ in range(50):
        with pytest.raises(SystemExit):
            model(torch.ones(1))


# Interrupts


def test_interrupt_in_worker_0() -> None:
    stopped: list[bool] = []
    interrupting = True

    def compute(ch: Channels) -> None:
        x = ch.x.recv()
        if interrupting:
            signal.raise_signal(signal.SIGINT)
        ch.y.send(x)

    def wait(ch: Channels) -> None:
        try:
            ch.y.recv()
        except Stopped:
            stopped.append(True)
            raise

    model = program(compute, wait)
    for _ in range(100):
        with pytest.raises(KeyboardInterrupt):
            model(torch.ones(1))
    assert len(stopped) == 100
    interrupting = False
    assert model(torch.ones(1)) == 1


def test_interrupt_while_the_caller_waits() -> None:
    """Worker 0 waits for a value, or has returned and the caller waits for worker 1."""

    def receive(ch: Channels) -> None:
        ch.y.recv()

    def leave(_ch: Channels) -> None:
        pass

    def interrupt(ch: Channels) -> None:
        time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        ch.never.recv()

    for step in (receive, leave):
        model = program(step, interrupt, channels="never")
        for _ in range(20):
            with pytest.raises(KeyboardInterrupt):
                model(torch.ones(1))


def interrupts_at_any_moment() -> None:
    """However often and wherever it is hit, a call ends, and the next one works."""
    net = Net(net_weights())
    expected = net.serial(X, 1)[0]
    armed = False
    interrupted = 0
    done = threading.Event()

    def handler(_signal: int, _frame: object) -> None:
        if armed:
            raise KeyboardInterrupt

    def interrupt() -> None:
        rng = random.Random(0)
        while not done.is_set():
            time.sleep(rng.random() * 1e-4)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    signal.signal(signal.SIGINT, handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    for _ in range(2000):
        try:
            armed = True
            net(X, 1)
            armed = False
        except KeyboardInterrupt:
            armed = False
            interrupted += 1
    done.set()
    thread.join()
    assert interrupted > 0
    for _ in range(10):
        assert torch.equal(net(X, 1)[0], expected)
    net.close()


def test_interrupts_at_any_moment() -> None:
    """In a process of its own: there, no interrupt can hit pytest instead."""
    script = "import test_runtime; test_runtime.interrupts_at_any_moment()"
    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parent, check=True)


# The life of the threads


def test_close() -> None:
    class Closed(Net):
        pass

    net = Closed(net_weights())
    assert pool_threads("Closed") == []
    net(X, 1)
    assert [t.name for t in pool_threads("Closed")] == ["ramiel-Closed-1"]
    net.close()
    net.close()
    assert pool_threads("Closed") == []
    with pytest.raises(RuntimeError, match=r"^Closed is closed$"):
        net(X, 1)
    net.serial(X, 1)
    copy.deepcopy(net)(X, 1)


def test_close_waits_for_running_calls() -> None:
    for _ in range(100):
        net = Net(net_weights())
        running = threading.Event()
        finished: list[bool] = []
        refused: list[bool] = []

        def call(
            net: Net = net,
            running: threading.Event = running,
            finished: list[bool] = finished,
            refused: list[bool] = refused,
        ) -> None:
            while True:
                try:
                    net(X, 1)
                except RuntimeError as error:
                    refused.append(str(error) == "Net is closed")
                    return
                finished.append(True)
                running.set()

        threads = [threading.Thread(target=call) for _ in range(3)]
        for thread in threads:
            thread.start()
        running.wait()
        closers = [threading.Thread(target=net.close) for _ in range(2)]
        for thread in closers + threads:
            if thread in closers:
                thread.start()
        for thread in closers + threads:
            thread.join()
        assert finished
        assert refused == [True] * 3


def test_close_waits_for_worker_0() -> None:
    """It works in the calling thread, which close() cannot join."""
    computing, go_on = threading.Event(), threading.Event()

    def compute(ch: Channels) -> None:
        computing.set()
        go_on.wait()
        ch.y.send(1)

    model = program(compute)
    ends: list[str] = []
    caller = threading.Thread(target=lambda: (model(torch.ones(1)), ends.append("call")))
    closer = threading.Thread(target=lambda: (model.close(), ends.append("close")))
    caller.start()
    computing.wait()
    closer.start()
    time.sleep(0.01)
    assert ends == []
    go_on.set()
    caller.join()
    closer.join()
    assert sorted(ends) == ["call", "close"]


def test_a_collected_program_ends_its_threads() -> None:
    class Collected(Net):
        pass

    for failing in (False, True) * 20:
        net = Collected(net_weights())
        if failing:
            net.scale = torch.zeros(3)
            with pytest.raises(OpError):
                net(X, 1)
        else:
            net(X, 1)
        del net
        gc.collect()
    wait_until(lambda: not pool_threads("Collected"))


def test_an_error_makes_no_cycle() -> None:
    """The tensors of a failed run go with the error, not with the next garbage collection."""
    net = Net(net_weights())
    net.scale = torch.zeros(3)
    errors: list[weakref.ref[OpError]] = []
    gc.disable()
    try:
        for call in (net, net.serial):
            try:
                call(X, 1)
            except OpError as error:
                errors.append(weakref.ref(error))
        wait_until(lambda: all(error() is None for error in errors))
    finally:
        gc.enable()
    assert len(errors) == 2


def test_copies_have_their_own_threads() -> None:
    net = Net(net_weights())
    expected = net(X, 1)
    copies = [copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))]
    net.close()
    for each in copies:
        assert torch.equal(each(X, 1)[0], expected[0])
        each.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork() -> None:
    net = Net(net_weights())
    expected = net(X, 1)[0]
    for _ in range(5):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                equal = [torch.equal(net(X, 1)[0], expected) for _ in range(3)]
                net.close()
                status = 0 if all(equal) else 2
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert torch.equal(net(X, 1)[0], expected)


# main()

PROGRAM = """
import torch
from torch import Tensor

from ramiel.runtime import Channels, Conv2d, Input, Program, Weights, main, one_thread


class Small(Program):
    inputs = (Input("x", torch.float32, (None, 3, 8, 8)), Input("i", torch.int64, (), "i.0"))
    outputs = ("y",)
    channels = ("a",)

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, workers=2)
        self.conv1 = Conv2d(weights, "conv1", padding=1)

    def worker_0(self, ch: Channels) -> None:
        x = ch.x.recv()
        a = self.conv1(x)
        ch.a.send(a)

    def worker_1(self, ch: Channels) -> None:
        i = ch.i.recv()
        a = ch.a.recv()
        y = a + i
        ch.y.send(y)

    @one_thread
    def serial(self, x: Tensor, i: Tensor) -> Tensor:
        a = self.conv1(x)
        y = a + i  # SERIAL
        return y


if __name__ == "__main__":
    main(Small, __file__)
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.py"
    path.write_text(PROGRAM)
    weight = torch.randn(3, 3, 3, 3)
    nodes = {"a": ("/conv1/Conv", "Conv")}
    weights = Weights.from_tensors({"conv1.weight": weight}, nodes)
    weights.save(path.with_suffix(".safetensors"))
    return path


def run_main(path: Path, monkeypatch: pytest.MonkeyPatch, *args: str) -> Any:
    """Run a program file as a script; return what it exits with."""
    monkeypatch.setattr(sys, "argv", [str(path), *args])
    try:
        runpy.run_path(str(path), run_name="__main__")
    except SystemExit as end:
        return end.code
    return 0


def test_main(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(small, monkeypatch, "--runs", "3", "--shape", "x=2x3x8x8") == 0
    printed = capsys.readouterr().out
    assert "bit for bit" in printed
    assert "speedup" in printed


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--shape", "x=1x3x8x9"], r'input "x": expected float32\[\?, 3, 8, 8\], got .*8, 9\]'),
        (["--shape", "y=1"], "--shape: no input y"),
        (["--shape", "x"], "--shape x: expected NAME=1x3x224x224"),
        (["--shape", "x=1xa"], "expected NAME=1x3x224x224"),
        (["--shape", "i.0=2"], r'input "i": expected int64\[\], got int64\[2\]'),
        (["--runs", "0"], "2"),
    ],
)
def test_main_options(
    small: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], message: str
) -> None:
    code = run_main(small, monkeypatch, *args)
    assert re.search(message, str(code))


def test_main_finds_a_difference(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small.write_text(PROGRAM.replace("a + i  # SERIAL", "a + i + 1e-6"))
    code = run_main(small, monkeypatch)
    assert code == 'the workers and the serial form differ in output "y"'


def test_main_without_weights(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = small.with_suffix(".safetensors")
    Weights.from_tensors({}).save(weights)
    assert 'no weight "conv1.weight" in ' in run_main(small, monkeypatch)
    weights.unlink()
    assert run_main(small, monkeypatch) == f"no weights file {weights}"


def test_conv_needs_no_program() -> None:
    """A layer stands alone."""
    layer = Conv2d(Weights.from_tensors({"c.weight": torch.ones(1, 1, 1, 1)}), "c")
    assert layer(torch.ones(1, 1, 2, 2)).sum() == 4
