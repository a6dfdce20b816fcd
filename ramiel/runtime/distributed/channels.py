"""Channels that cross ranks, and those of one call on one rank."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from ramiel.runtime.channels import Channel, Channels, Stopped
from ramiel.runtime.distributed.group import Group, RankLost
from ramiel.runtime.distributed.messages import (
    STOPPED,
    VALUE,
    BadMessage,
    Fixed,
    Header,
    Remote,
    body,
    header_buffer,
    header_of,
    size_of,
    stop,
)

_FIRST_TAG = 16
"""Those before it are the calls' own."""


class StoppedElsewhere(Stopped):
    """Another rank has failed, which `cause` says, or has said that a third one did."""

    def __init__(self, cause: int) -> None:
        super().__init__(f"rank {cause} has failed")
        self.cause = cause


class Port:
    """A channel's messages on one rank, from call to call: buffers, and a tag.

    The sizes of messages are known from the program where the type has them; then header and value
    are one message. Else the header announces the value, which is a second one.
    """

    def __init__(self, remote: Remote, number: int, group: Group) -> None:
        self.remote = remote
        self.group = group
        self.tag = _FIRST_TAG + 2 * number
        self._fixed = Fixed(remote) if remote.bytes is not None else None
        self.buffer = header_buffer() if self._fixed is None else self._fixed.buffer
        self.sent: list[tuple[Any, Tensor, int]] = []
        """What is under way, its memory, and the rank it goes to."""
        self.awaited: Any = None

    def post(self) -> None:
        """Have a place for the next call's message."""
        if self.awaited is None:
            self.awaited = self.group.receive(self.buffer, self.remote.sender, self.tag)

    def receive(self, number: int) -> Tensor:
        """The value of the message that was posted, of a call. StoppedElsewhere if there will be
        none, RankLost, BadMessage."""
        sender, what = self.remote.sender, f'waits for "{self.remote.name}"'
        work, self.awaited = self.awaited, None
        self.group.wait(work, sender, what)
        if self._fixed is not None:
            kind, of, cause, value = self._fixed.read()
            self._check(kind, of, number, cause)
            assert value is not None
            return value
        header = Header.read(self.buffer)
        self._check(header.kind, header.number, number, header.cause)
        value = torch.empty(size_of(self.remote, header), dtype=torch.uint8)
        if value.numel():
            self.group.wait(self.group.receive(value, sender, self.tag + 1), sender, what)
        return body(self.remote, header, value)

    def _check(self, kind: int, of: int, number: int, cause: int) -> None:
        if of != number or kind not in (VALUE, STOPPED):
            raise BadMessage(f'channel "{self.remote.name}": a message of another call')
        if kind == STOPPED:
            raise StoppedElsewhere(cause)

    def send(self, number: int, value: Any) -> None:
        if self._fixed is not None:
            self._fixed.write(number, value)
            self._send(self.buffer, self.tag)
            return
        header = header_of(self.remote, number, value)
        header.write(self.buffer)
        copy = torch.empty(size_of(self.remote, header), dtype=torch.uint8)
        body(self.remote, header, copy).copy_(value)
        self._send(self.buffer, self.tag)
        if copy.numel():
            self._send(copy, self.tag + 1)

    def stop(self, number: int, cause: int) -> None:
        """Say that no value will come."""
        stop(self.buffer, number, cause)
        self._send(self.buffer, self.tag)

    def _send(self, buffer: Tensor, tag: int) -> None:
        for rank in self.remote.receivers:
            self.sent.append((self.group.send(buffer, rank, tag), buffer, rank))

    def flush(self) -> None:
        """Until all is sent."""
        while self.sent:
            work, _, rank = self.sent[-1]
            self.group.wait(work, rank, f'sends "{self.remote.name}"')
            self.sent.pop()


class Sender(Channel):
    """A channel whose value other ranks receive as well."""

    __slots__ = ("_call", "_lock", "_port", "_said")

    def __init__(self, port: Port, call: Call) -> None:
        super().__init__(port.remote.name)
        self._port, self._call = port, call
        self._lock, self._said = Lock(), False

    def send(self, value: Any = None) -> None:
        super().send(value)
        with self._lock:
            if not self._said:
                self._port.send(self._call.number, value)
                self._said = True

    def stop(self) -> None:
        super().stop()
        with self._lock:
            if not self._said and self._call.is_open:
                self._said = True
                with suppress(RankLost):  # which flush() says
                    self._port.stop(self._call.number, self._call.cause)


class Receiver(Channel):
    """A channel whose value comes from another rank: the first to ask for it waits for it."""

    __slots__ = ("_call", "_lock", "_port", "error")

    def __init__(self, port: Port, call: Call) -> None:
        super().__init__(port.remote.name)
        self._port, self._call, self._lock = port, call, Lock()
        self.error: BaseException | None = None
        """Why there is no value."""

    def recv(self) -> Any:
        self.finish()
        if self.error is not None:
            raise self.error
        return super().recv()

    def sent(self) -> Any:
        return self.recv()

    def finish(self) -> None:
        """Until the message is here, whatever it is."""
        with self._lock:
            if self.error is None and not self.is_set():
                try:
                    self.send(self._port.receive(self._call.number))
                except (Stopped, RuntimeError) as error:
                    self.error = error
                    self._call.note(error)

    def stop(self) -> None:
        """The message comes nevertheless: each rank sends each of them in each call."""


class Call:
    """One call on this rank, and why it failed if it did."""

    def __init__(self, number: int, rank: int) -> None:
        self.number = number
        self.is_open = False
        """Whether the other ranks know of it, or will."""
        self.cause = rank
        """The rank at fault if this call fails, as far as this rank knows."""

    def note(self, error: BaseException) -> None:
        """What has come instead of a message."""
        if isinstance(error, StoppedElsewhere):
            self.cause = error.cause
        elif isinstance(error, RankLost):
            self.cause = error.rank


class RankChannels(Channels):
    """The channels of one call on one rank."""

    def __init__(self, names: Iterable[str], ports: Iterable[Port], call: Call) -> None:
        super().__init__(names)
        for port in ports:
            kind = Sender if port.remote.sender == port.group.rank else Receiver
            self.__dict__[port.remote.name] = kind(port, call)


def result(channel: Channel) -> Any:
    """A value for the caller, outside of the memory of messages."""
    value = channel.sent()
    if isinstance(channel, Receiver):
        return value.clone(memory_format=torch.contiguous_format)
    return value
