"""The base class of emitted programs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from types import CodeType, TracebackType
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from ramiel.runtime.channels import Channels
from ramiel.runtime.errors import op_error, place_of
from ramiel.runtime.inputs import Input, bind, samples_of
from ramiel.runtime.outputs import owned
from ramiel.runtime.replay.plans import Plans
from ramiel.runtime.replay.tape import NotCapturable, Tape, TapedChannels, running, tapes_of
from ramiel.runtime.surroundings import has_lost_its_team, with_one_thread
from ramiel.runtime.weights import Weights
from ramiel.runtime.workers import Pool, Worker

Outputs = Any
"""A program's output, or a tuple of them."""
Compute = Callable[[Sequence[Any]], tuple[Any, ...]]


class Program(nn.Module):
    """A model as a program of parallel workers.

    A subclass declares `inputs`, `outputs` and the other `channels`, makes its layers in
    `__init__`, and has the methods `worker_0(ch)`, `worker_1(ch)`, ..., which run at the same
    time and meet at the channels only, and `serial(inputs...)`, the same work in one thread.

    With a `batch` of 2 or more, the workers run that many samples at the same time: the channels
    of sample `b` are called `name_b`, and `serial` is written for one sample.

    Calls from several threads are safe. The threads are started by the first call and live
    until close(), or until the program is collected; a copy has threads of its own.
    """

    inputs: ClassVar[tuple[Input, ...]] = ()
    outputs: ClassVar[tuple[str, ...]] = ()
    channels: ClassVar[tuple[str, ...]] = ()
    batch: ClassVar[int] = 1
    tolerance: ClassVar[float] = 0.0
    """How far results of the workers and of `serial` may differ, relative to the largest value."""

    def __init__(self, weights: Weights, workers: int = 1) -> None:
        super().__init__()
        self._workers = tuple(f"worker_{k}" for k in range(workers))
        self._nodes = weights.nodes
        suffixes = [""] if self.batch == 1 else [f"_{sample}" for sample in range(self.batch)]
        self._inputs = [[f"{i.name}{suffix}" for i in self.inputs] for suffix in suffixes]
        self._outputs = [[f"{name}{suffix}" for name in self.outputs] for suffix in suffixes]
        # An output that is also an input has one channel.
        ends = chain.from_iterable(self._inputs + self._outputs)
        self._channels = tuple(dict.fromkeys((*ends, *self.channels)))
        self._pool = Pool(type(self).__name__)
        self._plans = Plans()

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
        try:
            return with_one_thread(self._compute, compute, args, kwargs)
        except Exception as error:
            if place := place_of(error, _codes(type(self))):
                raise op_error(error, place, self._nodes) from error
            raise

    def _compute(self, compute: Compute, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Outputs:
        inputs = bind(type(self).__name__, self.inputs, args, kwargs, self.batch > 1)
        outputs = compute(inputs)
        # Copies use as many threads as this worker's last operator.
        outputs = owned(outputs, (*inputs, *self._buffers.values()))
        return outputs[0] if len(outputs) == 1 else outputs

    def _in_parallel(self, inputs: Sequence[Any]) -> tuple[Any, ...]:
        if self.batch == 1:
            return self._run_batch([inputs])[0]
        samples = samples_of(self.inputs, inputs)
        results: list[tuple[Tensor, ...]] = []
        full = len(samples) - len(samples) % self.batch
        for start in range(0, full, self.batch):
            results += self._run_batch(samples[start : start + self.batch])
        if full < len(samples):
            results += self._run_apart(samples[full:])
        return joined(results)

    def capture(self, *args: Any, **kwargs: Any) -> None:
        """Prepare a plan for inputs of these shapes, by which later calls run without Python.

        Calls do so by themselves, at the second call for some shapes, unless RAMIEL_CAPTURE is 0.
        Inputs are those of forward(), and so are errors; NotCapturable if the program does
        something that cannot be replayed, such as to choose by a value what to compute.
        """
        with_one_thread(self._capture, args, kwargs)

    def _capture(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        inputs = bind(type(self).__name__, self.inputs, args, kwargs, self.batch > 1)
        samples = [inputs] if self.batch == 1 else samples_of(self.inputs, inputs)[: self.batch]
        self._run_in_python(samples)  # prepares the kernels
        self._taped(samples)
        if (reason := self._plans.reason(list(chain.from_iterable(samples)))) is not None:
            raise NotCapturable(reason)

    def capture_status(self, *args: Any, **kwargs: Any) -> str:
        """`captured` if calls with such inputs are replayed, or why they run in Python."""
        inputs = bind(type(self).__name__, self.inputs, args, kwargs, self.batch > 1)
        samples = [inputs] if self.batch == 1 else samples_of(self.inputs, inputs)[: self.batch]
        return self._plans.reason(list(chain.from_iterable(samples))) or "captured"

    @property
    def captures(self) -> bool:
        """Whether calls are recorded and replayed by themselves."""
        return self._plans.are_automatic

    @captures.setter
    def captures(self, value: bool) -> None:
        self._plans.are_automatic = value

    def synchronize(self) -> None:
        """Wait until the results of earlier calls are there: for programs of a GPU."""

    def _run_batch(self, samples: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        """The outputs of as many samples as the workers run at a time."""
        inputs = list(chain.from_iterable(samples))
        if not has_lost_its_team():
            with self._pool.visit():
                outputs = self._plans.replay(inputs)
            if outputs is None and self._plans.is_due(inputs):
                outputs = self._taped(samples)
            if outputs is not None:
                width = len(self.outputs)
                return [tuple(outputs[i : i + width]) for i in range(0, len(outputs), width)]
        results = self._run_in_python(samples)
        self._plans.ran(inputs)
        return results

    def _taped(self, samples: Sequence[Sequence[Any]]) -> list[Any] | None:
        """Run the workers while they are taped, and make a plan of that; the outputs, if all went
        well."""

        def run() -> tuple[list[Tape], list[Any], list[Any]]:
            tapes = tapes_of(len(self._workers))
            # Copies, so that no two inputs share memory, and none is a part of a larger tensor.
            copies = [[x.clone() if isinstance(x, Tensor) else x for x in s] for s in samples]
            methods = [getattr(self, name) for name in self._workers]
            workers = [partial(_tape, *pair) for pair in zip(methods, tapes, strict=True)]
            channels = TapedChannels(self._channels)
            outputs = self._run_workers(channels, workers, copies, apart=True)
            return tapes, list(chain.from_iterable(copies)), list(chain.from_iterable(outputs))

        return self._plans.capture(self, list(chain.from_iterable(samples)), run)

    def _run_in_python(self, samples: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        workers = [getattr(self, name) for name in self._workers]
        return self._run_workers(Channels(self._channels), workers, samples)

    def _run_workers(
        self,
        channels: Channels,
        workers: Sequence[Callable[[Channels], None]],
        samples: Sequence[Sequence[Any]],
        apart: bool = False,
    ) -> list[tuple[Any, ...]]:
        for names, tensors in zip(self._inputs, samples, strict=True):
            for name, tensor in zip(names, tensors, strict=True):
                getattr(channels, name).send(tensor)
        self._pool.run(channels, workers, apart)
        return [tuple(getattr(channels, name).sent() for name in row) for row in self._outputs]

    def _run_apart(self, samples: Sequence[Sequence[Tensor]]) -> list[tuple[Tensor, ...]]:
        """The outputs of samples that are each run by one worker."""
        serial = inspect.unwrap(getattr(type(self), "serial"))  # noqa: B009
        results: dict[int, tuple[Tensor, ...]] = {}

        def runner(first: int) -> Callable[[Channels], None]:
            def run(_: Channels) -> None:
                for i in range(first, len(samples), len(self._workers)):
                    torch.set_num_threads(1)  # the previous sample may have left another count
                    results[i] = as_tuple(serial(self, *samples[i]))

            return run

        runners = [runner(i) for i in range(min(len(self._workers), len(samples)))]
        self._pool.run(Channels(()), runners)
        return [results[i] for i in range(len(samples))]

    def close(self) -> None:
        """Wait for running calls, then end the threads: later calls raise RuntimeError.

        Idempotent. serial() needs no threads and keeps working.
        """
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        inputs = ", ".join(map(str, self.inputs))
        count = len(self._workers)
        workers = "1 worker" if count == 1 else f"{count} workers"
        return f"{type(self).__name__}({inputs}) -> ({', '.join(self.outputs)}) on {workers}"

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor | nn.Module) and "_plans" in self.__dict__:
            self._plans.clear()
        # A weight that belongs to no layer is a buffer too, for state_dict() and to().
        if isinstance(value, Tensor) and name not in self._buffers:
            self.register_buffer(name, value)
        else:
            super().__setattr__(name, value)
            if isinstance(value, nn.Module):
                # nn.Module finds submodules in __getattr__, half a microsecond later.
                self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        if name in self._modules:
            self.__dict__.pop(name, None)
        super().__delattr__(name)

    # copy and pickle: everything but the threads and plans, which the copy makes for itself.

    def __getstate__(self) -> dict[str, Any]:
        own = ("_pool", "_plans")
        return {name: value for name, value in self.__dict__.items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._pool = Pool(type(self).__name__)
        self._plans = Plans()


def _tape(worker: Worker, tape: Tape, channels: Channels) -> None:
    with running(tape):
        worker(channels)


def _codes(program: type[Program]) -> set[CodeType]:
    """The bytecode of the methods that a program adds: where its operators are called."""
    ours = (c for c in program.__mro__ if not c.__module__.startswith("ramiel.runtime."))
    own = (vars(c).values() for c in ours if c not in Program.__mro__)
    return {inspect.unwrap(m).__code__ for m in chain.from_iterable(own) if inspect.isfunction(m)}


def one_thread(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a method of a Program take inputs as forward() does, and run in one thread.

    The method gets its inputs in order, as tensors, one sample at a time if the program has a
    batch. Errors are those of Program.forward().
    """

    @functools.wraps(function)
    def call(self: Program, *args: Any, **kwargs: Any) -> Any:
        def compute(inputs: Sequence[Any]) -> tuple[Any, ...]:
            if self.batch == 1:
                return as_tuple(function(self, *inputs))
            results: list[tuple[Any, ...]] = []
            for sample in samples_of(self.inputs, inputs):
                torch.set_num_threads(1)  # the previous sample may have left another count
                results.append(as_tuple(function(self, *sample)))
            return joined(results)

        def apart(inputs: Sequence[Any]) -> tuple[Any, ...]:
            results: list[tuple[Any, ...]] = []
            pool = Pool(type(self).__name__)
            try:
                pool.run(Channels(()), [lambda _: results.append(compute(inputs))])
            finally:
                pool.close()
            return results[0]

        return self._answer(apart if has_lost_its_team() else compute, args, kwargs)  # pyright: ignore[reportPrivateUsage]

    return call


def as_tuple(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


def joined(samples: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """The outputs of several samples as those of a batch.

    Raises ValueError for outputs that are not batches of one sample.
    """
    for outputs in samples:
        for tensor in outputs:
            if tensor.dim() == 0 or tensor.shape[0] != 1:
                raise ValueError(f"an output of one sample is {list(tensor.shape)}: not a batch")
    return tuple(torch.cat(tensors) for tensors in zip(*samples, strict=True))
