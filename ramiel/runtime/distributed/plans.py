"""The plans of a rank's workers: replay of programs of several ranks.

Each rank tapes and replays its own workers. A message is the same whether its sender and receiver
are replayed or run in Python, so ranks need not agree on that; but inputs have shapes on rank 0
only, which therefore tells the number that it gives to inputs of the same shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.nn.modules.module import (
    _has_any_global_hook as has_any_global_hook,  # pyright: ignore[reportPrivateUsage]
)

from ramiel.runtime.distributed.channels import Announced, Call, Way
from ramiel.runtime.program import Program
from ramiel.runtime.replay.native import Native, native, why_not
from ramiel.runtime.replay.plan import Instance, Plan
from ramiel.runtime.replay.plans import CAPTURED, IN_PART, Watched, has_hooks, keep, why_not_unasked
from ramiel.runtime.replay.tape import NotCapturable, Tape


class RankPlan(Plan):
    """The plan of the workers of a rank, whose messages are steps that call Python. One call at a
    time is replayed."""

    def __init__(
        self,
        native: Native,
        tapes: Sequence[Tape],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        stop: Callable[[], object],
    ) -> None:
        """As Plan; `stop` is called when a step fails, and has to see to it that no step waits for
        a message for ever."""
        self._stop = stop
        super().__init__(native, tapes, inputs, outputs)
        self.native = native
        self.calls_python = self._idle[0].calls_python
        self.quick: dict[Way, Any] = {}
        """Who makes calls of it, or serves them, without Python (quick.py)."""

    def instance(self) -> AbstractContextManager[Instance]:
        """A copy for one call."""
        return self._instance()

    def _new_instance(self) -> Instance:
        instance = super()._new_instance()
        instance.on_failure(self._stop)
        return instance


class RankPlans:
    """Those of one rank, by the number of the inputs' shapes: each a plan, or why there is none."""

    def __init__(self) -> None:
        self._plans: dict[int, RankPlan | str] = {}
        self._doubts: dict[int, str] = {}
        """Errors of taped runs that may be the model's, until a run in Python has shown that."""
        self._source: Watched | None = None

    def find(self, program: Program, call: Call) -> RankPlan | str | None:
        """The plan for a call, or why its workers run in Python; None if they are to be taped."""
        if self._source is None or not self._source.are_unchanged():
            is_first, self._source = self._source is None, Watched(program)
            self._plans.clear()
            if not is_first:  # layers prepare their kernels anew
                return "weights have changed"
        if call.way is Way.PYTHON:
            return ""
        found = self._plans.get(call.shapes)
        if found is not None and not has_any_global_hook():
            return found
        return self.why_not_taped(program, call.way) or None

    def why_not_taped(self, program: Program, way: Way) -> str:
        """Why workers without a plan run in Python; empty if they are taped."""
        if has_any_global_hook():
            return "all modules have hooks"
        if any(map(has_hooks, program.children())):
            return "a layer has hooks"
        if native() is None:
            return why_not()
        return "" if program.captures or way is Way.CAPTURE else why_not_unasked()

    def ready(self, announced: Announced) -> RankPlan | None:
        """The plan for a call, if find() would return that, and its steps do not call Python."""
        found = self._plans.get(announced.shapes)
        if not isinstance(found, RankPlan) or found.calls_python or announced.way is Way.PYTHON:
            return None
        if has_any_global_hook() or self._source is None or not self._source.are_unchanged():
            return None
        return found

    def status(self, shapes: int) -> str:
        """CAPTURED, or why there is no plan; empty if none was tried so far."""
        found = self._plans.get(shapes, "")
        return found if isinstance(found, str) else CAPTURED

    def make(
        self,
        call: Call,
        tapes: Sequence[Tape],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        stop: Callable[[], object],
    ) -> None:
        """Keep the plan of a taped run, or why there is none."""
        library = native()
        assert library is not None
        try:
            for value in (*inputs, *outputs):
                if type(value) is not Tensor:
                    raise NotCapturable(f"an input or output is a {type(value).__name__}")
            keep(self._plans, call.shapes, RankPlan(library, tapes, inputs, outputs, stop))
        except NotCapturable as reason:
            self.refuse(call, reason)
        except Exception as error:  # the run has succeeded, and so would those in Python
            keep(self._plans, call.shapes, f"{type(error).__name__}: {error}")

    def refuse(self, call: Call, error: Exception) -> None:
        """Remember why a run cannot be taped."""
        if isinstance(error, NotCapturable):
            keep(self._plans, call.shapes, str(error))
        else:
            self._doubts[call.shapes] = f"{type(error).__name__}: {error}"

    def settle(self, call: Call, has_failed: bool) -> None:
        """After a run in Python: what had failed when it was taped is the tape's fault if it does
        not fail now."""
        doubt = self._doubts.pop(call.shapes, None)
        if doubt is not None and not has_failed:
            keep(self._plans, call.shapes, doubt)


@dataclass
class Shapes:
    """Inputs of the same types, shapes and strides, as rank 0 knows them."""

    number: int
    is_asked_for: bool = False
    """Whether plans are made though the program does not by itself."""
    in_python: dict[int, str] = field(default_factory=dict[int, str])
    """The ranks that run in Python, and why."""

    def way(self, captures: bool) -> Way:
        if self.is_asked_for:
            return Way.CAPTURE
        return Way.REPLAY if captures else Way.PYTHON

    def status(self, own: str) -> str:
        """As Plans.status(), given that of rank 0's plans."""
        reasons = self.in_python if own in ("", CAPTURED) else {0: own, **self.in_python}
        told = "; ".join(f"rank {r}, which runs in Python: {why}" for r, why in reasons.items())
        if own == CAPTURED:
            return f"{IN_PART}{told}" if told else CAPTURED
        return told or "called only once so far"


class ShapesKnown:
    """The numbers of inputs' shapes."""

    def __init__(self) -> None:
        self._known: dict[object, Shapes] = {}
        self._count = 0

    def get(self, key: object) -> Shapes | None:
        return self._known.get(key)

    def new(self, key: object) -> Shapes:
        self._count += 1
        shapes = Shapes(self._count)
        keep(self._known, key, shapes)
        return shapes
