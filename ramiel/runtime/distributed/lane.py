"""Calls of a program of several ranks that follow each other, on a wire of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from ramiel.runtime.channels import Channels, Stopped
from ramiel.runtime.distributed.calls import Calls
from ramiel.runtime.distributed.channels import Announced, Call, Way
from ramiel.runtime.distributed.follower import Follower
from ramiel.runtime.distributed.gates import Gate
from ramiel.runtime.distributed.group import RankLost
from ramiel.runtime.distributed.leader import Leader
from ramiel.runtime.distributed.messages import BadMessage
from ramiel.runtime.distributed.part import Part
from ramiel.runtime.distributed.plans import RankPlans, Shapes, ShapesKnown
from ramiel.runtime.distributed.quick import SOON_MS, Caller, Server
from ramiel.runtime.distributed.reports import Again
from ramiel.runtime.locks import Lock
from ramiel.runtime.replay.plans import key_of
from ramiel.runtime.surroundings import with_one_thread
from ramiel.runtime.workers import Pool

if TYPE_CHECKING:
    from ramiel.runtime.distributed.program import DistributedProgram

Samples = Sequence[Sequence[Any]]
Outputs = list[tuple[Any, ...]]


class Common:
    """What the lanes of a program have in common on a rank."""

    def __init__(self, workers: int) -> None:
        self.gates = tuple(Gate() for _ in range(workers))
        """One for each worker of the rank."""
        self.shapes = ShapesKnown()
        self.first = Lock()
        """Of rank 0: one call at a time is the first for its shapes, which prepares kernels, or is
        taped."""


class Asked(NamedTuple):
    """A call that is to be made."""

    samples: Samples
    shapes: Shapes
    way: Way


class Lane:
    """What a rank needs for its part in calls of which one is made at a time. A stream of requests
    has several, whose calls overlap; other calls have one."""

    def __init__(self, name: str, calls: Calls, common: Common, pool: Pool, beside: bool) -> None:
        """Workers are run in `pool`. Calls of lanes `beside` the first go through its gates."""
        self.calls, self.common, self.pool = calls, common, pool
        self.gates = common.gates if beside else ()
        self.plans = RankPlans()
        self._turn = Lock()
        self._caller = Pool(name)
        calls.gates = self.gates

    def close(self) -> None:
        """Waits for what is under way, and ends the calls. Idempotent."""
        self.pool.close()
        self._caller.close()
        self.calls.end()

    # --- rank 0 ---

    def run(self, program: DistributedProgram, samples: Samples) -> Outputs:
        """The outputs of a call. What operators raise, RankLost."""
        calls = self.calls
        if not isinstance(calls, Leader):
            name, rank = type(program).__name__, calls.wire.rank
            raise RuntimeError(f"{name} is called on rank 0; rank {rank} serves it")
        known, key = self.common.shapes, key_of(list(chain.from_iterable(samples)))
        with self._turn:
            shapes = known.get(key)
            if shapes is not None and not self._will_tape(shapes, program):
                asked = Asked(samples, shapes, shapes.way(program.captures))
                return self._run(program, calls, asked)
            with self.common.first:
                shapes = known.get(key)
                way = Way.PYTHON if shapes is None else shapes.way(program.captures)
                return self._run(program, calls, Asked(samples, shapes or known.new(key), way))

    def _will_tape(self, shapes: Shapes, program: DistributedProgram) -> bool:
        way = shapes.way(program.captures)
        if way is Way.PYTHON or self.plans.status(shapes.number):
            return False
        return not self.plans.why_not_taped(program, way)

    @property
    def has_lost(self) -> bool:
        """Whether the program has ended with a rank."""
        return isinstance(self.calls, Leader) and self.calls.fate.lost is not None

    def end_if_lost(self) -> None:
        """Tell the other ranks if it has, unless a call is under way, which does so at its end."""
        if isinstance(self.calls, Leader) and self._turn.acquire(blocking=False):
            try:
                self.calls.end_if_lost()
            finally:
                self._turn.release()

    def _run(self, program: DistributedProgram, calls: Leader, asked: Asked) -> Outputs:
        try:
            outputs = self._run_quickly(program, calls, asked)
            if outputs is None:
                return self._run_anyhow(program, calls, asked)
            asked.shapes.in_python = dict(calls.in_python)
            return _by_sample(program, outputs)
        except Again:
            return self._run_anyhow(program, calls, asked._replace(way=Way.PYTHON))

    def _run_anyhow(self, program: DistributedProgram, calls: Leader, asked: Asked) -> Outputs:
        """Make a call on all ranks. Again if it has to be made in Python."""
        with calls.numbered() as number:
            call = Call(Announced(number, asked.shapes.number, asked.way), 0)
            part = Part(program, self, call, asked.samples)
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
            if asked.way is not Way.PYTHON:
                asked.shapes.in_python = dict(calls.in_python)

        # In a thread of its own, where no Ctrl-C comes: that stops the workers, and the call ends
        # as any other that fails.
        self._caller.run(part.channels, [run], apart=True)
        return _by_sample(program, results)

    def _run_quickly(
        self, program: DistributedProgram, calls: Leader, asked: Asked
    ) -> list[Any] | None:
        """The outputs of a call that is made without Python; None if it cannot be."""
        announced = Announced(0, asked.shapes.number, asked.way)
        plan = self.plans.ready(announced) if calls.are_shared else None
        if plan is None:
            return None
        if announced.way not in plan.quick:
            ports = {port.remote.name: port for port in calls.ports}
            names = enumerate(chain.from_iterable(program._inputs[: len(asked.samples)]))  # pyright: ignore
            inputs = [(place, ports[name]) for place, name in names if name in ports]
            plan.quick[announced.way] = Caller(calls, plan, announced, inputs)

        def settle(function: Callable[[], None]) -> None:
            self._caller.run(Channels(()), [lambda _: function()], apart=True)

        inputs = list(chain.from_iterable(asked.samples))
        return plan.quick[announced.way].call(inputs, self.plans, settle)

    # --- other ranks ---

    def serve(self, program: DistributedProgram) -> None:
        """Run this rank's workers until rank 0 ends the calls. RankLost if they end otherwise."""
        calls = self.calls
        assert isinstance(calls, Follower)
        try:
            while True:
                while with_one_thread(self._serve_quickly, calls):
                    pass
                if (announced := calls.next_call()) is None:
                    return
                call = Call(announced, calls.wire.rank)
                with_one_thread(partial(self._serve, program, calls), call)
        except RankLost as error:
            raise calls.reason(error) from error
        finally:
            calls.end()

    def _serve_quickly(self, calls: Follower) -> bool:
        """Whether a call like the last one has come soon, and was served without Python."""
        announced = calls.announced
        if announced is None or not calls.are_shared:
            return False
        if (plan := self.plans.ready(announced)) is None:
            return False
        if announced.way not in plan.quick:
            plan.quick[announced.way] = Server(calls, plan, announced)
        return plan.quick[announced.way].serve(self.plans, SOON_MS)

    def _serve(self, program: DistributedProgram, calls: Follower, call: Call) -> None:
        failure: Exception | None = None
        try:
            call.is_open = True
            Part(program, self, call, ()).run()
        except Exception as error:
            is_ours = not isinstance(error, Stopped | RankLost | BadMessage | Again)
            failure = (program._named(error) if is_ours else None) or error  # pyright: ignore
        text = call.why_in_python if failure is None else str(failure) or type(failure).__name__
        calls.report(failure, call.cause, text)


def _by_sample(program: DistributedProgram, outputs: Sequence[Any]) -> Outputs:
    width = len(program.outputs)
    return [tuple(outputs[i : i + width]) for i in range(0, len(outputs), width)]
