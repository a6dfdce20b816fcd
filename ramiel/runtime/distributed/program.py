"""The base class of programs whose workers are on several machines."""

from __future__ import annotations

import hashlib
import inspect
import itertools
import linecache
import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from queue import SimpleQueue
from typing import Any, ClassVar

import torch

from ramiel.runtime.distributed.calls import Calls
from ramiel.runtime.distributed.channels import Port
from ramiel.runtime.distributed.follower import Follower
from ramiel.runtime.distributed.group import (
    Group,
    Place,
    RankLost,
    RanksDiffer,
    Wire,
    time_limit,
)
from ramiel.runtime.distributed.lane import Common, Lane
from ramiel.runtime.distributed.leader import Fate, Leader
from ramiel.runtime.distributed.messages import Remote, slots_of
from ramiel.runtime.distributed.shares import Cores, keep_to, kept_to
from ramiel.runtime.locks import Lock
from ramiel.runtime.program import Program
from ramiel.runtime.replay.plans import is_replayed, key_of
from ramiel.runtime.replay.tape import NotCapturable
from ramiel.runtime.requests import Calls as Requests
from ramiel.runtime.requests import in_order
from ramiel.runtime.streaming import Streaming
from ramiel.runtime.surroundings import PATIENCE_S
from ramiel.runtime.weights import Weights
from ramiel.runtime.workers import Pool
from ramiel.version import __version__


class DistributedProgram(Program):
    """A model as a program of several ranks.

    A subclass is as that of Program, and declares the rank of each worker, `ranks`, and which
    channels cross them, `remote`. Each rank is a process, started by torchrun, that runs its own
    workers. Rank 0 is called as any program is; the others serve() it until it is closed. What is
    not said to be on a rank, as `serial`, is computed where it is called. Without torchrun, all
    workers are threads of the calling process.

    Ranks connect at the first call, or with connect(). A rank waits for another for RAMIEL_TIMEOUT
    seconds, 300 by default; if one is lost, this ends the program on all of them. An error in an
    operator is raised on rank 0, and the next call may follow. Calls wait for each other.

    As those of any program, the second call with inputs of some shapes is taped, by each rank for
    its own workers, and later ones are replayed. A rank whose workers cannot be runs in Python, and
    capture_status() says so on rank 0. If a replay fails, the call is made again in Python.

    A rank reads the weights of its own layers only, since those in a file are mapped, and read when
    they are first used.
    """

    ranks: ClassVar[tuple[int, ...]] = ()
    """The rank of each worker."""
    remote: ClassVar[tuple[Remote, ...]] = ()
    """The channels that cross ranks."""

    def __init__(self, weights: Weights, workers: int = 1) -> None:
        super().__init__(weights, workers)
        self._weights = weights

    def _start(self) -> None:
        super()._start()
        self._lanes: list[Lane] = []
        """None so far, or that of ordinary calls, and those of streams."""
        self._free: SimpleQueue[Lane] = SimpleQueue()
        """Those of streams that no call is made on."""
        self._cores: Cores | None = None
        """Those that this rank keeps to while it serves or streams."""
        self._connecting = Lock()

    def connect(self) -> int:
        """Meet the other ranks, if torchrun has started this process; return this one's number.

        RanksDiffer if they have other files or versions, or there are more or less than the program
        has; RankLost if one does not come; OSError if a port is in use. Idempotent.
        """
        with self._connecting:
            self._pool.visit(lambda: None)  # RuntimeError once it is closed
            place = Place.of(os.environ)
            if not self._lanes and place is not None:
                self._check_number_of(place)
                if place.ranks > 1:
                    group = self._group(place)
                    self._cores, self._lanes = group.cores, self._lanes_of(group)
                    for lane in self._lanes[1:]:
                        self._free.put(lane)
            return place.rank if place is not None else 0

    def _check_number_of(self, place: Place) -> None:
        name, count = type(self).__name__, max(self.ranks) + 1
        if place.ranks != count:
            raise RanksDiffer(
                f"{name} has workers for {count} rank{'s' if count > 1 else ''}, and was started "
                f"with {place.ranks}: torchrun --nnodes {count} --nproc-per-node 1, for example"
            )

    def _group(self, place: Place) -> Group:
        slots = slots_of(self.remote, place.ranks)
        limit_s, name = time_limit(os.environ), type(self).__name__
        workers = [self.ranks.count(rank) for rank in range(place.ranks)]
        return Group(name, place, limit_s, self.identity(), slots, 1 + self._overlapping, workers)

    @property
    def _overlapping(self) -> int:
        """How many calls of a stream are under way at a time, if they overlap."""
        return self.streaming.limits()[1] if self.streaming.way == "pipeline" else 0

    def _lanes_of(self, group: Group) -> list[Lane]:
        name, fate = type(self).__name__, Fate()
        common = Common(self.ranks.count(group.rank))
        numbers = itertools.count(1), itertools.count(1)
        lanes: list[Lane] = []
        for number in range(len(group.neighbours.calls)):
            wire, beside = Wire(group, number), number > 0
            ports = self._ports_of(wire)
            if group.rank == 0:
                calls = Leader(wire, ports, numbers[beside], fate)
            else:
                calls = Follower(wire, ports)
            weakref.finalize(self, Calls.end, calls)
            lanes.append(Lane(name, calls, common, Pool(name) if beside else self._pool, beside))
        return lanes

    def identity(self) -> dict[str, str]:
        """What has to be the same on all ranks: versions, and hashes of source and weights."""
        code = inspect.unwrap(getattr(type(self), self._workers[0])).__code__
        source = "".join(linecache.getlines(code.co_filename))
        return {
            "version of Ramiel": __version__,
            "version of PyTorch": torch.__version__,
            "source": hashlib.sha256(source.encode()).hexdigest(),
            "weights": self._weights.digest(),
            "number of calls at a time": str(self._overlapping),
        }

    def _ports_of(self, wire: Wire) -> list[Port]:
        return [
            Port(remote, number, wire)
            for number, remote in enumerate(self.remote)
            if wire.rank in (remote.sender, *remote.receivers)
        ]

    def serve(self) -> None:
        """On a rank other than 0: run this rank's workers for the calls that rank 0 makes, until it
        is closed. RankLost if it ends otherwise, or another rank is lost; on rank 0, and without
        torchrun, RuntimeError."""
        self.connect()
        if not self._lanes or not isinstance(self._lanes[0].calls, Follower):
            raise RuntimeError(f"{type(self).__name__} is called on rank 0, and served on others")
        threads = [
            threading.Thread(target=self._serve_beside, args=(lane,), daemon=True)
            for lane in self._lanes[1:]
        ]
        with kept_to(self._cores):
            for thread in threads:
                thread.start()
            try:
                self._lanes[0].serve(self)
            finally:
                for lane in self._lanes:
                    lane.calls.end()
                for thread in threads:
                    thread.join(PATIENCE_S)

    def _serve_beside(self, lane: Lane) -> None:
        with suppress(RankLost):  # which ends the first lane, too
            lane.serve(self)

    def _run_batch(self, samples: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        self.connect()
        return self._run_on(self._lanes[0], samples) if self._lanes else super()._run_batch(samples)

    def _run_on(self, lane: Lane, samples: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        try:
            return lane.run(self, samples)
        finally:
            if lane.has_lost:
                for other in self._lanes:
                    other.end_if_lost()

    def _run_beside(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs of a call that overlaps with others."""
        self.connect()
        lane = self._free.get()
        try:
            return self._answer(lambda inputs: self._run_on(lane, [inputs])[0], args, kwargs)
        finally:
            self._free.put(lane)

    def _streamed(
        self, streaming: Streaming, requests: Iterable[Any], return_exceptions: bool
    ) -> Iterator[Any]:
        """See stream(): a call of all ranks is of one request, or of as many as the program has
        samples at a time. They overlap if the program is a pipeline, else they follow each other;
        unless a number of threads is given, or there is one rank."""
        is_free = streaming.at_a_time is None or streaming.way != "serial"
        if is_free and max(self.ranks, default=0):
            self.connect()
            if streaming.way == "pipeline" and len(self._lanes) > 1:
                keep = partial(keep_to, self._cores)
                way = Requests(self._run_beside, len(self._lanes) - 1, keep)
                return in_order(way, requests, streaming.limits()[1], return_exceptions)
            if self._lanes:
                way = "calls" if self.batch == 1 else "batches"
                streaming = streaming._replace(way=way, at_a_time=self.batch)
        return super()._streamed(streaming, requests, return_exceptions)

    def _capture(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.connect()
        if not self._lanes:
            super()._capture(args, kwargs)
            return
        known = self._lanes[0].common.shapes
        samples = self._first_batch(args, kwargs)
        inputs = list(chain.from_iterable(samples))
        if known.get(key_of(inputs)) is None:
            self._run_batch(samples)
        if (shapes := known.get(key_of(inputs))) is not None:
            shapes.is_asked_for = True
            self._run_batch(samples)
        if not is_replayed(status := self.capture_status(*args, **kwargs)):
            raise NotCapturable(status)

    def capture_status(self, *args: Any, **kwargs: Any) -> str:
        """As that of Program; on rank 0, of all ranks."""
        if not self._lanes:
            return super().capture_status(*args, **kwargs)
        lane, inputs = self._lanes[0], list(chain.from_iterable(self._first_batch(args, kwargs)))
        if (shapes := lane.common.shapes.get(key_of(inputs))) is None:
            return self._plans.status(self, inputs)
        return shapes.status(lane.plans.status(shapes.number))

    def close(self) -> None:
        """As that of Program; on rank 0, serve() of the others returns."""
        super().close()
        for lane in self._lanes:
            lane.close()

    def __getstate__(self) -> dict[str, Any]:
        own = ("_lanes", "_free", "_cores", "_connecting")
        return {name: value for name, value in super().__getstate__().items() if name not in own}
