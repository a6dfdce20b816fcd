"""Pipelines: runs of a plan that follow each other, each of whose workers does its part of one run
after the other, without waiting for the whole."""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from ramiel.runtime.locks import Lock
from ramiel.runtime.replay.native import DROPPED, Native
from ramiel.runtime.replay.plan import Instance, Memory
from ramiel.runtime.surroundings import at_exit


class Run(NamedTuple):
    """A run that was submitted."""

    number: int
    memory: Memory


class Pipeline:
    """Copies of a plan that runs take in turns, and the threads that work on them.

    One thread at a time submits runs, and waits for them in their order. At most as many are
    submitted ahead of those waited for as there are copies.
    """

    def __init__(self, copies: Sequence[Instance], workers: int) -> None:
        self._native = native = copies[0].native
        self._copies = copies
        self._owner = os.getpid()
        self._submitted = self._waited = 0
        self._lock = Lock()
        self.is_open = True
        self.status = 0
        """What the run has ended with that was waited for last."""
        memory = self._new_memory(workers)
        handles = [copy.handle for copy in copies]
        self._pipeline = native.new_pipeline(handles, None if memory is None else memory.data_ptr())
        # It holds what the threads may be at work on until it has run.
        held = (copies, memory)
        weakref.finalize(self, _delete, native, self._pipeline, held, self._owner).atexit = False
        _pipelines.add(self)
        self._start(workers)

    def _new_memory(self, workers: int) -> Tensor | None:
        """Memory that workers share which are processes."""
        return None

    def _start(self, workers: int) -> None:
        for worker in range(workers):
            self._native.work_in(self._pipeline, worker)

    @property
    def under_way(self) -> int:
        """The runs that were submitted and not waited for."""
        return self._submitted - self._waited

    def submit(self, inputs: Sequence[Tensor]) -> Run:
        """Begins a run. The inputs must not change until it has been waited for."""
        copy = self._copy_of(self._submitted)
        memory = copy.put(inputs)
        with self._lock:
            self._check_open()
            self._native.submit(self._pipeline, copy.spins)
            self._submitted += 1
        return Run(self._submitted - 1, memory)

    def outputs(self, run: Run) -> list[Tensor] | None:
        """The outputs of a run, once it is over; None as for Plan.run()."""
        self.status = self._native.wait(self._pipeline, run.number)
        self._waited = run.number + 1
        if self.status == DROPPED:
            self._check_open()
        return None if self.status else self._copy_of(run.number).outputs(run.memory)

    def _copy_of(self, number: int) -> Instance:
        return self._copies[number % len(self._copies)]

    def _check_open(self) -> None:
        if not self.is_open:
            raise RuntimeError("the stream was closed")

    def close(self) -> None:
        """Drop the runs under way and end the threads. Idempotent."""
        with self._lock:
            if self.is_open and os.getpid() == self._owner:
                self.is_open = False
                self._end()

    def _end(self) -> None:
        self._native.close(self._pipeline)


def _delete(native: Native, pipeline: ctypes.c_void_p, held: object, owner: int) -> None:
    """Once nobody waits any more; not in a process forked from the owner, without its threads."""
    if os.getpid() == owner:
        native.close(pipeline)
        native.delete_pipeline(pipeline)


_pipelines: weakref.WeakSet[Pipeline] = weakref.WeakSet()


def _close_all() -> None:
    for pipeline in list(_pipelines):
        pipeline.close()


at_exit(_close_all)
