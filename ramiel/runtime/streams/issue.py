"""The issue of one run: the work of all workers goes to their streams, from one thread.

A worker is a coroutine. It runs until it awaits a channel that nothing was sent to so far; then the
lowest-numbered worker that can go on does. So the order of issue depends on the program only, and
every record of an event is issued before the waits for it.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from heapq import heappop, heappush
from types import CoroutineType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from torch import Tensor

from ramiel.runtime.outputs import is_shared
from ramiel.runtime.streams.device import Device, Event, Stream

Worker: TypeAlias = "CoroutineType[Any, Any, Any]"

_NOT_SENT: Any = object()


def _references_of_one_alone() -> int:
    slot = [object()]
    value = slot[0]
    # Not by a function of Python's: where torch.compile() has run, one holds its arguments twice.
    return sys.getrefcount(value)


_ALONE = _references_of_one_alone()
"""What sys.getrefcount() gives for a value that one slot and one variable have."""


class EventChannel:
    """A value with the event after which it is there.

    It keeps its value until the run has ended, or, if that is taken, until the stream that sent it
    has waited for the one that read it. That is what makes a value safe to read on another stream:
    memory that is let go of is given to the next operation of the stream that allocated it, which
    does not wait for the readers on other streams.
    """

    __slots__ = (
        "_issue",
        "_value",
        "clock",
        "event",
        "name",
        "read_until",
        "reader",
        "sender",
        "waiting",
    )

    def __init__(self, name: str, issue: Issue) -> None:
        self.name = name
        self.sender = 0
        self.clock: tuple[int, ...] = ()
        self.event: Event | None = None
        self.waiting: list[int] = []
        """The workers that await it."""
        self.reader = self.read_until = 0
        """The stream of the only receiver, and the tick of its clock after the last read."""
        self._issue = issue
        self._value = _NOT_SENT

    @property
    def is_sent(self) -> bool:
        return self._value is not _NOT_SENT

    def give(self, value: Any) -> None:
        """Set a value that is there when the run starts."""
        self._value = value

    def send(self, value: Any = None) -> None:
        """Record the event on the current stream. Raises RuntimeError on a second send."""
        if self.is_sent:
            raise RuntimeError(f'channel "{self.name}" was sent twice')
        self._value = value
        self._issue.sent(self)

    def __await__(self) -> Generator[EventChannel, None, Any]:
        """Make the current stream wait for the event; the value."""
        while not self.is_sent:
            yield self
        self._issue.received(self)
        return self._value

    async def take(self) -> Any:
        """As awaiting it, for the only receiver: its memory is used again after the last read."""
        value = await self
        self._issue.taken(self)
        return value

    def has_the_only_reference(self) -> bool:
        """Whether no variable of a worker has the value or a view of it."""
        value = self._value
        return type(value) is Tensor and sys.getrefcount(value) <= _ALONE and not is_shared(value)

    def drop(self) -> None:
        self._value = None

    def sent_value(self) -> Any:
        """The value. RuntimeError if it was not sent."""
        if not self.is_sent:
            raise RuntimeError(f'no worker sent "{self.name}"')
        return self._value


class Events:
    """The channels of one run: one attribute each. Created for every run."""

    __slots__ = ("__dict__", "_issue")

    def __init__(self, names: Iterable[str], issue: Issue) -> None:
        self._issue = issue
        self.__dict__.update({name: EventChannel(name, issue) for name in names})

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> EventChannel: ...

    def stream(self, number: int) -> AbstractContextManager[None]:
        """Operations within go to the stream of a worker, by its number."""
        return self._issue.on(number)

    def end(self) -> None:
        """Let go of the values, and of the run. Call it as `Events.end(events)`: a program may have
        a channel named `end`."""
        self.__dict__.clear()
        del self._issue


class Halt(NamedTuple):
    """Where a worker waits: the line, its variables, and what for."""

    line: int
    values: dict[str, Any]
    awaited: object


class Advanced(NamedTuple):
    """How far workers have got, by their numbers, and what was sent so far."""

    halts: dict[int, Halt]
    results: dict[int, Any]
    """What those that have ended returned."""
    sent: dict[str, Any]


def _halt(worker: Worker, awaited: object) -> Halt:
    frame = worker.cr_frame
    assert frame is not None
    values = {k: v for k, v in frame.f_locals.items() if not k.startswith(".")}
    return Halt(frame.f_lineno, values, awaited)


class Issue:
    """One run on a device: stream 0 is the current one, the others are forked from it.

    A stream is numbered as its worker; if there are more workers than streams, some share one.
    Vector clocks tell which events a stream has waited for, directly or not, so that no wait is
    issued twice: an edge of a graph less.
    """

    def __init__(self, device: Device, streams: Sequence[Stream], names: Iterable[str]) -> None:
        self.device = device
        self.streams = (device.current(), *streams)
        self.here = 0
        self.channels = Events(names, self)
        self._clocks = [[0] * len(self.streams) for _ in self.streams]
        self._forked = {0}
        self._busy: set[int] = set()
        """The streams that may have operations that stream 0 has not waited for."""
        self._ready: list[int] = []
        self._results: dict[int, Any] = {}
        self._taken: list[list[EventChannel]] = [[] for _ in self.streams]
        """By the stream that reads: taken values that it may still read."""
        self._read: list[list[EventChannel]] = [[] for _ in self.streams]
        """By the stream that sent: taken values that are no longer read once it has waited."""
        self._start = self._recorded(0)

    def give(self, inputs: Mapping[str, Any]) -> None:
        """Send the inputs: they are there when the run starts."""
        for name, value in inputs.items():
            getattr(self.channels, name).give(value)

    def run(self, workers: Sequence[Worker], outputs: Sequence[str]) -> list[Any]:
        """Issue the work of all workers, and let stream 0 wait for it; the outputs.

        Raises the first error of a worker, and RuntimeError if workers wait for each other.
        """
        with self._running(workers) as captured:
            if stuck := self._drive(workers):
                waits = ", ".join(f'worker {k} for "{c.name}"' for k, c in sorted(stuck.items()))
                raise RuntimeError(f"deadlock: {waits}")
            self._join()
            channels = [getattr(self.channels, name) for name in outputs]
            return [self._output(channel, captured) for channel in channels]

    def advance(self, workers: Sequence[Worker]) -> Advanced:
        """Issue what can be, until each worker has ended or waits for what nobody sends, and let
        stream 0 wait for it. Values stay in the memory of the stream that made them."""
        with self._running(workers):
            stuck = self._drive(workers)
            self._join()
            halts = {k: _halt(workers[k], stuck[k]) for k in sorted(stuck)}
            channels = vars(self.channels).items()
            sent = {name: c.sent_value() for name, c in channels if c.is_sent}
            return Advanced(halts, self._results, sent)

    @contextmanager
    def _running(self, workers: Sequence[Worker]) -> Generator[bool]:
        """Ends the run afterwards; whether it is captured."""
        captured = self.device.is_capturing()
        try:
            yield captured
        finally:
            for worker in workers:
                worker.close()
            self._join()
            if not captured:
                self._end()
            Events.end(self.channels)  # else a cycle of references

    def _drive(self, workers: Sequence[Worker]) -> dict[int, EventChannel]:
        """Issue until no worker can go on; what those that have not ended wait for."""
        self._ready = list(range(len(workers)))
        awaited: dict[int, EventChannel] = {}
        places = [0] * len(workers)
        while self._ready:
            number = heappop(self._ready)
            awaited.pop(number, None)
            self.enter(places[number])
            try:
                channel = workers[number].send(None)
            except StopIteration as end:
                self._results[number] = end.value
                continue
            places[number] = self.here
            channel.waiting.append(number)
            awaited[number] = channel
        return awaited

    @contextmanager
    def on(self, number: int) -> Generator[None]:
        """Operations go to a worker's stream."""
        before = self.here
        self.enter(number % len(self.streams))
        try:
            yield
        finally:
            self.enter(before)

    def enter(self, number: int) -> None:
        """Make a worker's stream the current one; it starts where stream 0 started."""
        stream = self.streams[number]
        if number not in self._forked:
            self._forked.add(number)
            stream.wait_event(self._start)
            self._clocks[number][0] = 1
        self.here = number
        self._busy.add(number)
        self.device.use(stream)

    def taken(self, channel: EventChannel) -> None:
        channel.reader = self.here
        self._taken[self.here].append(channel)

    def _note_reads(self) -> None:
        """The next event of the current stream comes after all reads of what no variable has."""
        here = self.here
        for channel in self._taken[here]:
            if channel.has_the_only_reference():
                channel.read_until = self._clocks[here][here] + 1
                self._read[channel.sender].append(channel)
        self._taken[here] = [c for c in self._taken[here] if not c.read_until]

    def _drop_what_was_read(self) -> None:
        """Lets go of values whose reads the current stream, which sent them, has waited for."""
        own, left = self._clocks[self.here], list[EventChannel]()
        for channel in self._read[self.here]:
            if own[channel.reader] >= channel.read_until:
                channel.drop()
            else:
                left.append(channel)
        self._read[self.here] = left

    def sent(self, channel: EventChannel) -> None:
        self._note_reads()
        clock = self._clocks[self.here]
        channel.sender = self.here
        channel.event = self._recorded(self.here)
        channel.clock = tuple(clock)
        for worker in channel.waiting:
            heappush(self._ready, worker)
        channel.waiting.clear()

    def received(self, channel: EventChannel) -> None:
        own, sender = self._clocks[self.here], channel.sender
        if channel.event is None or sender == self.here or own[sender] >= channel.clock[sender]:
            return
        self.streams[self.here].wait_event(channel.event)
        own[:] = map(max, own, channel.clock)
        self._drop_what_was_read()

    def _recorded(self, number: int) -> Event:
        event = self.device.event()
        event.record(self.streams[number])
        self._clocks[number][number] += 1
        return event

    def _join(self) -> None:
        """Stream 0 waits for the others."""
        self.enter(0)
        for number in sorted(self._busy - {0}):
            self.streams[0].wait_event(self._recorded(number))
        self._busy.clear()

    def _output(self, channel: EventChannel, captured: bool) -> Any:
        """An output in memory of stream 0's, which is the caller's to use and to let go of.

        What stream 0 sends may be a view of another stream's value, so everything is copied if
        there are others. A graph's outputs are copied by its plan.
        """
        value = channel.sent_value()
        if captured or self._forked == {0} or not isinstance(value, Tensor):
            return value
        return value.clone()

    def _end(self) -> None:
        """The other streams wait for stream 0.

        That is for the memory of this run, which is let go of now: the next run, which may start
        from another stream of another thread, gets it in the order of the stream that allocated
        it, and that has then waited for all readers. A graph has memory of its own.
        """
        end = self._recorded(0)
        for number in sorted(self._forked - {0}):
            self.streams[number].wait_event(end)
