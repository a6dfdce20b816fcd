"""The calls of a rank other than 0: it hears of each, and reports on it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from queue import Empty, SimpleQueue

import torch

from ramiel.runtime.distributed.calls import Calls
from ramiel.runtime.distributed.channels import Announced, Port
from ramiel.runtime.distributed.group import FOREVER, RankLost, Wire
from ramiel.runtime.distributed.messages import BadMessage, Header, header_buffer
from ramiel.runtime.distributed.reports import (
    ANNOUNCED,
    CALL,
    END,
    HEARD,
    HEARD_S,
    MOST_TOLD,
    NOBODY,
    REASON,
    REPORTED,
    announced_by,
    ended_for,
    header_of,
    report_of,
)
from ramiel.runtime.surroundings import PATIENCE_S

_LISTEN_MS = 50
"""How often a rank that waits for a call in shared memory looks what else rank 0 has said."""


class Follower(Calls):
    """The calls as another rank serves them."""

    def __init__(self, wire: Wire, ports: Sequence[Port]) -> None:
        super().__init__(wire, ports, (0,))
        self._heard: SimpleQueue[Header | RankLost] = SimpleQueue()
        self._start(self._listen)

    def next_call(self) -> Announced | None:
        """The next call; None if there are no more. RankLost."""
        while True:
            try:
                heard = self._hear()
            except Empty:
                raise self.wire.lost(0, "waits for a call", self.wire.limit_s) from None
            if isinstance(heard, RankLost):
                raise heard
            if heard.kind == CALL:
                self._number = heard.number
                self.announced = announced_by(heard)
                return self.announced
            if heard.kind == END and heard.cause == NOBODY:
                return None
            if heard.kind == END:
                raise ended_for(heard.cause)

    def _hear(self) -> Header | RankLost:
        """What rank 0 says next. Empty if it says nothing for too long."""
        if (slot := self._slots.get(0)) is None:
            return self._heard.get(timeout=self.wire.limit_s)
        end, spins = time.monotonic() + self.wire.limit_s, self.wire.neighbours.spins
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
                if heard.kind == END:
                    return ended_for(heard.cause) if heard.cause != NOBODY else error
        except Empty:
            pass
        return error

    def report(self, error: BaseException | None, cause: int, text: str) -> None:
        """Say how a call ended on this rank, and be ready for the next; `text` says why it failed,
        or why it was not replayed. RankLost, also if `error` is one."""
        is_lost = isinstance(error, RankLost | BadMessage)
        told = torch.tensor(list(text.encode()[:MOST_TOLD]), dtype=torch.uint8)
        slot = self._own_slot if 0 in self._slots else None
        buffer = header_buffer() if slot is None else slot.buffer
        header_of(report_of(error), self._number, cause, (told.numel(),)).write(buffer)
        try:
            works = [self.wire.send(buffer, 0, REPORTED)] if slot is None else []
            if slot is not None:
                slot.send()
            if told.numel():
                works.append(self.wire.send(told, 0, REASON))
            for work in works:
                if is_lost:  # which rank 0 may have noticed before, and waits for no report
                    work.wait(timedelta(seconds=HEARD_S))
                else:
                    self.wire.wait(work, 0, "reports on a call")
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
                self.wire.receive(buffer, 0, ANNOUNCED).wait(FOREVER)
                header = Header.read(buffer)
            except RuntimeError:
                self._heard.put(self.wire.lost(0, "waits for a call", 0.0))
                return
            self._heard.put(header)
            if header.kind == END:
                with suppress(RuntimeError):
                    self.wire.send(buffer, 0, HEARD).wait(timedelta(seconds=HEARD_S))
                return
