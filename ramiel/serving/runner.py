"""Requests for one model: a bounded queue, and the thread that computes them together."""

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
    """How requests are gathered: they wait in a queue of at most `most_waiting` until those before
    them are computed, and the first of a group up to `max_delay_s` longer, for `max_batch`."""

    max_batch: int = 64
    max_delay_s: float = 0.0
    most_waiting: int = 256


class Pending:
    """A request in the queue, and from when it is computed its times."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.outputs: Future[Outputs] = Future()
        self.arrived = self.begun = time.monotonic()


class Runner:
    """Computes requests for a program, in the order in which they came.

    A request that is alone is computed by a call, on all cores. Those that have gathered are
    computed as a stream, as the compiler has chosen for the program; requests that come meanwhile
    join it. A program with a batch gets them as the samples of one call, as hyperclusters.
    """

    def __init__(self, program: CompiledProgram, gathering: Gathering, observer: Observer) -> None:
        self._program, self._gathering, self._observer = program, gathering, observer
        self._waiting: deque[Pending] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="ramiel-serve", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def is_ready(self) -> bool:
        return self._thread.is_alive() and not self._is_closed

    def submit(self, inputs: Inputs) -> Future[Outputs]:
        """The outputs to come. One that is cancelled before it is computed leaves the queue.
        Raises QueueFull, or Closed."""
        pending = Pending(inputs)
        with self._changed:
            if self._is_closed:
                raise Closed
            if len(self._waiting) >= self._gathering.most_waiting:
                raise QueueFull
            self._waiting.append(pending)
            self._changed.notify()
        pending.outputs.add_done_callback(lambda _: self._forget(pending))
        return pending.outputs

    def _forget(self, pending: Pending) -> None:
        if pending.outputs.cancelled():
            with self._changed:
                if pending in self._waiting:
                    self._waiting.remove(pending)

    def close(self) -> None:
        """Computes what waits, then ends the thread and the program."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()
        self._program.close()

    def _run(self) -> None:
        while (first := self._first()) is not None:
            group = self._group(first)
            if self._program.batch > 1:
                taken = list(group)
                self._answer(taken, self._samples(taken))
            elif not self._waiting or self._gathering.max_batch == 1:
                self._answer([first], self._calls([first]))
            else:
                taken = []
                self._answer(taken, self._stream(group, taken))
            del first, group, taken

    def _first(self) -> Pending | None:
        """The next request, once those that it may wait for are there; None after the last."""
        with self._changed:
            while True:
                while not self._waiting and not self._is_closed:
                    self._changed.wait()
                if not self._waiting:
                    return None
                first = self._waiting[0]
                end = first.arrived + self._gathering.max_delay_s
                while (
                    self._waiting
                    and len(self._waiting) < self._gathering.max_batch
                    and not self._is_closed
                    and (left := end - time.monotonic()) > 0
                ):
                    self._changed.wait(left)
                if (taken := self._taken()) is not None:
                    return taken

    def _taken(self) -> Pending | None:
        """The next request, which can no longer be cancelled. The queue's lock is held."""
        while self._waiting:
            pending = self._waiting.popleft()
            if pending.outputs.set_running_or_notify_cancel():
                pending.begun = time.monotonic()
                return pending
        return None

    def _group(self, first: Pending) -> Iterator[Pending]:
        """The requests of a group: those that wait when the next is asked for."""
        yield first
        for _ in range(self._gathering.max_batch - 1):
            with self._changed:
                following = self._taken()
            if following is None:
                return
            yield following

    def _answer(self, taken: Sequence[Pending], results: Iterator[Any]) -> None:
        """Gives each request that was taken its result, or its error."""
        answered = 0
        try:
            for result in results:
                pending = taken[answered]
                answered += 1
                self._observer.computed(
                    pending.begun - pending.arrived, time.monotonic() - pending.begun
                )
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

    def _calls(self, taken: Sequence[Pending]) -> Iterator[Any]:
        for pending in taken:
            yield _result(lambda inputs=pending.inputs: self._program(**inputs))

    def _samples(self, taken: Sequence[Pending]) -> Iterator[Any]:
        """The results of requests, computed as the samples of one call, or each by its own if that
        fails."""
        together = _result(lambda: self._together([p.inputs for p in taken]))
        return self._calls(taken) if isinstance(together, Exception) else iter(together)

    def _together(self, requests: Sequence[Inputs]) -> list[Outputs]:
        """The outputs of each request, whose samples are computed in one call. An exception if they
        do not go together."""
        if len(requests) == 1:
            return [_as_tuple(self._program(**requests[0]))]
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
