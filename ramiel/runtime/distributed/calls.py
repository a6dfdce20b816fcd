"""The calls of a program of several ranks: rank 0 announces each, and the others report on it.

A call is the same messages on all ranks whether it succeeds or not: a worker that fails has its
rank say STOPPED on each channel that it has not sent to, and every message is received. So a failed
call leaves nothing behind, and the next one can follow. Only a lost rank ends the program.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from ctypes import c_int
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import Any

import torch
from torch import Tensor

from ramiel.runtime.channels import Stopped
from ramiel.runtime.distributed.channels import (
    Announced,
    Call,
    Port,
    RankChannels,
    Receiver,
    Sender,
    Way,
)
from ramiel.runtime.distributed.group import FOREVER, Group, RankLost
from ramiel.runtime.distributed.messages import CALLS, BadMessage, Header, header_buffer
from ramiel.runtime.distributed.neighbours import Slot
from ramiel.runtime.errors import OpError
from ramiel.runtime.locks import Lock
from ramiel.runtime.surroundings import PATIENCE_S

_ANNOUNCED, _REPORTED, _REASON, _HEARD = range(4)
"""Tags."""
_CALL, _ALIVE, _END = range(3)
"""What rank 0 announces."""
_FINE, _FAILED, _FOLLOWED, _LOST, _AGAIN = range(5)
"""What a rank reports: that it is done, that it failed, that it stopped since another one failed,
that it has lost one, or that the call has to be made again in Python."""
_MOST_TOLD = 64 * 1024
"""The most bytes of a reason."""
_NOBODY = -1
_LISTEN_MS = 50
"""How often a rank that waits for a call in shared memory looks what else rank 0 has said."""
_HEARD_S = 2.0
"""How long rank 0 waits at the end until the others have heard of it."""


class Again(Exception):
    """A call cannot be taped or replayed by a rank, and has to be made in Python; the message says
    why."""


class Calls:
    """What this rank knows of the calls, and its ends of the channels that cross ranks."""

    def __init__(self, group: Group, ports: Sequence[Port]) -> None:
        self.group = group
        self.ports = ports
        self._number = 0
        self.current: Call | None = None
        self._lost: RankLost | None = None
        self._ended = threading.Event()
        self._heard: SimpleQueue[Header | RankLost] = SimpleQueue()
        self._under_way: list[tuple[Any, Tensor, int]] = []
        self.in_python: dict[int, str] = {}
        """On rank 0, the other ranks that ran the last call in Python though it was to be
        replayed, and why."""
        self.is_open = c_int()
        """On rank 0, 1 while a quick call (quick.py) is announced and not over."""
        self.announced: Announced | None = None
        """The last call, or the one that is expected."""
        self._channels = RankChannels((), (), Call(Announced(0, 0, Way.PYTHON), group.rank))
        self._opening = Lock()
        for port in ports:
            port.open = self.present
        self._slots = {r: group.neighbours.slot(r, CALLS) for r in group.neighbours.ranks}
        """Of ranks on this machine, where they say something of calls."""
        self._own_slot = group.neighbours.slot(group.rank, CALLS)
        self.post()
        others = range(1, group.ranks)
        if group.rank == 0:
            threads = [threading.Thread(target=self._beat, args=(r,), daemon=True) for r in others]
        else:
            threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads = threads
        for thread in threads:
            thread.start()

    def post(self) -> None:
        """Have a place for each message of the next call."""
        for port in self.ports:
            if port.remote.sender != self.group.rank:
                port.post()

    def begin(self, call: Call) -> None:
        self.current = call
        self.group.neighbours.call.value = call.number

    # --- calls that are replayed without Python (quick.py) ---

    @property
    def are_shared(self) -> bool:
        """Whether all messages go through memory."""
        others = range(1, self.group.ranks) if self.group.rank == 0 else (0,)
        return all(rank in self._slots for rank in others) and all(
            port.is_shared for port in self.ports
        )

    def slot(self, rank: int) -> Slot:
        """Where a rank of this machine, or this one, says something of calls."""
        slot = self._own_slot if rank == self.group.rank else self._slots[rank]
        assert slot is not None
        return slot

    def announcement(self, announced: Announced) -> Tensor:
        """The header by which rank 0 announces a call."""
        return _message(_header(_CALL, 0, _NOBODY, (announced.shapes, announced.way)))

    def fine(self, rank: int) -> Tensor:
        """The header by which a rank says that it is done."""
        return _message(_header(_FINE, 0, rank, (0,)))

    def expect(self, announced: Announced) -> None:
        """The call that follows, for which nothing is opened until present()."""
        self.announced, self._number = announced, announced.number
        self.group.neighbours.call.value = announced.number

    def present(self) -> tuple[Call, RankChannels]:
        """The call under way and its channels, which a replay needs only if a step calls Python, or
        if it fails."""
        with self._opening:
            number = self.group.neighbours.call.value
            if self.current is None or self.current.number != number:
                assert self.announced is not None
                call = Call(self.announced._replace(number=number), self.group.rank)
                call.is_open = True
                self._channels = RankChannels((), self.ports, call)
                self.current = call
            return self.current, self._channels

    def stop(self) -> None:
        """A step of the current call's replay has failed: say on all channels that this rank has
        not sent to that nothing will come."""
        call, _ = self.present()
        call.fails_by_itself = call.error is None
        for port in self.ports:
            if isinstance(port.channel, Sender):
                port.channel.stop()

    def finish(self, channels: RankChannels) -> None:
        """Until all messages of a call are sent and received. RankLost, BadMessage."""
        failures: list[RuntimeError] = []
        for channel in list(vars(channels).values()):
            if isinstance(channel, Sender):
                channel.stop()  # if it has not sent
            if isinstance(channel, Receiver):
                channel.finish()
                if isinstance(channel.error, RuntimeError):
                    failures.append(channel.error)
        for port in self.ports:
            try:
                port.flush()
            except RankLost as error:
                failures.append(error)
        if failures:
            raise failures[0]

    # --- on rank 0 ---

    def next_number(self) -> int:
        """That of the call that begins. RankLost if the program has ended."""
        if self.is_open.value and self._lost is None:  # by a second one, while it was settled
            self._lost = RankLost("a call was interrupted as it ended")
            self._say_end(self._lost.rank)
        if self._lost is not None:
            raise RankLost(f"the program has ended: {self._lost}", self._lost.rank)
        self._number += 1
        return self._number

    def announce(self, call: Call) -> None:
        """Tell the others that a call begins."""
        call.is_open = True
        told = (call.shapes, call.way)
        if self._own_slot is not None:
            _header(_CALL, self._number, _NOBODY, told).write(self._own_slot.buffer)
            self._own_slot.send()
        for rank in range(1, self.group.ranks):
            if rank not in self._slots:
                self._announce(_CALL, self._number, rank, told=told)

    def outcome(self, failure: BaseException | None) -> BaseException | None:
        """What to raise for the call that was announced, once all ranks have reported on it."""
        told: list[BaseException | None] = [failure]
        self.in_python.clear()
        if not isinstance(failure, RankLost | BadMessage):
            try:
                self.post()  # while the others are at work
                told += self._reports()
            except (RankLost, BadMessage) as error:
                told.append(error)
            except BaseException as error:  # an interrupt: what is still to come is not known
                told += [error, RankLost("a call was interrupted as it ended")]
        if lost := next((e for e in told if isinstance(e, RankLost | BadMessage)), None):
            self._lost = RankLost(str(lost), lost.rank if isinstance(lost, RankLost) else 0)
            self._say_end(self._lost.rank)
        errors = [error for error in told if error is not None]
        if interrupt := next((e for e in errors if not isinstance(e, Exception)), None):
            return interrupt
        if self._lost is not None:
            return RankLost(str(self._lost), self._lost.rank)
        # What has failed by itself, before what was stopped since something else had failed.
        return min(errors, key=_urgency, default=None)

    def _reports(self) -> list[BaseException | None]:
        while self._under_way:
            work, _, rank = self._under_way.pop()
            self.group.wait(work, rank, "announces a call")
        return [self._report_of(rank) for rank in range(1, self.group.ranks)]

    def _report_of(self, rank: int) -> BaseException | None:
        """What a rank says of a call: why it has failed, if it is the one that did."""
        what = "waits for its report"
        header = self._receive(rank, what)
        size = header.shape[0] if len(header.shape) == 1 else -1
        if header.number != self._number or not 0 <= size <= _MOST_TOLD:
            raise BadMessage(f"rank {rank} reports on another call")
        text = ""
        if size:
            told = torch.zeros(size, dtype=torch.uint8)
            self.group.wait(self.group.receive(told, rank, _REASON), rank, what)
            text = bytes(told.numpy()).decode(errors="replace")
        if header.kind == _LOST:
            return RankLost(text, header.cause)
        if header.kind == _AGAIN:
            return Again(f"rank {rank}: {text}")
        if header.kind == _FINE and text:
            self.in_python[rank] = text
        return OpError(f"rank {rank}: {text}") if header.kind == _FAILED else None

    def _receive(self, rank: int, what: str) -> Header:
        """A rank's report."""
        if (slot := self._slots.get(rank)) is not None:
            self.group.wait_for(slot, rank, what)
            return Header.read(slot.buffer)
        buffer = header_buffer()
        self.group.wait(self.group.receive(buffer, rank, _REPORTED), rank, what)
        return Header.read(buffer)

    def _announce(
        self,
        kind: int,
        number: int,
        rank: int,
        cause: int = _NOBODY,
        told: tuple[int, ...] = (),
    ) -> None:
        buffer = header_buffer()
        _header(kind, number, cause, told).write(buffer)
        self._under_way.append((self.group.send(buffer, rank, _ANNOUNCED), buffer, rank))

    def _beat(self, rank: int) -> None:
        """Say now and then that rank 0 is there."""
        buffer = header_buffer()
        Header(_ALIVE, 0, _NOBODY).write(buffer)
        while not self._ended.wait(self.group.limit_s / 4):
            try:
                self.group.send(buffer, rank, _ANNOUNCED).wait(FOREVER)
            except RuntimeError:
                return  # the next call says so

    def end(self) -> None:
        """On rank 0, tell the others that there are no more calls. Idempotent."""
        if self._ended.is_set():
            return
        self._ended.set()
        if self.group.rank == 0 and self._lost is None:
            self._say_end(_NOBODY)
        for thread in self._threads:  # which may be in PyTorch, as nothing may when Python exits
            thread.join(PATIENCE_S)

    def _say_end(self, cause: int) -> None:
        """Tell the others, and wait until they have heard: what is sent may be lost with a
        connection that ends before."""
        self._under_way.clear()
        answers: list[tuple[Any, Tensor]] = []
        for rank in range(1, self.group.ranks):
            try:
                self._announce(_END, 0, rank, cause)
                work, _, _ = self._under_way.pop()
                self.group.wait(work, rank, "announces the end")
                if rank != cause:
                    answer = header_buffer()
                    answers.append((self.group.receive(answer, rank, _HEARD), answer))
            except RankLost:
                continue
        end = time.monotonic() + _HEARD_S
        for work, _ in answers:
            with suppress(RuntimeError):
                work.wait(timedelta(seconds=max(end - time.monotonic(), 0.001)))

    # --- on the others ---

    def next_call(self) -> Announced | None:
        """The next call; None if there are no more. RankLost."""
        while True:
            try:
                heard = self._hear()
            except Empty:
                raise self.group.lost(0, "waits for a call", self.group.limit_s) from None
            if isinstance(heard, RankLost):
                raise heard
            if heard.kind == _CALL:
                self._number = heard.number
                self.announced = _announced(heard)
                return self.announced
            if heard.kind == _END and heard.cause == _NOBODY:
                return None
            if heard.kind == _END:
                raise _ended_for(heard.cause)

    def _hear(self) -> Header | RankLost:
        """What rank 0 says next. Empty if it says nothing for too long."""
        if (slot := self._slots.get(0)) is None:
            return self._heard.get(timeout=self.group.limit_s)
        end, spins = time.monotonic() + self.group.limit_s, self.group.neighbours.spins
        while not slot.receive(spins, _LISTEN_MS):
            spins = 0
            try:
                return self._heard.get_nowait()
            except Empty:
                if time.monotonic() > end:
                    raise
        return Header.read(slot.buffer)

    def reason(self, error: RankLost) -> RankLost:
        """Why rank 0 is lost, if it is and had time to say that it ends for another one."""
        try:
            while error.rank == 0:
                heard = self._heard.get(timeout=PATIENCE_S)
                if isinstance(heard, RankLost):
                    break
                if heard.kind == _END:
                    return _ended_for(heard.cause) if heard.cause != _NOBODY else error
        except Empty:
            pass
        return error

    def report(self, error: BaseException | None, cause: int, text: str) -> None:
        """Say how a call ended on this rank, and be ready for the next; `text` says why it failed,
        or why it was not replayed. RankLost, also if `error` is one."""
        is_lost = isinstance(error, RankLost | BadMessage)
        kind = next((kind for kinds, kind in _KINDS if isinstance(error, kinds)), _FAILED)
        told = torch.tensor(list(text.encode()[:_MOST_TOLD]), dtype=torch.uint8)
        slot = self._own_slot if 0 in self._slots else None
        buffer = header_buffer() if slot is None else slot.buffer
        _header(kind, self._number, cause, (told.numel(),)).write(buffer)
        try:
            works = [self.group.send(buffer, 0, _REPORTED)] if slot is None else []
            if slot is not None:
                slot.send()
            if told.numel():
                works.append(self.group.send(told, 0, _REASON))
            for work in works:
                self.group.wait(work, 0, "reports on a call")
        except RuntimeError:
            if not is_lost:
                raise
        if is_lost:
            raise RankLost(str(error), cause)
        self.post()

    def _listen(self) -> None:
        while True:
            buffer = header_buffer()
            try:
                self.group.receive(buffer, 0, _ANNOUNCED).wait(FOREVER)
                header = Header.read(buffer)
            except RuntimeError:
                self._heard.put(self.group.lost(0, "waits for a call", 0.0))
                return
            self._heard.put(header)
            if header.kind == _END:
                with suppress(RuntimeError):
                    self.group.send(buffer, 0, _HEARD).wait(timedelta(seconds=_HEARD_S))
                return


_KINDS: tuple[tuple[type | tuple[type, ...], int], ...] = (
    (type(None), _FINE),
    ((RankLost, BadMessage), _LOST),
    (Stopped, _FOLLOWED),
    (Again, _AGAIN),
)
"""What a rank reports of errors; of others, that it has failed."""


def _header(kind: int, number: int, cause: int, told: tuple[int, ...] = ()) -> Header:
    """That of a message with some numbers and no value."""
    return Header(kind, number, cause, told, (0,) * len(told))


def _message(header: Header) -> Tensor:
    buffer = header_buffer()
    header.write(buffer)
    return buffer


def _ended_for(rank: int) -> RankLost:
    return RankLost(f"rank 0 has ended the program: rank {rank} is lost", rank)


def _urgency(error: BaseException) -> int:
    """Which of several errors a call ends with: one that others follow from."""
    return 0 if isinstance(error, Again) else 2 if isinstance(error, Stopped) else 1


def _announced(header: Header) -> Announced:
    """BadMessage if the header announces no call."""
    known = [way.value for way in Way]
    if len(header.shape) != 2 or header.shape[1] not in known:
        raise BadMessage("rank 0 announces a call in another way")
    return Announced(header.number, header.shape[0], Way(header.shape[1]))
