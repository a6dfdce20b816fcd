"""The processes that serve for workers, forked from that of the caller.

They are not of Python's multiprocessing, in whose daemonic processes, such as those of its pools,
there may be no others.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import warnings
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress

Serve = Callable[[int, int], object]
"""Works as a worker, by its number, until the parent, by its pid, has ended. Runs in a thread."""


class WorkerLost(RuntimeError):
    """The process of a worker has ended, and the call that it worked for is lost."""


class Crew:
    """The processes of some workers of a program, which end with this."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._processes: dict[int, int] = {}
        """Those that were not waited for, by worker."""
        weakref.finalize(self, _end, self._processes, os.getpid())

    @property
    def pids(self) -> list[int]:
        return list(self._processes.values())

    def start(self, workers: Iterable[int], serve: Serve) -> dict[int, int]:
        """Forks a process for each of some workers; their pids. OSError if there cannot be as many,
        and then there is none."""
        for worker in workers:
            try:
                self._processes[worker] = _fork(serve, worker)
            except OSError as error:
                self.end()
                told = f"no process can be forked for {self._named(worker)}: {error.strerror}"
                raise OSError(error.errno, told) from error
        return dict(self._processes)

    def end(self) -> None:
        """End the processes, which own nothing that is left behind."""
        _end(self._processes, os.getpid())

    def told_of(self, worker: int) -> str:
        """Which worker was lost, and how."""
        pid = self._processes.pop(worker)
        try:
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        except ChildProcessError:
            how = "in a way that was told to something else"
        return f"{self._named(worker)} (process {pid}) was ended {how}"

    def _named(self, worker: int) -> str:
        return f"worker_{worker} of {self._program}"


def _fork(serve: Serve, worker: int) -> int:
    """The pid of a new process that serves, and does nothing else."""
    parent = os.getpid()
    with warnings.catch_warnings():
        # Python says that a lock may be held for ever in the child, which takes none.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            _serve(serve, worker, parent)
        finally:
            os._exit(0)
    return pid


def _serve(serve: Serve, worker: int, parent: int) -> None:
    """In the process of a worker. Ctrl-C is the caller's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.disable()
    # The thread that was copied by the fork has lost its team of OpenMP's.
    thread = threading.Thread(target=serve, args=(worker, parent), daemon=True)
    thread.start()
    thread.join()


def _end(processes: dict[int, int], owner: int) -> None:
    """Not in a process that was forked from their owner."""
    pids = list(processes.values()) if os.getpid() == owner else []
    processes.clear()
    for options in (os.WNOHANG, 0):
        for pid in pids:
            with suppress(ChildProcessError):  # it was waited for, here or by something else
                if os.waitpid(pid, options)[0] == 0:
                    os.kill(pid, signal.SIGKILL)
