"""Plans whose workers are processes.

A plan is prepared in the process of the caller: its steps have the addresses of what they use. A
process that is forked from this one then has all of it at the same addresses, the steps, the
kernels and the weights, of which no copy is made. What the steps write lies in one arena, and the
channels beside it, in memory that the processes share; so values are handed over as between
threads.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partial

from torch import Tensor

from ramiel.runtime.locks import Lock
from ramiel.runtime.processes.crew import Crew, WorkerLost
from ramiel.runtime.replay.builder import shared_bytes
from ramiel.runtime.replay.layout import Layout
from ramiel.runtime.replay.native import LOST, Native
from ramiel.runtime.replay.plan import Instance, Plan
from ramiel.runtime.replay.tape import Tape


class ProcessPlan(Plan):
    """A plan of which worker 0 runs in the caller's process, and each other one in a process of its
    own, which is forked by the first run. There is one copy of it: calls wait for each other."""

    IS_SHARED = True
    _shared: _SharedInstance | None = None
    """The copy that calls use."""

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
        self._lock = Lock()
        super().__init__(native, tapes, inputs, outputs)
        _plans.add(self)

    def _new_instance(self) -> Instance:
        return _SharedInstance(self._layout, self._native, self._name)

    @contextmanager
    def _instance(self) -> Generator[Instance]:
        with self._lock, super()._instance() as instance:
            assert isinstance(instance, _SharedInstance)
            self._shared = instance
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
        self._lock = Lock()
        self._idle.clear()
        self._shared = None


class _SharedInstance(Instance):
    """The copy of a plan, and the processes that serve for it."""

    def __init__(self, layout: Layout, native: Native, name: str) -> None:
        self._crew = Crew(name)
        self._memory = self._clock = None
        super().__init__(layout, native)

    @property
    def pids(self) -> list[int]:
        return self._crew.pids

    def end(self) -> None:
        self._crew.end()

    def _new_plan(self, seats: int, channels: int) -> ctypes.c_void_p:
        size = self.native.plan_memory_bytes(len(self._arrays), channels)
        self._memory = shared_bytes(size)
        return self.native.new_plan(self._arrays, seats, channels, self._memory.data_ptr())

    def _new_clock(self, steps: int) -> ctypes.Array[ctypes.c_int64]:
        count = steps + len(self._arrays)
        if self._clock is None:
            self._clock = shared_bytes(ctypes.sizeof(ctypes.c_int64) * count)
            self.end()  # processes that do not have it
        return (ctypes.c_int64 * count).from_address(self._clock.data_ptr())

    def _replay(self, spins: int, clock: ctypes.Array[ctypes.c_int64] | None) -> int:
        if not self.pids or self.native.lost(self._plan):
            self._start()
        status = self.native.run(self._plan, spins, clock)
        if status == LOST:
            told = self._crew.told_of(self.native.lost(self._plan))
            self.end()
            raise WorkerLost(f"{told}: this call is lost, and the next one starts others")
        return status

    def _start(self) -> None:
        self.end()
        serve = partial(self.native.serve, self._plan)
        for worker, pid in self._crew.start(range(1, len(self._arrays)), serve).items():
            self.native.entrust(self._plan, worker, pid)


_plans: weakref.WeakSet[ProcessPlan] = weakref.WeakSet()


def _after_fork() -> None:
    for plan in list(_plans):
        plan.forget()


os.register_at_fork(after_in_child=_after_fork)
