"""Channels that cross ranks, and those of one call on one rank."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ramiel.runtime.channels import Channel, Channels, Stopped
from ramiel.runtime.distributed.group import RankLost, Wire
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
from ramiel.runtime.locks import Lock
from ramiel.runtime.replay.native import Kind, Said
from ramiel.runtime.replay.tape import Handed, NotCapturable, Quick, Receive, Send, here, off

_FIRST_TAG = 16
"""Those before it are the calls' own."""


class Way(IntEnum):
    """How a call is to be run, by each rank whose workers can be."""

    PYTHON = 0
    REPLAY = 1
    """By a plan, or taped where there is none so far."""
    CAPTURE = 2
    """The same, also where plans are not made unasked."""


class Announced(NamedTuple):
    """What rank 0 says of a call: its number, the number that inputs of such shapes have, and how
    it is run."""

    number: int
    shapes: int
    way: Way


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

    def __init__(self, remote: Remote, number: int, wire: Wire) -> None:
        self.remote = remote
        self.wire = wire
        self.tag = _FIRST_TAG + 2 * number
        near = {wire.rank, *wire.neighbours.ranks}
        self._far = [rank for rank in remote.receivers if rank not in near or remote.bytes is None]
        """The receivers to which a connection leads."""
        is_near = remote.sender in near and len(self._far) < len(remote.receivers)
        self._slot = wire.slot(remote.sender, number) if is_near else None
        given = None if self._slot is None else self._slot.buffer
        self._fixed = Fixed(remote, given) if remote.bytes is not None else None
        self.buffer = header_buffer() if self._fixed is None else self._fixed.buffer
        self.sent: list[tuple[Any, Tensor, int]] = []
        """What is under way, its memory, and the rank it goes to."""
        self._lost: RankLost | None = None
        """Why a receiver gets nothing any more."""
        self.awaited: Any = None
        self.channel: Channel | None = None
        """That of the current call, once that is opened."""
        self.open: Callable[[], object] = lambda: None
        """Opens the current call, if that was not done."""

    @property
    def body(self) -> Tensor | None:
        """The bytes of the value in a message, if their number is known."""
        return None if self._fixed is None else self._fixed.body

    def has_received(self) -> bool:
        """Whether a step has received this call's message without Python."""
        return self._slot is not None and self._slot.has_received()

    def post(self) -> None:
        """Have a place for the next call's message."""
        if self.awaited is None and self._slot is None:
            self.awaited = self.wire.receive(self.buffer, self.remote.sender, self.tag)

    def receive(self, number: int) -> Tensor:
        """The value of the message that was posted, of a call. StoppedElsewhere if there will be
        none, RankLost, BadMessage."""
        sender, what = self.remote.sender, f'waits for "{self.remote.name}"'
        if self._slot is not None:
            self.wire.wait_for(self._slot, sender, what)
        else:
            work, self.awaited = self.awaited, None
            self.wire.wait(work, sender, what)
        if self._fixed is not None:
            kind, of, cause, value = self._fixed.read()
            self._check(kind, of, number, cause)
            assert value is not None
            return value
        header = Header.read(self.buffer)
        self._check(header.kind, header.number, number, header.cause)
        value = torch.empty(size_of(self.remote, header), dtype=torch.uint8)
        if value.numel():
            self.wire.wait(self.wire.receive(value, sender, self.tag + 1), sender, what)
        return body(self.remote, header, value)

    def _check(self, kind: int, of: int, number: int, cause: int) -> None:
        if of != number or kind not in (VALUE, STOPPED):
            raise BadMessage(f'channel "{self.remote.name}": a message of another call')
        if kind == STOPPED:
            raise StoppedElsewhere(cause)

    def send(self, number: int, value: Any) -> None:
        if self._fixed is not None:
            self._fixed.write(number, value)
            if self._slot is None or self._slot.claim():
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
        """Say that no value will come, unless a step has sent it without Python."""
        if self._slot is None or self._slot.claim():
            stop(self.buffer, number, cause)
            self._send(self.buffer, self.tag)

    def _send(self, buffer: Tensor, tag: int) -> None:
        if self._slot is not None:
            self._slot.send()
        for rank in self._far:
            try:
                self.sent.append((self.wire.send(buffer, rank, tag), buffer, rank))
            except RankLost as error:  # the others get it nevertheless
                self._lost = error

    # --- steps of plans, with the plan's tensor ---

    def sends(self, tensor: Tensor) -> None:
        """Send it in the current call."""
        self.open()
        assert self.channel is not None
        self.channel.send(tensor)

    def receives(self, tensor: Tensor) -> None:
        """Wait for the current call's message, which lies in the tensor's memory or is copied
        there. NotCapturable if it has another layout than the plan was made for."""
        self.open()
        channel = self.channel
        assert isinstance(channel, Receiver)
        value = channel.recv()
        if (value.shape, value.stride()) != (tensor.shape, tensor.stride()):
            channel.call.misfit = f'"{self.remote.name}" has other shapes for such inputs'
            raise NotCapturable(channel.call.misfit)
        if value.data_ptr() != tensor.data_ptr():
            tensor.copy_(value)

    @property
    def is_shared(self) -> bool:
        """Whether its values are of one size, and go through shared memory only."""
        return self._slot is not None and not self._far

    def put(self, number: int, value: Any) -> None:
        """Write a call's message, where is_shared, to memory. TypeError or ValueError."""
        assert self._fixed is not None
        self._fixed.write(number, value)

    def said(self) -> Said:
        """The message that was put."""
        assert self._slot is not None
        return self._slot.said(self.buffer)

    def sends_quickly(self, tensor: Tensor) -> Quick | None:
        """A step that does as sends() for a tensor that lies in the message."""
        is_there = self.body is not None and tensor.data_ptr() == self.body.data_ptr()
        return self._quick(Kind.SEND_MESSAGE, tensor) if is_there and not self._far else None

    def receives_quickly(self, tensor: Tensor) -> Quick | None:
        """A step that does as receives(), likewise."""
        is_there = self.body is not None and tensor.data_ptr() == self.body.data_ptr()
        return self._quick(Kind.RECEIVE_MESSAGE, tensor) if is_there else None

    def _quick(self, kind: Kind, tensor: Tensor) -> Quick | None:
        if self._slot is None:
            return None
        header = header_buffer()
        header_of(self.remote, 0, tensor).write(header)
        return self._slot.quick(kind, header)

    def flush(self) -> None:
        """Until all is sent. RankLost."""
        while self.sent:
            work, _, rank = self.sent[-1]
            self.wire.wait(work, rank, f'sends "{self.remote.name}"')
            self.sent.pop()
        if self._lost is not None:
            raise self._lost


class Sender(Channel):
    """A channel whose value other ranks receive as well."""

    __slots__ = ("_call", "_lock", "_port", "_said")

    def __init__(self, port: Port, call: Call) -> None:
        super().__init__(port.remote.name)
        self._port, self._call = port, call
        self._lock, self._said = Lock(), False

    def send(self, value: Any = None) -> None:
        super().send(value)
        if (tape := here.tape) is not None:
            # To the workers of this rank first, as a replay cannot hand over earlier.
            tape.note(Send(self.name))
            tape.note(Handed(self._port.sends, value, self._port.body, self._port.sends_quickly))
            with off():
                self._say(value)
            return
        self._say(value)

    def recv(self) -> Any:
        value = super().recv()
        if (tape := here.tape) is not None:
            tape.note(Receive(self.name))
        return value

    def _say(self, value: Any) -> None:
        with self._lock:
            if not self._said:
                self._port.send(self._call.number, value)
                self._said = True

    def stop(self) -> None:
        super().stop()
        with self._lock:
            if not self._said and self._call.is_open:
                self._said = True
                self._port.stop(self._call.number, self._call.cause)


class Receiver(Channel):
    """A channel whose value comes from another rank: the first to ask for it waits for it."""

    __slots__ = ("_lock", "_port", "call", "error")

    def __init__(self, port: Port, call: Call) -> None:
        super().__init__(port.remote.name)
        self._port, self.call, self._lock = port, call, Lock()
        self.error: BaseException | None = None
        """Why there is no value."""

    def recv(self) -> Any:
        if (tape := here.tape) is None:
            return self._come()
        with off():
            value = self._come()
        tape.note(self.handed(value))
        return value

    def handed(self, value: Any) -> Handed:
        """The event that a value has come."""
        return Handed(self._port.receives, value, quick=self._port.receives_quickly)

    def _come(self) -> Any:
        self._finish()
        if self.error is not None:
            raise self.error
        return super().recv()

    def sent(self) -> Any:
        return self.recv()

    def finish(self) -> None:
        """Until the message is here, whatever it is, if no step has received it."""
        if not self._port.has_received():
            self._finish()

    def _finish(self) -> None:
        with self._lock:
            if self.error is None and not self.is_set():
                try:
                    self.send(self._port.receive(self.call.number))
                except (Stopped, RuntimeError) as error:
                    self.error = error
                    self.call.note(error)

    def stop(self) -> None:
        """The message comes nevertheless: each rank sends each of them in each call."""


class Call:
    """One call on this rank, and why it failed if it did."""

    def __init__(self, announced: Announced, rank: int) -> None:
        self.number, self.shapes, self.way = announced
        self.is_open = False
        """Whether the other ranks know of it, or will."""
        self.cause = rank
        """The rank at fault if this call fails, as far as this rank knows."""
        self.error: BaseException | None = None
        """What came instead of a message, the first time."""
        self.fails_by_itself = False
        """Whether a step of a replay has failed before anything came instead of a message."""
        self.misfit = ""
        """What message does not fit the plan."""
        self.why_in_python = ""
        """Why this rank's workers ran in Python though the call was to be replayed."""

    def note(self, error: BaseException) -> None:
        """What has come instead of a message."""
        self.error = self.error or error
        if isinstance(error, StoppedElsewhere):
            self.cause = error.cause
        elif isinstance(error, RankLost):
            self.cause = error.rank


class RankChannels(Channels):
    """The channels of one call on one rank; `local` makes those that do not cross."""

    def __init__(
        self,
        names: Iterable[str],
        ports: Iterable[Port],
        call: Call,
        local: Callable[[str], Channel] = Channel,
    ) -> None:
        self.__dict__.update({name: local(name) for name in names})
        for port in ports:
            kind = Sender if port.remote.sender == port.wire.rank else Receiver
            self.__dict__[port.remote.name] = port.channel = kind(port, call)


def result(channel: Channel) -> Any:
    """A value for the caller, outside of the memory of messages."""
    value = channel.sent()
    if isinstance(channel, Receiver):
        return value.clone(memory_format=torch.contiguous_format)
    return value
