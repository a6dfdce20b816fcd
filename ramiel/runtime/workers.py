"""The threads that run a program's workers.

Worker 0 of a run works in the thread that made the call; each other worker has a thread of its
own, which does its part of one run after another, in the order of the calls. All parts of a run
are enqueued under one lock, so every thread sees the runs in the same order, and calls from
several threads cannot deadlock: the earliest unfinished run is at the head of each queue that
still holds a part of it, so all of its workers are working.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import TypeVar

import torch

from ramiel.runtime.channels import Channel, Channels
from ramiel.runtime.locks import Lock
from ramiel.runtime.surroundings import PATIENCE_S, at_exit, has_lost_its_team

Worker = Callable[[Channels], None]
Result = TypeVar("Result")

_NONE = Channels(())


class _Run:
    """One call: its channels, its errors, and the parts that pool threads were given."""

    __slots__ = ("channels", "errors", "jobs")

    def __init__(self, channels: Channels) -> None:
        self.channels = channels
        self.errors: list[BaseException] = []
        self.jobs: list[_Job] = []

    def fail(self, error: BaseException) -> None:
        """Record an error and stop all workers. May be repeated.

        Recording comes first: a worker raises Stopped only after the error that stopped it was
        recorded, so the first error is never a Stopped.
        """
        self.errors.append(error)
        Channels.fail(self.channels)

    def wait(self) -> None:
        """Wait until the pool threads have done their parts."""
        for job in self.jobs:
            job.done.recv()


class _Current(threading.local):
    run: _Run | None = None


_current = _Current()


def current_run() -> _Run | None:
    """The run that this thread works for; None outside of any."""
    return _current.run


class _Job:
    """One worker's part of a run."""

    __slots__ = ("done", "run", "worker")

    def __init__(self, run: _Run, worker: Worker) -> None:
        self.run = run
        self.worker = worker
        self.done = Channel("done")

    def work(self) -> None:
        try:
            torch.set_num_threads(1)  # an earlier run may have left another count
            _current.run = self.run
            self.worker(self.run.channels)
        except BaseException as error:  # the caller will raise it
            self.run.fail(error)
        finally:
            _current.run = None
            self.done.send(None)


class _QuickSwitching:
    """Makes Python switch threads quickly during a run.

    torch releases the GIL in each operator, and a worker that wants it back from one running short
    operators mostly finds it taken again; it is sure to get it only after the switch interval,
    5 ms by default. With 10 µs, programs of short operators took up to 20 % less time, and none
    took longer. The interval belongs to the whole process, so the last run restores it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._runs: set[_Run] = set()
        self._interval = sys.getswitchinterval()

    def after_fork(self) -> None:
        """Resets in the child, which has no runs and may have inherited a held lock."""
        if self._runs:
            sys.setswitchinterval(self._interval)
        self.__init__()

    # An interrupt may come after any call in these two, and end() may be repeated.

    def begin(self, run: _Run) -> None:
        with self._lock:
            if not self._runs:
                self._interval = sys.getswitchinterval()
            self._runs.add(run)
            sys.setswitchinterval(1e-5)

    def end(self, run: _Run) -> None:
        if run in self._runs:
            with self._lock:
                if len(self._runs) == 1:
                    sys.setswitchinterval(self._interval)
                self._runs.discard(run)


_quick_switching = _QuickSwitching()

_Jobs = SimpleQueue[_Job | None]


def _serve(jobs: _Jobs) -> None:
    """A pool thread: works until it gets None.

    It holds its queue and nothing else while it waits, so that no program is kept alive by its
    own threads.
    """
    # A thread's first use of torch sets the count that was set last in any thread: get it over.
    torch.get_num_threads()
    torch.set_grad_enabled(False)
    while job := jobs.get():
        job.work()
        del job


def _end(queues: list[_Jobs]) -> None:
    """End the threads of a pool, once they have done what they were given.

    Garbage collection may run this at any moment, in any thread: it takes no lock and joins no
    thread, and SimpleQueue.put() is reentrant.
    """
    for jobs in queues:
        jobs.put(None)


class Pool:
    """The threads for the workers 1.. of a program, started at first use."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._closed = False
        self._reset()
        _pools.add(self)

    def _reset(self) -> None:
        """Start without threads: in a new pool, and in a forked child, which inherits none."""
        self._lock = Lock()
        self._idle = threading.Condition(self._lock)
        self._runs: set[_Run] = set()
        self._threads: list[threading.Thread] = []
        self._queues: list[_Jobs] = []
        self._end = weakref.finalize(self, _end, self._queues)

    def run(self, channels: Channels, workers: Sequence[Worker], apart: bool = False) -> None:
        """Run one function per worker, the first in this thread, until all have returned.

        `apart` has the first in a thread of its own, where no Ctrl-C comes.

        A run may have fewer workers than an earlier one. In a thread that has lost its team to a
        fork the first function gets a thread of its own, too.

        Raises the first error of any worker, once all have stopped. An interrupt (Ctrl-C) of
        the calling thread takes precedence. RuntimeError after close().
        """
        run = _Run(channels)
        failure: BaseException | None = None
        outer = _current.run
        here = 0 if apart or has_lost_its_team() else 1
        try:
            self._begin(run, workers[here:])
            _current.run = run
            for worker in workers[:here]:
                worker(channels)
        except BaseException as error:
            failure = error
        # Python handles signals after calls and at the back edges of loops, so none can come
        # between the two `try`s. One during the second repeats it, and the outer loop is for one
        # at the back edge of the inner.
        settled = False
        while not settled:
            try:
                while not settled:
                    try:
                        if failure is not None:
                            run.fail(failure)
                        _current.run = outer
                        run.wait()
                        self._leave(run)
                        settled = True
                    except BaseException as error:
                        failure = error
            except BaseException as error:
                failure = error
        try:
            if failure is not None and not isinstance(failure, Exception):
                raise failure
            if run.errors:
                raise run.errors[0]
        finally:
            # An error's traceback holds this frame, and parts hold their run: break the cycles, as
            # Python's garbage collector does not know how much memory is in them.
            run.errors.clear()
            run.jobs.clear()
            del failure

    def visit(self, function: Callable[[], Result]) -> Result:
        """What a function returns that needs none of the threads: close() waits for it, too.

        RuntimeError after close().
        """
        results: list[Result] = []
        self.run(_NONE, [lambda _: results.append(function())])
        return results[0]

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError(f"{self._model} is closed")

    def close(self) -> None:
        """Wait for the calls that are running, and end the threads. Idempotent."""
        with self._lock:
            self._closed = True
            while self._runs:
                self._idle.wait()
        self._end()
        for thread in self._threads:
            thread.join()

    def end_with_python(self) -> None:
        """Stop the calls under way and end the threads, as far as they can be waited for."""
        for run in list(self._runs):
            if run.jobs:  # what runs in the callers' threads alone, as replays do, ends by itself
                run.fail(RuntimeError("Python is shutting down"))
        self._end()
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self._reset()

    def _begin(self, run: _Run, workers: Sequence[Worker]) -> None:
        with self._lock:
            self._check_open()
            self._runs.add(run)
            if workers:
                _quick_switching.begin(run)
            while len(self._threads) < len(workers):
                self._start()
            for jobs, worker in zip(self._queues, workers, strict=False):
                job = _Job(run, worker)
                jobs.put(job)
                run.jobs.append(job)

    def _start(self) -> None:
        jobs: _Jobs = SimpleQueue()
        name = f"ramiel-{self._model}-{len(self._threads) + 1}"
        thread = threading.Thread(target=_serve, args=(jobs,), name=name, daemon=True)
        thread.start()
        self._queues.append(jobs)
        self._threads.append(thread)

    def _leave(self, run: _Run) -> None:
        _quick_switching.end(run)
        with self._lock:
            self._runs.discard(run)
            if self._closed:
                self._idle.notify_all()


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


def _end_all() -> None:
    for pool in list(_pools):
        pool.end_with_python()


at_exit(_end_all)


def _after_fork() -> None:
    _quick_switching.after_fork()
    for pool in _pools:
        pool._end.detach()  # pyright: ignore[reportPrivateUsage]
        pool._reset()  # pyright: ignore[reportPrivateUsage]


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
