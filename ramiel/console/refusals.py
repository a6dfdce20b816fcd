"""Why patterns left alone what they nearly fit. Free where nobody asks.

A pattern refuses an operation where its root and its main partner are there, such as an addition
and the convolution before it, but something about them does not fit. Of an operation that is far
from what it looks for it says nothing. MLIR's patterns do the same with `notifyMatchFailure`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)
_pass: ContextVar[str] = ContextVar("pass", default="?")


class Titled(Protocol):
    """An operation that knows how messages name it."""

    @property
    def title(self) -> str: ...


def refuse(op: Titled, reason: str) -> None:
    """Says why the pattern that is being tried does not rewrite an operation."""
    listener = _listener.get()
    if listener is not None:
        listener(f"{_pass.get()}: {op.title}: {reason}")


@contextmanager
def patterns_of(name: str) -> Generator[None]:
    """Names the pass whose patterns are tried within."""
    before = _pass.set(name)
    try:
        yield
    finally:
        _pass.reset(before)


@contextmanager
def telling(tell: Callable[[str], None]) -> Generator[None]:
    """Calls a function with each refusal within, once, as a line: pass, operation and reason."""
    told: set[str] = set()

    def listen(line: str) -> None:
        if line not in told:
            told.add(line)
            tell(line)

    before = _listener.set(listen)
    try:
        yield
    finally:
        _listener.reset(before)
