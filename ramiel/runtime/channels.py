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
    """A value that is sent once, by one worker, and received any number of times, by any.

    A channel is a slot and a latch: a lock that is held from birth until the value is there.
    Whoever receives takes the lock and gives it back, so the latch stays open for the next.
    """

    __slots__ = ("_latch", "_value", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._value = _UNSENT
        self._latch = allocate_lock()
        self._latch.acquire()

    def send(self, value: Any = None) -> None:
        """Fill the channel; without a value, it is the receiver's turn.

        A second send is a RuntimeError; Stopped if the run has failed.
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
                pass  # see _open: another thread gave the lock back for us
        value = self._value
        if value is _STOPPED:
            raise Stopped
        return value

    def take(self) -> Any:
        """As recv(), for the only receiver: the channel keeps no hold of the value, so that it can
        be freed before the run ends."""
        value = self.recv()
        self._value = None
        return value

    def sent(self) -> Any:
        """The value, without waiting. RuntimeError if it was not sent, Stopped as recv()."""
        if self._value is _UNSENT:
            raise RuntimeError(f'no worker sent "{self.name}"')
        return self.recv()

    def stop(self) -> None:
        """Make send() and recv() raise Stopped, unless the value is there already."""
        # A send that slips in between the two lines loses its value to _STOPPED. That is no
        # loss: the run has failed. So is the opposite, a value that overwrites _STOPPED.
        if self._value is _UNSENT:
            self._value = _STOPPED
        # Also where there is a value: a Ctrl-C may have come between it and its _open().
        self._open()

    def _open(self) -> None:
        # send() and stop() may both come here, and a receiver may hold the lock for the moment
        # between taking it and giving it back. Releasing once too often is harmless: from here
        # on whoever takes the lock releases it, so it cannot stay locked.
        try:  # noqa: SIM105  (contextlib.suppress() takes longer than all the rest)
            self._latch.release()
        except RuntimeError:
            pass


class Channels:
    """The channels of one run: one attribute each. Made anew for every call."""

    def __init__(self, names: Iterable[str]) -> None:
        self.__dict__.update({name: Channel(name) for name in names})

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Channel: ...

    def fail(self) -> None:
        """Make whoever waits for an unsent channel, or will, raise Stopped. Idempotent.

        A channel that was sent before may still deliver. Call it as `Channels.fail(channels)`:
        a program may well have an output of the name `fail`.
        """
        for channel in self.__dict__.values():
            channel.stop()
