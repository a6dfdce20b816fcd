"""The base class of programs whose workers are processes."""

from __future__ import annotations

import os
from collections.abc import Sequence

from torch import Tensor

from ramiel.runtime.program import Program
from ramiel.runtime.replay.native import Native
from ramiel.runtime.replay.pipeline import Pipeline
from ramiel.runtime.replay.plan import Plan
from ramiel.runtime.replay.tape import NotCapturable, Tape


class ProcessProgram(Program):
    """A model as a program of processes.

    A subclass is as that of Program. What a call needs for some shapes is prepared and captured
    in the caller's process, where the workers are threads; then a process is forked for each
    worker but the first, and later calls with such shapes are replayed by them. Calls wait for each
    other. What cannot be captured is run by threads, and capture_status() says so.

    A process that ends, by a kill as well, ends the call it works for with a WorkerLost that names
    it; the next call starts others. Processes end with close(), with the program and with the
    caller's process, and leave nothing behind.
    """

    def _new_plan(
        self,
        native: Native,
        tapes: Sequence[Tape],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> Plan:
        if len(tapes) == 1:
            return super()._new_plan(native, tapes, inputs, outputs)
        if not hasattr(os, "fork"):
            raise NotCapturable("this system cannot fork processes")
        from ramiel.runtime.processes.plan import ProcessPlan

        return ProcessPlan(native, tapes, inputs, outputs, type(self).__name__)

    def _new_pipeline(self, plan: Plan, in_flight: int) -> Pipeline:
        if len(plan.workers) == 1:
            return super()._new_pipeline(plan, in_flight)
        from ramiel.runtime.processes.pipeline import ProcessPipeline

        return ProcessPipeline(plan.copies(in_flight), len(plan.workers), type(self).__name__)

    def restart(self) -> None:
        """End the processes, once the calls under way have ended; later calls start others."""
        from ramiel.runtime.processes.plan import ProcessPlan

        for plan in self._plans:
            if isinstance(plan, ProcessPlan):
                plan.restart()

    def close(self) -> None:
        """As that of Program; the processes end, too."""
        super().close()
        self.restart()  # an error that somebody keeps may hold a plan
        self._plans.clear()
