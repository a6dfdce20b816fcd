"""The ranks of a program: how they find each other, and what they send."""

from __future__ import annotations

import itertools
import json
import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor
from torch._C._distributed_c10d import (  # pyright: ignore[reportPrivateUsage]
    PrefixStore,
    Store,
    TCPStore,
)
from torch.distributed import ProcessGroupGloo

from ramiel.runtime.distributed.neighbours import Neighbours, Sizes, Slot
from ramiel.runtime.distributed.shares import Cores, offer, share_of
from ramiel.runtime.errors import ProgramEnded

FOREVER = timedelta(days=365)
LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 29500
"""That of torchrun and torch.distributed."""
_LAST_PORT = 65535
LIMIT_VARIABLE = "RAMIEL_TIMEOUT"
"""The seconds that a rank waits for another."""
DEFAULT_LIMIT_S = 300.0
_CONNECT_S = 1.0
"""How long a connection between ranks that are there is tried for at least."""
_MOST_TOLD = 64 * 1024
"""The most bytes that a rank says about itself."""

_LOOK_MS = 20
"""How often a rank that waits looks whether the other one still lives."""

_programs = itertools.count()


class RankLost(ProgramEnded):
    """Another rank has ended, or nothing came from it in time. The program has ended with it.

    `rank` is that rank.
    """

    def __init__(self, message: str, rank: int = 0) -> None:
        super().__init__(message)
        self.rank = rank


class RanksDiffer(RuntimeError):
    """Ranks were started with different programs, weights or versions, or in a wrong number."""


@dataclass(frozen=True)
class Place:
    """Which rank this process is, of how many, and where they meet."""

    rank: int
    ranks: int
    host: str
    port: int
    has_store: bool
    """Whether the store is there already: torchrun's agent has it."""
    attempt: int

    @staticmethod
    def of(environment: Mapping[str, str]) -> Place | None:
        """As torchrun says in the environment; None without it. ValueError if that is malformed."""
        if "RANK" not in environment or "WORLD_SIZE" not in environment:
            return None
        try:
            rank, ranks = int(environment["RANK"]), int(environment["WORLD_SIZE"])
            port = int(environment.get("MASTER_PORT", DEFAULT_PORT))
            attempt = int(environment.get("TORCHELASTIC_RESTART_COUNT", 0))
        except ValueError as error:
            raise ValueError(f"RANK, WORLD_SIZE and MASTER_PORT: {error}") from None
        if not 0 <= rank < ranks:
            raise ValueError(f"RANK={rank} is none of the ranks of WORLD_SIZE={ranks}")
        if not 0 <= port <= _LAST_PORT:
            raise ValueError(f"MASTER_PORT={port}: ports are 0 to {_LAST_PORT}")
        host = environment.get("MASTER_ADDR", LOOPBACK)
        has_store = environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
        return Place(rank, ranks, host, port, has_store, attempt)


def time_limit(environment: Mapping[str, str]) -> float:
    """How long a rank waits for another, s. ValueError if it is no number above 0."""
    given = environment.get(LIMIT_VARIABLE)
    try:
        limit = DEFAULT_LIMIT_S if given is None else float(given)
    except ValueError:
        limit = 0.0
    if not 0 < limit < float("inf"):
        raise ValueError(f"{LIMIT_VARIABLE}={given}: expected a number of seconds above 0")
    return limit


class Group:
    """The connections of this rank. A message is a tensor of bytes, with a tag by which the
    receiver knows it."""

    def __init__(
        self,
        name: str,
        place: Place,
        limit_s: float,
        identity: Mapping[str, str],
        slots: Sequence[Sizes] = (),
        wires: int = 1,
        workers: Sequence[int] = (),
    ) -> None:
        """Meets the other ranks. `identity` is what must be the same on all of them, and `slots`
        those of each rank, for messages between ranks on one machine (neighbours.py), on each of
        so many wires. Ranks with so many `workers` divide a machine's cores (shares.py).

        RanksDiffer if it is not, with both; RankLost if a rank does not come in time; OSError if
        rank 0 cannot listen.
        """
        self.rank, self.ranks, self.limit_s = place.rank, place.ranks, limit_s
        self._limit = timedelta(seconds=limit_s)
        self._first: dict[int, tuple[str, int]] = {}
        store = PrefixStore(f"ramiel/{place.attempt}/{next(_programs)}", _store(place, self._limit))
        store.set_timeout(self._limit)
        self.neighbours = Neighbours(self.rank, slots, wires)
        """The ranks on this machine, with which it shares memory."""
        self.cores: Cores | None = None
        """Those that this rank keeps to, if others are on its machine."""
        try:
            self._compare(name, store, identity, workers)
        except (RankLost, RanksDiffer):
            raise
        except RuntimeError as error:  # of the store, which is in rank 0's process
            raise RankLost(f"rank 0 of {name} is lost to rank {self.rank}: {error}") from error
        connect: Any = ProcessGroupGloo
        options = connect._Options()
        options._devices = [_device(place)]
        # gloo tries five times, where a rank is lost as the others connect to it.
        options._timeout = timedelta(seconds=max(limit_s / 5, _CONNECT_S))
        try:
            self._gloo = connect(store, self.rank, self.ranks, options)
        except RuntimeError as error:
            raise RankLost(f"rank {self.rank} of {name} cannot be connected: {error}") from error
        # Rank 0 may have the store in its process: it stays as long as the connections.
        self._store = store

    def _compare(
        self, name: str, store: Store, identity: Mapping[str, str], workers: Sequence[int]
    ) -> None:
        differs: RanksDiffer | None = None
        others = [rank for rank in range(self.ranks) if rank != self.rank]
        store.set(f"memory/{self.rank}", self.neighbours.offer())
        store.set(f"cores/{self.rank}", offer())
        store.set(f"identity/{self.rank}", json.dumps(identity))
        for rank in range(self.ranks):
            self._await(name, store, rank, f"identity/{rank}")
        for rank in others if self.rank == 0 else (0,):
            told = store.get(f"identity/{rank}")
            if (error := _difference(name, identity, told, self.rank, rank)) is not None:
                differs = error
        if workers:
            offers = [store.get(f"cores/{rank}") for rank in range(self.ranks)]
            self.cores = share_of(self.rank, offers, workers)
        opened = [rank for rank in others if self._opens(store, rank, differs)]
        store.set(f"compared/{self.rank}", json.dumps(opened))
        if differs is not None and self.rank:
            raise differs
        # The store is in rank 0's process: it stays until the others have read.
        for rank in range(self.ranks):
            self._await(name, store, rank, f"compared/{rank}")
        if differs is not None:
            raise differs
        self.neighbours.keep(
            rank for rank in others if self.rank in _ranks(store.get(f"compared/{rank}"))
        )

    def _opens(self, store: Store, rank: int, differs: RanksDiffer | None) -> bool:
        """Whether this rank can share another one's memory."""
        return differs is None and self.neighbours.open(rank, store.get(f"memory/{rank}"))

    def _await(self, name: str, store: Store, rank: int, key: str) -> None:
        """Until a rank has said something in the store. RankLost."""
        begin = time.monotonic()
        try:
            store.wait([key])
        except RuntimeError as error:
            if time.monotonic() - begin < 0.99 * self.limit_s:
                raise RankLost(f"rank 0 of {name} is lost to rank {self.rank}: {error}") from error
            told = f"rank {rank} of {name} has not come within {self.limit_s:g} s"
            raise RankLost(told, rank) from error

    def send(self, buffer: Tensor, rank: int, tag: int) -> Any:
        """torch.distributed's isend. RankLost if the rank is known to be."""
        try:
            return self._gloo.send([buffer], rank, tag)
        except RuntimeError as error:
            raise self.lost(rank, "sends to it", 0.0) from error

    def receive(self, buffer: Tensor, rank: int, tag: int) -> Any:
        """torch.distributed's irecv. RankLost if the rank is known to be."""
        try:
            return self._gloo.recv([buffer], rank, tag)
        except RuntimeError as error:
            raise self.lost(rank, "receives from it", 0.0) from error

    def wait(self, work: Any, rank: int, what: str) -> None:
        """Until a message is sent or there. RankLost if its rank is lost or too late."""
        begin = time.monotonic()
        try:
            work.wait(self._limit)
        except RuntimeError as error:
            raise self.lost(rank, what, time.monotonic() - begin) from error

    def wait_for(self, slot: Slot, rank: int, what: str) -> None:
        """Until a message of a rank on this machine is there. RankLost as wait()."""
        begin, spins = time.monotonic(), self.neighbours.spins
        while not slot.receive(spins, _LOOK_MS):
            spins, waited = 0, time.monotonic() - begin
            has_ended = self.neighbours.has_ended(rank)
            if (has_ended or waited >= self.limit_s) and not slot.receive(0, 0):
                raise self.lost(rank, what, 0.0 if has_ended else waited)

    def lost(self, rank: int, what: str, waited_s: float) -> RankLost:
        """The error for what has happened first: all connections end with one of them."""
        late = waited_s >= 0.99 * self.limit_s
        how = f"nothing for {self.limit_s:g} s" if late else "the connection is lost"
        told = f"rank {rank} is lost to rank {self.rank}, which {what}: {how}"
        first = self._first.setdefault(0, (told, rank))
        return RankLost(*first)


class Wire:
    """The connections of a group for calls of which one is made at a time: messages of different
    wires have different tags and memory. What is not said here is as of the group."""

    def __init__(self, group: Group, number: int = 0) -> None:
        self._group, self._number, self._wires = group, number, len(group.neighbours.calls)
        self.rank, self.ranks, self.limit_s = group.rank, group.ranks, group.limit_s
        self.wait, self.wait_for, self.lost = group.wait, group.wait_for, group.lost
        self.neighbours = group.neighbours
        self.call = group.neighbours.calls[number]
        """The number of the current call."""

    def slot(self, rank: int, number: int) -> Slot | None:
        return self.neighbours.slot(rank, number, self._number)

    def send(self, buffer: Tensor, rank: int, tag: int) -> Any:
        return self._group.send(buffer, rank, tag * self._wires + self._number)

    def receive(self, buffer: Tensor, rank: int, tag: int) -> Any:
        return self._group.receive(buffer, rank, tag * self._wires + self._number)


def _ranks(told: bytes) -> list[int]:
    """Those that a rank has told of."""
    try:
        found = json.loads(told) if len(told) <= _MOST_TOLD else []
    except ValueError:
        return []
    return found if isinstance(found, list) else []  # pyright: ignore


def _difference(
    name: str, own: Mapping[str, str], told: bytes, rank: int, other: int
) -> RanksDiffer | None:
    """What another rank has that this one has not."""
    try:
        theirs = json.loads(told) if len(told) <= _MOST_TOLD else None
    except ValueError:
        theirs = None
    for what, value in own.items():
        given = theirs.get(what) if isinstance(theirs, dict) else None  # pyright: ignore
        if given != value:
            return RanksDiffer(
                f"{name}: rank {rank} has the {what} {value}, rank {other} "
                f"{str(given)[:100]}: all ranks need the same files and versions"  # pyright: ignore
            )
    return None


def _store(place: Place, limit: timedelta) -> Store:
    """Where ranks tell each other their addresses. Rank 0 listens, at the address it was given."""
    serves = place.rank == 0 and not place.has_store
    given: dict[str, Any] = {}
    if serves:
        try:
            server = socket.create_server((place.host, place.port), backlog=256)
        except OSError as error:
            raise OSError(
                f"rank 0 cannot listen at {place.host}:{place.port} ({error.strerror}): "
                "set MASTER_PORT, or --master-port of torchrun, to a free port"
            ) from error
        given["master_listen_fd"] = server.detach()
    try:
        return TCPStore(
            place.host,
            place.port,
            place.ranks,
            serves,
            limit,
            wait_for_workers=False,
            **given,
        )
    except (RuntimeError, torch.distributed.DistError) as error:
        raise RankLost(
            f"rank {place.rank} does not reach rank 0 at {place.host}:{place.port}: {error}"
        ) from error


def _device(place: Place) -> Any:
    """The network of the connections: that on which rank 0 is met, so loopback if it is there."""
    if interface := os.environ.get("GLOO_SOCKET_IFNAME"):
        return ProcessGroupGloo.create_device(interface=interface)
    kind, _, _, _, address = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(kind, socket.SOCK_DGRAM) as probe:
        probe.connect(address)  # sends nothing, and says by which address it would
        return ProcessGroupGloo.create_device(hostname=probe.getsockname()[0])
