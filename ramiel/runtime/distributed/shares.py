"""The cores that a rank keeps to, where several ranks are on one machine.

Threads of different ranks know nothing of each other, and the system puts one where it wakes the
other as readily as on a core that is free. SqueezeNet's stages on two cores gave 12 % more results
where each rank kept to its own, and 27 % more by gloo (docs/decisions.md).
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ramiel.runtime.distributed.neighbours import machine

_MOST_TOLD = 65536
"""The most bytes that are read of what a rank offers."""

Cores = frozenset[int]


def offer() -> str:
    """What the other ranks have to know; empty where cores cannot be chosen."""
    if not hasattr(os, "sched_setaffinity"):
        return ""
    try:
        return json.dumps({"machine": machine(), "cores": sorted(os.sched_getaffinity(0))})
    except OSError:
        return ""


def share_of(rank: int, offers: Sequence[bytes], workers: Sequence[int]) -> Cores | None:
    """The part of a rank, given what each has offered and the number of its workers. None if it is
    alone on its machine, if its cores are not those of the others, who have chosen them then, or
    if they are too few for the workers."""
    told = [_read(content) for content in offers]
    own = told[rank]
    here = [r for r, other in enumerate(told) if own and other and other[0] == own[0]]
    if own is None or len(here) < 2 or any(told[r] != own for r in here):
        return None
    cores, parts = own[1], list[Cores]()
    for i in range(len(here)):
        begin, end = (len(cores) * k // len(here) for k in (i, i + 1))
        parts.append(frozenset(cores[begin:end]))
    if any(len(part) < workers[r] for r, part in zip(here, parts, strict=True)):
        return None
    return parts[here.index(rank)]


def _read(offer: bytes) -> tuple[str, tuple[int, ...]] | None:
    """The machine and the cores of an offer; None if it is none."""
    try:
        told: Mapping[str, Any] = json.loads(offer) if 0 < len(offer) <= _MOST_TOLD else {}
        return str(told["machine"]), tuple(map(int, told["cores"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def keep_to(cores: Cores | None) -> None:
    """This thread, and those that it starts, run on these cores; None changes nothing."""
    if cores:
        os.sched_setaffinity(0, cores)


@contextmanager
def kept_to(cores: Cores | None) -> Generator[None]:
    """keep_to() for a while."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    keep_to(cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
