"""Channels: how the workers of one run hand values to each other."""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

_UNSENT: Any = object()
_STOPPED: Any = object()


class Stopped(Exception):
    """Raised in a worker that uses a channel of a run that has failed elsewhere."""


class Channel:
    """A value that one worker sends once and any number of workers receive.

    A channel is a slot and a latch: a lock that is held from construction until the value is set.
    A receiver acquires the lock and releases it again, so the latch stays open for the next one.
    """

    __slots__ = ("_latch", "_value", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._value = _UNSENT
        self._latch = allocate_lock()
        self._latch.acquire()

    def send(self, value: Any = None) -> None:
        """Set the value; without one, only hand over the turn.

        Raises RuntimeError on a second send, Stopped if the run has failed.
        """
        if self._value is not _UNSENT:
            if self._value is _STOPPED:
                raise Stopped
            raise RuntimeError(f'channel "{self.name}" was sent twice')
        self._value = value
        self._open()

    def recv(self) -> Any:
        """Wait for the value and return it. Stopped if the run failed before it was sent."""
        if self._value is _UNSENT:
            try:
                with self._latch:
                    pass
            except RuntimeError:
                pass  # see _open: another thread has released the lock
        value = self._value
        if value is _STOPPED:
            raise Stopped
        return value

    def take(self) -> Any:
        """As recv(), for a sole receiver: drops the channel's reference, so that the value can be
        freed before the run ends."""
        value = self.recv()
        self._value = None
        return value

    def sent(self) -> Any:
        """The value, without waiting. RuntimeError if it was not sent, Stopped as for recv()."""
        if self._value is _UNSENT:
            raise RuntimeError(f'no worker sent "{self.name}"')
        return self.recv()

    def is_set(self) -> bool:
        """Whether recv() would not wait."""
        return self._value is not _UNSENT

    def stop(self) -> None:
        """Make send() and recv() raise Stopped, unless the value is there already."""
        # A send that races with these lines may lose its value to _STOPPED, or overwrite it. Both
        # are harmless: the run has failed.
        if self._value is _UNSENT:
            self._value = _STOPPED
        # Even if there is a value: Ctrl-C may have interrupted send() before its _open().
        self._open()

    def _open(self) -> None:
        # send() and stop() may both get here, and a receiver may hold the lock between acquiring
        # and releasing it. An extra release is harmless: from now on whoever acquires the lock
        # releases it, so it cannot stay locked.
        try:  # noqa: SIM105  (contextlib.suppress() costs more than the rest)
            self._latch.release()
        except RuntimeError:
            pass


class Channels:
    """The channels of one run: one attribute each. Created for every call."""

    def __init__(self, names: Iterable[str]) -> None:
        self.__dict__.update({name: Channel(name) for name in names})

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Channel: ...

    def fail(self) -> None:
        """Make every present or future receiver of an unsent channel raise Stopped. Idempotent.

        A channel that was sent before may still deliver. Call it as `Channels.fail(channels)`:
        a program may have an output named `fail`.
        """
        for channel in self.__dict__.values():
            channel.stop()
