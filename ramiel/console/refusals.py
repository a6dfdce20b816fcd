"""Why patterns did not apply to near matches. Free if nobody listens.

A pattern refuses an operation if its root and its main partner match, such as an addition and the
convolution before it, but something else does not. Operations that are far from a match are not
reported. MLIR's patterns do the same with `notifyMatchFailure`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)
_pass: ContextVar[str] = ContextVar("pass", default="?")


class Titled(Protocol):
    """An operation with a title for messages."""

    @property
    def title(self) -> str: ...


def refuse(op: Titled, reason: str) -> None:
    """Reports why the current pattern does not rewrite an operation."""
    listener = _listener.get()
    if listener is not None:
        listener(f"{_pass.get()}: {op.title}: {reason}")


@contextmanager
def patterns_of(name: str) -> Generator[None]:
    """Names the pass whose patterns are tried in this context."""
    before = _pass.set(name)
    try:
        yield
    finally:
        _pass.reset(before)


@contextmanager
def telling(tell: Callable[[str], None]) -> Generator[None]:
    """Calls a function once with each refusal in this context: pass, operation and reason."""
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
