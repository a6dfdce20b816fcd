"""The base class of emitted programs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

from torch import Tensor, nn

from ramiel.runtime.channels import Channels
from ramiel.runtime.errors import op_error, place_of
from ramiel.runtime.inputs import Input, bind
from ramiel.runtime.weights import Weights
from ramiel.runtime.workers import Pool, with_one_thread

Result = TypeVar("Result")


class Program(nn.Module):
    """A model as a program of parallel workers.

    A subclass declares `inputs`, `outputs` and the other `channels`, makes its layers in
    `__init__`, and has the methods `worker_0(ch)`, `worker_1(ch)`, ..., which run at the same
    time and meet at the channels only, and `serial(inputs...)`, the same work in one thread.

    Calls from several threads are safe. The threads are started by the first call and live
    until close(), or until the program is collected; a copy has threads of its own.
    """

    inputs: ClassVar[tuple[Input, ...]] = ()
    outputs: ClassVar[tuple[str, ...]] = ()
    channels: ClassVar[tuple[str, ...]] = ()

    def __init__(self, weights: Weights, workers: int = 1) -> None:
        super().__init__()
        self._workers = tuple(f"worker_{k}" for k in range(workers))
        self._nodes = weights.nodes
        # An output may be an input as well: one channel then.
        names = (*(declared.name for declared in self.inputs), *self.channels, *self.outputs)
        self._channels = tuple(dict.fromkeys(names))
        self._pool = Pool(type(self).__name__)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor | tuple[Tensor, ...]:
        """Run the workers; return the output, or a tuple of them in the order of `outputs`.

        Inputs are given in order, or by their Python or ONNX name: tensors, numpy arrays,
        numbers or lists.

        Raises TypeError or ValueError for wrong inputs (see bind()), OpError if an operator
        fails, RuntimeError after close().
        """
        tensors = bind(type(self).__name__, self.inputs, args, kwargs)
        channels = Channels(self._channels)
        for declared, tensor in zip(self.inputs, tensors, strict=True):
            getattr(channels, declared.name).send(tensor)
        workers = [getattr(self, name) for name in self._workers]
        try:
            with_one_thread(self._pool.run, channels, workers)
        except Exception as error:
            if place := place_of(error, {worker.__code__ for worker in workers}):
                raise op_error(error, place, self._nodes) from error
            raise
        outputs = tuple(getattr(channels, name).take() for name in self.outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def close(self) -> None:
        """Wait for running calls, then end the threads: a later call is a RuntimeError.

        May be called again. serial() needs no threads and goes on working.
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
        # A weight that belongs to no layer is a buffer too, for state_dict() and to().
        if isinstance(value, Tensor) and name not in self._buffers:
            self.register_buffer(name, value)
        else:
            super().__setattr__(name, value)

    # copy and pickle: everything but the threads, which the copy starts for itself.

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_pool"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._pool = Pool(type(self).__name__)


def one_thread(function: Callable[..., Result]) -> Callable[..., Result]:
    """Make a method of a Program take inputs as the program itself does, and run in one thread.

    The method gets its inputs in order, as tensors. Errors are those of Program.forward().
    """

    @functools.wraps(function)
    def call(self: Program, *args: Any, **kwargs: Any) -> Result:
        tensors = bind(type(self).__name__, self.inputs, args, kwargs)
        try:
            return with_one_thread(function, self, *tensors)
        except Exception as error:
            if place := place_of(error, {function.__code__}):
                raise op_error(error, place, self._nodes) from error  # pyright: ignore[reportPrivateUsage]
            raise

    return call
