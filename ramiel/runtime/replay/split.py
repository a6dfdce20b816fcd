"""Runs of which a plan replays the beginning. What cannot be captured, and what needs its results,
goes on in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ramiel.runtime.channels import Channels
from ramiel.runtime.replay.continuation import Rest
from ramiel.runtime.replay.native import Native
from ramiel.runtime.replay.plan import Plan
from ramiel.runtime.replay.stop import Stop
from ramiel.runtime.replay.tape import Call, NotCapturable, Run, Tape, is_opaque

FEWEST = 5
"""The fewest operations for which a plan is worth its call."""
_MOST_TOLD = 3
"""The most places that `where` tells."""


class Part:
    """What a worker has left to do in one call. It can be called once."""

    def __init__(self, rest: Rest, threads: int, values: list[Any]) -> None:
        self.code: CodeType = rest.function.__code__
        self.line = rest.line
        self._function = rest.function
        self._threads = threads
        self._held = [values]

    def __call__(self, channels: Channels | None) -> Any:
        """What the worker returns."""
        torch.set_num_threads(self._threads)
        (values,) = self._held
        values[:] = [channels if value is _CHANNELS else value for value in values]
        del values  # the function alone has them now
        return self._function(self._held)


class Left(NamedTuple):
    """What a replay leaves to Python: parts, by their workers, and what those are sent."""

    parts: dict[int, Part]
    sent: dict[str, Any]


class Split:
    """A plan for the beginning of a run, and what comes then.

    The plan's outputs are the tensors that the rests have in their variables or receive. Whatever
    else is there depends on shapes alone, since reading values cannot be captured.
    """

    def __init__(
        self,
        native: Native,
        tapes: Sequence[Tape],
        stops: Mapping[int, Stop],
        inputs: Sequence[Tensor],
        program: nn.Module,
        outputs: Sequence[str],
    ) -> None:
        """`stops` are by worker, `outputs` the channels of the program's outputs. Raises
        NotCapturable if too little was taped, or something in a variable is of no kind that is
        known."""
        ended = [stop for stop in stops.values() if not stop.waits]
        if not ended:
            raise NotCapturable("a worker waits for a channel that nobody sends")
        events = [noted.event for tape in tapes for noted in tape.events]
        if sum(isinstance(event, Call | Run) for event in events) < FEWEST:
            raise NotCapturable(ended[0].reason)
        values = _Values(program)
        self._rests = {
            worker: (stop.rest, stop.threads, [values.kept(v) for v in stop.values.values()])
            for worker, stop in stops.items()
        }
        used = [stop.rest.channels for stop in stops.values()]
        self._sent = {
            name: values.kept(value)
            for tape in tapes
            for name, value in tape.sent.items()
            if name in outputs or any(names is None or name in names for names in used)
        }
        self.plan = Plan(native, tapes, inputs, values.tensors)
        self.where = told_places(
            [f"{s.rest.function.__name__}, line {s.rest.line}: {s.reason}" for s in ended]
        )
        """Where and why the plan ends."""

    @property
    def codes(self) -> set[CodeType]:
        """The bytecode of the rests."""
        return {rest.function.__code__ for rest, _, _ in self._rests.values()}

    def run(
        self, program: nn.Module, inputs: Sequence[Tensor], times: list[list[int]] | None = None
    ) -> Left | None:
        """Replays the beginning; None, and `times`, as Plan.run()."""
        tensors = self.plan.run(inputs, times)
        if tensors is None:
            return None

        containers: dict[int, Any] = {}

        def filled(value: Any) -> Any:
            """A value that was kept, with the tensors of this call."""
            if type(value) is _Slot:
                return tensors[value.number]
            if value is _PROGRAM:
                return program
            if id(value) not in containers:  # what was one object is one again
                containers[id(value)] = mapped(value, filled)
            return containers[id(value)]

        parts = {
            worker: Part(rest, threads, [filled(value) for value in values])
            for worker, (rest, threads, values) in self._rests.items()
        }
        return Left(parts, {name: filled(value) for name, value in self._sent.items()})


class _Slot(NamedTuple):
    """The place of a tensor that is made anew in each call."""

    number: int


_PROGRAM, _CHANNELS = object(), object()
CONSTANT = (
    *(bool, int, float, complex, str, bytes, type(None), range, nn.Module),
    *(torch.dtype, torch.device, torch.layout, torch.memory_format, torch.Size),
)


class _Values:
    """Values of a run, kept without its tensors."""

    def __init__(self, program: nn.Module) -> None:
        self.tensors: list[Tensor] = []
        """Those that a slot stands for."""
        self._program = program
        self._slots: dict[int, _Slot] = {}
        self._containers: dict[int, Any] = {}
        weights = (*program.parameters(), *program.buffers())
        self._weights = {w.untyped_storage().data_ptr() for w in weights if not is_opaque(w)}

    def kept(self, value: Any) -> Any:
        if value is self._program:
            return _PROGRAM
        if isinstance(value, Channels):
            return _CHANNELS
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, CONSTANT):
            return value
        if id(value) not in self._containers:
            made = mapped(value, self.kept)
            if made is value:
                raise NotCapturable(f"a {type(value).__name__} where capture stops")
            self._containers[id(value)] = made
        return self._containers[id(value)]

    def _tensor(self, tensor: Tensor) -> Any:
        if not is_opaque(tensor) and tensor.untyped_storage().data_ptr() in self._weights:
            return tensor
        if id(tensor) not in self._slots:
            self._slots[id(tensor)] = _Slot(len(self.tensors))
            self.tensors.append(tensor)
        return self._slots[id(tensor)]


def mapped(value: Any, function: Callable[[Any], Any]) -> Any:
    """A list, tuple, dict or slice, or what operators of several results return, with each element
    mapped; anything else as it is."""
    if type(value) in (list, tuple) or type(value).__module__ == "torch.return_types":
        return type(value)([function(item) for item in value])
    if type(value) is dict:
        return {key: function(item) for key, item in value.items()}  # pyright: ignore
    if type(value) is slice:
        return slice(*map(function, (value.start, value.stop, value.step)))
    return value


def told_places(places: Sequence[str]) -> str:
    more = len(places) - _MOST_TOLD
    return "; ".join(places[:_MOST_TOLD]) + (f"; and at {more} more places" if more > 0 else "")
