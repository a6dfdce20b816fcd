"""Requests for programs: bounded queues, and the threads that compute."""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from ramiel.api import CompiledProgram
from ramiel.cores import cores
from ramiel.runtime import OpError
from ramiel.runtime.replay.native import work_alone

Inputs = Mapping[str, Tensor]
"""By their Python names."""
Outputs = tuple[Tensor, ...]


class QueueFull(Exception):
    """As many requests wait as may."""


class Closed(Exception):
    """The server is stopping."""


class Observer(Protocol):
    """What is told of each request that was computed, and of how many are computed together."""

    def computed(self, waited_s: float, took_s: float) -> None: ...

    def gathered(self, requests: int) -> None: ...


@dataclass(frozen=True)
class Gathering:
    """How requests are gathered: at most `most_waiting` wait for a program until those before them
    are computed, and the first of them up to `max_delay_s`, for `max_batch` to be there, which is
    how many may be computed together."""

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
    """Computes what waits for several programs, which take turns.

    A request that is alone is computed by a call, on all cores. If several wait, each core computes
    a whole one, of whichever program: threads of one request would wait for each other whenever
    something else takes one of their cores. Programs that compute requests otherwise than one by
    one (`streaming`) get the cores for a group of them.
    """

    def __init__(self, gathering: Gathering) -> None:
        self.gathering = gathering
        self.changed = threading.Condition()
        self._queues: deque[Queue] = deque()
        self._is_taken = False
        """Whether a program has all cores."""
        self._running = 0
        """The requests that are computed on one core each."""
        self.is_open = True

    def queue(self, program: CompiledProgram, observer: Observer) -> Queue:
        """A queue for a program."""
        self._queues.append(queue := Queue(self, program, observer))
        return queue

    def run(self) -> None:
        """Computes, in this thread and one more for each other core, until close() and nothing
        waits."""
        others = [
            threading.Thread(target=self._work, name=f"ramiel-serve-{number}")
            for number in range(1, cores())
        ]
        for thread in others:
            thread.start()
        self._work()
        for thread in others:
            thread.join()

    def close(self) -> None:
        """No request is accepted any more."""
        with self.changed:
            self.is_open = False
            self.changed.notify_all()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being computed."""
        return not self._is_taken and self._running == 0

    def others_wait(self, queue: Queue) -> bool:
        """Whether requests wait for another program."""
        return any(other.waiting for other in self._queues if other is not queue)

    def has_come(self) -> None:
        """A request has come, while `changed` is held."""
        if not self._is_taken:
            self.changed.notify()

    def _work(self) -> None:
        work_alone(False)
        while (step := self._next()) is not None:
            step()
            del step  # it holds tensors

    def _next(self) -> Callable[[], None] | None:
        """What this thread is to do; None once the engine is closed and nothing waits."""
        with self.changed:
            while True:
                begun, left = self._begun()
                if begun is None and not self.is_open and not any(q.waiting for q in self._queues):
                    self.changed.notify_all()
                    return None
                if begun is not None:
                    if not self._is_taken and any(queue.waiting for queue in self._queues):
                        self.changed.notify()
                    return begun
                self.changed.wait(left)

    def _begun(self) -> tuple[Callable[[], None] | None, float | None]:
        """What can be begun now, which has begun; or in how many seconds something may."""
        soonest: float | None = None
        for queue in list(self._queues):
            if self._is_taken:
                break
            if not queue.waiting:
                continue
            if not self._running and (left := queue.left_to_gather()) > 0:
                soonest = left if soonest is None else min(soonest, left)
                continue
            apart = queue.at_a_time > 1 and (self._running > 0 or self._several_wait())
            if self._running >= (queue.at_a_time if apart else 1):
                break  # it is this program's turn: the others wait until it can begin
            self._queues.remove(queue)
            self._queues.append(queue)
            if (pending := queue.take()) is None:
                continue
            if apart:
                self._running += 1
                return partial(self._apart, queue, pending, self._running), None
            self._is_taken = True
            return partial(self._on_all_cores, queue, pending), None
        return None, soonest

    def _several_wait(self) -> bool:
        return sum(queue.waiting for queue in self._queues if queue.at_a_time > 1) > 1

    def _apart(self, queue: Queue, pending: Pending, together: int) -> None:
        work_alone(True)
        try:
            queue.compute_alone(pending, together)
        finally:
            with self.changed:
                self._running -= 1

    def _on_all_cores(self, queue: Queue, pending: Pending) -> None:
        work_alone(False)
        try:
            queue.compute(pending)
        finally:
            with self.changed:
                self._is_taken = False


class Queue:
    """The requests that wait for one program, which are begun in the order in which they came."""

    def __init__(self, engine: Engine, program: CompiledProgram, observer: Observer) -> None:
        self._engine, self._program, self._observer = engine, program, observer
        self._waiting: deque[Pending] = deque()
        one_by_one = program.batch == 1 and program.streaming.way == "serial"
        most = program.streaming.limits()[0] if one_by_one else 1
        self.at_a_time = min(most, engine.gathering.max_batch)
        """The requests that may be computed at a time, each on a core of its own."""
        self._gathered = 0
        """How many of those that wait need not wait for others any more."""

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
            self._engine.has_come()
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

    def left_to_gather(self) -> float:
        """The seconds for which the first request that waits may wait for more."""
        gathering, waiting = self._engine.gathering, len(self._waiting)
        left = self._waiting[0].arrived + gathering.max_delay_s - time.monotonic()
        if (
            self._gathered
            or waiting >= gathering.max_batch
            or not self._engine.is_open
            or left <= 0
        ):
            self._gathered = self._gathered or min(waiting, gathering.max_batch)
            return 0.0
        return left

    def take(self) -> Pending | None:
        """The next request, which can no longer be cancelled; None if none waits."""
        with self._engine.changed:
            while self._waiting:
                pending = self._waiting.popleft()
                self._gathered = max(self._gathered - 1, 0)
                if pending.outputs.set_running_or_notify_cancel():
                    pending.begun = time.monotonic()
                    return pending
        return None

    def compute_alone(self, pending: Pending, together: int) -> None:
        """Answers a request, which is computed on one core while others are."""
        result = _result(partial(self._program.serial, **pending.inputs))
        self._answer([pending], iter([result]), together)

    def compute(self, first: Pending) -> None:
        """Answers a request, and others with it if the program computes several together: as the
        samples of one call, as hyperclusters, or as a stream, which those that come meanwhile
        join."""
        taken = [first]
        if self._program.batch > 1:
            taken = list(self._group(first))
            results = self._samples(taken)
        elif self._waiting and self.at_a_time == 1 < self._engine.gathering.max_batch:
            taken = []
            results = self._stream(self._group(first), taken)
        else:
            results = iter([self._called(first)])
        self._answer(taken, results)

    def _group(self, first: Pending) -> Iterator[Pending]:
        """The requests of a group: those that wait when the next is asked for, until it is another
        program's turn."""
        yield first
        for _ in range(self._engine.gathering.max_batch - 1):
            if self._engine.others_wait(self) or (following := self.take()) is None:
                return
            yield following

    def _answer(
        self, taken: Sequence[Pending], results: Iterator[Any], together: int | None = None
    ) -> None:
        """Gives each request that was taken its result, or its error."""
        answered = 0
        try:
            for result in results:
                pending = taken[answered]
                answered += 1
                took = time.monotonic() - pending.begun
                self._observer.computed(pending.begun - pending.arrived, took)
                if isinstance(result, Exception):
                    pending.outputs.set_exception(_untraced(result))
                else:
                    pending.outputs.set_result(_as_tuple(result))
        except Exception as error:
            for pending in taken[answered:]:
                pending.outputs.set_exception(_untraced(error))
        self._observer.gathered(together or len(taken))

    def _stream(self, group: Iterator[Pending], taken: list[Pending]) -> Iterator[Any]:
        """The results of a group, of which each request is added to `taken`."""

        def inputs() -> Iterator[Inputs]:
            for pending in group:
                taken.append(pending)
                yield pending.inputs

        return self._program.stream(inputs(), return_exceptions=True)

    def _called(self, pending: Pending) -> Any:
        return _result(partial(self._program, **pending.inputs))

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


def _untraced(error: Exception) -> Exception:
    """An error whose tracebacks are a note: their frames hold the request, which holds the error,
    and Python's garbage collector does not know how much memory that is."""
    if not isinstance(error, (OpError, ValueError, TypeError)):
        error.add_note("".join(traceback.format_tb(error.__traceback__)))
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error
