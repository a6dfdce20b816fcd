"""Captured graphs of a program: when one is made, found, and no longer right."""

from __future__ import annotations

import os
import statistics
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.modules.module import (
    _has_any_global_hook as has_any_global_hook,  # pyright: ignore[reportPrivateUsage]
)

from ramiel.runtime.locks import Lock
from ramiel.runtime.replay.continuation import NoRest
from ramiel.runtime.replay.plans import (
    BUT_FOR,
    CAPTURED,
    MOST,
    VARIABLE,
    Watched,
    captures_by_itself,
    has_hooks,
    key_of,
)
from ramiel.runtime.replay.tape import NotCapturable
from ramiel.runtime.streams.device import Device
from ramiel.runtime.streams.split import Chain, Start

if TYPE_CHECKING:
    from ramiel.runtime.program import Program
    from ramiel.runtime.streams.program import StreamProgram

COMPARES = "RAMIEL_COMPARE"
"""Set to 0, programs keep the graph of their workers, however long it takes."""
MOST_MEMORY = 1.5
"""How many times the memory of one stream's graph and the weights that of several may take."""
TURNS, REPLAYS = 7, 3
"""How often each graph is timed, and how many replays at a time."""


@dataclass(frozen=True)
class Form:
    """A form of a program, its workers or `serial`, on so many streams."""

    streams: int
    issue: Callable[[Sequence[Any]], list[Any]]
    """Issues it for inputs on the device; the outputs."""
    start: Callable[[Sequence[Any]], Start]
    """How it begins for such inputs, if it is issued in parts."""

    def __str__(self) -> str:
        return "one stream" if self.streams == 1 else f"{self.streams} streams"


issuing = Lock()
"""Held while a thread issues operations to side streams, as streams are shared: what another thread
issued to them meanwhile would become a part of its graph."""


class Whole:
    """A form as one graph."""

    where = ""

    def __init__(self, device: Device, form: Form, inputs: Sequence[Tensor]) -> None:
        self._graph, self.outputs = device.capture(lambda: form.issue(inputs), form.streams)
        self.memory = self._graph.memory

    def run(self) -> list[Any]:
        self._graph.replay()
        return self.outputs


class StreamPlan:
    """A captured form of a program for inputs of some shapes: one graph, or several with what needs
    the host between them.

    Its inputs and outputs have addresses of their own, and calls copy to and from them. Calls on
    different streams take turns, by an event.
    """

    def __init__(
        self,
        device: Device,
        form: Form,
        inputs: Sequence[Tensor],
        program: StreamProgram | None = None,
        codes: set[CodeType] | None = None,
    ) -> None:
        """It is split if it has to be and its `program` is given; `codes` gets the bytecode of its
        pieces then. Raises NotCapturable, or what the form does."""
        self._device = device
        self.form = form
        self.told = str(form)
        """The streams, and the times of graphs if several were compared."""
        # Made before the capture, so that this memory is not the graph's.
        self._inputs = [torch.empty_like(x) for x in inputs]
        for own, given in zip(self._inputs, inputs, strict=True):
            own.copy_(given)
        self._lock = Lock()
        self._done = device.event()
        try:
            self._parts: Whole | Chain = Whole(device, form, self._inputs)
        except (NotCapturable, torch.OutOfMemoryError):
            raise
        except Exception as error:
            if program is None:
                raise
            self._parts = self._chain(program, error, set() if codes is None else codes)
        self._outputs = self._parts.outputs
        for value in self._outputs:
            if type(value) is not Tensor or value.device != device.torch_device:
                raise NotCapturable(f"an output is {_described(value)}")
        self._done.record(device.current())

    def _chain(self, program: StreamProgram, error: Exception, codes: set[CodeType]) -> Chain:
        """Its parts, where an error has broken the capture of the whole."""
        start = self.form.start(self._inputs)
        try:
            chain = Chain(self._device, self.form.streams, program, start, codes)
            chain.stop_at(error)
            chain.find_stops()
            chain.outputs = chain.run(grow=True)
        except (NoRest, NotCapturable) as reason:
            raise NotCapturable(f"{program.told(error)} ({reason})") from error
        if not chain.graphs:
            raise NotCapturable(chain.where)
        return chain

    @property
    def memory(self) -> int:
        """The bytes of the device that its graphs hold."""
        return self._parts.memory

    @property
    def where(self) -> str:
        """Where and why it is split; empty if it is one graph."""
        return self._parts.where

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The outputs, contiguous and the caller's own, once the current stream gets there."""
        with self._lock:
            self.start(inputs)
            return self.taken()

    def start(self, inputs: Sequence[Tensor]) -> None:
        """Replay it on the current stream. Until the outputs are taken, nobody else may."""
        stream = self._device.current()
        stream.wait_event(self._done)
        for own, given in zip(self._inputs, inputs, strict=True):
            own.copy_(given, non_blocking=given.device == own.device)
        try:
            self._outputs = self._parts.run()
        finally:
            self._done.record(stream)

    def taken(self) -> list[Tensor]:
        """The outputs of what was started, maybe on another stream: see run()."""
        stream = self._device.current()
        stream.wait_event(self._done)
        outputs = [x.clone(memory_format=torch.contiguous_format) for x in self._outputs]
        self._done.record(stream)
        return outputs

    def replay(self) -> None:
        """Replay it alone, on the inputs of the last call. For measuring."""
        self._parts.run()


def graph_times(device: Device, plans: Sequence[StreamPlan], turns: int) -> list[list[float]]:
    """ms of a replay of each graph, in turns, by events."""
    found: list[list[float]] = [[] for _ in plans]
    for turn in range(turns + 1):
        for plan, times in zip(plans, found, strict=True):
            start, end = device.timer(), device.timer()
            start.record(device.current())
            for _ in range(REPLAYS):
                plan.replay()
            end.record(device.current())
            device.synchronize()
            if turn:  # the first one warms up
                times.append(start.elapsed_time(end) / REPLAYS)
    return found


class StreamPlans:
    """The graphs of a program, by form and by the types, shapes and strides of the inputs.

    The first call for some shapes runs once operation by operation, which prepares kernels, and is
    then captured: on several streams only if that is faster than on one. A graph holds addresses,
    so all are dropped when a tensor of the program has been replaced, and, as kernels may hold what
    they made of weights, when one has changed in place; also when a hook was registered on a layer,
    which only runs operation by operation.
    """

    def __init__(self) -> None:
        self._plans: dict[object, StreamPlan | str] = {}
        self._watched: Watched | None = None
        self._lock = Lock()
        self.codes: set[CodeType] = set()
        """The bytecode of pieces of its workers."""

    def run(
        self,
        program: StreamProgram,
        device: Device,
        name: str,
        forms: Sequence[Form],
        inputs: Sequence[Any],
    ) -> list[Any]:
        """The outputs of the first of `forms`, replayed if that is possible.

        The others need less memory, one after the other; the last is on one stream. See made().
        """
        key = (name, key_of(inputs))
        plan = self._plans.get(key)
        # Within a capture of the caller's, operations become a part of that.
        may_replay = not has_any_global_hook() and not device.is_capturing()
        if isinstance(plan, StreamPlan) and may_replay:
            outputs = plan.run(inputs)
            if self._are_current():  # after the launch: the device is at work meanwhile
                return outputs
            device.synchronize()  # a graph must not be freed while it runs
            self.clear()
            plan = None
        placed = _on_device(inputs, device)
        with issuing:
            outputs = forms[0].issue(placed)
            if plan is None and program.captures and may_replay:
                self._make(program, device, forms, placed, key)
        return outputs

    def capture(
        self,
        program: StreamProgram,
        device: Device,
        name: str,
        forms: Sequence[Form],
        inputs: Sequence[Any],
    ) -> StreamPlan:
        """The plan for such inputs, made if there is none. NotCapturable if there cannot be one."""
        key = (name, key_of(inputs))
        if not isinstance(self._plans.get(key), StreamPlan) or not self._are_current():
            placed = _on_device(inputs, device)
            with issuing:
                forms[0].issue(placed)  # prepares the kernels
                self._make(program, device, forms, placed, key)
        plan = self._plans[key]
        if isinstance(plan, str):
            raise NotCapturable(plan)
        return plan

    def _are_current(self) -> bool:
        """Whether no tensor of the program has changed since graphs were made."""
        return self._watched is not None and self._watched.are_unchanged()

    def have(self, plan: StreamPlan) -> bool:
        """Whether a plan is one of them, and right. Another may have been made in its place."""
        return self._are_current() and any(own is plan for own in list(self._plans.values()))

    def told(self, name: str, inputs: Sequence[Any]) -> str:
        """What the plan for such inputs is; empty if there is none."""
        plan = self._plans.get((name, key_of(inputs)))
        return plan.told if isinstance(plan, StreamPlan) else ""

    def status(self, program: Program, name: str, inputs: Sequence[Any]) -> str:
        """CAPTURED, but for what, or why calls with such inputs are not."""
        off = "capture is off" if captures_by_itself() else f"{VARIABLE} is 0"
        never = "not called so far" if program.captures else off
        plan = self._plans.get((name, key_of(inputs)), never)
        if isinstance(plan, str):
            return plan
        return f"{BUT_FOR}{plan.where}" if plan.where else CAPTURED

    def clear(self) -> None:
        with self._lock:
            self._plans.clear()
            self._watched = None

    def _make(
        self,
        program: StreamProgram,
        device: Device,
        forms: Sequence[Form],
        inputs: Sequence[Any],
        key: object,
    ) -> None:
        with self._lock:
            device.synchronize()  # a graph must not be freed while it runs
            if not self._plans or not self._are_current():
                self.clear()
                self._watched = Watched(program)
            while len(self._plans) >= MOST:  # before, so that its memory is free
                self._plans.pop(next(iter(self._plans)), None)
            self._plans[key] = made(program, device, forms, inputs, self.codes)


def made(
    program: StreamProgram,
    device: Device,
    forms: Sequence[Form],
    inputs: Sequence[Any],
    codes: set[CodeType],
) -> StreamPlan | str:
    """A plan of the first form for which the memory suffices, or why there is none.

    If the program compares, it takes at most MOST_MEMORY times the memory of the last form, which
    is on one stream, and if that is as fast, it is the plan.
    """
    if any(map(has_hooks, program.children())):
        return "a layer has hooks"
    for value in inputs:
        if type(value) is not Tensor:
            return f"an input is {_described(value)}"
    compares = program.compares and device.has_times
    single: StreamPlan | None = None
    reason = ""
    for form, following in zip(forms, (*forms[1:], None), strict=True):
        try:
            plan = StreamPlan(device, form, inputs, program, codes)
            if form is forms[-1] or not compares:
                return plan
            single = single or StreamPlan(device, forms[-1], inputs, program, codes)
            if _takes_too_much(program, plan, single):
                continue
            return _faster(device, plan, single)
        except torch.OutOfMemoryError:
            device.synchronize()
            reason = f"there is not enough memory to capture {form}"
            instead = f"{following} instead" if following is not None else "it runs eagerly"
            warnings.warn(
                f"{type(program).__name__}: {reason}: {instead}", RuntimeWarning, stacklevel=2
            )
        except NotCapturable as error:
            return str(error)
        except Exception as error:  # of CUDA, of an operation that needs the host, or of a library
            return program.told(error)
    return reason


def _takes_too_much(program: Program, plan: StreamPlan, single: StreamPlan) -> bool:
    weights = sum(x.nbytes for x in program.buffers())
    return plan.memory + weights > MOST_MEMORY * (single.memory + weights)


def _faster(device: Device, plan: StreamPlan, single: StreamPlan) -> StreamPlan:
    """The plan of less time; where they are equal, that of one stream."""
    times = [statistics.median(row) for row in graph_times(device, (plan, single), TURNS)]
    told = [f"{p.form} {ms:.3f} ms" for p, ms in zip((plan, single), times, strict=True)]
    best = plan if times[0] < times[1] else single
    best.told = f"{best.form}: {', '.join(told)}"
    return best


def compares_by_itself() -> bool:
    """Whether the environment lets programs compare their workers with one stream."""
    return os.environ.get(COMPARES) != "0"


def _on_device(inputs: Sequence[Any], device: Device) -> list[Any]:
    there = device.torch_device
    return [x.to(there) if type(x) is Tensor else x for x in inputs]


def _described(value: Any) -> str:
    on = f" on {value.device}" if isinstance(value, Tensor) else ""
    return f"a {type(value).__name__}{on}"
