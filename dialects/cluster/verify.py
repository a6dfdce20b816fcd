"""What makes a schedule valid: each channel is sent once, and nobody waits forever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdsl.ir import Attribute
from xdsl.utils.exceptions import VerifyException

Event = tuple[str, str, Attribute] | None
"""("send" or "recv", channel, type of the value); None for an operation that does neither."""


def verify_program(
    channels: Mapping[str, tuple[str, Attribute]], workers: Sequence[Sequence[Event]]
) -> None:
    """Checks the events of all workers, in program order, against the declared channels.

    Raises VerifyException for an unknown channel, another type than the declared one, a channel
    that is sent not exactly once or received by nobody or twice by one worker, and for a
    deadlock: a cycle of program order and channel edges.
    """
    sends = dict.fromkeys(channels, 0)
    receivers: dict[str, set[int]] = {name: set() for name in channels}
    for number, events in enumerate(workers):
        for event in events:
            if event is None:
                continue
            what, name, type = event
            if name not in channels:
                raise VerifyException(f"there is no channel @{name}")
            if type != channels[name][1]:
                raise VerifyException(f"@{name} carries {channels[name][1]}, not {type}")
            if what == "send":
                sends[name] += 1
            elif number in receivers[name]:
                raise VerifyException(f"worker {number} receives @{name} twice")
            else:
                receivers[name].add(number)
    for name, (kind, _) in channels.items():
        expected = 0 if kind == "input" else 1
        if sends[name] != expected:
            raise VerifyException(
                f"the {kind} channel @{name} must be sent {expected} time(s), is {sends[name]}"
            )
        if kind == "value" and not receivers[name]:
            raise VerifyException(f"nobody receives @{name}")
    _verify_progress({n for n, (kind, _) in channels.items() if kind == "input"}, workers)


def _verify_progress(sent: set[str], workers: Sequence[Sequence[Event]]) -> None:
    """Runs all workers abstractly: each goes on until it waits for a channel not yet sent."""
    position = [0] * len(workers)
    waiting: dict[str, list[int]] = {}
    ready = list(range(len(workers)))
    while ready:
        number = ready.pop()
        events = workers[number]
        while position[number] < len(events):
            event = events[position[number]]
            if event is not None and event[0] == "recv" and event[1] not in sent:
                waiting.setdefault(event[1], []).append(number)
                break
            if event is not None and event[0] == "send":
                sent.add(event[1])
                ready += waiting.pop(event[1], [])
            position[number] += 1
    if waiting:
        stuck = "; ".join(
            f"worker {numbers[0]} waits for @{name}" for name, numbers in sorted(waiting.items())
        )
        raise VerifyException(f"deadlock: {stuck}")
