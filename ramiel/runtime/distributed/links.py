"""What connects two ranks, measured as --link takes it.

    torchrun --nnodes 2 --nproc-per-node 1 -m ramiel.runtime.distributed.links

prints, on rank 0, the link to each other rank: `--link 9.41Gbit,31.2us`.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable

import torch

from ramiel.runtime.distributed.group import Group, Place, time_limit

_TAG = 7
_TURNS = 50
_WARM_UP = 20
_SMALL, _LARGE = 64, 8 << 20
"""Bytes."""


def measured(group: Group, other: int) -> tuple[float, float]:
    """The latency, µs, and the bytes a µs of messages between this rank and another, which calls
    this at the same time. Medians of times there and back, halved. RankLost."""
    small, large = (half_trip(_bare(group, other, size), _TURNS) for size in (_SMALL, _LARGE))
    return small * 1e6, (_LARGE - _SMALL) / max((large - small) * 1e6, 1e-9)


def written(latency: float, rate: float) -> str:
    """A link as --link takes it."""
    return f"{rate * 8e-3:.3g}Gbit,{latency:.3g}us"


def half_trip(there_and_back: Callable[[], None], turns: int) -> float:
    """Half of the median time of a function that sends and receives, s."""
    times: list[float] = []
    for _ in range(_WARM_UP + turns):
        begin = time.perf_counter()
        there_and_back()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[_WARM_UP:]) / 2


def _bare(group: Group, other: int, size: int) -> Callable[[], None]:
    """There and back of a message; the lower rank begins."""
    out, back = (torch.zeros(size, dtype=torch.uint8) for _ in range(2))

    def trip() -> None:
        received = group.receive(back, other, _TAG)
        if group.rank > other:
            group.wait(received, other, "waits for a message")
        group.wait(group.send(out, other, _TAG), other, "sends a message")
        if group.rank < other:
            group.wait(received, other, "waits for a message")

    return trip


def main() -> None:
    place = Place.of(os.environ)
    if place is None or place.ranks < 2:
        raise SystemExit("links are between ranks: start this by torchrun, on two or more")
    try:
        group = Group("the measurement", place, time_limit(os.environ), {})
        for other in range(1, group.ranks) if group.rank == 0 else (0,):
            latency, rate = measured(group, other)
            if group.rank == 0:
                print(f"rank {other}: --link {written(latency, rate)}")
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
