"""Calls by ranks that share memory, which replay them: from the announcement to the reports they
are one call of the native part on each rank (native/ranks.cpp), where no interrupt comes. What does
not go as usual is settled in Python, as any other call is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ctypes import byref
from functools import partial
from typing import Any

from ramiel.runtime.distributed.calls import Calls
from ramiel.runtime.distributed.channels import Announced, Call, Port
from ramiel.runtime.distributed.follower import Follower
from ramiel.runtime.distributed.leader import Leader
from ramiel.runtime.distributed.plans import RankPlan, RankPlans
from ramiel.runtime.distributed.reports import Again, announcement, fine, message_of
from ramiel.runtime.replay.native import SAID_OTHERWISE, Said
from ramiel.runtime.replay.tape import NotCapturable

SOON_MS = 50
"""How long a rank that has served a call waits for the next one before it looks what else there is.
"""
Settle = Callable[[Callable[[], None]], None]
"""Runs a function where no interrupt comes, and raises what it raises."""


class Caller:
    """The calls of a plan of rank 0."""

    def __init__(
        self,
        calls: Leader,
        plan: RankPlan,
        announced: Announced,
        inputs: Sequence[tuple[int, Port]],
    ) -> None:
        """`inputs` are those that other ranks read, by their place among the plan's."""
        self._calls, self._plan, self._announced, self._inputs = calls, plan, announced, inputs
        self._headers = [
            message_of(header) for header in (announcement(announced), *map(fine, calls.partners))
        ]
        self._announcement = calls.slot(0).said(self._headers[0])
        said = [
            calls.slot(rank).said(header)
            for rank, header in zip(calls.partners, self._headers[1:], strict=True)
        ]
        self._reports = (Said * len(said))(*said)
        self._messages = (Said * len(inputs))(*(port.said() for _, port in inputs))

    def call(self, inputs: Sequence[Any], plans: RankPlans, settle: Settle) -> Any:
        """The outputs of a call. What `outcome()` of the calls says, if it has failed."""
        calls, native = self._calls, self._plan.native
        with self._plan.instance() as instance:
            memory = instance.put(inputs)
            calls.in_python.clear()
            with calls.numbered() as number:
                calls.expect(self._announced._replace(number=number))
                for place, port in self._inputs:
                    port.put(number, inputs[place])
            status = SAID_OTHERWISE
            interrupts = list[BaseException]()
            try:
                status = native.functions.ramiel_ranks_call(
                    *(instance.handle, number, byref(self._announcement)),
                    *(self._messages, len(self._messages), self._reports, len(self._reports)),
                    *(min(instance.spins, calls.wire.neighbours.spins), byref(calls.is_open)),
                )
            except BaseException as error:
                interrupts.append(error)
            # They are taken from there, as their tracebacks hold this frame.
            if calls.is_open.value:
                settle(partial(_settle, calls, plans, status, interrupts))
            if interrupts:
                raise interrupts.pop()
            return instance.outputs(memory)


def _settle(calls: Leader, plans: RankPlans, status: int, interrupts: list[BaseException]) -> None:
    """Raises what a call ends with that did not go as usual."""
    interrupt = interrupts.pop() if interrupts else None
    raised = calls.outcome(_finished(calls, plans, status, interrupt))
    calls.is_open.value = 0
    try:
        if raised is not None:
            raise raised
    finally:
        del raised, interrupt


class Server:
    """The calls of a plan of another rank."""

    def __init__(self, calls: Follower, plan: RankPlan, announced: Announced) -> None:
        self._calls, self._plan, self._announced = calls, plan, announced
        self._headers = message_of(announcement(announced)), message_of(fine(calls.wire.rank))
        self._announcement = calls.slot(0).said(self._headers[0])
        self._report = calls.slot(calls.wire.rank).said(self._headers[1])

    def serve(self, plans: RankPlans, most_ms: int) -> bool:
        """Whether a call of this plan has come, within some ms, and been served."""
        calls, native = self._calls, self._plan.native
        wire = calls.wire
        with self._plan.instance() as instance:
            status = native.functions.ramiel_ranks_serve(
                *(instance.handle, byref(wire.call), byref(self._announcement)),
                *(min(instance.spins, wire.neighbours.spins), most_ms),
            )
            if status == SAID_OTHERWISE:
                return False
        calls.expect(self._announced._replace(number=wire.call.value))
        failure = _finished(calls, plans, status, None)
        if failure is None and plans.ready(self._announced) is not self._plan:
            failure = Again("weights have changed, or hooks were registered")
        if failure is None:
            native.functions.ramiel_ranks_report(byref(self._report), wire.call.value)
        else:
            call, _ = calls.present()
            calls.report(failure, call.cause, str(failure) or type(failure).__name__)
        return True


def _finished(
    calls: Calls, plans: RankPlans, status: int, interrupt: BaseException | None
) -> BaseException | None:
    """Why a replay with such a status has failed, once all of its messages are through."""
    if status in (0, SAID_OTHERWISE) and interrupt is None:
        return None
    call, channels = calls.present()
    try:
        calls.finish(channels)
    except RuntimeError as error:
        return interrupt or error
    if call.misfit:
        plans.refuse(call, NotCapturable(call.misfit))
    return interrupt or _failure(call)


def _failure(call: Call) -> Exception:
    error = None if call.fails_by_itself else call.error
    return error if isinstance(error, Exception) else Again("a step of its replay fails")
