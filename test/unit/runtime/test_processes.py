"""Programs whose workers are processes compute what threads do, and survive whatever ends one."""

from __future__ import annotations

import copy
import errno
import gc
import mmap
import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
import torch
from onnx import parser
from replayed import MODEL, inputs, plans, python_steps, replays

import ramiel
from ramiel.api import CompiledProgram
from ramiel.runtime import Channels, Conv2d, Input, ProcessProgram, Program, Weights
from ramiel.runtime.measure import same_bits
from ramiel.runtime.processes.plan import ProcessPlan, WorkerLost
from ramiel.runtime.replay import builder
from ramiel.runtime.replay.native import native

pytestmark = pytest.mark.skipif(
    native() is None or not hasattr(os, "fork"), reason="without the native part, oneDNN or fork"
)
LIMIT_S = 60.0
"""What would hang is waited for so long."""


@pytest.fixture
def model() -> onnx.ModelProto:
    return parser.parse_model(MODEL)


@pytest.fixture
def program(model: onnx.ModelProto) -> Iterator[CompiledProgram]:
    with compiled(model) as program:
        yield program


def compiled(model: onnx.ModelProto, workers: int = 2, schedule: str = "linear") -> CompiledProgram:
    program = ramiel.compile(model, workers=workers, schedule=schedule, executor="processes")
    program.capture(*inputs())
    return program


def same(got: Any, expected: Any) -> bool:
    return all(map(same_bits, got, expected))


def processes(program: Program) -> list[int]:
    found: list[int] = []
    for plan in plans(program):
        found += plan.processes if isinstance(plan, ProcessPlan) else []
    return found


def is_alive(pid: int) -> bool:
    """Whether any of its threads is there, but for what is left until its parent asks for it."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z" or len(threads) > 1


def wait_until_gone(pids: list[int]) -> None:
    end = time.monotonic() + LIMIT_S
    while any(map(is_alive, pids)):
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("workers", [2, 3, 16])
@pytest.mark.parametrize("schedule", ["linear", "list", "intra-op"])
def test_bits_are_those_of_one_thread(model: onnx.ModelProto, workers: int, schedule: str) -> None:
    with compiled(model, workers, schedule) as program:
        for seed in range(100):
            given = inputs(seed)
            for got, want in zip(program(*given), program.serial(*given), strict=True):
                assert schedule == "intra-op" or same_bits(got, want)
                assert (got - want).abs().max() < 1e-5
        assert len(processes(program)) == program.report.workers - 1
        assert all(map(is_alive, processes(program)))


def test_a_worker_is_a_process_and_ends_with_the_program(program: CompiledProgram) -> None:
    assert processes(program) == []
    program(*inputs())
    (pid,) = processes(program)
    assert pid != os.getpid() and is_alive(pid)
    assert replays(program, *inputs()) and processes(program) == [pid]
    program.close()
    wait_until_gone([pid])
    with pytest.raises(RuntimeError, match="closed"):
        program(*inputs())


def test_a_program_that_nobody_has_any_longer(model: onnx.ModelProto) -> None:
    program = compiled(model)
    program(*inputs())
    pids = processes(program)
    del program
    gc.collect()
    wait_until_gone(pids)


def test_shapes_have_processes_of_their_own(program: CompiledProgram) -> None:
    given = [torch.ones(1, 8, 48, 48).to(memory_format=torch.channels_last), inputs()[1]]
    expected = program.serial(*given)
    for _ in range(4):
        program(*inputs())
        assert same(program(*given), expected)
    assert len(set(processes(program))) == len(plans(program)) == 2


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_what_happens_to_an_idle_worker_is_made_good(
    program: CompiledProgram, signum: signal.Signals
) -> None:
    expected = program(*inputs())
    for _ in range(20):
        (pid,) = processes(program)
        os.kill(pid, signum)
        wait_until_gone([pid])
        assert same(program(*inputs()), expected)
        assert processes(program) != [pid]


def test_a_worker_killed_at_random_times(program: CompiledProgram) -> None:
    expected = program(*inputs())
    rng, lost = random.Random(0), 0
    for _ in range(100):
        (pid,) = processes(program)
        killer = threading.Timer(rng.random() * 2e-3, os.kill, (pid, signal.SIGKILL))
        killer.start()
        try:
            while processes(program) == [pid]:
                assert same(program(*inputs()), expected)
        except WorkerLost as error:
            lost += 1
            told = f"worker_1 of Branches (process {pid}) was ended by SIGKILL: this call is lost"
            assert str(error).startswith(told)
        killer.join()
        assert same(program(*inputs()), expected)
    assert lost > 0
    assert len(processes(program)) == 1


def test_restart(program: CompiledProgram) -> None:
    expected = program(*inputs())
    before = processes(program)
    program.restart()  # pyright: ignore
    wait_until_gone(before)
    assert same(program(*inputs()), expected)
    assert processes(program) and processes(program) != before


def lost(program: CompiledProgram) -> WorkerLost:
    """The error of a call whose worker is killed."""
    with pytest.raises(WorkerLost) as error:
        while True:
            (pid,) = processes(program)
            killer = threading.Timer(1e-3, os.kill, (pid, signal.SIGKILL))
            killer.start()
            while processes(program) == [pid]:
                program(*inputs())
            killer.join()
    return error.value


def test_an_error_that_is_kept_keeps_no_process(program: CompiledProgram) -> None:
    expected = program(*inputs())
    error = lost(program)
    assert same(program(*inputs()), expected)
    pids = processes(program)
    program.close()
    assert "SIGKILL" in str(error) and pids and not any(map(is_alive, pids))


def test_a_worker_that_something_else_waits_for(program: CompiledProgram) -> None:
    expected = program(*inputs())
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert "in a way that was told to something else" in str(lost(program))
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert same(program(*inputs()), expected)


@pytest.mark.parametrize("forks", [0, 1])
def test_no_more_processes_can_be_forked(
    model: onnx.ModelProto, forks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with compiled(model, 3, "pipeline") as program:
        made = list[int]()

        def fork(fork: Callable[[], int] = os.fork) -> int:
            if len(made) == forks:
                raise BlockingIOError(errno.EAGAIN, "not now")
            made.append(fork())
            return made[-1]

        with monkeypatch.context() as patch, pytest.raises(OSError, match=r"worker_\d .*: not now"):
            patch.setattr(os, "fork", fork)
            program(*inputs())
        wait_until_gone(made)
        assert same(program(*inputs()), program.serial(*inputs()))
        assert len(processes(program)) == 2


def test_without_memory_to_share_workers_are_threads(
    model: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call that would share some is computed all the same, and says why; nothing is left."""

    def none_left(*_: Any) -> mmap.mmap:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    with ramiel.compile(model, workers=2, schedule="linear", executor="processes") as program:
        with monkeypatch.context() as patch:
            patch.setattr(builder, "mmap", SimpleNamespace(mmap=none_left))
            for _ in range(3):
                assert same(program(*inputs()), program.serial(*inputs()))
            assert "Cannot allocate memory" in program.capture_status(*inputs())
        assert not processes(program)


def test_workers_of_a_daemonic_process(
    program: CompiledProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as those of a pool of multiprocessing's, which may not have others of its kind."""
    config = multiprocessing.current_process()._config  # pyright: ignore
    monkeypatch.setitem(config, "daemon", True)
    assert same(program(*inputs()), program.serial(*inputs()))
    assert len(processes(program)) == 1


def test_calls_from_several_threads(program: CompiledProgram) -> None:
    given = [inputs(seed) for seed in range(8)]
    expected = [program.serial(*one) for one in given]

    def call(thread: int) -> None:
        for i in range(thread, thread + 200):
            assert same(program(*given[i % 8]), expected[i % 8])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(call, range(4)))
    assert len(processes(program)) == 1


def test_a_changed_weight_is_noticed(program: CompiledProgram) -> None:
    before = program(*inputs())
    pids = processes(program)
    with torch.no_grad():
        for weight in program.buffers():
            weight.mul_(2.0)
        for weight in program.parameters():
            weight.mul_(2.0)
    expected = program.serial(*inputs())
    assert not same(before, expected)
    for _ in range(4):
        assert same(program(*inputs()), expected)
    wait_until_gone(pids)


def test_what_is_not_finite_is_computed_in_python(model: onnx.ModelProto) -> None:
    """A check in a worker's process stops the run, and the error or the value is Python's."""
    with compiled(model) as program:
        x, z = inputs()
        program(x, z)
        z[0, 0, 0, 0] = float("inf")
        expected = program.serial(x, z)
        for _ in range(3):
            for got, want in zip(program(x, z), expected, strict=True):
                assert torch.equal(got.nan_to_num(), want.nan_to_num())
        assert same(program(*inputs()), program.serial(*inputs()))


def test_python_in_a_worker() -> None:
    """A step that Python computes, in each of the workers."""
    model = parser.parse_model(MODEL.replace("Sigmoid", "Elu"))
    with compiled(model) as program:
        for seed in range(50):
            given = inputs(seed)
            assert same(program(*given), program.serial(*given))
        assert len(processes(program)) == 1 and python_steps(plans(program)[0]) > 0


class Wide(ProcessProgram):
    """Worker 1 has an operation on several threads."""

    inputs = (Input("x", torch.float32, (1, 64, 64, 64)),)
    outputs = ("y",)
    channels = ("a",)

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, workers=2)
        self.conv = Conv2d(weights, "conv", padding=1)

    def worker_0(self, ch: Channels) -> None:
        a = ch.a.recv()
        y = torch.relu(a)
        ch.y.send(y)

    def worker_1(self, ch: Channels) -> None:
        x = ch.x.recv()
        torch.set_num_threads(2)
        a = self.conv(x)
        a = a + x
        torch.set_num_threads(1)
        ch.a.send(a)


def test_an_operation_on_several_threads_of_a_process() -> None:
    generator = torch.Generator().manual_seed(0)
    given = torch.randn(1, 64, 64, 64, generator=generator)
    weights = {
        "conv.weight": torch.randn(64, 64, 3, 3, generator=generator),
        "conv.bias": torch.randn(64, generator=generator),
    }
    with Wide(Weights.from_tensors(weights, {})) as program:
        expected = program(given)
        for _ in range(100):
            assert torch.allclose(program(given), expected, atol=1e-3)
        assert len(processes(program)) == 1
        (pid,) = processes(program)
        # The threads of Python, of the worker, and at least one that helps it.
        assert len(os.listdir(f"/proc/{pid}/task")) >= 3


def test_when_what_happens_is_known(program: CompiledProgram) -> None:
    program(*inputs())
    (plan,) = plans(program)
    for _ in range(3):
        times = plan.times(inputs())
        assert times is not None
        assert [len(ns) - 1 for ns in times] == [len(events) for events in plan.workers]
        assert all(ns == sorted(ns) for ns in times)
        assert max(ns[-1] for ns in times) - min(ns[0] for ns in times) < LIMIT_S * 1e9
    assert len(processes(program)) == 1


def test_copies_and_pickles_have_processes_of_their_own(program: CompiledProgram) -> None:
    expected = program(*inputs())
    for made in (copy.deepcopy(program), pickle.loads(pickle.dumps(program))):
        with made:
            for _ in range(4):
                assert same(made(*inputs()), expected)
            assert set(processes(made)).isdisjoint(processes(program))
    assert same(program(*inputs()), expected)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_leaves_its_parents_processes_alone(program: CompiledProgram) -> None:
    expected = program(*inputs())
    (pid,) = processes(program)
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)  # for the comparison: after a fork PyTorch itself hangs on more
        is_right = all(same(program(*inputs()), expected) for _ in range(3))
        program.close()
        os._exit(0 if is_right else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert is_alive(pid) and processes(program) == [pid]
    assert same(program(*inputs()), expected)


SCRIPT = """
import os, signal, sys, threading
import torch
from onnx import parser
import ramiel
from replayed import MODEL, inputs
from test_processes import processes

program = ramiel.compile(
    parser.parse_model(MODEL), workers=3, schedule="linear", executor="processes"
)
for _ in range(4):
    program(*inputs())
print(*processes(program), flush=True)

def forever():
    while True:
        program(*inputs())

how = sys.argv[1]
if how == "while calls run":
    threading.Thread(target=forever, daemon=True).start()
elif how == "killed":
    threading.Thread(target=forever, daemon=True).start()
    os.kill(os.getpid(), signal.SIGKILL)
elif how == "by an error":
    raise ValueError
elif how == "without cleaning up":
    os._exit(0)
"""


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("by itself", 0),
        ("while calls run", 0),
        ("killed", -signal.SIGKILL),
        ("by an error", 1),
        ("without cleaning up", 0),
    ],
)
def test_processes_end_with_that_of_the_caller(how: str, code: int) -> None:
    path = os.pathsep.join([*sys.path, str(Path(__file__).parent)])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, how],
        capture_output=True,
        text=True,
        timeout=2 * LIMIT_S,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == code, done.stderr
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) >= 1
    wait_until_gone(pids)


@pytest.mark.usefixtures("python_handles_interrupts")
def test_an_interrupt_reaches_the_caller_only(program: CompiledProgram) -> None:
    expected = program(*inputs())
    pids = processes(program)
    for pid in pids:
        os.kill(pid, signal.SIGINT)
    for _ in range(20):
        with pytest.raises(KeyboardInterrupt):
            while True:
                program(*inputs())
                signal.raise_signal(signal.SIGINT)
    assert same(program(*inputs()), expected)
    assert processes(program) == pids


def test_idle_processes_use_no_processor_time(program: CompiledProgram) -> None:
    program(*inputs())
    (pid,) = processes(program)

    def ticks() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    time.sleep(0.1)
    before = ticks()
    time.sleep(1.0)
    assert ticks() - before <= 2
