"""The base class of emitted programs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from types import CodeType
from typing import Any, TypeVar

import torch
from torch import Tensor

from ramiel.runtime.channels import Channels
from ramiel.runtime.errors import OpError, op_error, place_of
from ramiel.runtime.inputs import bind, samples_of
from ramiel.runtime.module import ProgramModule, Serial
from ramiel.runtime.outputs import as_tuple, joined, owned
from ramiel.runtime.replay.meeting import Meeting, TapedChannels
from ramiel.runtime.replay.native import Native, on_crew
from ramiel.runtime.replay.pipeline import Pipeline
from ramiel.runtime.replay.plan import Plan
from ramiel.runtime.replay.plans import Taped, Timed, is_replayed
from ramiel.runtime.replay.split import Left, Part
from ramiel.runtime.replay.stop import Stop
from ramiel.runtime.replay.tape import NotCapturable, Tape, here, tapes_of
from ramiel.runtime.streaming import Inside, Streaming, stream
from ramiel.runtime.surroundings import has_lost_its_team, with_one_thread
from ramiel.runtime.taping import copies_of, taped
from ramiel.runtime.workers import Pool, Worker

Outputs = Any
"""A program's output, or a tuple of them."""
Result = TypeVar("Result")
Compute = Callable[[Sequence[Any]], tuple[Any, ...]]
Clocked = Callable[[int, Part], Worker]
"""Gives the part of a worker a clock."""


class Program(ProgramModule):
    """A model as a program of parallel workers.

    A subclass declares `inputs`, `outputs` and the other `channels`, makes its layers in
    `__init__`, and has the methods `worker_0(ch)`, `worker_1(ch)`, ..., which run at the same
    time and meet at the channels only, and `serial(inputs...)`, the same work in one thread.

    With a `batch` of 2 or more, the workers run that many samples at the same time: the channels
    of sample `b` are called `name_b`, and `serial` is written for one sample.

    Calls from several threads are safe. The threads are started by the first call and live
    until close(), or until the program is collected; a copy has threads of its own.
    """

    def forward(self, *args: Any, **kwargs: Any) -> Tensor | tuple[Tensor, ...]:
        """Run the workers; return the output, or a tuple of them in the order of `outputs`.

        Inputs are given in order, or by their Python or ONNX name: tensors, numpy arrays,
        numbers or lists. With a `batch`, any number of samples may be given: full batches run
        together, and the remainder sample by sample, each on one worker. Outputs are contiguous
        and the caller's own: no input, weight or other output shares memory with them.

        Raises TypeError or ValueError for wrong inputs (see bind()), OpError if an operator
        fails, RuntimeError after close().
        """
        return self._answer(self._in_parallel, args, kwargs)

    def _answer(self, compute: Compute, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Outputs:
        """The outputs that a function computes from a call's arguments, owned by the caller."""
        return self._undisturbed(self._compute, compute, args, kwargs)

    def _undisturbed(self, function: Callable[..., Result], *args: Any) -> Result:
        """What a function returns in with_one_thread(), with errors that name the node."""
        if here.tape is not None:
            raise NotCapturable(f"{type(self).__name__} is a program of its own")
        try:
            return with_one_thread(function, *args)
        except Exception as error:
            if place := self._place_of(error):
                # Without a name here, which would hold the error's traceback in a cycle.
                raise op_error(error, place, self._nodes) from error
            raise

    def _named(self, error: Exception) -> OpError | None:
        """An error in terms of the model; None if it comes from elsewhere than an operator."""
        place = self._place_of(error)
        return op_error(error, place, self._nodes) if place else None

    def _place_of(self, error: Exception) -> tuple[CodeType, int] | None:
        """The line of the program, or of what it was captured as, that an error comes from."""
        plans = (self._plans, *list(self._serial_plans.values()))
        return place_of(error, codes_of(type(self)).union(*(p.codes for p in plans)))

    def _compute(self, compute: Compute, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Outputs:
        inputs = self._bound(args, kwargs)
        return self._owned(compute(inputs), inputs)

    def _owned(self, outputs: Sequence[Any], inputs: Sequence[Any]) -> Outputs:
        # Copies use as many threads as this worker's last operator.
        outputs = owned(outputs, (*inputs, *self._buffers.values()))
        return outputs[0] if len(outputs) == 1 else outputs

    def _bound(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Sequence[Any]:
        return bind(type(self).__name__, self.inputs, args, kwargs, self.batch > 1)

    def _in_parallel(self, inputs: Sequence[Any]) -> tuple[Any, ...]:
        if self.batch == 1:
            return self._run_batch([inputs])[0]
        return joined(self._run_samples(samples_of(self.inputs, inputs)))

    def _run_samples(self, samples: Sequence[Sequence[Any]]) -> list[tuple[Tensor, ...]]:
        """The outputs of each sample: of full batches together, of the others apart."""
        results: list[tuple[Tensor, ...]] = []
        full = len(samples) - len(samples) % self.batch
        for start in range(0, full, self.batch):
            results += self._run_batch(samples[start : start + self.batch])
        if full < len(samples):
            results += self._run_apart(samples[full:])
        return results

    def stream(
        self,
        requests: Iterable[Any],
        *,
        threads: int | None = None,
        in_flight: int | None = None,
        return_exceptions: bool = False,
    ) -> Iterator[Outputs]:
        """The outputs for requests that follow each other, in their order, several at a time.

        A request is a tuple of inputs in order, a mapping of them by name, or the only input; they
        must not change until its outputs are there. How requests are computed is the program's
        `streaming`: each by serial() on a core of its own if the compiler has not chosen otherwise,
        or if a number of `threads` is given. `in_flight` bounds the requests that are taken ahead
        of the results asked for. If a request fails, its error is raised in its place; with
        `return_exceptions` it is the result, and the others follow.
        """
        streaming = self.streaming if threads is None else Streaming("serial", threads)
        if in_flight is not None:
            streaming = streaming._replace(in_flight=in_flight)
        return self._streamed(streaming, requests, return_exceptions)

    def _streamed(
        self, streaming: Streaming, requests: Iterable[Any], return_exceptions: bool
    ) -> Iterator[Outputs]:
        """See stream()."""
        inside = Inside(
            self._bound,
            self._owned,
            self._undisturbed,
            self._run_samples,
            self._run_in_python,
            self._new_pipeline,
            self._pool,
            self._plans,
        )
        return stream(self, inside, streaming, requests, return_exceptions)

    def _new_pipeline(self, plan: Plan, in_flight: int) -> Pipeline:
        """A pipeline of a plan, for so many runs at a time."""
        return Pipeline(plan.copies(in_flight), len(plan.workers))

    def capture(self, *args: Any, **kwargs: Any) -> None:
        """Prepare a plan for inputs of these shapes, by which later calls run without Python.

        Calls do so by themselves, at the second call for some shapes, unless RAMIEL_CAPTURE is 0
        or the program was compiled with capture=False; so do calls of serial().
        What cannot be replayed, such as to choose by a value what to compute, goes on in Python
        from there. Inputs are those of forward(), and so are errors; NotCapturable if nothing worth
        it can be replayed.
        """
        self._undisturbed(self._capture, args, kwargs)

    def _capture(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        samples = self._first_batch(args, kwargs)
        if len(samples) < self.batch:
            raise NotCapturable(f"{len(samples)} of the {self.batch} samples that run at a time")
        inputs = list(chain.from_iterable(samples))
        self._run_in_python(samples)  # prepares the kernels
        self._plans.capture(self, inputs, partial(self._taped, samples))
        if not is_replayed(status := self._plans.status(self, inputs)):
            raise NotCapturable(status)

    def capture_status(self, *args: Any, **kwargs: Any) -> str:
        """`captured` if calls with such inputs are replayed; `captured up to ...` and why, if they
        go on in Python there; or why all of them is run in Python."""
        inputs = list(chain.from_iterable(self._first_batch(args, kwargs)))
        return self._plans.status(self, inputs)

    def serial_capture_status(self, *args: Any, **kwargs: Any) -> str:
        """The same for calls of serial()."""
        plans = self._serial_plans[_serial_of(type(self))]
        return plans.status(self, self._first_batch(args, kwargs)[0])

    def _first_batch(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]]:
        inputs = self._bound(args, kwargs)
        return [inputs] if self.batch == 1 else samples_of(self.inputs, inputs)[: self.batch]

    def connect(self) -> int:
        """The rank of this process: 0 but for programs of several, which meet the others here."""
        return 0

    def serve(self) -> None:
        """Run the workers of a rank other than 0 until the program is closed there."""
        raise RuntimeError(f"{type(self).__name__} has one rank, which is called")

    def synchronize(self) -> None:
        """Wait until the results of earlier calls are there: for programs of a GPU."""

    def _run_batch(self, samples: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        """The outputs of as many samples as the workers run at a time."""
        if has_lost_its_team():
            return self._run_in_python(samples)

        def run() -> list[Any]:
            return list(chain.from_iterable(self._run_in_python(samples)))

        inputs = list(chain.from_iterable(samples))
        outputs = self._pool.visit(lambda: self._plans.replay(self, inputs))
        if isinstance(outputs, Left):
            return self._go_on(outputs.parts.values(), outputs.sent, samples)
        if outputs is None:
            outputs = self._plans.run(self, inputs, run, partial(self._taped, samples))
        width = len(self.outputs)
        return [tuple(outputs[i * width : (i + 1) * width]) for i in range(len(samples))]

    def _go_on(
        self, parts: Iterable[Worker], sent: dict[str, Any], samples: Sequence[Sequence[Any]]
    ) -> list[tuple[Any, ...]]:
        """The outputs of a replay that has left parts of workers, and what is sent to them."""
        channels = Channels(self._channels)
        while sent:  # here, nothing holds it any longer
            name, value = sent.popitem()
            getattr(channels, name).send(value)
            del value
        return self._run_workers(channels, list(parts), samples)

    def _times(self, args: Sequence[Any], clocked: Clocked) -> list[Timed] | None:
        """Replay a call and say when what happened; None if a batch of it is not replayed. Samples
        that are no full batch are left out. What is left to Python runs with a clock."""
        return self._undisturbed(self._times_of_batches, args, clocked)

    def _times_of_batches(self, args: Sequence[Any], clocked: Clocked) -> list[Timed] | None:
        inputs = self._bound(args, {})
        samples = [inputs] if self.batch == 1 else samples_of(self.inputs, inputs)
        batches: list[Timed] = []
        for start in range(0, len(samples) - self.batch + 1, self.batch):
            batch = samples[start : start + self.batch]
            inputs = list(chain.from_iterable(batch))
            if (timed := self._plans.timed(self, inputs)) is None:
                return None
            if timed.left is not None:
                parts = [clocked(w, part) for w, part in timed.left.parts.items()]
                self._go_on(parts, timed.left.sent, batch)
            batches.append(timed)
        return batches

    def _taped(self, samples: Sequence[Sequence[Any]]) -> Taped:
        """Run the workers while they are taped, each as far as it can be."""
        tapes, stops = tapes_of(len(self._workers)), dict[int, Stop]()
        meeting = Meeting(len(tapes))

        def taper(number: int) -> Worker:
            def run(channels: Channels) -> None:
                try:
                    method = getattr(self, self._workers[number])
                    if isinstance(
                        stop := taped(method, tapes[number], self._nodes, channels), Stop
                    ):
                        stops[number] = stop
                finally:
                    meeting.leave()

            return run

        copies = [copies_of(sample) for sample in samples]
        channels = TapedChannels(self._channels, meeting)
        self._send(channels, copies)
        tapers = [on_crew(taper(number)) for number in range(len(tapes))]
        self._pool.run(channels, tapers, apart=True)
        outputs = [] if stops else list(chain.from_iterable(self._sent(channels)))
        names = list(chain.from_iterable(self._outputs))
        return Taped(tapes, list(chain.from_iterable(copies)), outputs, stops, names)

    def _new_plan(
        self,
        native: Native,
        tapes: Sequence[Tape],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> Plan:
        """The plan of a taped run."""
        return Plan(native, tapes, inputs, outputs)

    def _run_alone(self, serial: Serial, inputs: Sequence[Any]) -> tuple[Any, ...]:
        """The outputs of one sample, computed by one thread."""
        if has_lost_its_team():
            return self._apart(lambda: as_tuple(serial(self, *inputs)))

        def tape() -> Taped:
            tapes, copies = tapes_of(1), copies_of(inputs)
            run = partial(taped, serial, tapes[0], self._nodes, self, *copies)
            outputs = self._apart(lambda: as_tuple(run()))
            if isinstance(outputs[0], Stop):
                return Taped(tapes, copies, [], {0: outputs[0]})
            return Taped(tapes, copies, list(outputs), {})

        plans = self._serial_plans[serial]
        outputs = plans.replay(self, inputs)
        if isinstance(outputs, Left):
            return as_tuple(outputs.parts[0](None))
        if outputs is None:
            outputs = plans.run(self, inputs, lambda: as_tuple(serial(self, *inputs)), tape)
        return tuple(outputs)

    def _apart(self, compute: Callable[[], tuple[Any, ...]]) -> tuple[Any, ...]:
        """What a function returns in a thread of its own, where no Ctrl-C comes."""
        results: list[tuple[Any, ...]] = []
        pool = Pool(type(self).__name__)
        try:
            pool.run(Channels(()), [lambda _: results.append(compute())], apart=True)
        finally:
            pool.close()
        return results[0]

    def _run_in_python(self, samples: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        workers = [getattr(self, name) for name in self._workers]
        return self._run_workers(Channels(self._channels), workers, samples)

    def _run_workers(
        self, channels: Channels, workers: Sequence[Worker], samples: Sequence[Sequence[Any]]
    ) -> list[tuple[Any, ...]]:
        self._send(channels, samples)
        self._pool.run(channels, [on_crew(worker) for worker in workers])
        return self._sent(channels)

    def _send(self, channels: Channels, samples: Sequence[Sequence[Any]]) -> None:
        """Sends the inputs."""
        for names, tensors in zip(self._inputs, samples, strict=True):
            for name, tensor in zip(names, tensors, strict=True):
                getattr(channels, name).send(tensor)

    def _sent(self, channels: Channels) -> list[tuple[Any, ...]]:
        """The outputs of each sample, once they were sent."""
        return [tuple(getattr(channels, name).sent() for name in row) for row in self._outputs]

    def _run_apart(self, samples: Sequence[Sequence[Tensor]]) -> list[tuple[Tensor, ...]]:
        """The outputs of samples that are each run by one worker."""
        serial = _serial_of(type(self))
        results: dict[int, tuple[Tensor, ...]] = {}

        def runner(first: int) -> Callable[[Channels], None]:
            def run(_: Channels) -> None:
                for i in range(first, len(samples), len(self._workers)):
                    torch.set_num_threads(1)  # the previous sample may have left another count
                    results[i] = self._run_alone(serial, samples[i])

            return run

        runners = [runner(i) for i in range(min(len(self._workers), len(samples)))]
        self._pool.run(Channels(()), runners)
        return [results[i] for i in range(len(samples))]


def _serial_of(program: type[Program]) -> Serial:
    return inspect.unwrap(getattr(program, "serial"))  # noqa: B009


def codes_of(program: type[Program]) -> set[CodeType]:
    """The bytecode of the methods that a program adds: where its operators are called."""
    ours = (c for c in program.__mro__ if not c.__module__.startswith("ramiel.runtime."))
    own = (vars(c).values() for c in ours if c not in Program.__mro__)
    return {inspect.unwrap(m).__code__ for m in chain.from_iterable(own) if inspect.isfunction(m)}


def one_thread(function: Serial) -> Callable[..., Any]:
    """Make a method of a Program take inputs as forward() does, and run in one thread.

    The method gets its inputs in order, as tensors, one sample at a time if the program has a
    batch. As forward(), it is captured by its second call for some shapes. Errors are those of
    Program.forward().
    """

    @functools.wraps(function)
    def call(self: Program, *args: Any, **kwargs: Any) -> Any:
        def compute(inputs: Sequence[Any]) -> tuple[Any, ...]:
            if self.batch == 1:
                return self._run_alone(function, inputs)  # pyright: ignore[reportPrivateUsage]
            results: list[tuple[Any, ...]] = []
            for sample in samples_of(self.inputs, inputs):
                torch.set_num_threads(1)  # the previous sample may have left another count
                results.append(self._run_alone(function, sample))  # pyright: ignore[reportPrivateUsage]
            return joined(results)

        return self._answer(compute, args, kwargs)  # pyright: ignore[reportPrivateUsage]

    return call
