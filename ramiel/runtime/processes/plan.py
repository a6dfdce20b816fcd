"""Plans whose workers are processes.

A plan is prepared in the process of the caller: its steps have the addresses of what they use. A
process that is forked from this one then has all of it at the same addresses, the steps, the
kernels and the weights, of which no copy is made. What the steps write lies in one arena, and the
channels beside it, in memory that the processes share; so values are handed over as between
threads.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import signal
import threading
import warnings
import weakref
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

from torch import Tensor

from ramiel.runtime.replay.builder import shared_bytes
from ramiel.runtime.replay.layout import Layout
from ramiel.runtime.replay.native import LOST, Native
from ramiel.runtime.replay.plan import Instance, Plan
from ramiel.runtime.replay.tape import Tape


class WorkerLost(RuntimeError):
    """The process of a worker has ended, and the call that it worked for is lost."""


class ProcessPlan(Plan):
    """A plan of which worker 0 runs in the caller's process, and each other one in a process of its
    own, which is forked by the first run. There is one copy of it: calls wait for each other."""

    IS_SHARED = True
    _shared: _SharedInstance | None = None

    def __init__(
        self,
        native: Native,
        tapes: Sequence[Tape],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        name: str,
    ) -> None:
        """As Plan, of a program with some name."""
        self._name = name
        self._lock = threading.Lock()
        super().__init__(native, tapes, inputs, outputs)
        _plans.add(self)

    def _new_instance(self) -> Instance:
        self._shared = _SharedInstance(self._layout, self._native, self._name)
        return self._shared

    @contextmanager
    def _instance(self) -> Generator[Instance]:
        with self._lock, super()._instance() as instance:
            yield instance

    @property
    def processes(self) -> list[int]:
        """The processes of workers 1.., if they were started."""
        return self._shared.pids if self._shared else []

    def restart(self) -> None:
        """Wait for the run under way, and end the processes. The next run forks others."""
        with self._lock:
            if self._shared:
                self._shared.end()

    def forget(self) -> None:
        """In a forked child, which starts with processes and memory of its own."""
        self._lock = threading.Lock()
        self._idle.clear()
        self._shared = None


class _SharedInstance(Instance):
    """The copy of a plan, and the processes that serve for it."""

    def __init__(self, layout: Layout, native: Native, name: str) -> None:
        self._name = name
        self._memory = self._clock = None
        self._processes: list[BaseProcess] = []
        self._end = weakref.finalize(self, _end, self._processes, os.getpid())
        super().__init__(layout, native)

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes if process.pid is not None]

    def end(self) -> None:
        _end(self._processes, os.getpid())

    def _new_plan(self, seats: int, channels: int) -> ctypes.c_void_p:
        size = self._native.plan_memory_bytes(len(self._arrays), channels)
        self._memory = shared_bytes(size)
        return self._native.new_plan(self._arrays, seats, channels, self._memory.data_ptr())

    def _new_clock(self, steps: int) -> ctypes.Array[ctypes.c_int64]:
        count = steps + len(self._arrays)
        if self._clock is None:
            self._clock = shared_bytes(ctypes.sizeof(ctypes.c_int64) * count)
            self.end()  # processes that do not have it
        return (ctypes.c_int64 * count).from_address(self._clock.data_ptr())

    def _replay(self, spins: int, clock: ctypes.Array[ctypes.c_int64] | None) -> int:
        if not self._processes or self._native.lost(self._plan):
            self._start()
        status = self._native.run(self._plan, spins, clock)
        if status == LOST:
            told = self._told_of(self._native.lost(self._plan))
            self.end()
            raise WorkerLost(f"{told}: this call is lost, and the next one starts others")
        return status

    def _start(self) -> None:
        self.end()
        for worker in range(1, len(self._arrays)):
            process = _FORK.Process(
                target=self._serve,
                args=(worker, os.getpid()),
                name=f"worker_{worker} of {self._name}",
                daemon=True,
            )
            with warnings.catch_warnings():
                # Python says that a lock may be held for ever in the child, which takes none.
                warnings.simplefilter("ignore", DeprecationWarning)
                process.start()
            self._processes.append(process)
            self._native.entrust(self._plan, worker, process.pid or 0)

    def _serve(self, worker: int, parent: int) -> None:
        """In the process of a worker. Ctrl-C is the caller's business."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        gc.disable()
        # The thread that was copied by the fork has lost its team of OpenMP's.
        given = (self._plan, worker, parent)
        thread = threading.Thread(target=self._native.serve, args=given, daemon=True)
        thread.start()
        thread.join()

    def _told_of(self, worker: int) -> str:
        """Which worker was lost, and how."""
        process = self._processes[worker - 1]
        process.join()
        code = process.exitcode or 0
        how = signal.Signals(-code).name if code < 0 else f"with exit code {code}"
        return f"{process.name} (process {process.pid}) was ended {'by ' if code < 0 else ''}{how}"


def _end(processes: list[BaseProcess], owner: int) -> None:
    """End processes, which own nothing that is left behind; not in a process forked from their
    owner."""
    if os.getpid() == owner:
        for process in processes:
            process.kill()
        for process in processes:
            process.join()
    processes.clear()


_FORK = multiprocessing.get_context("fork")
_plans: weakref.WeakSet[ProcessPlan] = weakref.WeakSet()


def _after_fork() -> None:
    for plan in list(_plans):
        plan.forget()


os.register_at_fork(after_in_child=_after_fork)
