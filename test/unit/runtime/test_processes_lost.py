"""Programs whose workers are processes survive whatever ends one, and leave none behind."""

from __future__ import annotations

import errno
import mmap
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
from forked import LIMIT_S, compiled, is_alive, processes, same, wait_until_gone
from onnx import parser
from replayed import MODEL, inputs

import ramiel
from ramiel.api import CompiledProgram
from ramiel.runtime.processes.plan import WorkerLost
from ramiel.runtime.replay import builder
from ramiel.runtime.replay.native import native

pytestmark = pytest.mark.skipif(
    native() is None or not hasattr(os, "fork"), reason="without the native part, oneDNN or fork"
)


@pytest.fixture
def model() -> onnx.ModelProto:
    return parser.parse_model(MODEL)


@pytest.fixture
def program(model: onnx.ModelProto) -> Iterator[CompiledProgram]:
    with compiled(model) as program:
        yield program


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


SCRIPT = """
import os, signal, sys, threading
import torch
from onnx import parser
import ramiel
from replayed import MODEL, inputs
from forked import processes

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
