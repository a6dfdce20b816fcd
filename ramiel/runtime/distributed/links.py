"""What connects two ranks, measured as --link takes it.

    torchrun --nnodes 2 --nproc-per-node 1 -m ramiel.runtime.distributed.links

prints, on rank 0, the link to each other rank: `--link 9.41Gbit,8.2us,12.5us,48Gbit`. To a rank on
the same machine it is the memory that they share, unless RAMIEL_SHARED_MEMORY=0.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from typing import NamedTuple

import torch

from ramiel.runtime.distributed.channels import Port
from ramiel.runtime.distributed.group import Group, Place, Wire, time_limit
from ramiel.runtime.distributed.messages import Remote
from ramiel.runtime.distributed.neighbours import Slot

_TAG = 7
_TURNS = 50
_WARM_UP = 20
_SMALL, _LARGE = 64, 8 << 20
"""Bytes."""
_COPIED = 1 << 20
"""The bytes of a large message that is sent at once: less than what the system buffers."""
_SIDE, _ROUNDS = 384, 4
"""Of the matrix whose square ranks compute that are at work, and how often that takes turns."""
_LEAST = 1.0
"""What a difference of times is at least, µs: in shared memory, all messages take the same."""


class Measured(NamedTuple):
    """What a message takes: on its way, µs and then the bytes a µs; of its sender and of its
    receiver each, µs; and the bytes a µs that its sender hands over to the system."""

    latency: float
    rate: float
    overhead: float
    copying: float

    def __str__(self) -> str:
        """As --link takes it."""
        rate, copying = (f"{_digits(each * 8e-3)}Gbit" for each in (self.rate, self.copying))
        return f"{rate},{_digits(self.latency)}us,{_digits(self.overhead)}us,{copying}"


def _digits(number: float) -> str:
    """Three of them, without an exponent."""
    return f"{Decimal(f'{number:.3g}'):f}"


def measured(group: Group, other: int) -> Measured:
    """The link between this rank and another, which calls this at the same time. Medians of times
    there and back, halved, and of what messages take of ranks. RankLost."""
    small, large = (half_trip(_bare(group, other, size), _TURNS) for size in (_SMALL, _LARGE))
    is_shared = other in group.neighbours.ranks
    taken_by = _sending if is_shared else _exchanging
    own, copies = (taken_by(group, other, size) for size in (_SMALL, _COPIED))
    return Measured(
        max(small - 2 * own, 0.0) * 1e6,
        (_LARGE - _SMALL) / max((large - small) * 1e6, _LEAST),
        own * 1e6,
        (_COPIED - _SMALL) / max((copies - own) * 1e6, _LEAST),
    )


def half_trip(there_and_back: Callable[[], None], turns: int) -> float:
    """Half of the median time of a function that sends and receives, s."""
    times: list[float] = []
    for _ in range(_WARM_UP + turns):
        begin = time.perf_counter()
        there_and_back()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[_WARM_UP:]) / 2


def _sending(group: Group, other: int, size: int) -> float:
    """The time of a send, s, to memory."""
    times: list[float] = []
    half_trip(_bare(group, other, size, times), _TURNS)
    return statistics.median(times[_WARM_UP:])


def _exchanging(group: Group, other: int, size: int) -> float:
    """What a message takes of each of two ranks that are at work while it is under way, s: from
    their turns of an operation and a message to and from the other, beside turns of the operation
    alone. So what threads take that receive for the rank counts, where there is no core for them.
    A turn has a send and a receive, and each counts as half of it, also of what bytes take.
    """
    first = 2 * (_SMALL, _COPIED).index(size)
    ends = (group.rank, other)
    remotes = [Remote("", torch.float32, (size // 4,), r, (s,)) for r, s in (ends, ends[::-1])]
    out, back = (Port(r, first + (r.sender > r.receivers[0]), Wire(group)) for r in remotes)
    value, matrix = torch.zeros(size // 4), torch.ones(_SIDE, _SIDE)
    times: dict[bool, list[float]] = {True: [], False: []}
    back.post()
    calls = count()
    out.send(next(calls), value)  # each turn receives what the one before it has sent
    for exchanges in (True, False) * _ROUNDS:
        for _ in range(_TURNS):
            begin = time.perf_counter()
            torch.mm(matrix, matrix)
            if exchanges:
                call = next(calls)
                back.receive(call - 1)
                out.flush()
                back.post()
                out.send(call, value)
            times[exchanges].append(time.perf_counter() - begin)
    back.receive(next(calls) - 1)
    out.flush()
    return max(statistics.median(times[True]) - statistics.median(times[False]), 0.0) / 2


def slots_of(ranks: int) -> list[dict[int, int]]:
    """Those that measured() uses."""
    return [dict.fromkeys(map(_slot_of, range(ranks)), _SMALL)] * ranks


def _slot_of(receiver: int) -> int:
    return -1 - receiver


def _bare(
    group: Group, other: int, size: int, sends: list[float] | None = None
) -> Callable[[], None]:
    """There and back of a message; the lower rank begins. How long each send takes its caller, s,
    is added to `sends`."""
    own = group.neighbours.slot(group.rank, _slot_of(other))
    others = group.neighbours.slot(other, _slot_of(group.rank))
    if own is not None and others is not None:
        return _shared(group, other, own, others, sends)
    out, back = (torch.zeros(size, dtype=torch.uint8) for _ in range(2))

    def trip() -> None:
        received = group.receive(back, other, _TAG)
        if group.rank > other:
            group.wait(received, other, "waits for a message")
        begin = time.perf_counter()
        work = group.send(out, other, _TAG)
        if sends is not None:
            sends.append(time.perf_counter() - begin)
        group.wait(work, other, "sends a message")
        if group.rank < other:
            group.wait(received, other, "waits for a message")

    return trip


def _shared(
    group: Group, other: int, own: Slot, others: Slot, sends: list[float] | None
) -> Callable[[], None]:
    """The same through memory, where a message lies already, whatever its size."""

    def trip() -> None:
        if group.rank > other:
            group.wait_for(others, other, "waits for a message")
        begin = time.perf_counter()
        own.send()
        if sends is not None:
            sends.append(time.perf_counter() - begin)
        if group.rank < other:
            group.wait_for(others, other, "waits for a message")

    return trip


def main() -> None:
    place = Place.of(os.environ)
    if place is None or place.ranks < 2:
        raise SystemExit("links are between ranks: start this by torchrun, on two or more")
    try:
        slots = slots_of(place.ranks)
        group = Group("the measurement", place, time_limit(os.environ), {}, slots)
        for other in range(1, group.ranks) if group.rank == 0 else (0,):
            link = measured(group, other)
            if group.rank == 0:
                print(f"rank {other}: --link {link}")
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
