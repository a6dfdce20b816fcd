"""The calls of rank 0: it announces each, and hears the reports of the others."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from ctypes import c_int
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor

from ramiel.runtime.distributed.calls import Calls
from ramiel.runtime.distributed.channels import Announced, Call, Port
from ramiel.runtime.distributed.group import FOREVER, RankLost, Wire
from ramiel.runtime.distributed.messages import BadMessage, Header, header_buffer
from ramiel.runtime.distributed.reports import (
    AGAIN,
    ALIVE,
    ANNOUNCED,
    END,
    FAILED,
    FINE,
    HEARD,
    HEARD_S,
    LOST,
    MOST_TOLD,
    NOBODY,
    REASON,
    REPORTED,
    Again,
    announcement,
    header_of,
    message_of,
    urgency,
)
from ramiel.runtime.errors import OpError


class Fate:
    """What the calls of a program have in common, whatever their wire: the error with which it has
    ended, if it has."""

    def __init__(self) -> None:
        self.lost: RankLost | None = None


class Leader(Calls):
    """The calls as rank 0 makes them."""

    def __init__(
        self, wire: Wire, ports: Sequence[Port], numbers: Iterator[int], fate: Fate
    ) -> None:
        """`numbers` are those of the calls."""
        super().__init__(wire, ports, range(1, wire.ranks))
        self.fate = fate
        self._numbers = numbers
        self.in_python: dict[int, str] = {}
        """The other ranks that ran the last call in Python though it was to be replayed, and why.
        """
        self.is_open = c_int()
        """1 while a quick call (quick.py) is announced and not over."""
        self._has_said_end = False
        self._under_way: list[tuple[Any, Tensor, int]] = []
        self._unheard: dict[int, tuple[Any, Tensor] | None] = {}
        """The ranks that have not reported on the last call, but for those on this machine; and
        what takes their reports once nobody waits for them."""
        for rank in self.partners:
            self._start(self._beat, rank)

    @contextmanager
    def numbered(self) -> Generator[int]:
        """The number of a call that is announced next. RankLost if the program has ended."""
        number = self.next_number()
        try:
            yield number
        except BaseException as error:
            if self.gates:  # where the calls that follow wait for each number
                self.lose(RankLost(f"a call could not begin: {error}"))
            raise

    def next_number(self) -> int:
        """The same, for a call that is surely announced."""
        if self.is_open.value and self.fate.lost is None:  # by a second one, while it was settled
            self.lose(RankLost("a call was interrupted as it ended"))
        if (lost := self.fate.lost) is not None:
            raise RankLost(f"the program has ended: {lost}", lost.rank)
        self._number = next(self._numbers)
        return self._number

    def lose(self, lost: RankLost) -> None:
        """The program has ended with an error: no other call can be made."""
        self.fate.lost = self.fate.lost or lost
        self._open_gates()
        self.end_if_lost()

    def end_if_lost(self) -> None:
        """Tell the others if it has. Idempotent."""
        if self.fate.lost is not None and not self._has_said_end:
            self._has_said_end = True
            self._say_end(self.fate.lost.rank)

    def announce(self, call: Call) -> None:
        """Tell the others that a call begins."""
        call.is_open = True
        header = announcement(Announced(call.number, call.shapes, call.way))
        if self._own_slot is not None:
            header.write(self._own_slot.buffer)
            self._own_slot.send()
        self._unheard = {rank: None for rank in self.partners if rank not in self._slots}
        for rank in self._unheard:
            with suppress(RankLost):  # which its report says: the others take part
                self._send(header, rank)

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
            self.lose(RankLost(str(lost), lost.rank if isinstance(lost, RankLost) else 0))
        errors = [error for error in told if error is not None]
        if interrupt := next((e for e in errors if not isinstance(e, Exception)), None):
            return interrupt
        if lost is not None and (first := self.fate.lost) is not None:
            return RankLost(str(first), first.rank)
        # What has failed by itself, before what was stopped since something else had failed.
        return min(errors, key=urgency, default=None)

    def _reports(self) -> list[BaseException | None]:
        while self._under_way:
            work, _, rank = self._under_way.pop()
            self.wire.wait(work, rank, "announces a call")
        return [self._report_of(rank) for rank in self.partners]

    def _report_of(self, rank: int) -> BaseException | None:
        """What a rank says of a call: why it has failed, if it is the one that did."""
        what = "waits for its report"
        header = self._receive(rank, what)
        size = header.shape[0] if len(header.shape) == 1 else -1
        if header.number != self._number or not 0 <= size <= MOST_TOLD:
            raise BadMessage(f"rank {rank} reports on another call")
        text = ""
        if size:
            told = torch.zeros(size, dtype=torch.uint8)
            self.wire.wait(self.wire.receive(told, rank, REASON), rank, what)
            text = bytes(told.numpy()).decode(errors="replace")
        if header.kind == LOST:
            return RankLost(text, header.cause)
        if header.kind == AGAIN:
            return Again(f"rank {rank}: {text}")
        if header.kind == FINE and text:
            self.in_python[rank] = text
        return OpError(f"rank {rank}: {text}") if header.kind == FAILED else None

    def _receive(self, rank: int, what: str) -> Header:
        """A rank's report."""
        if (slot := self._slots.get(rank)) is not None:
            self.wire.wait_for(slot, rank, what)
            return Header.read(slot.buffer)
        buffer = header_buffer()
        self.wire.wait(self.wire.receive(buffer, rank, REPORTED), rank, what)
        del self._unheard[rank]
        return Header.read(buffer)

    def _send(self, header: Header, rank: int) -> None:
        buffer = message_of(header)
        self._under_way.append((self.wire.send(buffer, rank, ANNOUNCED), buffer, rank))

    def _beat(self, rank: int) -> None:
        """Say now and then that rank 0 is there."""
        buffer = message_of(header_of(ALIVE, 0))
        while not self._ended.wait(self.wire.limit_s / 4):
            try:
                self.wire.send(buffer, rank, ANNOUNCED).wait(FOREVER)
            except RuntimeError:
                return  # the next call says so

    def _leave(self) -> None:
        if self.fate.lost is None:
            self._has_said_end = True
            self._say_end(NOBODY)
        self.end_if_lost()

    def _say_end(self, cause: int) -> None:
        """Tell the others, and wait until they have heard: what is sent may be lost with a
        connection that ends before."""
        self._under_way.clear()
        for rank in self._unheard:  # it goes on once its report is taken
            buffer = header_buffer()
            with suppress(RankLost):
                self._unheard[rank] = self.wire.receive(buffer, rank, REPORTED), buffer
        answers: list[tuple[Any, Tensor]] = []
        for rank in self.partners:
            try:
                self._send(header_of(END, 0, cause), rank)
                work, _, _ = self._under_way.pop()
                self.wire.wait(work, rank, "announces the end")
                if rank != cause:
                    answer = header_buffer()
                    answers.append((self.wire.receive(answer, rank, HEARD), answer))
            except RankLost:
                continue
        end = time.monotonic() + HEARD_S
        for work, _ in answers:
            with suppress(RuntimeError):
                work.wait(timedelta(seconds=max(end - time.monotonic(), 0.001)))
