"""Workers on several ranks: which channels cross, and what may.

A rank is a process, usually on a machine of its own, with the threads of its workers. Rank 0 has
the program's inputs and gets its outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.ir import Attribute
from xdsl.utils.exceptions import VerifyException

from ramiel.dialects.cluster.verify import Event, Recv, Send, Threads
from ramiel.dialects.torch.dtypes import torch_dtype_of

Channels = Mapping[str, tuple[str, Attribute | None]]
"""The kind and the type of each channel."""


@dataclass(frozen=True)
class Crossing:
    """A channel whose value is sent from one rank to others."""

    channel: str
    type: Attribute | None
    sender: int
    receivers: tuple[int, ...]


def crossings(
    channels: Channels, workers: Sequence[Sequence[Event]], ranks: Sequence[int]
) -> list[Crossing]:
    """The channels that cross ranks, in their order; `ranks` has that of each worker."""
    senders = {name: 0 for name, (kind, _) in channels.items() if kind == "input"}
    receivers: dict[str, set[int]] = {
        name: {0} if kind == "output" else set() for name, (kind, _) in channels.items()
    }
    for events, rank in zip(workers, ranks, strict=True):
        for event in events:
            if isinstance(event, Send):
                senders[event.channel] = rank
            elif isinstance(event, Recv):
                receivers[event.channel].add(rank)
    return [
        Crossing(name, type, senders[name], others)
        for name, (_, type) in channels.items()
        if (others := tuple(sorted(receivers[name] - {senders[name]})))
    ]


def verify_ranks(
    channels: Channels, workers: Sequence[Sequence[Event]], ranks: Sequence[int | None]
) -> None:
    """Checks the ranks of a valid program's workers.

    Raises VerifyException for a worker without a rank, for ranks that are not 0, 1, ... without a
    gap, for a turn or a value other than a tensor of numbers that crosses ranks, and for a core
    that is lent to another rank.
    """
    known: list[int] = []
    for number, rank in enumerate(ranks):
        if rank is None:
            raise VerifyException(f"worker {number} has no rank")
        known.append(rank)
    if sorted(set(known)) != list(range(len(set(known)))):
        raise VerifyException(f"ranks must be numbered 0, 1, ...; got {sorted(set(known))}")
    for crossing in crossings(channels, workers, known):
        if not may_cross(crossing.type):
            what = "a turn" if crossing.type is None else str(crossing.type)
            raise VerifyException(
                f"@{crossing.channel} cannot cross from rank {crossing.sender} to rank "
                f"{crossing.receivers[0]}: {what} is no tensor of numbers"
            )
    owner: dict[int, int] = dict(enumerate(known))
    for number, events in enumerate(workers):
        for event in events:
            for core in event.lenders if isinstance(event, Threads) else ():
                if owner.setdefault(core, known[number]) != known[number]:
                    raise VerifyException(
                        f"worker {number} of rank {known[number]} reserves core {core}, which is "
                        f"of rank {owner[core]}"
                    )


def may_cross(type: Attribute | None) -> bool:
    """Whether values of a type can be sent to another rank."""
    return type is not None and torch_dtype_of(type) is not None
