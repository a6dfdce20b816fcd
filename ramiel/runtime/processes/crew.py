"""The processes that serve for workers, forked from that of the caller."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import warnings
import weakref
from collections.abc import Callable, Iterable
from multiprocessing.process import BaseProcess

Serve = Callable[[int, int], object]
"""Works as a worker, by its number, until the parent, by its pid, has ended. Runs in a thread."""


class WorkerLost(RuntimeError):
    """The process of a worker has ended, and the call that it worked for is lost."""


class Crew:
    """The processes of some workers of a program, which end with this."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._processes: dict[int, BaseProcess] = {}
        weakref.finalize(self, _end, self._processes, os.getpid())

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes.values() if process.pid is not None]

    def start(self, workers: Iterable[int], serve: Serve) -> dict[int, int]:
        """Forks a process for each of some workers; their pids."""
        for worker in workers:
            process = _FORK.Process(
                target=_serve,
                args=(serve, worker, os.getpid()),
                name=f"worker_{worker} of {self._program}",
                daemon=True,
            )
            with warnings.catch_warnings():
                # Python says that a lock may be held for ever in the child, which takes none.
                warnings.simplefilter("ignore", DeprecationWarning)
                process.start()
            self._processes[worker] = process
        return {worker: process.pid or 0 for worker, process in self._processes.items()}

    def end(self) -> None:
        """End the processes, which own nothing that is left behind."""
        _end(self._processes, os.getpid())

    def told_of(self, worker: int) -> str:
        """Which worker was lost, and how."""
        process = self._processes[worker]
        process.join()
        code = process.exitcode or 0
        how = signal.Signals(-code).name if code < 0 else f"with exit code {code}"
        return f"{process.name} (process {process.pid}) was ended {'by ' if code < 0 else ''}{how}"


def _serve(serve: Serve, worker: int, parent: int) -> None:
    """In the process of a worker. Ctrl-C is the caller's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.disable()
    # The thread that was copied by the fork has lost its team of OpenMP's.
    thread = threading.Thread(target=serve, args=(worker, parent), daemon=True)
    thread.start()
    thread.join()


def _end(processes: dict[int, BaseProcess], owner: int) -> None:
    """Not in a process that was forked from their owner."""
    if os.getpid() == owner:
        for process in processes.values():
            process.kill()
        for process in processes.values():
            process.join()
    processes.clear()


_FORK = multiprocessing.get_context("fork")
