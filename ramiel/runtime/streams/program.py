"""The base class of programs whose workers are streams."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import CodeType
from typing import Any, ClassVar, TypeVar

import torch
from torch.nn.modules.module import (
    _has_any_global_hook as has_any_global_hook,  # pyright: ignore[reportPrivateUsage]
)

from ramiel.runtime.errors import DeviceUnavailable, op_error, place_of
from ramiel.runtime.inputs import samples_of
from ramiel.runtime.outputs import as_tuple, joined, owned
from ramiel.runtime.program import Program, codes_of
from ramiel.runtime.replay.tape import NotCapturable
from ramiel.runtime.requests import in_order
from ramiel.runtime.streaming import Streaming
from ramiel.runtime.streams.device import Device, device_of_programs
from ramiel.runtime.streams.issue import Issue
from ramiel.runtime.streams.lacking import is_lacking, lacking_of
from ramiel.runtime.streams.plans import (
    TURNS,
    Form,
    StreamPlan,
    StreamPlans,
    compares_by_itself,
    graph_times,
    issuing,
)
from ramiel.runtime.streams.requests import LANES, Free, Lanes, Started
from ramiel.runtime.streams.split import Start
from ramiel.runtime.weights import Weights

Result = TypeVar("Result")

PARALLEL, SERIAL = "the workers", "one stream"


class StreamProgram(Program):
    """A model as a program of streams.

    A subclass is as that of Program, but `worker_0(ch)`, `worker_1(ch)`, ... are coroutines that
    issue their operations under `with ch.stream(k)`, and `await` values of channels.

    A call is asynchronous, as are PyTorch's operators on a device: its outputs are there once the
    caller's current stream gets to them. Inputs may be on any device; outputs are on the program's.
    A program is made on the current CUDA device.
    """

    compares: bool
    """Whether a graph of several streams is kept only if it is faster than that of one stream, and
    takes not much more memory. True, unless RAMIEL_COMPARE is 0 when the program is made."""

    tolerance: ClassVar[float] = 1e-3
    """Libraries may choose other kernels for a stream or a layout than for another."""

    def __init__(self, weights: Weights, workers: int = 1) -> None:
        """DeviceUnavailable, in one line, if there is no device."""
        device_of_programs()
        super().__init__(weights, workers)
        self.compares = compares_by_itself()

    def _start(self) -> None:
        super()._start()
        self._target: Device = device_of_programs()
        self._graphs = StreamPlans()
        self._lanes = Free()

    @property
    def device(self) -> torch.device:
        """Where its weights and values are."""
        return self._target.torch_device

    @property
    def device_name(self) -> str:
        """The device and its libraries, in words."""
        return self._target.name

    def __repr__(self) -> str:
        return f"{super().__repr__()}, streams of {self.device_name}"

    def _in_parallel(self, inputs: Sequence[Any]) -> tuple[Any, ...]:
        return self._pool.visit(lambda: self._in_batches(inputs))

    def _in_batches(self, inputs: Sequence[Any]) -> tuple[Any, ...]:
        if self.batch == 1:
            return tuple(self._run_form(PARALLEL, inputs))
        samples = samples_of(self.inputs, inputs)
        results: list[tuple[Any, ...]] = []
        full = len(samples) - len(samples) % self.batch
        width = len(self.outputs)
        for start in range(0, full, self.batch):
            batch = list(chain.from_iterable(samples[start : start + self.batch]))
            outputs = self._run_form(PARALLEL, batch)
            results += [tuple(outputs[i : i + width]) for i in range(0, len(outputs), width)]
        results += [tuple(self._run_form(SERIAL, sample)) for sample in samples[full:]]
        return joined(results)

    def _compute(
        self,
        compute: Callable[[Sequence[Any]], tuple[Any, ...]],
        args: Sequence[Any],
        kwargs: Any,
    ) -> Any:
        inputs = self._bound(args, kwargs)
        try:
            with self._target.issuing():
                outputs = compute(inputs)
                outputs = owned(outputs, (*inputs, *self._buffers.values()))
                self._target.settle()
        except Exception as error:
            self._explain(error, inputs)
            raise
        return outputs[0] if len(outputs) == 1 else outputs

    def _explain(self, error: Exception, inputs: Sequence[Any]) -> None:
        """Raise DeviceUnavailable, in one line, if the device is what failed."""
        if isinstance(error, DeviceUnavailable):
            return
        if is_lacking(error):
            sample = inputs if self.batch == 1 else samples_of(self.inputs, inputs)[0]
            with self._target.issuing():
                placed = [x.to(self.device) if type(x) is torch.Tensor else x for x in sample]
                found = lacking_of(
                    lambda: self._issue_serial(placed),
                    self._target,
                    codes_of(type(self)),
                    self._nodes,
                )
            if found:
                raise DeviceUnavailable(f"{self.device} has no kernel for {found}") from error
        if "CUDA error" in str(error) and self._target.is_lost():
            first = str(error).splitlines()[0]
            raise DeviceUnavailable(
                f"{self.device} is lost until this process ends: {first}"
            ) from error

    def _run_form(self, name: str, inputs: Sequence[Any]) -> list[Any]:
        return self._graphs.run(self, self._target, name, self._forms(name), inputs)

    def _forms(self, name: str) -> list[Form]:
        """A form, and others that need less memory, the last on one stream."""
        forms: list[Form] = []
        count = len(self._target.streams(len(self._workers) - 1)) + 1 if name == PARALLEL else 1
        while count > 1:
            forms.append(self._workers_form(count))
            count //= 2
        if name == PARALLEL and not forms:
            return [self._workers_form(1)]
        return [*forms, Form(1, self._issue_serial, self._start_serial)]

    def _workers_form(self, streams: int) -> Form:
        issue = functools.partial(self._issue_workers, streams=streams)
        return Form(streams, issue, self._start_workers)

    def workers_form(self, inputs: Sequence[Any]) -> tuple[Form, Device, list[Any]]:
        """The workers on as many streams as there are, their device, and as many of the inputs as
        they take at a time. For measuring."""
        return self._forms(PARALLEL)[0], self._target, self._first_batch_of(inputs, {})

    def _streamed(
        self, streaming: Streaming, requests: Iterable[Any], return_exceptions: bool
    ) -> Iterator[Any]:
        """At most LANES requests are in flight, each on a stream with graphs of its own, that of
        serial() or of the workers."""
        forms = {"serial": (SERIAL, getattr(self, "serial")), "calls": (PARALLEL, self)}  # noqa: B009
        if self.batch > 1 or streaming.way not in forms:
            return super()._streamed(streaming, requests, return_exceptions)
        streaming.limits()  # are right
        most = min(LANES, streaming.in_flight or streaming.at_a_time or LANES)
        lanes = Lanes(self, self._lanes, *forms[streaming.way])
        return in_order(lanes, requests, most, return_exceptions)

    def started(
        self, name: str, lane: int, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Started | None:
        """Replay a request on a stream besides the current one; None if such calls are not
        replayed. Errors are those of forward()."""
        return self._undisturbed(self._started, name, lane, args, kwargs)

    def _started(
        self, name: str, lane: int, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Started | None:
        inputs = self._bound(args, kwargs)
        device = self._target
        if not self.captures or has_any_global_hook() or device.is_capturing():
            return None
        form = name.partition(",")[0]
        capture = functools.partial(
            self._graphs.capture, self, device, name, self._forms(form), inputs
        )
        with device.issuing(), issuing:
            try:
                plan = self._pool.visit(capture) if form == PARALLEL else capture()
            except NotCapturable:
                return None
            streams, here = device.streams(LANES), device.current()
            ready = device.event()
            ready.record(here)
            try:
                if streams:
                    stream = streams[lane % len(streams)]
                    stream.wait_event(ready)
                    device.use(stream)
                plan.start(inputs)
            finally:
                device.use(here)
        return plan, inputs

    def taken(self, plan: StreamPlan, inputs: Sequence[Any]) -> Any:
        """The outputs of a request that was started, as those of forward(); None if a weight has
        changed since, so that it has to be called. Its inputs live until here, as the stream of the
        caller, whose memory they may have, only now waits for their last use."""
        with self._target.issuing():
            outputs = plan.taken()
            self._target.settle()
            if not self._graphs.have(plan):
                self._target.synchronize()  # a graph must not be freed while it runs
                return None
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _place_of(self, error: Exception) -> tuple[CodeType, int] | None:
        return place_of(error, codes_of(type(self)) | self._graphs.codes)

    def worker_codes(self) -> list[CodeType]:
        """The bytecode of the workers."""
        return [getattr(type(self), name).__code__ for name in self._workers]

    def undisturbed(self, function: Callable[[], Result]) -> Result:
        """What a function returns as in a call: by one thread, with errors that name the node."""
        return self._undisturbed(function)

    def replay_times(
        self, *args: Any, forms: Sequence[bool] = (False, True), turns: int = TURNS, **kwargs: Any
    ) -> list[list[float]]:
        """ms of replays of graphs for such inputs, by the device's clock, in turns: False stands
        for that of calls, True for that of serial(). Errors are those of plan()."""
        plans = [self.plan(*args, serial=serial, **kwargs) for serial in forms]
        with self._target.issuing():
            return graph_times(self._target, plans, turns)

    def told(self, error: Exception) -> str:
        """An error in one line, with the ONNX node if it is that of an operation."""
        place = self._place_of(error)
        text = str(error) if place is None else str(op_error(error, place, self._nodes))
        first = text.splitlines()[0] if text else ""
        if "captur" in first.lower():
            return f"it needs the host: {first}"
        return first if place is not None else f"{type(error).__name__}: {first}"

    def _issue_workers(self, inputs: Sequence[Any], streams: int) -> list[Any]:
        """Issue the work of all workers, to so many streams, for as many samples as they run at a
        time."""
        others = self._target.streams(streams - 1)
        issue = Issue(self._target, others, self._channels)
        issue.give(self._given(inputs))
        workers = [getattr(self, name)(issue.channels) for name in self._workers]
        return issue.run(workers, list(chain.from_iterable(self._outputs)))

    def _given(self, inputs: Sequence[Any]) -> dict[str, Any]:
        """The inputs by their channels."""
        return dict(zip(chain.from_iterable(self._inputs), inputs, strict=True))

    def _start_workers(self, inputs: Sequence[Any]) -> Start:
        methods = [getattr(type(self), name) for name in self._workers]
        outputs = list(chain.from_iterable(self._outputs))
        none = [() for _ in methods]
        return Start(methods, none, self._given(inputs), self._channels, outputs)

    def _start_serial(self, inputs: Sequence[Any]) -> Start:
        samples = self._samples(inputs)
        methods = [inspect.unwrap(getattr(type(self), "serial"))] * len(samples)  # noqa: B009
        return Start(methods, samples, {}, (), ())

    def _samples(self, inputs: Sequence[Any]) -> list[Sequence[Any]]:
        width = len(self.inputs)
        return [inputs[i : i + width] for i in range(0, max(len(inputs), 1), width or 1)]

    def _issue_serial(self, inputs: Sequence[Any]) -> list[Any]:
        """Issue all operations to the current stream, sample by sample."""
        serial = inspect.unwrap(getattr(type(self), "serial"))  # noqa: B009
        results = [as_tuple(serial(self, *sample)) for sample in self._samples(inputs)]
        return list(chain.from_iterable(results))

    def plan(self, *args: Any, serial: bool = False, **kwargs: Any) -> StreamPlan:
        """The captured graph for inputs of these shapes, made if there is none.

        Inputs are those of forward(), and so are errors. It has several graphs if the program does
        something between them that cannot be replayed, such as to choose by a value what to
        compute; NotCapturable if nothing can be replayed.
        """
        return self._undisturbed(self._plan, SERIAL if serial else PARALLEL, args, kwargs)

    def _plan(self, name: str, args: Sequence[Any], kwargs: Any) -> StreamPlan:
        inputs = self._first_batch_of(args, kwargs)
        with self._target.issuing():
            forms = self._forms(name)
            return self._pool.visit(
                lambda: self._graphs.capture(self, self._target, name, forms, inputs)
            )

    def capture(self, *args: Any, **kwargs: Any) -> None:
        """Capture calls with inputs of these shapes; see plan()."""
        self.plan(*args, **kwargs)

    def capture_status(self, *args: Any, **kwargs: Any) -> str:
        """`captured` if calls with such inputs are replayed; `captured but for ...` if operations
        need the host, and run between graphs; or why they are not."""
        return self._graphs.status(self, PARALLEL, self._first_batch_of(args, kwargs))

    def serial_capture_status(self, *args: Any, **kwargs: Any) -> str:
        """The same for calls of serial()."""
        inputs = list(self._first_batch(args, kwargs)[0])
        return self._graphs.status(self, SERIAL, inputs)

    def captured_form(self, *args: Any, **kwargs: Any) -> str:
        """The streams that calls with such inputs are replayed on, and what was compared; empty if
        they are not."""
        return self._graphs.told(PARALLEL, self._first_batch_of(args, kwargs))

    def _first_batch_of(self, args: Sequence[Any], kwargs: Any) -> list[Any]:
        return list(chain.from_iterable(self._first_batch(args, kwargs)))

    def close(self) -> None:
        """Wait for running calls and free the graphs: later calls raise RuntimeError.

        Idempotent. serial() keeps working.
        """
        super().close()
        self._target.synchronize()
        self._graphs.clear()

    def synchronize(self) -> None:
        """Wait until all that was issued to the device has run."""
        self._target.synchronize()

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, torch.Tensor | torch.nn.Module) and "_graphs" in self.__dict__:
            self._graphs.clear()
        super().__setattr__(name, value)

    def __getstate__(self) -> dict[str, Any]:
        own = ("_target", "_graphs", "_lanes")
        return {name: value for name, value in super().__getstate__().items() if name not in own}


def one_stream(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a method of a StreamProgram take inputs as forward() does, and run on one stream.

    It is captured and replayed as forward() is. The method gets its inputs in order, on the device,
    one sample at a time if the program has a batch. Errors are those of Program.forward().
    """

    @functools.wraps(function)
    def call(self: StreamProgram, *args: Any, **kwargs: Any) -> Any:
        run = self._run_form  # pyright: ignore[reportPrivateUsage]

        def compute(inputs: Sequence[Any]) -> tuple[Any, ...]:
            if self.batch == 1:
                return tuple(run(SERIAL, inputs))
            samples = samples_of(self.inputs, inputs)
            return joined([tuple(run(SERIAL, sample)) for sample in samples])

        return self._answer(compute, args, kwargs)  # pyright: ignore[reportPrivateUsage]

    return call
