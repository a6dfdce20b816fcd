"""A device on the CPU whose streams run in their own time, as CUDA's do.

Operations of PyTorch that a program issues are put off: their results are tensors that hold NaN, or
zeros, until the stream gets to them. Streams take turns in random order and at random speeds, so a
value that is read without a wait is, in some runs, not there yet. Besides, vector clocks tell
exactly whether each access to memory comes after those that it must come after, as in a detector of
data races (Flanagan & Freund, "FastTrack", PLDI 2009), for reads, writes, and memory that is let go
of, which CUDA's allocator gives to the next operation of the stream that allocated it.

    with programs_on(StandIn(seed=1)):
        model = Googlenet(Weights.open("googlenet.safetensors"))
    y = model(x)
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from ramiel.runtime.locks import Lock
from ramiel.runtime.streams.deferred import Access, Deferring, Memory

Result = TypeVar("Result")

Clock = dict[int, int]
"""How many operations of each stream, by its number, come before."""


class Race(RuntimeError):
    """An operation may run before what it depends on, or after its memory has another use."""


@dataclass
class Ticket:
    """One record of an event."""

    clock: Clock
    capture: StandInGraph | None
    has_fired: bool = False
    time_s: float = 0.0
    """When it fired last, by the CPU's clock."""

    def fire(self) -> None:
        self.has_fired, self.time_s = True, time.perf_counter()


@dataclass
class Step:
    """An operation of a stream, a record, or a wait for one."""

    action: Callable[[], None] | None = None
    records: Ticket | None = None
    waits: Ticket | None = None


@dataclass
class StandInStream:
    device: StandIn
    number: int
    steps: deque[Step] = field(default_factory=deque[Step])
    clock: Clock = field(default_factory=dict[int, int])
    capture: StandInGraph | None = None
    freed: list[Memory] = field(default_factory=list[Memory])

    def add(self, step: Step) -> None:
        if self.capture is not None:
            self.capture.steps.setdefault(self.number, []).append(step)
        else:
            self.steps.append(step)
            self.device.run_some()

    def tick(self) -> int:
        count = self.clock[self.number] = self.clock.get(self.number, 0) + 1
        return count

    def wait_event(self, event: StandInEvent) -> None:
        ticket = event.ticket
        if ticket is None:
            return
        if self.capture is not None and ticket.capture is not self.capture:
            raise RuntimeError("a captured stream waits for an event outside of its graph")
        if ticket.capture is not None and not ticket.capture.is_complete:
            self.capture = ticket.capture  # a stream joins the capture of an event it waits for
        for number, count in ticket.clock.items():
            self.clock[number] = max(self.clock.get(number, 0), count)
        self.add(Step(waits=ticket))


@dataclass
class StandInEvent:
    ticket: Ticket | None = None

    def record(self, stream: StandInStream) -> None:
        stream.tick()
        self.ticket = Ticket(dict(stream.clock), stream.capture)
        stream.add(Step(records=self.ticket))

    def elapsed_time(self, end: StandInEvent) -> float:
        """ms until a later one."""
        if self.ticket is None or end.ticket is None:
            raise RuntimeError("an event was not recorded")
        return (end.ticket.time_s - self.ticket.time_s) * 1e3


class StandInGraph:
    """The steps of each captured stream. A replay runs them in an order that their waits allow.

    Before it, it overwrites what it may use of its pool: memory of graphs beside it that was let go
    of when it was captured.
    """

    memory = 0

    def __init__(self, device: StandIn, beside: StandInGraph | None = None) -> None:
        self.device = device
        self.pool: list[Memory] = [] if beside is None else beside.pool
        """The memory of this graph and of those beside it that was let go of."""
        self._reused = list(self.pool)
        self.steps: dict[int, list[Step]] = {}
        self.access = Access()
        self.is_complete = False

    def complete(self) -> None:
        """What was accessed while capturing is accessed by replays, and not before."""
        self.is_complete = True
        for memory in self.access.reads | self.access.writes:
            memory.writer = None
            memory.readers.clear()

    def replay(self) -> None:
        self.device.accessed(self.access)
        self.device.current().add(Step(action=self._run))

    def _run(self) -> None:
        for memory in self._reused:
            memory.spoil()
        queues = [deque(steps) for steps in self.steps.values()]
        for queue in queues:
            for step in queue:
                if step.records is not None:
                    step.records.has_fired = False
        self.device.run(queues)


class StandIn:
    """See above. `strict` raises Race at once; without, only wrong values tell.

    `lacks` names operators, such as `aten::sin`, that it has no kernel for.
    """

    has_times = False
    name = f"stand-in, torch {torch.__version__}"

    def __init__(self, seed: int = 0, *, strict: bool = True, lacks: Collection[str] = ()) -> None:
        self.torch_device = torch.device("cpu")
        self.lacks = frozenset(lacks)
        self.strict = strict
        self._random = random.Random(seed)
        self._streams: list[StandInStream] = []
        self._side_streams: list[StandInStream] = []
        self._lock = Lock()
        self._here = threading.local()
        self._deferring = Deferring(self)
        self._speeds: list[float] = []
        self._is_running = False

    # --- as any device ---

    def stream(self) -> StandInStream:
        with self._lock:
            stream = StandInStream(self, len(self._streams))
            self._streams.append(stream)
            self._speeds.append(self._random.choice((0.01, 0.3, 1.0, 10.0)))
            return stream

    def streams(self, count: int) -> list[StandInStream]:
        with self._lock:
            while len(self._side_streams) < count:
                self._side_streams.append(self.stream())
            return self._side_streams[:count]

    def event(self) -> StandInEvent:
        return StandInEvent()

    def timer(self) -> StandInEvent:
        return StandInEvent()

    def current(self) -> StandInStream:
        """Each thread begins with a stream of its own."""
        if not hasattr(self._here, "stream"):
            self._here.stream = self.stream()
        return self._here.stream

    def use(self, stream: StandInStream) -> None:
        self._here.stream = stream

    @contextmanager
    def issuing(self) -> Generator[None]:
        with self._lock, self._deferring.mode():
            yield

    def is_capturing(self) -> bool:
        return self.current().capture is not None

    def capture(
        self, issue: Callable[[], Result], streams: int = 1, beside: StandInGraph | None = None
    ) -> tuple[StandInGraph, Result]:
        graph, origin, before = StandInGraph(self, beside), self.stream(), self.current()
        self.synchronize()
        origin.capture = graph
        self.use(origin)
        try:
            result = issue()
            for stream in self._streams:
                joined = origin.clock.get(stream.number, 0)
                if stream.capture is graph and stream.clock.get(stream.number, 0) > joined:
                    raise RuntimeError("a stream of the capture is not joined to its first stream")
        finally:
            self.use(before)
            graph.complete()
            for stream in self._streams:
                if stream.capture is graph:
                    stream.capture = None
        return graph, result

    def is_lost(self) -> bool:
        return False

    def settle(self) -> None:
        """The CPU does not wait for a stream, so what was issued runs now. It orders nothing: on a
        device, the caller's stream would go on."""
        with self._lock:
            self.run([stream.steps for stream in self._streams])

    def synchronize(self) -> None:
        """As settle(), and what is issued later comes after all that was issued so far."""
        with self._lock:
            self.settle()
            now = {stream.number: stream.clock.get(stream.number, 0) for stream in self._streams}
            for stream in self._streams:
                stream.clock = dict(now)

    # --- what operations do ---

    def operation(self, action: Callable[[], None], access: Access) -> None:
        """Put off an operation of the current stream. Raises Race if it is `strict`."""
        stream = self.current()
        freed, stream.freed = stream.freed, []
        if self.strict:
            for memory in freed:
                # What is issued outside of a graph is not allocated in its memory.
                if _pool(memory.graph) is _pool(stream.capture):
                    for use in (*memory.readers.items(), memory.writer):
                        self._check(use, stream, "may reuse memory that", "uses")
        if stream.capture is not None:
            stream.capture.access.reads.update(access.reads)
            stream.capture.access.writes.update(access.writes)
        self.accessed(access)
        stream.add(Step(action=action))

    def accessed(self, access: Access) -> None:
        """The current stream's next operation reads and writes memory. Raises Race."""
        stream = self.current()
        count = stream.tick()
        if not self.strict:
            return
        for memory in access.reads:
            self._check(memory.writer, stream, "reads what", "writes")
            memory.readers[stream.number] = count
        for memory in access.writes:
            self._check(memory.writer, stream, "writes to what", "writes")
            for reader in memory.readers.items():
                self._check(reader, stream, "writes to what", "reads")
            memory.writer = (stream.number, count)

    def freed(self, memory: Memory) -> None:
        """No tensor has the memory any more: the next operation of its stream may get it."""
        if memory.graph is not None:
            memory.graph.pool.append(memory)
        self._streams[memory.owner].freed.append(memory)

    def _check(
        self, use: tuple[int, int] | None, stream: StandInStream, what: str, other: str
    ) -> None:
        if use is None or use[0] == stream.number or stream.clock.get(use[0], 0) >= use[1]:
            return
        raise Race(f"stream {stream.number} {what} stream {use[0]} {other}, without a wait")

    def read(self) -> None:
        """The program reads a value: what was issued runs first."""
        if self.is_capturing():
            raise RuntimeError("operation not permitted when stream is capturing")
        self.synchronize()

    # --- time ---

    def run_some(self) -> None:
        """Sometimes streams run a few steps while more are issued."""
        if not self._is_running and self._random.random() < 0.2:
            self.run([stream.steps for stream in self._streams], self._random.randrange(8))

    def run(self, queues: list[deque[Step]], most: int | None = None) -> None:
        """Run steps of queues in random order, all of them or at most so many."""
        outer, self._is_running = self._is_running, True
        try:
            while most is None or most > 0:
                able = [k for k, q in enumerate(queues) if q and _is_able(q[0])]
                if not able:
                    if most is None and any(queues):
                        raise RuntimeError("streams wait for events that nobody records")
                    return
                weights = [self._speeds[k % len(self._speeds)] for k in able]
                (chosen,) = self._random.choices(able, weights)
                _take(queues[chosen].popleft())
                most = None if most is None else most - 1
        finally:
            self._is_running = outer


def _pool(graph: StandInGraph | None) -> list[Memory] | None:
    return None if graph is None else graph.pool


def _is_able(step: Step) -> bool:
    return step.waits is None or step.waits.has_fired


def _take(step: Step) -> None:
    if step.action is not None:
        step.action()
    if step.records is not None:
        step.records.fire()
