"""The channels of a taped run: they tell the tapes, and end waits for what nobody will send."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from ramiel.runtime.channels import Channel, Channels
from ramiel.runtime.replay.tape import NotCapturable, Receive, Send, here

PATIENCE_S = 0.01
"""How often a worker that waits looks whether the run was stopped. The thread that stops it may be
the main one, where an interrupt would leave a condition locked for ever."""


class NotSent(NotCapturable):
    """What a worker waits for is sent by statements that are not taped."""


class Meeting:
    """The workers of a taped run, of which some stop early."""

    def __init__(self, workers: int) -> None:
        self._running = workers
        self._awaited: list[Channel] = []
        self._changed = threading.Condition()

    def leave(self) -> None:
        """A worker has ended or stopped."""
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def note_sent(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, channel: Channel) -> None:
        """Waits until something is sent. NotSent if all others have left or wait like this."""
        with self._changed:
            self._awaited.append(channel)
            try:
                while not channel.is_set():
                    all_wait = len(self._awaited) >= self._running
                    if all_wait and not any(other.is_set() for other in self._awaited):
                        raise NotSent(f'"{channel.name}" is sent by what is not captured')
                    self._changed.wait(PATIENCE_S)
            finally:
                self._awaited.remove(channel)


class TapedChannel(Channel):
    """A channel that tells the tapes of who sends and who receives."""

    __slots__ = ("_meeting",)

    def __init__(self, name: str, meeting: Meeting) -> None:
        super().__init__(name)
        self._meeting = meeting

    def send(self, value: Any = None) -> None:
        if (tape := here.tape) is not None:
            tape.note(Send(self.name))
            tape.sent[self.name] = value
        super().send(value)
        if tape is not None:
            self._meeting.note_sent()

    def recv(self) -> Any:
        self._meeting.wait_for(self)
        value = super().recv()
        if (tape := here.tape) is not None:
            tape.note(Receive(self.name))
        return value


class TapedChannels(Channels):
    def __init__(self, names: Iterable[str], meeting: Meeting) -> None:
        self.__dict__.update({name: TapedChannel(name, meeting) for name in names})
