"""The plans of a program: when one is made, found, and no longer right."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter, is_
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    _has_any_global_hook as has_any_global_hook,  # pyright: ignore[reportPrivateUsage]
)

from ramiel.runtime.replay.native import native, why_not
from ramiel.runtime.replay.plan import Plan
from ramiel.runtime.replay.split import Left, Split
from ramiel.runtime.replay.stop import Stop
from ramiel.runtime.replay.tape import NotCapturable, Noted, Tape, changes, is_plain

if TYPE_CHECKING:
    from ramiel.runtime.program import Program

Key = TypeVar("Key")
Value = TypeVar("Value")

VARIABLE = "RAMIEL_CAPTURE"
"""Set to 0, programs run in Python, but for plans that capture() makes."""
MOST = 8
"""The inputs' shapes that a program keeps plans for: the last ones."""

CAPTURED = "captured"
"""What status() says of inputs whose calls are replayed."""
IN_PART = f"{CAPTURED} up to "
"""How it begins if the rest of them runs in Python."""
BUT_FOR = f"{CAPTURED} but for "
"""How it begins if some operations between captured ones are issued by Python."""

Run = Callable[[], Sequence[Any]]
"""Runs a form of a program in Python; returns the outputs."""


class Taped(NamedTuple):
    """A run that was taped."""

    tapes: list[Tape]
    inputs: list[Any]
    outputs: list[Any]
    stops: dict[int, Stop]
    """By worker, where taping ended early. If it did, there are no outputs."""
    channels: Sequence[str] = ()
    """Those of the outputs."""


TapedRun = Callable[[], Taped]
"""Runs it while it is taped."""

_SEEN = "called only once so far"


def form_of(status: str) -> str:
    """In words, how a call ran that Plans.status() says this of."""
    if status.startswith((IN_PART, BUT_FOR)):
        return f"replayed in part ({status})"
    return "replayed" if status == CAPTURED else f"in Python ({status})"


def is_replayed(status: str) -> bool:
    """Whether a call is replayed, or the beginning of it, that Plans.status() says this of."""
    return status == CAPTURED or status.startswith((IN_PART, BUT_FOR))


class Timed(NamedTuple):
    """A replay: each worker's events, and when it began and each of them ended (Plan.run())."""

    workers: list[list[Noted]]
    times: list[list[int]]
    left: Left | None
    """What is left to do in Python."""


def captures_by_itself() -> bool:
    """Whether the environment lets programs make plans by themselves."""
    return os.environ.get(VARIABLE) != "0"


def why_not_unasked() -> str:
    """Why a program makes no plans by itself that does not."""
    return "capture is off" if captures_by_itself() else f"{VARIABLE} is 0"


def keep(table: dict[Key, Value], key: Key, value: Value) -> None:
    """Put a value in a table of the MOST last ones."""
    table.pop(key, None)
    while len(table) >= MOST:
        table.pop(next(iter(table)), None)
    table[key] = value


class Plans:
    """The plans of a program's workers or of its serial form, by the types, shapes and strides of
    the inputs.

    The first call for some shapes prepares kernels, the second is taped, and the later ones are
    replayed. A plan holds what kernels have made of weights, so all plans are dropped when a tensor
    of the program has been exchanged or changed in place, a hook was registered on a layer, or a
    layer was told to forget().
    """

    def __init__(self) -> None:
        self._plans: dict[object, Plan | Split | str] = {}
        self._source: Watched | None = None
        self.codes: set[CodeType] = set()
        """The bytecode of what was left to do in Python by any plan so far."""

    def replay(
        self, program: Program, inputs: Sequence[Any], times: list[list[int]] | None = None
    ) -> list[Tensor] | Left | None:
        """The outputs, or what is left to do, if there is a plan for such inputs and it computes
        them; `times` as for Plan.run()."""
        plan = self._plan(inputs)
        if isinstance(plan, Split):
            return plan.run(program, inputs, times)
        return plan.run(inputs, times) if plan else None

    def timed(self, program: Program, inputs: Sequence[Any]) -> Timed | None:
        """When what happens in a replay; None where replay() would return None."""
        plan, times = self._plan(inputs), list[list[int]]()
        made = self.replay(program, inputs, times) if plan else None
        if plan is None or made is None:
            return None
        workers = plan.plan.workers if isinstance(plan, Split) else plan.workers
        return Timed(workers, times, made if isinstance(made, Left) else None)

    def overlapping(self, inputs: Sequence[Any]) -> Plan | None:
        """The plan for such inputs, if there is one of which several runs may be under way."""
        plan = self._plan(inputs)
        return plan if isinstance(plan, Plan) and plan.can_overlap else None

    def will_capture(self, program: Program, inputs: Sequence[Any]) -> bool:
        """Whether one of the next two calls with such inputs will be captured."""
        if not program.captures or has_any_global_hook() or native() is None:
            return False
        return self._plans.get(key_of(inputs), _SEEN) == _SEEN

    def _plan(self, inputs: Sequence[Any]) -> Plan | Split | None:
        if not self._plans or has_any_global_hook() or not all(map(_is_plain, inputs)):
            return None
        plan = self._plans.get(key_of(inputs))
        if plan is None or isinstance(plan, str):
            return None
        if not self._are_current():
            self.clear()
            return None
        return plan

    def run(
        self, program: Program, inputs: Sequence[Any], run: Run, taped: TapedRun
    ) -> Sequence[Any]:
        """The outputs of a call that was not replayed: of a run in Python, taped if it is the
        second one with such inputs and the program makes plans by itself."""
        if not program.captures or has_any_global_hook() or native() is None:
            return run()
        if not all(map(_is_plain, inputs)):
            return run()
        key = key_of(inputs)
        outputs = self.capture(program, inputs, taped) if self._plans.get(key) == _SEEN else None
        if outputs is None:
            outputs = run()
            if key not in self._plans:
                self._keep(key, _SEEN)
        return outputs

    def capture(self, program: Program, inputs: Sequence[Any], run: TapedRun) -> list[Any] | None:
        """Tapes a run and makes a plan of it; the run's outputs, None if it failed or stopped.

        After it, status() says why there is no plan.
        """
        key = key_of(inputs)
        if self._source is None or not self._are_current():
            self.clear()
            self._source = Watched(program)
        outputs = None
        try:
            if any(map(has_hooks, program.children())):
                raise NotCapturable("a layer has hooks")
            taped = run()
            outputs = None if taped.stops else taped.outputs
            plan = _plan_of(program, taped)
            if isinstance(plan, Split):
                self.codes |= plan.codes
            self._keep(key, plan)
        except NotCapturable as reason:
            self._keep(key, str(reason))
        except Exception as error:  # the run that follows in Python raises it, if it is the model's
            self._keep(key, f"{type(error).__name__}: {error}")
        return outputs

    def status(self, program: Program, inputs: Sequence[Any]) -> str:
        """CAPTURED, how far calls with such inputs are, or why they are not."""
        plan = self._plans.get(key_of(inputs))
        if isinstance(plan, Split):
            return f"{IN_PART}{plan.where}"
        if plan is not None:
            return plan if isinstance(plan, str) else CAPTURED
        if native() is None:
            return why_not()
        return "not called so far" if program.captures else why_not_unasked()

    def clear(self) -> None:
        self._plans.clear()
        self._source = None

    def __iter__(self) -> Iterator[Plan | Split]:
        """Those there are now."""
        return iter([plan for plan in list(self._plans.values()) if not isinstance(plan, str)])

    def _keep(self, key: object, plan: Plan | Split | str) -> None:
        keep(self._plans, key, plan)

    def _are_current(self) -> bool:
        return self._source is not None and self._source.are_unchanged()


def _plan_of(program: Program, taped: Taped) -> Plan | Split:
    lib = native()
    if lib is None:
        raise NotCapturable(why_not())
    tapes, inputs, outputs, stops, channels = taped
    for value in (*inputs, *outputs):
        if type(value) is not Tensor:
            raise NotCapturable(f"an input or output is a {type(value).__name__}")
    if stops:
        return Split(lib, tapes, stops, inputs, program, channels)
    return program._new_plan(lib, tapes, inputs, outputs)  # pyright: ignore[reportPrivateUsage]


def _is_plain(value: Any) -> bool:
    """Whether the elements of an input are what its memory holds."""
    return type(value) is not Tensor or (
        value.is_cpu and value.layout is torch.strided and is_plain(value)
    )


def key_of(inputs: Sequence[Any]) -> object:
    return tuple((x.shape, x.dtype, x.stride()) if type(x) is Tensor else type(x) for x in inputs)


def has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)  # pyright: ignore[reportPrivateUsage]


class Watched:
    """The tensors of a program, and whether they are still what they were."""

    def __init__(self, program: nn.Module) -> None:
        held = [
            (tensors, name, tensor)
            for module in program.modules()
            for tensors in (module._buffers, module._parameters)  # pyright: ignore[reportPrivateUsage]
            for name, tensor in tensors.items()
            if tensor is not None
        ]
        self._places = [(tensors.get, name) for tensors, name, _ in held]
        self._tensors = [tensor for _, _, tensor in held]
        # Tensors that were made in inference mode have no version.
        self._versioned = [tensor for tensor in self._tensors if not tensor.is_inference()]
        self._changes, self._versions, self._addresses = self._state()

    def are_unchanged(self) -> bool:
        # Asked at each call: maps take half of the time of a loop.
        found = [get(name) for get, name in self._places]
        return all(map(is_, found, self._tensors)) and self._state() == (
            self._changes,
            self._versions,
            self._addresses,
        )

    def _state(self) -> tuple[int, list[int], list[int]]:
        """What changes if a layer or a tensor is changed in place."""
        versions = list(map(_version, self._versioned))
        return changes.count, versions, list(map(Tensor.data_ptr, self._tensors))


_version = attrgetter("_version")
