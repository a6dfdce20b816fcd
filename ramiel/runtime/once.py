"""Results that a process computes once, whichever threads ask first."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ramiel.runtime.locks import Lock

Result = TypeVar("Result")


class once(Generic[Result]):
    """A function without arguments that is called at most once, and whose result is kept.

    functools.cache calls it in each of several threads that ask at the same time, which is wrong
    for what changes the process, or may not be made twice. What it raises is not kept.
    """

    def __init__(self, function: Callable[[], Result]) -> None:
        self._function = function
        self.__doc__ = function.__doc__
        self._results: list[Result] = []
        self._after_fork()
        _all.add(self)

    def __call__(self) -> Result:
        if not self._results:
            with self._lock:
                if not self._results:
                    self._results.append(self._function())
        return self._results[0]

    def _after_fork(self) -> None:
        """A forked child may have inherited a lock that another thread held."""
        self._lock = Lock()


_all: weakref.WeakSet[once[Any]] = weakref.WeakSet()


def _after_fork() -> None:
    for each in _all:
        each._after_fork()  # pyright: ignore[reportPrivateUsage]


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
