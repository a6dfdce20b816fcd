"""Requests that follow each other: several are computed at a time, the results come in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, Protocol

Compute = Callable[..., Any]
"""What computes one request, given its inputs in order or by name."""
Answer = Callable[[], Any]
"""Waits for a request's result, and returns or raises it."""


class Way(AbstractContextManager[Any], Protocol):
    """How requests are computed. Nothing is under way any more once its context has been left."""

    def submit(self, request: Any) -> Answer:
        """Begins one. Answers are asked for in the order of the requests."""
        ...


def in_order(
    way: Way, requests: Iterable[Any], in_flight: int, return_exceptions: bool
) -> Iterator[Any]:
    """The result of each request, in the order of the requests.

    At most `in_flight` requests are taken from the iterable whose result was not yet asked for, so
    one that has no end is fine. If it raises, that comes after the results of what it gave before.
    If a request fails, its error is raised in its place, or with `return_exceptions` is its result.
    An iterator that is closed, or dropped, waits for what is being computed, and drops the rest.
    """
    given = iter(requests)
    under_way: deque[Answer] = deque()
    failure: BaseException | None = None
    with way:
        while True:
            try:
                for request in islice(given, in_flight - len(under_way)):
                    under_way.append(_begun(way, request))
            except Exception as error:
                given, failure = iter(()), error
            if not under_way:
                break
            answer = under_way.popleft()
            try:
                result = answer()
            except Exception as error:
                if not return_exceptions:
                    raise
                result = error
            yield result
            del result, answer
        if failure is not None:
            raise failure


def _begun(way: Way, request: Any) -> Answer:
    """The answer to a request, which is its error if it cannot begin."""
    try:
        return way.submit(request)
    except Exception as error:
        return _Raise(error)


class _Raise:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def __call__(self) -> Any:
        raise self._error


def arguments_of(request: Any) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """A request's inputs are a mapping by name, a tuple in order, or the only one."""
    if isinstance(request, Mapping):
        return (), request
    return (request if isinstance(request, tuple) else (request,)), {}


class Calls:
    """Requests that are each computed by a call of a function, on one of several threads, each of
    which calls `prepare` first."""

    def __init__(
        self, compute: Compute, threads: int, prepare: Callable[[], None] | None = None
    ) -> None:
        self._compute = compute
        self._threads = ThreadPoolExecutor(threads, "ramiel-stream", prepare)

    def __enter__(self) -> Calls:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def submit(self, request: Any) -> Answer:
        args, kwargs = arguments_of(request)
        return self._threads.submit(self._compute, *args, **kwargs).result


def grouped(requests: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Requests in lists of some size, the last of what is left. If the iterable raises, that comes
    after what it gave before."""
    group: list[Any] = []
    try:
        for request in requests:
            group.append(request)
            if len(group) == size:
                yield group
                group = []
    except Exception:
        if group:
            yield group
        raise
    if group:
        yield group
