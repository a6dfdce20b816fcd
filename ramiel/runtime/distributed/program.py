"""The base class of programs whose workers are on several machines."""

from __future__ import annotations

import hashlib
import inspect
import linecache
import os
import threading
import weakref
from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from ramiel.runtime.channels import Channels, Stopped
from ramiel.runtime.distributed.calls import Calls
from ramiel.runtime.distributed.channels import Call, Port, RankChannels, result
from ramiel.runtime.distributed.group import Group, Place, RankLost, RanksDiffer, time_limit
from ramiel.runtime.distributed.messages import BadMessage, Remote
from ramiel.runtime.program import Program
from ramiel.runtime.surroundings import with_one_thread
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
        self._calls: Calls | None = None
        self._turn = threading.Lock()
        self._caller = Pool(type(self).__name__)

    def connect(self) -> int:
        """Meet the other ranks, if torchrun has started this process; return this one's number.

        RanksDiffer if they have other files or versions, or there are more or less than the program
        has; RankLost if one does not come; OSError if a port is in use. Idempotent.
        """
        with self._turn:
            self._pool.visit(lambda: None)  # RuntimeError once it is closed
            place = Place.of(os.environ)
            if self._calls is None and place is not None:
                group = self._group(place)
                self._calls = Calls(group, self._ports_of(group))
                weakref.finalize(self, Calls.end, self._calls)
            return place.rank if place is not None else 0

    def _group(self, place: Place) -> Group:
        name, count = type(self).__name__, max(self.ranks) + 1
        if place.ranks != count:
            raise RanksDiffer(
                f"{name} has workers for {count} rank{'s' if count > 1 else ''}, and was started "
                f"with {place.ranks}: torchrun --nnodes {count} --nproc-per-node 1, for example"
            )
        return Group(name, place, time_limit(os.environ), self.identity())

    def identity(self) -> dict[str, str]:
        """What has to be the same on all ranks: versions, and hashes of source and weights."""
        code = inspect.unwrap(getattr(type(self), self._workers[0])).__code__
        source = "".join(linecache.getlines(code.co_filename))
        return {
            "version of Ramiel": __version__,
            "version of PyTorch": torch.__version__,
            "source": hashlib.sha256(source.encode()).hexdigest(),
            "weights": self._weights.digest(),
        }

    def _ports_of(self, group: Group) -> list[Port]:
        return [
            Port(remote, number, group)
            for number, remote in enumerate(self.remote)
            if group.rank in (remote.sender, *remote.receivers)
        ]

    def serve(self) -> None:
        """On a rank other than 0: run this rank's workers for the calls that rank 0 makes, until it
        is closed. RankLost if it ends otherwise, or another rank is lost; on rank 0, and without
        torchrun, RuntimeError."""
        rank = self.connect()
        calls = self._calls
        if rank == 0 or calls is None:
            raise RuntimeError(f"{type(self).__name__} is called on rank 0, and served on others")
        try:
            while (number := calls.next_call()) is not None:
                with_one_thread(self._serve_call, calls, Call(number, rank))
        finally:
            calls.end()

    def _serve_call(self, calls: Calls, call: Call) -> None:
        failure: Exception | None = None
        try:
            call.is_open = True
            self._run_own(calls, RankChannels(self._channels, calls.ports, call), ())
        except Exception as error:
            is_ours = not isinstance(error, Stopped | RankLost | BadMessage)
            failure = (self._named(error) if is_ours else None) or error
        text = "" if failure is None else str(failure) or type(failure).__name__
        calls.report(failure, call.cause, text)

    def _run_own(
        self, calls: Calls, channels: RankChannels, samples: Sequence[Sequence[Any]]
    ) -> None:
        """Run the workers of this rank, with the inputs if it has them, and leave no message
        behind."""
        numbered = zip(self._workers, self.ranks, strict=True)
        own = [getattr(self, name) for name, rank in numbered if rank == calls.group.rank]
        try:
            if samples:
                self._send(channels, samples)
            self._pool.run(channels, own)
        finally:
            calls.finish(channels)

    def _run_batch(self, samples: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        rank, calls = self.connect(), self._calls
        if calls is None:
            return super()._run_batch(samples)
        if rank != 0:
            raise RuntimeError(f"{type(self).__name__} is called on rank 0; rank {rank} serves it")
        results: list[tuple[Any, ...]] = []
        with self._turn:
            call = Call(calls.next_number(), 0)
            channels = RankChannels(self._channels, calls.ports, call)

            def run(_: Channels) -> None:
                results.extend(self._call(calls, call, channels, samples))

            # In a thread of its own, where no Ctrl-C comes: that stops the workers, and the call
            # ends as any other that fails.
            self._caller.run(channels, [run], apart=True)
        return results

    def _call(
        self,
        calls: Calls,
        call: Call,
        channels: RankChannels,
        samples: Sequence[Sequence[Any]],
    ) -> list[tuple[Any, ...]]:
        """Make a call on all ranks."""
        failure: BaseException | None = None
        try:
            calls.announce(call)
            self._run_own(calls, channels, samples)
        except BaseException as error:
            failure = error
        if (raised := calls.outcome(failure)) is not None:
            raise raised
        return [tuple(result(getattr(channels, name)) for name in row) for row in self._outputs]

    def close(self) -> None:
        """As that of Program; on rank 0, serve() of the others returns."""
        super().close()
        self._caller.close()
        if self._calls is not None:
            self._calls.end()

    def __getstate__(self) -> dict[str, Any]:
        own = ("_calls", "_turn", "_caller")
        return {name: value for name, value in super().__getstate__().items() if name not in own}
