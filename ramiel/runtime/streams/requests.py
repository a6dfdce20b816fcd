"""Several requests in flight on one program of streams, each on a graph and a stream of its own.

Calls of one graph follow each other, as its memory holds one request's values. So a request takes a
lane, a stream with graphs of its own: the caller's stream is waited for, the graph is replayed on
the lane, and when the answer is asked for, the caller's stream waits for it and copies the outputs.
The device runs the graphs of several lanes at the same time. Nobody waits in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ramiel.runtime.locks import Lock
from ramiel.runtime.requests import Answer, arguments_of
from ramiel.runtime.streams.plans import StreamPlan

if TYPE_CHECKING:
    from ramiel.runtime.streams.program import StreamProgram

LANES = 4
"""The most lanes of a program: each has as much memory as a graph needs."""


class Free:
    """The numbers of a program's lanes that no request has. For any thread."""

    def __init__(self) -> None:
        self._numbers = list(range(LANES))
        self._lock = Lock()

    def take(self) -> int | None:
        """The lowest number, so that as few graphs as possible are made; None if there is none."""
        with self._lock:
            return self._numbers.pop(0) if self._numbers else None

    def give_back(self, number: int) -> None:
        with self._lock:
            self._numbers = sorted((*self._numbers, number))


class Lanes:
    """Requests that are each replayed on a lane, or called where that is not possible: all lanes
    are taken, or such calls are not captured."""

    def __init__(self, program: StreamProgram, free: Free, name: str, call: Callable[..., Any]):
        self._program, self._free, self._name, self._call = program, free, name, call
        self._taken: set[int] = set()

    def __enter__(self) -> Lanes:
        return self

    def __exit__(self, *_: object) -> None:
        """Requests whose answers nobody asks for end on their lanes; those that follow wait."""
        for number in list(self._taken):
            self._release(number)

    def submit(self, request: Any) -> Answer:
        args, kwargs = arguments_of(request)
        number = self._free.take()
        if number is None:
            return self._called(args, kwargs)
        self._taken.add(number)
        try:
            started = self._program.started(f"{self._name}, lane {number}", number, args, kwargs)
        except BaseException:
            self._release(number)
            raise
        if started is None:
            self._release(number)
            return self._called(args, kwargs)

        def answer() -> Any:
            try:
                found = self._program.taken(*started)
            finally:
                self._release(number)
            return self._call(*args, **kwargs) if found is None else found

        return answer

    def _called(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Answer:
        """The answer of a call that is issued now: it, too, is asynchronous."""
        result = self._call(*args, **kwargs)
        return lambda: result

    def _release(self, number: int) -> None:
        self._taken.discard(number)
        self._free.give_back(number)


Started = tuple[StreamPlan, Sequence[Any]]
"""A plan that is being replayed, and its inputs, which live until the outputs are there."""
