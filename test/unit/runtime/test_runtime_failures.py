"""Errors and interrupts: the caller hears of them, nothing hangs, the model goes on."""

import dis
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
import types

import onnx
import pytest
import torch
from small_programs import Net, Step, X, net_weights, program

import ramiel
from ramiel.runtime import (
    Channels,
    Linear,
    OpError,
    Stopped,
    Weights,
)

pytestmark = pytest.mark.timeout(60)


def _fail(*_: object) -> None:
    raise ValueError("no")


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


@pytest.mark.usefixtures("python_handles_interrupts")
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


@pytest.mark.usefixtures("python_handles_interrupts")
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
    script = "from test_runtime_failures import *; interrupts_at_any_moment()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


@pytest.mark.parametrize("how", ["parallel", "serial"])
def test_an_index_out_of_range_is_an_index_error_with_the_node(how: str) -> None:
    source = onnx.parser.parse_model(
        """
        <ir_version: 8, opset_import: ["" : 17]>
        rows (float[n, 3] x, int64[k] i) => (float[k, 3] y) {
          r = Relu (x)
          [pick] y = Gather (r, i)
        }
        """
    )
    with ramiel.compile(source, workers=2, schedule="linear") as program:
        run = program.serial if how == "serial" else program
        for _ in range(20):  # and the program can be called again
            with pytest.raises(IndexError, match=r'ONNX node "pick", Gather') as caught:
                run(torch.ones(2, 3), torch.tensor([0, 2]))
            assert isinstance(caught.value, OpError)
            assert isinstance(pickle.loads(pickle.dumps(caught.value)), IndexError)
            assert run(torch.ones(2, 3), torch.tensor([1])).tolist() == [[1, 1, 1]]
