"""The validity of a schedule: each channel is sent once, no worker waits forever, and an operation
on several threads has exclusive use of the cores that it reserves.

The workers are run abstractly, each until it waits for a channel that is not sent yet. If cores
are reserved, vector clocks record what has happened before each event (Lamport, "Time, clocks,
and the ordering of events in a distributed system", CACM 1978; Mattern, "Virtual time and global
states of distributed systems", 1989).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from xdsl.ir import Attribute
from xdsl.utils.exceptions import VerifyException


@dataclass(frozen=True)
class Send:
    channel: str
    type: Attribute | None
    """None for a turn, which carries no value."""


@dataclass(frozen=True)
class Recv:
    channel: str
    type: Attribute | None
    takes: bool = False
    """Whether this must be the channel's only receive."""


@dataclass(frozen=True)
class Threads:
    """Later events of this worker run on `count` threads, on its own core and the `lenders`'."""

    count: int
    lenders: tuple[int, ...]


@dataclass(frozen=True)
class Compute:
    """A task, which needs a core: a call, a layer, a branch or a loop."""


Event = Send | Recv | Threads | Compute | None


def verify_program(
    channels: Mapping[str, tuple[str, Attribute | None]], workers: Sequence[Sequence[Event]]
) -> None:
    """Checks the events of all workers, in program order, against the declared channels.

    Raises VerifyException for an unknown channel, a type other than the declared one, a channel
    that is not sent exactly once, is never received, is received twice by one worker, or is taken
    although others receive it, for a deadlock (a cycle of program order and channel edges), and
    for a core that two operations may use at the same time.
    """
    sends = dict.fromkeys(channels, 0)
    taken: set[str] = set()
    receivers: dict[str, set[int]] = {name: set() for name in channels}
    for number, events in enumerate(workers):
        for event in events:
            if not isinstance(event, Send | Recv):
                continue
            name = event.channel
            if name not in channels:
                raise VerifyException(f"unknown channel @{name}")
            if event.type != channels[name][1]:
                raise VerifyException(
                    f"@{name} carries {_carried(channels[name][1])}, not {_carried(event.type)}"
                )
            if isinstance(event, Send):
                sends[name] += 1
            elif number in receivers[name]:
                raise VerifyException(f"worker {number} receives @{name} twice")
            else:
                receivers[name].add(number)
                if event.takes:
                    taken.add(name)
    for name, (kind, _) in channels.items():
        expected = 0 if kind == "input" else 1
        if sends[name] != expected:
            raise VerifyException(
                f"the {kind} channel @{name} must be sent {expected} time(s), is {sends[name]}"
            )
        if kind in ("value", "turn") and not receivers[name]:
            raise VerifyException(f"no worker receives @{name}")
        if name in taken and (kind != "value" or len(receivers[name]) > 1):
            raise VerifyException(f"the {kind} channel @{name} cannot be taken: others need it")
    run = _Run({n for n, (kind, _) in channels.items() if kind == "input"}, workers)
    run.go()
    if any(isinstance(event, Threads) for events in workers for event in events):
        _verify_cores(workers, run.clocks)


def _carried(type: Attribute | None) -> str:
    return "nothing" if type is None else str(type)


Clock = tuple[int, ...]
"""For each worker, how many of its events have happened before."""


class _Run:
    """An abstract run of all workers. `clocks[w]` lists the clocks of worker `w`, each with the
    event from which on it holds."""

    def __init__(self, sent: set[str], workers: Sequence[Sequence[Event]]) -> None:
        self.workers = workers
        start = (0,) * len(workers)
        self.sent: dict[str, Clock] = dict.fromkeys(sent, start)
        self.clocks: list[list[tuple[int, Clock]]] = [[(0, start)] for _ in workers]

    def go(self) -> None:
        position = [0] * len(self.workers)
        waiting: dict[str, list[int]] = {}
        ready = list(range(len(self.workers)))
        while ready:
            number = ready.pop()
            events = self.workers[number]
            while position[number] < len(events):
                at, event = position[number], events[position[number]]
                if isinstance(event, Recv):
                    if event.channel not in self.sent:
                        waiting.setdefault(event.channel, []).append(number)
                        break
                    self._learn(number, at, self.sent[event.channel])
                elif isinstance(event, Send):
                    self.sent[event.channel] = self._know(number, at)
                    ready += waiting.pop(event.channel, [])
                position[number] += 1
        if waiting:
            stuck = "; ".join(
                f"worker {numbers[0]} waits for @{name}"
                for name, numbers in sorted(waiting.items())
            )
            raise VerifyException(f"deadlock: {stuck}")

    def _know(self, number: int, at: int) -> Clock:
        """The clock of worker `number` before its event `at`, with its own entry up to date."""
        clock = self.clocks[number][-1][1]
        return (*clock[:number], at, *clock[number + 1 :])

    def _learn(self, number: int, at: int, clock: Clock) -> None:
        known = self.clocks[number][-1][1]
        merged = tuple(map(max, known, clock))
        if merged != known:
            self.clocks[number].append((at, merged))


@dataclass(frozen=True)
class _Stretch:
    """Events [start, end) of a worker, which also run on the cores of `lenders`.

    The worker does not wait within it: during a wait, the lenders may use their cores.
    """

    leader: int
    start: int
    end: int
    lenders: tuple[int, ...]


def _verify_cores(
    workers: Sequence[Sequence[Event]], clocks: Sequence[Sequence[tuple[int, Clock]]]
) -> None:
    """Checks that a worker computes nothing that could run while its core is lent.

    Worker `w` has core `w`; a number that is no worker's denotes a core without a worker.
    """
    stretches = [s for number, events in enumerate(workers) for s in _stretches(number, events)]
    for stretch in stretches:
        if len({stretch.leader, *stretch.lenders}) <= len(stretch.lenders):
            raise VerifyException(
                f"worker {stretch.leader} reserves a core twice, or its own: "
                f"{list(stretch.lenders)}"
            )
    # For each core and worker, the spans of events in which the worker occupies the core.
    busy: dict[int, dict[int, list[tuple[int, int]]]] = {}
    for number, events in enumerate(workers):
        busy[number] = {number: _computing(events)}
    for stretch in stretches:
        for core in stretch.lenders:
            span = (stretch.start, stretch.end)
            busy.setdefault(core, {}).setdefault(stretch.leader, []).append(span)
    for stretch in stretches:
        for core in (stretch.leader, *stretch.lenders):
            for worker, spans in busy[core].items():
                if worker != stretch.leader:
                    _verify_apart(stretch, worker, spans, clocks)


def _stretches(number: int, events: Sequence[Event]) -> list[_Stretch]:
    marks = [(i, e) for i, e in enumerate(events) if isinstance(e, Threads)]
    ends = [i for i, _ in marks[1:]] + [len(events)] * bool(marks)
    stretches: list[_Stretch] = []
    for (start, mark), end in zip(marks, ends, strict=True):
        if mark.count != len(mark.lenders) + 1:
            raise VerifyException(
                f"worker {number}: {mark.count} thread(s) with {len(mark.lenders)} lent core(s)"
            )
        if mark.count > 1:
            for first, last in _between_waits(events, start, end):
                stretches.append(_Stretch(number, first, last, mark.lenders))
    return stretches


def _between_waits(events: Sequence[Event], start: int, end: int) -> Iterator[tuple[int, int]]:
    """The span from first to last computation of each run of events without a wait."""
    for waits, part in groupby(range(start, end), lambda i: isinstance(events[i], Recv)):
        computing = [] if waits else [i for i in part if isinstance(events[i], Compute)]
        if computing:
            yield computing[0], computing[-1] + 1


def _computing(events: Sequence[Event]) -> list[tuple[int, int]]:
    """The events that need a core, as spans [start, end)."""
    return [(i, i + 1) for i, event in enumerate(events) if isinstance(event, Compute)]


def _verify_apart(
    stretch: _Stretch,
    other: int,
    spans: Sequence[tuple[int, int]],
    clocks: Sequence[Sequence[tuple[int, Clock]]],
) -> None:
    """Checks that each span of worker `other` ends before the stretch or starts after it."""
    over = _clock_at(clocks[stretch.leader], stretch.start)[other]
    following = bisect_right(spans, over, key=lambda span: span[1])
    if following == len(spans):
        return
    # Only the next span needs a check: the others of that worker start later.
    start = spans[following][0]
    if _clock_at(clocks[other], start)[stretch.leader] < stretch.end:
        raise VerifyException(
            f"worker {other} may compute while worker {stretch.leader} runs on its core"
        )


def _clock_at(clocks: Sequence[tuple[int, Clock]], event: int) -> Clock:
    """A worker's clock when it comes to one of its events."""
    return clocks[bisect_right(clocks, event, key=lambda entry: entry[0]) - 1][1]
