"""Ranks on one machine: they send through memory that they share, in the place of connections.

Each rank makes a segment of memory without a name, which the others of its machine map by the
number of its file; so nothing is left of it when the last process has ended, however it ends. In
it is a slot for each message that the rank sends, which its receivers read where it lies. That of a
channel is used once in a call, and calls follow each other: nobody writes what others still read.
"""

from __future__ import annotations

import itertools
import json
import mmap
import os
import secrets
import select
from collections.abc import Iterable, Mapping, Sequence
from ctypes import addressof, c_int64, pointer
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ramiel.cores import cores
from ramiel.runtime.replay.native import Kind, Mailbox, Said, native
from ramiel.runtime.replay.plan import SPINS
from ramiel.runtime.replay.tape import Quick

VARIABLE = "RAMIEL_SHARED_MEMORY"
"""Unless this is 0, ranks on one machine share memory."""
LINE = 64
"""The bytes of a count, and what slots are aligned to."""
_TOKEN = 32
_NAME = "ramiel"
_MOST_TOLD = 4096
"""The most bytes of an offer."""

Sizes = Mapping[int, int]
"""The bytes of each slot of a rank, by a number. Those with numbers from 0 on are used once in a
call, others at any time."""


class Slot:
    """Memory for messages from one rank to others of its machine, one after the other."""

    def __init__(self, memory: mmap.mmap, offset: int, size: int, call: c_int64 | None) -> None:
        """`call` is the number of the current one, if there is one message in each."""
        library = native()
        assert library is not None
        self.buffer = torch.frombuffer(memory, dtype=torch.uint8, count=size, offset=offset + LINE)
        self._functions = library.functions
        self._call = call
        address = self.buffer.data_ptr()
        self._box = Mailbox(address - LINE, address, pointer(c_int64() if call is None else call))

    def claim(self) -> bool:
        """Whether nothing was sent in this call, and the caller now does."""
        return bool(self._functions.ramiel_message_claim(self._box))

    def send(self) -> None:
        """Say that there is a message."""
        self._functions.ramiel_message_say(self._box)

    def receive(self, spins: int, most_ms: int) -> bool:
        """Whether the next message is there; waits for it, and not longer than so many ms."""
        number = (self._box.received + 1) % 2**32  # before `done` is read: see messages.cpp
        if self.has_received():
            return True
        if not self._functions.ramiel_message_wait(self._box, number, spins, most_ms):
            return False
        if self._call is not None:
            self._box.done = self._call.value
        self._box.received = number
        return True

    def has_received(self) -> bool:
        """Whether the message of this call was received."""
        return self._call is not None and self._box.done == self._call.value

    def said(self, header: Tensor) -> Said:
        """A message with such a header, which has to stay."""
        return Said(pointer(self._box), header.data_ptr())

    def quick(self, kind: Kind, header: Tensor) -> Quick:
        """The step that sends or receives a message with such a header."""
        return Quick(kind.name, addressof(self._box), header.data_ptr(), (self, header))


class Segment:
    """The slots of one rank, by the number of the wire."""

    def __init__(self, file: int, sizes: Sizes, calls: Sequence[c_int64]) -> None:
        """Maps a file of segment_bytes(); `calls` are the current ones of the wires. OSError."""
        memory = mmap.mmap(file, segment_bytes(sizes, len(calls)))
        self.token = memory[:_TOKEN]
        self.slots = [slots_in(memory, sizes, call, wire) for wire, call in enumerate(calls)]
        self._memory = memory

    def sign(self, token: bytes) -> None:
        self._memory[:_TOKEN] = token


def slots_in(
    memory: mmap.mmap, sizes: Sizes, call: c_int64 | None = None, wire: int = 0
) -> Mapping[int, Slot]:
    """One process's ends of the messages of a wire, in memory of segment_bytes()."""
    sizes_before = wire * sum(map(_slot_bytes, sizes.values()))
    starts = itertools.accumulate(map(_slot_bytes, sizes.values()), initial=LINE + sizes_before)
    return {
        number: Slot(memory, start, size, call if number >= 0 else None)
        for (number, size), start in zip(sizes.items(), starts, strict=False)
    }


def _slot_bytes(size: int) -> int:
    return LINE + size + -size % LINE


def segment_bytes(sizes: Sizes, wires: int = 1) -> int:
    return LINE + wires * sum(map(_slot_bytes, sizes.values()))


class Neighbours:
    """The ranks on this one's machine, and the slots of each of them."""

    def __init__(self, rank: int, sizes: Sequence[Sizes], wires: int = 1) -> None:
        """`sizes` are those of each rank, for each of so many wires (group.py)."""
        self._rank, self._sizes = rank, sizes
        self._segments: dict[int, Segment] = {}
        self._processes: dict[int, _Life] = {}
        self._files: list[int] = []
        """Descriptors of segments, until all ranks have mapped them."""
        self._token = secrets.token_bytes(_TOKEN)
        self.calls = [c_int64() for _ in range(wires)]
        """The numbers of the current calls, by wire."""
        self.spins = 0
        """How often a rank that waits for another one spins."""

    def offer(self) -> str:
        """What the other ranks have to know to share this one's memory; empty if none is shared."""
        if not self._sizes or os.environ.get(VARIABLE) == "0" or native() is None:
            return ""
        if not (hasattr(os, "memfd_create") and hasattr(os, "pidfd_open")):
            return ""
        try:
            file = os.memfd_create(_NAME)
            self._files.append(file)
            sizes = self._sizes[self._rank]
            os.posix_fallocate(file, 0, segment_bytes(sizes, len(self.calls)))
            self._segments[self._rank] = segment = Segment(file, sizes, self.calls)
        except OSError:  # no memory is left, which connections do not need
            return ""
        segment.sign(self._token)
        offered = {"machine": machine(), "process": os.getpid(), "file": file}
        return json.dumps({**offered, "token": self._token.hex()})

    def open(self, rank: int, offer: bytes) -> bool:
        """Map another rank's memory, if it is on this machine."""
        if self._rank not in self._segments:
            return False
        try:
            told: dict[str, Any] = json.loads(offer) if 0 < len(offer) <= _MOST_TOLD else {}
            if told.get("machine") != machine():
                return False
            process, file = int(told["process"]), int(told["file"])
            path = f"/proc/{process}/fd/{file}"
            if not os.readlink(path).startswith(f"/memfd:{_NAME}"):
                return False
            own = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            self._files.append(own)
            if os.fstat(own).st_size != segment_bytes(self._sizes[rank], len(self.calls)):
                return False
            life = _Life(process)
            segment = Segment(own, self._sizes[rank], self.calls)
            if segment.token.hex() != told["token"]:
                return False
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return False
        self._segments[rank] = segment
        self._processes[rank] = life
        return True

    def keep(self, ranks: Iterable[int]) -> None:
        """Of the ranks whose memory was mapped, those that have mapped this one's, too."""
        while self._files:
            os.close(self._files.pop())
        for rank in set(self._processes) - set(ranks):
            del self._segments[rank], self._processes[rank]
        if not self._processes:
            self._segments.clear()
        waiting = len(self._segments) * max(len(self.calls) - 1, 1)
        self.spins = SPINS if waiting <= cores() else 0

    @property
    def ranks(self) -> list[int]:
        return list(self._processes)

    def slot(self, rank: int, number: int, wire: int = 0) -> Slot | None:
        """One of this rank, or of another one on this machine."""
        segment = self._segments.get(rank)
        return None if segment is None else segment.slots[wire].get(number)

    def has_ended(self, rank: int) -> bool:
        """Whether the process of another rank on this machine has."""
        return self._processes[rank].has_ended()


class _Life:
    """Tells when a process has ended, whatever has its number then."""

    def __init__(self, process: int) -> None:
        """OSError if there is none."""
        self._file = os.pidfd_open(process)
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLIN)

    def has_ended(self) -> bool:
        return bool(self._poll.poll(0))

    def __del__(self) -> None:
        if (file := self.__dict__.get("_file")) is not None:
            os.close(file)


def machine() -> str:
    """What the processes have in common that see each other's files, and no others."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {os.stat('/proc/self/ns/pid').st_ino}"
