"""Pipelines whose workers are processes, each of which goes from run to run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from ramiel.runtime.processes.crew import Crew, WorkerLost
from ramiel.runtime.replay.builder import shared_bytes
from ramiel.runtime.replay.native import LOST
from ramiel.runtime.replay.pipeline import Pipeline, Run
from ramiel.runtime.replay.plan import Instance


class ProcessPipeline(Pipeline):
    """Worker 0 is a thread of the caller's process, each other one a process that is forked from
    it and ends with this. If one ends before, the runs under way are lost, and this is closed."""

    def __init__(self, copies: Sequence[Instance], workers: int, program: str) -> None:
        """`copies` lie in memory that processes share."""
        self._crew = Crew(program)
        self._lost = ""
        super().__init__(copies, workers)

    def _new_memory(self, workers: int) -> Tensor | None:
        return shared_bytes(self._native.pipeline_memory_bytes(workers))

    def _start(self, workers: int) -> None:
        serve = partial(self._native.serve_in, self._pipeline)
        for worker, pid in self._crew.start(range(1, workers), serve).items():
            for copy in self._copies:
                self._native.entrust(copy.handle, worker, pid)
        self._native.work_in(self._pipeline, 0)

    @property
    def pids(self) -> list[int]:
        return self._crew.pids

    def outputs(self, run: Run) -> list[Tensor] | None:
        """As that of Pipeline. WorkerLost if a process has ended."""
        made = super().outputs(run)
        if self.status == LOST:
            if not self._lost:
                self._lost = self._crew.told_of(self._native.lost(self._copies[0].handle))
                self.close()
            raise WorkerLost(f"{self._lost}: what was under way is lost, and others are started")
        return made

    def _end(self) -> None:
        super()._end()
        self._crew.end()
