"""The base class of programs whose workers are on several machines."""

from __future__ import annotations

import hashlib
import inspect
import linecache
import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar

import torch

from ramiel.runtime.channels import Channels, Stopped
from ramiel.runtime.distributed.calls import Calls
from ramiel.runtime.distributed.channels import Announced, Call, Port, Way
from ramiel.runtime.distributed.follower import Follower
from ramiel.runtime.distributed.group import Group, Place, RankLost, RanksDiffer, time_limit
from ramiel.runtime.distributed.leader import Leader
from ramiel.runtime.distributed.messages import BadMessage, Remote, slots_of
from ramiel.runtime.distributed.part import Part
from ramiel.runtime.distributed.plans import RankPlans, Shapes, ShapesKnown
from ramiel.runtime.distributed.quick import SOON_MS, Caller, Server
from ramiel.runtime.distributed.reports import Again
from ramiel.runtime.locks import Lock
from ramiel.runtime.program import Program
from ramiel.runtime.replay.plans import is_replayed, key_of
from ramiel.runtime.replay.tape import NotCapturable
from ramiel.runtime.streaming import Streaming
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
        self._calls: Leader | Follower | None = None
        self._turn = Lock()
        self._caller = Pool(type(self).__name__)
        self._rank_plans = RankPlans()
        self._shapes = ShapesKnown()

    def connect(self) -> int:
        """Meet the other ranks, if torchrun has started this process; return this one's number.

        RanksDiffer if they have other files or versions, or there are more or less than the program
        has; RankLost if one does not come; OSError if a port is in use. Idempotent.
        """
        with self._turn:
            self._pool.visit(lambda: None)  # RuntimeError once it is closed
            place = Place.of(os.environ)
            if self._calls is None and place is not None:
                self._check_number_of(place)
                if place.ranks > 1:
                    group = self._group(place)
                    kind = Leader if place.rank == 0 else Follower
                    self._calls = kind(group, self._ports_of(group))
                    weakref.finalize(self, Calls.end, self._calls)
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
        limit_s = time_limit(os.environ)
        return Group(type(self).__name__, place, limit_s, self.identity(), slots)

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
        rank, calls = self.connect(), self._calls
        if not isinstance(calls, Follower):
            raise RuntimeError(f"{type(self).__name__} is called on rank 0, and served on others")
        try:
            while True:
                while with_one_thread(self._serve_quickly, calls):
                    pass
                if (announced := calls.next_call()) is None:
                    return
                with_one_thread(self._serve_call, calls, Call(announced, rank))
        except RankLost as error:
            raise calls.reason(error) from error
        finally:
            calls.end()

    def _serve_quickly(self, calls: Follower) -> bool:
        """Whether a call like the last one has come soon, and was served without Python."""
        announced = calls.announced
        if announced is None or not calls.are_shared:
            return False
        if (plan := self._rank_plans.ready(announced)) is None:
            return False
        if announced.way not in plan.quick:
            plan.quick[announced.way] = Server(calls, plan, announced)
        return plan.quick[announced.way].serve(self._rank_plans, SOON_MS)

    def _serve_call(self, calls: Follower, call: Call) -> None:
        failure: Exception | None = None
        try:
            call.is_open = True
            Part(self, calls, call, ()).run()
        except Exception as error:
            is_ours = not isinstance(error, Stopped | RankLost | BadMessage | Again)
            failure = (self._named(error) if is_ours else None) or error
        text = call.why_in_python if failure is None else str(failure) or type(failure).__name__
        calls.report(failure, call.cause, text)

    def _run_batch(self, samples: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
        rank, calls = self.connect(), self._calls
        if calls is None:
            return super()._run_batch(samples)
        if not isinstance(calls, Leader):
            raise RuntimeError(f"{type(self).__name__} is called on rank 0; rank {rank} serves it")
        with self._turn:
            key = key_of(list(chain.from_iterable(samples)))
            shapes = self._shapes.get(key)
            way = Way.PYTHON if shapes is None else shapes.way(self.captures)
            shapes = shapes or self._shapes.new(key)
            try:
                outputs = self._call_quickly(calls, samples, Announced(0, shapes.number, way))
                if outputs is None:
                    return self._call(calls, samples, shapes, way)
                shapes.in_python = dict(calls.in_python)
                return self._by_sample(outputs)
            except Again:
                return self._call(calls, samples, shapes, Way.PYTHON)

    def _call(
        self, calls: Leader, samples: Sequence[Sequence[Any]], shapes: Shapes, way: Way
    ) -> list[tuple[Any, ...]]:
        """Make a call on all ranks. Again if it has to be made in Python."""
        call = Call(Announced(calls.next_number(), shapes.number, way), 0)
        part = Part(self, calls, call, samples)
        results: list[Any] = []

        def run(_: Channels) -> None:
            failure: BaseException | None = None
            try:
                calls.announce(call)
                results.extend(part.run())
            except BaseException as error:
                failure = error
            raised = calls.outcome(failure)
            try:
                if raised is not None:
                    raise raised
            finally:
                del failure, raised  # their tracebacks hold this frame: break the cycle
            if way is not Way.PYTHON:
                shapes.in_python = dict(calls.in_python)

        # In a thread of its own, where no Ctrl-C comes: that stops the workers, and the call ends
        # as any other that fails.
        self._caller.run(part.channels, [run], apart=True)
        return self._by_sample(results)

    def _call_quickly(
        self, calls: Leader, samples: Sequence[Sequence[Any]], announced: Announced
    ) -> list[Any] | None:
        """The outputs of a call that is made without Python; None if it cannot be."""
        plan = self._rank_plans.ready(announced) if calls.are_shared else None
        if plan is None:
            return None
        number = calls.next_number()
        if announced.way not in plan.quick:
            ports = {port.remote.name: port for port in calls.ports}
            names = enumerate(chain.from_iterable(self._inputs[: len(samples)]))
            inputs = [(place, ports[name]) for place, name in names if name in ports]
            plan.quick[announced.way] = Caller(calls, plan, announced, inputs)

        def settle(function: Callable[[], None]) -> None:
            self._caller.run(Channels(()), [lambda _: function()], apart=True)

        inputs = list(chain.from_iterable(samples))
        return plan.quick[announced.way].call(number, inputs, self._rank_plans, settle)

    def _by_sample(self, outputs: Sequence[Any]) -> list[tuple[Any, ...]]:
        width = len(self.outputs)
        return [tuple(outputs[i : i + width]) for i in range(0, len(outputs), width)]

    def _streamed(
        self, streaming: Streaming, requests: Iterable[Any], return_exceptions: bool
    ) -> Iterator[Any]:
        """See stream(): a call of all ranks is of one request, or of as many as the program has
        samples at a time, and they follow each other; unless a number of threads is given, or there
        is one rank."""
        is_free = streaming.at_a_time is None or streaming.way == "pipeline"
        if is_free and max(self.ranks, default=0):
            self.connect()
            if self._calls is not None:
                way = "calls" if self.batch == 1 else "batches"
                streaming = streaming._replace(way=way, at_a_time=self.batch)
        return super()._streamed(streaming, requests, return_exceptions)

    def _capture(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.connect()
        if self._calls is None:
            super()._capture(args, kwargs)
            return
        samples = self._first_batch(args, kwargs)
        inputs = list(chain.from_iterable(samples))
        if self._shapes.get(key_of(inputs)) is None:
            self._run_batch(samples)
        if (shapes := self._shapes.get(key_of(inputs))) is not None:
            shapes.is_asked_for = True
            self._run_batch(samples)
        if not is_replayed(status := self.capture_status(*args, **kwargs)):
            raise NotCapturable(status)

    def capture_status(self, *args: Any, **kwargs: Any) -> str:
        """As that of Program; on rank 0, of all ranks."""
        if self._calls is None:
            return super().capture_status(*args, **kwargs)
        inputs = list(chain.from_iterable(self._first_batch(args, kwargs)))
        if (shapes := self._shapes.get(key_of(inputs))) is None:
            return self._plans.status(self, inputs)
        return shapes.status(self._rank_plans.status(shapes.number))

    def close(self) -> None:
        """As that of Program; on rank 0, serve() of the others returns."""
        super().close()
        self._caller.close()
        if self._calls is not None:
            self._calls.end()

    def __getstate__(self) -> dict[str, Any]:
        own = ("_calls", "_turn", "_caller", "_rank_plans", "_shapes")
        return {name: value for name, value in super().__getstate__().items() if name not in own}
