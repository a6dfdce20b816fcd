"""Captured graphs of a program: when one is made, found, and no longer right."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.modules.module import (
    _has_any_global_hook as has_any_global_hook,  # pyright: ignore[reportPrivateUsage]
)

from ramiel.runtime.replay.plans import (
    MOST,
    VARIABLE,
    Watched,
    captures_by_itself,
    has_hooks,
    key_of,
)
from ramiel.runtime.replay.tape import NotCapturable
from ramiel.runtime.streams.device import Device

if TYPE_CHECKING:
    from ramiel.runtime.program import Program

Form = Callable[[Sequence[Any]], list[Any]]
"""Issues a form of a program, its workers or `serial`, for inputs on the device; the outputs."""

issuing = threading.RLock()
"""Held while a thread issues operations to side streams, as streams are shared: what another thread
issued to them meanwhile would become a part of its graph."""


class StreamPlan:
    """A captured form of a program for inputs of some shapes.

    Its inputs and outputs have addresses of their own, and calls copy to and from them. Calls on
    different streams take turns, by an event.
    """

    def __init__(self, device: Device, form: Form, inputs: Sequence[Tensor]) -> None:
        """Raises NotCapturable, or what the form does."""
        self._device = device
        # Made before the capture, so that this memory is not the graph's.
        self._inputs = [torch.empty_like(x) for x in inputs]
        for own, given in zip(self._inputs, inputs, strict=True):
            own.copy_(given)
        self._graph, self._outputs = device.capture(lambda: form(self._inputs))
        for value in self._outputs:
            if type(value) is not Tensor or value.device != device.torch_device:
                raise NotCapturable(f"an output is {_described(value)}")
        self._lock = threading.Lock()
        self._done = device.event()
        self._done.record(device.current())

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The outputs, contiguous and the caller's own, once the current stream gets there."""
        with self._lock:
            stream = self._device.current()
            stream.wait_event(self._done)
            for own, given in zip(self._inputs, inputs, strict=True):
                own.copy_(given, non_blocking=given.device == own.device)
            self._graph.replay()
            outputs = [x.clone(memory_format=torch.contiguous_format) for x in self._outputs]
            self._done.record(stream)
        return outputs

    def replay(self) -> None:
        """Replay the graph alone, on the inputs of the last call. For measuring."""
        self._graph.replay()


class StreamPlans:
    """The graphs of a program, by form and by the types, shapes and strides of the inputs.

    The first call for some shapes runs once operation by operation, which prepares kernels, and is
    then captured. A graph holds addresses, so all are dropped when a tensor of the program has been
    replaced, and, as kernels may hold what they made of weights, when one has changed in place;
    also when a hook was registered on a layer, which only runs operation by operation.
    """

    def __init__(self) -> None:
        self._plans: dict[object, StreamPlan | str] = {}
        self._watched: Watched | None = None
        self._lock = threading.RLock()

    def run(
        self,
        program: Program,
        device: Device,
        forms: Sequence[tuple[str, Form]],
        inputs: Sequence[Any],
    ) -> list[Any]:
        """The outputs of the first of `forms`, replayed if that is possible.

        The others are tried, in order, where the memory for capturing it does not suffice.
        """
        name, form = forms[0]
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
            outputs = form(placed)
            if plan is None and program.captures and may_replay:
                self._make(program, device, forms, placed, key)
        return outputs

    def capture(
        self,
        program: Program,
        device: Device,
        forms: Sequence[tuple[str, Form]],
        inputs: Sequence[Any],
    ) -> StreamPlan:
        """The plan for such inputs, made if there is none. NotCapturable if there cannot be one."""
        key = (forms[0][0], key_of(inputs))
        if not isinstance(self._plans.get(key), StreamPlan) or not self._are_current():
            placed = _on_device(inputs, device)
            with issuing:
                forms[0][1](placed)  # prepares the kernels
                self._make(program, device, forms, placed, key)
        plan = self._plans[key]
        if isinstance(plan, str):
            raise NotCapturable(plan)
        return plan

    def reason(self, program: Program, name: str, inputs: Sequence[Any]) -> str | None:
        """Why there is no plan for such inputs; None if there is one."""
        off = "capture is off" if captures_by_itself() else f"{VARIABLE} is 0"
        never = "not called so far" if program.captures else off
        plan = self._plans.get((name, key_of(inputs)), never)
        return plan if isinstance(plan, str) else None

    def clear(self) -> None:
        with self._lock:
            self._plans.clear()
            self._watched = None

    def _make(
        self,
        program: Program,
        device: Device,
        forms: Sequence[tuple[str, Form]],
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
            self._plans[key] = _made(program, device, forms, inputs)

    def _are_current(self) -> bool:
        return self._watched is not None and self._watched.are_unchanged()


def _made(
    program: Program, device: Device, forms: Sequence[tuple[str, Form]], inputs: Sequence[Any]
) -> StreamPlan | str:
    """A plan of the first form for which the memory suffices, or why there is none."""
    if any(map(has_hooks, program.children())):
        return "a layer has hooks"
    for value in inputs:
        if type(value) is not Tensor:
            return f"an input is {_described(value)}"
    reason = ""
    for name, form in forms:
        try:
            return StreamPlan(device, form, inputs)
        except torch.OutOfMemoryError:
            reason = f"there is not enough memory to capture {name}"
            following = (
                "one stream is captured instead" if name != forms[-1][0] else "it runs eagerly"
            )
            warnings.warn(
                f"{type(program).__name__}: {reason}: {following}", RuntimeWarning, stacklevel=2
            )
        except NotCapturable as error:
            return str(error)
        except Exception as error:  # of CUDA, of an operation that needs the host, or of a library
            return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return reason


def _on_device(inputs: Sequence[Any], device: Device) -> list[Any]:
    there = device.torch_device
    return [x.to(there) if type(x) is Tensor else x for x in inputs]


def _described(value: Any) -> str:
    on = f" on {value.device}" if isinstance(value, Tensor) else ""
    return f"a {type(value).__name__}{on}"
