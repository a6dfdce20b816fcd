"""A lock that what signals raise leaves open."""

from __future__ import annotations

from _thread import RLock


class Lock(RLock):
    """A reentrant lock that `with` always releases.

    Python 3.14 handles signals between the call of `__enter__` and the block: what a handler raises
    there, as Ctrl-C does, leaves locks of `threading` locked for ever (CPython's issue 148874). It
    handles none when a method written in Python returns, and `__exit__` is one call of C.
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
