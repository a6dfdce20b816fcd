"""Requests for programs: bounded queues, and the one thread that computes."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ramiel.api import CompiledProgram

Inputs = Mapping[str, Tensor]
"""By their Python names."""
Outputs = tuple[Tensor, ...]


class QueueFull(Exception):
    """As many requests wait as may."""


class Closed(Exception):
    """The server is stopping."""


class Observer(Protocol):
    """What is told of each request that was computed, and of each group."""

    def computed(self, waited_s: float, took_s: float) -> None: ...

    def gathered(self, requests: int) -> None: ...


@dataclass(frozen=True)
class Gathering:
    """How requests are gathered: at most `most_waiting` wait for a program until those before them
    are computed, and the first of a group up to `max_delay_s`, for `max_batch` to be there."""

    max_batch: int = 64
    max_delay_s: float = 0.0
    most_waiting: int = 256


class Pending:
    """A request that waits, and from when it is computed its times."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.outputs: Future[Outputs] = Future()
        self.arrived = self.begun = time.monotonic()


class Engine:
    """Computes what waits for several programs, which take turns, each with a group of requests.

    One thread does it all: a program is on all cores, so that two at a time would only share them.
    """

    def __init__(self, gathering: Gathering) -> None:
        self.gathering = gathering
        self.changed = threading.Condition()
        self._queues: deque[Queue] = deque()
        self.is_open = True

    def queue(self, program: CompiledProgram, observer: Observer) -> Queue:
        """A queue for a program."""
        self._queues.append(queue := Queue(self, program, observer))
        return queue

    def run(self) -> None:
        """Computes in this thread until close() and nothing waits."""
        while (queue := self._next()) is not None:
            queue.compute()

    def close(self) -> None:
        """No request is accepted any more."""
        with self.changed:
            self.is_open = False
            self.changed.notify()

    def others_wait(self, queue: Queue) -> bool:
        """Whether requests wait for another program."""
        return any(other.waiting for other in self._queues if other is not queue)

    def _next(self) -> Queue | None:
        """The queue whose turn it is; None once the engine is closed and nothing waits."""
        with self.changed:
            while True:
                for _ in range(len(self._queues)):
                    self._queues.rotate(-1)
                    if self._queues[-1].waiting:
                        return self._queues[-1]
                if not self.is_open:
                    return None
                self.changed.wait()


class Queue:
    """The requests that wait for one program, which are computed in the order in which they came.

    One that is alone is computed by a call, on all cores. Those that have gathered are computed as
    a stream, as the compiler has chosen for the program, and those that come meanwhile join it. A
    program with a batch gets them as the samples of one call, as hyperclusters.
    """

    def __init__(self, engine: Engine, program: CompiledProgram, observer: Observer) -> None:
        self._engine, self._program, self._observer = engine, program, observer
        self._waiting: deque[Pending] = deque()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def is_open(self) -> bool:
        return self._engine.is_open

    def submit(self, inputs: Inputs) -> Future[Outputs]:
        """The outputs to come. One that is cancelled before it is computed leaves the queue.
        Raises QueueFull, or Closed."""
        pending = Pending(inputs)
        with self._engine.changed:
            if not self._engine.is_open:
                raise Closed
            if len(self._waiting) >= self._engine.gathering.most_waiting:
                raise QueueFull
            self._waiting.append(pending)
            self._engine.changed.notify()
        # It does not hold what is pending: its tensors would be in a cycle, and wait for Python's
        # garbage collector, which does not know how large they are.
        pending.outputs.add_done_callback(self._forget)
        return pending.outputs

    def _forget(self, outputs: Future[Outputs]) -> None:
        if outputs.cancelled():
            with self._engine.changed:
                for pending in self._waiting:
                    if pending.outputs is outputs:
                        self._waiting.remove(pending)
                        break

    def compute(self) -> None:
        """Answers a request and those that gather behind it, if they are not cancelled."""
        self._gather()
        if (first := self._take()) is None:
            return
        if self._program.batch > 1:
            taken = list(self._group(first))
            results = self._samples(taken)
        elif not self._waiting or self._engine.gathering.max_batch == 1:
            taken: list[Pending] = []
            results = self._calls(self._group(first), taken)
        else:
            taken = []
            results = self._stream(self._group(first), taken)
        self._answer(taken, results)

    def _gather(self) -> None:
        """Waits for more requests, if the first has not waited for too long."""
        gathering = self._engine.gathering
        with self._engine.changed:
            end = self._waiting[0].arrived + gathering.max_delay_s if self._waiting else 0.0
            while (
                0 < len(self._waiting) < gathering.max_batch
                and self._engine.is_open
                and (left := end - time.monotonic()) > 0
            ):
                self._engine.changed.wait(left)

    def _take(self) -> Pending | None:
        """The next request, which can no longer be cancelled; None if none waits."""
        with self._engine.changed:
            while self._waiting:
                pending = self._waiting.popleft()
                if pending.outputs.set_running_or_notify_cancel():
                    pending.begun = time.monotonic()
                    return pending
        return None

    def _group(self, first: Pending) -> Iterator[Pending]:
        """The requests of a group: those that wait when the next is asked for, until it is another
        program's turn."""
        yield first
        for _ in range(self._engine.gathering.max_batch - 1):
            if self._engine.others_wait(self) or (following := self._take()) is None:
                return
            yield following

    def _answer(self, taken: Sequence[Pending], results: Iterator[Any]) -> None:
        """Gives each request that was taken its result, or its error."""
        answered = 0
        try:
            for result in results:
                pending = taken[answered]
                answered += 1
                took = time.monotonic() - pending.begun
                self._observer.computed(pending.begun - pending.arrived, took)
                if isinstance(result, Exception):
                    pending.outputs.set_exception(result)
                else:
                    pending.outputs.set_result(_as_tuple(result))
        except Exception as error:
            for pending in taken[answered:]:
                pending.outputs.set_exception(error)
        self._observer.gathered(len(taken))

    def _stream(self, group: Iterator[Pending], taken: list[Pending]) -> Iterator[Any]:
        """The results of a group, of which each request is added to `taken`."""

        def inputs() -> Iterator[Inputs]:
            for pending in group:
                taken.append(pending)
                yield pending.inputs

        return self._program.stream(inputs(), return_exceptions=True)

    def _calls(self, group: Iterator[Pending], taken: list[Pending]) -> Iterator[Any]:
        """The same, by one call after the other."""
        for pending in group:
            taken.append(pending)
            yield self._called(pending)

    def _called(self, pending: Pending) -> Any:
        return _result(lambda: self._program(**pending.inputs))

    def _samples(self, taken: Sequence[Pending]) -> Iterator[Any]:
        """The results of requests, computed as the samples of one call, or each by its own if that
        fails."""
        if len(taken) > 1:
            together = _result(lambda: self._together([p.inputs for p in taken]))
            if not isinstance(together, Exception):
                return iter(together)
        return map(self._called, taken)

    def _together(self, requests: Sequence[Inputs]) -> list[Outputs]:
        """The outputs of each request, whose samples are computed in one call. An exception if they
        do not go together."""
        counts = [_samples_in(inputs) for inputs in requests]
        joined = {name: torch.cat([r[name] for r in requests]) for name in requests[0]}
        outputs = _as_tuple(self._program(**joined))
        return list(zip(*(tensor.split(counts) for tensor in outputs), strict=True))


def _samples_in(inputs: Inputs) -> int:
    """ValueError if the inputs do not have the same number: joined with others they might."""
    (count,) = {tensor.shape[0] for tensor in inputs.values()}
    return count


def _as_tuple(outputs: Any) -> Outputs:
    return outputs if isinstance(outputs, tuple) else (outputs,)


def _result(compute: Callable[[], Any]) -> Any:
    """What a function returns or raises."""
    try:
        return compute()
    except Exception as error:
        return error
