"""Requests that follow each other: several are computed at a time, the results come in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

Compute = Callable[..., Any]


def in_order(
    compute: Compute,
    requests: Iterable[Any],
    threads: int,
    in_flight: int,
    return_exceptions: bool,
) -> Iterator[Any]:
    """What a function returns for each request, in the order of the requests.

    At most `in_flight` requests are taken from the iterable whose result was not yet asked for, so
    one that has no end is fine. If it raises, that comes after the results of what it gave before.
    If a request fails, its error is raised in its place, or with `return_exceptions` is its result.
    An iterator that is closed, or dropped, waits for what is being computed, and drops the rest.
    """
    given = iter(requests)
    under_way: deque[Future[Any]] = deque()
    failure: BaseException | None = None
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ramiel-stream")
    try:
        while True:
            try:
                for request in islice(given, in_flight - len(under_way)):
                    under_way.append(pool.submit(_answer, compute, request))
            except Exception as error:
                given, failure = iter(()), error
            if not under_way:
                break
            done = under_way.popleft()
            error = done.exception()
            if isinstance(error, Exception) and return_exceptions:
                yield error
            else:
                yield done.result()
        if failure is not None:
            raise failure
    finally:
        pool.shutdown(cancel_futures=True)


def _answer(compute: Compute, request: Any) -> Any:
    """A request's inputs are a mapping by name, a tuple in order, or the only one."""
    if isinstance(request, Mapping):
        return compute(**request)
    return compute(*request) if isinstance(request, tuple) else compute(request)
