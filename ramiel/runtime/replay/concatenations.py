"""Concatenations, divided among the workers that make their parts.

Values that several workers have made lie in the caches of as many cores. Whoever concatenates them
alone fetches all of it, while the others wait. If each worker copies its own part as soon as it has
made it, the copies run side by side, from a cache that is near.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import torch

from ramiel.runtime.replay.memory import Clocks, clocks
from ramiel.runtime.replay.tape import Call, Event, Noted, written
from ramiel.runtime.replay.views import View

Place = tuple[int, int]
"""A worker, and a position among its events."""


def divided(workers: Sequence[Sequence[Noted]]) -> list[list[Noted]]:
    """The events of the workers, in which parts of concatenations are copied by who made them.

    What reads a concatenation is ordered after it, and so after each part's maker and what that
    does next to it, in the same worker.
    """
    events = [[noted.event for noted in steps] for steps in workers]
    before = clocks(events)
    writers = writers_of(events)
    instead: dict[Place, list[Noted]] = {}
    after: dict[Place, list[Noted]] = defaultdict(list)
    for w, steps in enumerate(events):
        for i, event in enumerate(steps):
            copies = list(_copies(event))
            makers = [_maker(copy.args[1], (w, i), writers, before) for copy in copies]
            if all(maker is None or maker[0] == w for maker in makers):
                continue
            instead[w, i] = []
            for copy, maker in zip(copies, makers, strict=True):
                if maker is None or maker[0] == w:
                    instead[w, i].append(workers[w][i]._replace(event=copy))
                else:
                    after[maker].append(workers[maker[0]][maker[1]]._replace(event=copy))
    return [
        [
            noted
            for i, original in enumerate(steps)
            for noted in (*instead.get((w, i), [original]), *after.get((w, i), ()))
        ]
        for w, steps in enumerate(workers)
    ]


def writers_of(workers: Sequence[Sequence[Event]]) -> defaultdict[int, list[Place]]:
    """The events that write to each block."""
    writers: defaultdict[int, list[Place]] = defaultdict(list)
    for w, steps in enumerate(workers):
        for i, event in enumerate(steps):
            for view in written(event, View):
                writers[view.block].append((w, i))
    return writers


def _copies(event: Event) -> Iterator[Call]:
    """The copies that a concatenation consists of; none for another event."""
    if not isinstance(event, Call) or event.function is not torch.ops.aten.cat.default:
        return
    (result,) = event.results
    parts, dim = event.args[0], event.args[1] if len(event.args) > 1 else event.kwargs.get("dim", 0)
    assert isinstance(result, View)  # pyright: ignore[reportUnnecessaryIsInstance]
    if any(part.dtype is not result.dtype for part in parts):
        return
    dim %= len(result.shape)
    start = 0
    for part in parts:
        if len(part.shape) != len(result.shape):
            continue  # an empty tensor of one dimension may be concatenated with anything
        size = part.shape[dim]
        target = result.narrow(dim, start, size)
        start += size
        yield Call(torch.ops.aten.copy_.default, (target, part), {}, (target,))  # pyright: ignore


def _maker(
    view: View, reader: Place, writers: Mapping[int, Sequence[Place]], before: Clocks
) -> Place | None:
    """The last event that writes a value before it is read; None if there is not one worker that
    makes all of it."""
    places = writers.get(view.block, ())
    w, i = reader
    are_before = all(before[w][i][p] > j for p, j in places)
    if not places or not are_before or len({p for p, _ in places}) > 1:
        return None
    return max(places)
