"""What a rank knows of the calls of its program, and its ends of the channels that cross ranks.

Rank 0 announces each call, and the others report on it. A call is the same messages on all ranks
whether it succeeds or not: a worker that fails has its rank say STOPPED on each channel that it has
not sent to, and every message is received. So a failed call leaves nothing behind, and the next one
can follow. Only a lost rank ends the program.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from ramiel.runtime.distributed.channels import (
    Announced,
    Call,
    Port,
    RankChannels,
    Receiver,
    Sender,
    Way,
)
from ramiel.runtime.distributed.gates import Gate
from ramiel.runtime.distributed.group import RankLost, Wire
from ramiel.runtime.distributed.messages import CALLS
from ramiel.runtime.distributed.neighbours import Slot
from ramiel.runtime.locks import Lock
from ramiel.runtime.surroundings import PATIENCE_S


class Calls:
    """What the calls of rank 0 (leader.py) and of another rank (follower.py) have in common."""

    def __init__(self, wire: Wire, ports: Sequence[Port], partners: Sequence[int]) -> None:
        """`partners` are the ranks with which this one speaks of calls."""
        self.wire = wire
        self.ports = ports
        self.partners = partners
        self.current: Call | None = None
        self.gates: Sequence[Gate] = ()
        """Through which the workers of this rank go, where calls of several wires overlap."""
        self.announced: Announced | None = None
        """The last call, or the one that is expected."""
        self._number = 0
        self._channels = RankChannels((), (), Call(Announced(0, 0, Way.PYTHON), wire.rank))
        self._opening = Lock()
        for port in ports:
            port.open = self.present
        self._slots = {r: wire.slot(r, CALLS) for r in wire.neighbours.ranks}
        """Of ranks on this machine, where they say something of calls."""
        self._own_slot = wire.slot(wire.rank, CALLS)
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self.post()

    def _start(self, target: Callable[..., None], *args: int) -> None:
        """A thread of this rank, until the end."""
        self._threads.append(threading.Thread(target=target, args=args, daemon=True))
        self._threads[-1].start()

    def post(self) -> None:
        """Have a place for each message of the next call."""
        for port in self.ports:
            if port.remote.sender != self.wire.rank:
                port.post()

    def begin(self, call: Call) -> None:
        self.current = call
        self.wire.call.value = call.number

    def end(self) -> None:
        """There are no more calls; those under way go on. Idempotent."""
        if self._ended.is_set():
            return
        self._ended.set()
        self._open_gates()
        self._leave()
        for thread in self._threads:  # which may be in PyTorch, as nothing may when Python exits
            thread.join(PATIENCE_S)

    def _open_gates(self) -> None:
        for gate in self.gates:
            gate.open()

    def _leave(self) -> None:
        """Say that there are no more calls, as rank 0 does."""

    def finish(self, channels: RankChannels) -> None:
        """Until all messages of a call are sent and received, and no later call waits for its
        workers. RankLost, BadMessage."""
        try:
            self._finish(channels)
        finally:
            for gate in self.gates:
                gate.leave(self.wire.call.value)

    def _finish(self, channels: RankChannels) -> None:
        failures: list[RuntimeError] = []
        ours = list(vars(channels).values())
        for channel in ours:
            if isinstance(channel, Sender):
                channel.stop()  # if it has not sent: what others say may follow from it
        for channel in ours:
            if isinstance(channel, Receiver):
                channel.finish()
                if isinstance(channel.error, RuntimeError):
                    failures.append(channel.error)
        for port in self.ports:
            try:
                port.flush()
            except RankLost as error:
                failures.append(error)
        if failures:
            raise failures[0]

    # --- calls that are replayed without Python (quick.py) ---

    @property
    def are_shared(self) -> bool:
        """Whether all messages go through memory."""
        return all(rank in self._slots for rank in self.partners) and all(
            port.is_shared for port in self.ports
        )

    def slot(self, rank: int) -> Slot:
        """Where a rank of this machine, or this one, says something of calls."""
        slot = self._own_slot if rank == self.wire.rank else self._slots[rank]
        assert slot is not None
        return slot

    def expect(self, announced: Announced) -> None:
        """The call that follows, for which nothing is opened until present()."""
        self.announced, self._number = announced, announced.number
        self.wire.call.value = announced.number

    def present(self) -> tuple[Call, RankChannels]:
        """The call under way and its channels, which a replay needs only if a step calls Python, or
        if it fails."""
        with self._opening:
            number = self.wire.call.value
            if self.current is None or self.current.number != number:
                assert self.announced is not None
                call = Call(self.announced._replace(number=number), self.wire.rank)
                call.is_open = True
                self._channels = RankChannels((), self.ports, call)
                self.current = call
            return self.current, self._channels

    def stop(self) -> None:
        """A step of the current call's replay has failed: say on all channels that this rank has
        not sent to that nothing will come."""
        call, _ = self.present()
        call.fails_by_itself = call.error is None
        for port in self.ports:
            if isinstance(port.channel, Sender):
                port.channel.stop()
