"""What an emitted program is besides its calls: declarations, attributes, copies, its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import chain
from types import TracebackType
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from ramiel.runtime.inputs import Input
from ramiel.runtime.replay.plans import Plans, captures_by_itself
from ramiel.runtime.streaming import Streaming
from ramiel.runtime.weights import Weights
from ramiel.runtime.workers import Pool

Serial = Callable[..., Any]
"""A method of a program that one_thread() was given: it gets one sample's inputs."""


class ProgramModule(nn.Module):
    """A program as a module: weights are its buffers, layers its children.

    An attribute that is a tensor or a layer is registered, and drops the plans of calls. Copies and
    pickles have everything but the threads and plans, which they make for themselves.
    """

    inputs: ClassVar[tuple[Input, ...]] = ()
    outputs: ClassVar[tuple[str, ...]] = ()
    channels: ClassVar[tuple[str, ...]] = ()
    batch: ClassVar[int] = 1
    streaming: ClassVar[Streaming] = Streaming()
    """How stream() computes requests."""
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
        self.captures = captures_by_itself()
        self._start()

    def _start(self) -> None:
        """Makes what a copy does not inherit."""
        self._pool = Pool(type(self).__name__)
        self._plans = Plans()
        self._serial_plans: defaultdict[Serial, Plans] = defaultdict(Plans)

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
            for plans in (self._plans, *self._serial_plans.values()):
                plans.clear()
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

    def __getstate__(self) -> dict[str, Any]:
        own = ("_pool", "_plans", "_serial_plans")
        return {name: value for name, value in self.__dict__.items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._start()
