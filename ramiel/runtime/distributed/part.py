"""What one rank does in one call."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from ramiel.runtime.channels import Channel, Channels, Stopped
from ramiel.runtime.distributed.channels import Call, RankChannels, Receiver, Way, result
from ramiel.runtime.distributed.gates import through
from ramiel.runtime.distributed.group import RankLost
from ramiel.runtime.distributed.messages import BadMessage
from ramiel.runtime.distributed.plans import RankPlan
from ramiel.runtime.distributed.reports import Again
from ramiel.runtime.replay.meeting import Meeting, TapedChannel
from ramiel.runtime.replay.native import Kind, on_crew
from ramiel.runtime.replay.plans import CAPTURED
from ramiel.runtime.replay.stop import Stop
from ramiel.runtime.replay.tape import NotCapturable, Tape, tapes_of
from ramiel.runtime.taping import copies_of, taped
from ramiel.runtime.workers import Worker

if TYPE_CHECKING:
    from ramiel.runtime.distributed.lane import Lane
    from ramiel.runtime.distributed.program import DistributedProgram


class Part:
    """The part of a rank in a call, which it replays, tapes or runs in Python. The samples' inputs,
    and the outputs, are those of rank 0."""

    def __init__(
        self,
        program: DistributedProgram,
        lane: Lane,
        call: Call,
        samples: Sequence[Sequence[Any]],
    ) -> None:
        self._program, self._lane, self._call = program, lane, call
        self._calls = calls = lane.calls
        calls.begin(call)
        self._samples = samples
        numbered = zip(program._workers, program.ranks, strict=True)  # pyright: ignore
        rank = calls.wire.rank
        self._workers: list[Worker] = [getattr(program, w) for w, r in numbered if r == rank]
        self._plan = plan = lane.plans.find(program, call)
        self._meeting = Meeting(max(len(self._workers), 1))
        names = () if isinstance(plan, RankPlan) else program._channels  # pyright: ignore
        local = partial(TapedChannel, meeting=self._meeting) if plan is None else Channel
        self.channels = RankChannels(names, calls.ports, call, local)

    def run(self) -> list[Any]:
        """The outputs, sample by sample, if there are inputs. Leaves no message behind.

        Again if this has to be made in Python, what the workers raise, Stopped, RankLost, or
        BadMessage."""
        if isinstance(self._plan, RankPlan):
            return self._replay(self._plan)
        if self._plan is None:
            return self._tape()
        self._call.why_in_python = self._plan
        has_failed = True
        try:
            self._send(self._samples)
            workers = map(on_crew, map(self._gated, range(len(self._workers))))
            self._lane.pool.run(self.channels, list(workers))
            has_failed = False
        finally:
            self._calls.finish(self.channels)
            if self._call.way is Way.PYTHON:
                self._lane.plans.settle(self._call, has_failed)
        return self._results()

    def _replay(self, plan: RankPlan) -> list[Any]:
        try:
            self._send(self._samples)
            outputs = plan.run(list(chain.from_iterable(self._samples)))
        finally:
            self._calls.finish(self.channels)
        if self._call.misfit:
            self._lane.plans.refuse(self._call, NotCapturable(self._call.misfit))
        if outputs is None:
            error = None if self._call.fails_by_itself else self._call.error
            raise error or Again("a step of its replay fails")
        return outputs

    def _tape(self) -> list[Any]:
        """Run the workers while they are taped, and make a plan of it."""
        plans = self._lane.plans
        tapes = tapes_of(max(len(self._workers), 1))
        copies = [copies_of(sample) for sample in self._samples]
        tapers = [self._taper(k, tapes[k]) for k in range(len(self._workers))]
        try:
            self._send(copies)
            self._lane.pool.run(self.channels, list(map(on_crew, tapers)), apart=True)
            outputs = self._outputs(tapes[0]) if copies else []
        except (Stopped, RankLost, BadMessage):
            raise
        except Exception as error:
            plans.refuse(self._call, error)
            raise Again(str(error)) from error
        finally:
            self._calls.finish(self.channels)
        inputs = list(chain.from_iterable(copies))
        plans.make(self._call, tapes, inputs, outputs, self._calls.stop)
        if (status := plans.status(self._call.shapes)) != CAPTURED:
            self._call.why_in_python = status
        return self._results()

    def _taper(self, number: int, tape: Tape) -> Worker:
        gates, call = self._lane.gates[number : number + 1], self._calls.wire.call

        def run(channels: Channels) -> None:
            for gate in gates:
                tape.note(gate.step(Kind.ENTER, call))
            stop = taped(self._workers[number], tape, self._program._nodes, channels)  # pyright: ignore
            if isinstance(stop, Stop):
                raise NotCapturable(stop.reason)
            for gate in gates:
                tape.note(gate.step(Kind.LEAVE, call))
            self._meeting.leave()

        return self._gated(number, run)

    def _gated(self, number: int, worker: Worker | None = None) -> Worker:
        """A worker, or what does as that, which takes its turn if there are gates."""
        run = worker or self._workers[number]
        if not self._lane.gates:
            return run
        gate, call = self._lane.gates[number], self._call.number
        return lambda channels: through(gate, call, partial(run, channels))

    def _outputs(self, tape: Tape) -> list[Any]:
        """What the plan's outputs are; those from other ranks are waited for at the end of a
        tape."""
        outputs: list[Any] = []
        for channel in self._output_channels():
            outputs.append(channel.sent())
            if isinstance(channel, Receiver):
                tape.note(channel.handed(outputs[-1]))
        return outputs

    def _results(self) -> list[Any]:
        return [result(channel) for channel in self._output_channels()] if self._samples else []

    def _output_channels(self) -> list[Channel]:
        rows = self._program._outputs  # pyright: ignore[reportPrivateUsage]
        return [getattr(self.channels, name) for name in chain.from_iterable(rows)]

    def _send(self, samples: Sequence[Sequence[Any]]) -> None:
        """Sends the inputs to who has a channel for them."""
        channels = vars(self.channels)
        for names, values in zip(self._program._inputs, samples, strict=False):  # pyright: ignore
            for name, value in zip(names, values, strict=True):
                if name in channels:
                    channels[name].send(value)
