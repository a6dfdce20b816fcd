"""A lock that what signals raise leaves open."""

from __future__ import annotations

from _thread import RLock


class Lock(RLock):  # pyright: ignore[reportGeneralTypeIssues]  # final in typeshed, not in Python
    """A reentrant lock that `with` releases, whatever the handlers of signals raise.

    Python 3.14 handles signals between a call of `__enter__` in C and the block: what a handler
    raises there, as Ctrl-C does, leaves a lock of `threading` locked for ever (CPython's issue
    148874). Where a method written in Python returns it mostly handles none (docs/decisions.md).
    """

    __slots__ = ()

    def __enter__(self) -> bool:
        try:
            return self.acquire()
        except BaseException:
            # No suppress(): a signal after its call would leave the lock locked.
            try:  # noqa: SIM105
                self.release()
            except RuntimeError:
                pass  # it was not acquired yet
            raise
