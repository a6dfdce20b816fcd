"""Where the values of a plan lie: one arena, in which memory is used again as soon as the order of
the workers' steps allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ramiel.runtime.replay.tape import Event, NotCapturable, Receive, Send

ALIGNMENT = 64
"""Bytes: a line of the cache."""

Clocks = list[NDArray[np.int64]]


@dataclass
class Life:
    """When a value is used: `begin` [workers] are the steps that are over before, `end` [workers]
    those by which it is no longer needed."""

    begin: NDArray[np.int64]
    end: NDArray[np.int64]

    @staticmethod
    def unused(workers: int) -> Life:
        last = np.iinfo(np.int64).max
        return Life(np.full(workers, last, np.int64), np.zeros(workers, np.int64))

    def use(self, worker: int, step: int, clock: NDArray[np.int64]) -> None:
        """A step uses the value, with the clock that it begins with."""
        self.begin = np.minimum(self.begin, clock)
        self.end[worker] = max(self.end[worker], step + 1)


def clocks(workers: Sequence[Sequence[Event]]) -> Clocks:
    """For each worker and step, how many steps of each worker are sure to be over when it begins.

    Vector clocks (Fidge, *Timestamps in message-passing systems that preserve the partial
    ordering*, 1988): what was received is over, with all that was over for the sender.
    """
    count = len(workers)
    table = [np.zeros((len(events), count), np.int64) for events in workers]
    sent: dict[str, NDArray[np.int64]] = {}
    at, now = [0] * count, [np.zeros(count, np.int64) for _ in workers]
    moved = True
    while moved:
        moved = False
        for w, events in enumerate(workers):
            while at[w] < len(events):
                event = events[at[w]]
                if isinstance(event, Receive):
                    if event.channel not in sent:
                        break
                    now[w] = np.maximum(now[w], sent[event.channel])
                table[w][at[w]] = now[w]
                at[w] += 1
                now[w] = now[w].copy()
                now[w][w] = at[w]
                if isinstance(event, Send):
                    sent[event.channel] = now[w]
                moved = True
    if at != [len(events) for events in workers]:
        raise NotCapturable("a worker waits for a channel that nobody sends")
    return table


def offsets(sizes: Sequence[int], lives: Sequence[Life]) -> tuple[list[int], int]:
    """Where each value begins in the arena, and the bytes of the arena.

    Two values may share memory if one has ended before the other begins, for all workers. The
    largest are placed first, each as low as it fits.
    """
    if not sizes:
        return [], 0
    lengths = -(-np.array(sizes, np.int64) // ALIGNMENT) * ALIGNMENT
    begins, ends = (np.stack([getattr(life, side) for life in lives]) for side in ("begin", "end"))
    starts = np.zeros(len(sizes), np.int64)
    order = np.argsort(-lengths, kind="stable")
    for position, value in enumerate(order):
        others = order[:position]
        before = (ends[others] <= begins[value]).all(axis=1)
        after = (ends[value] <= begins[others]).all(axis=1)
        rivals = others[~(before | after)]
        place = 0
        for rival in rivals[np.argsort(starts[rivals], kind="stable")]:
            if place + lengths[value] <= starts[rival]:
                break
            place = max(place, int(starts[rival] + lengths[rival]))
        starts[value] = place
    return starts.tolist(), int((starts + lengths).max())
