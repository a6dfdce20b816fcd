"""The states of the dynamic program over endings, and the endings of each state, as bit masks.

Source: Ding et al., "IOS: Inter-Operator Scheduler for CNN Acceleration", arXiv 2011.01302,
the IOS algorithm (endings and their pruning).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from ramiel.analysis.task_graph import TaskGraph

Group = tuple[float, int]
"""The time of a group on one worker, in µs, and its tasks as a mask."""


def bits(mask: int) -> Iterator[int]:
    """The positions of the set bits of a mask, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class EndingGraph:
    """A task graph as bit masks: bit i stands for task i."""

    def __init__(self, graph: TaskGraph) -> None:
        self.graph = graph
        self.all = (1 << len(graph)) - 1
        self._times: dict[int, float] = {}

    @cached_property
    def children(self) -> list[int]:
        """The consumers of each task, as a mask."""
        return [sum(1 << child for child in row) for row in self.graph.successors]

    @cached_property
    def filters(self) -> list[int]:
        """Each task with all tasks that depend on it, as a mask."""
        result = [0] * len(self.graph)
        for task in reversed(range(len(result))):
            result[task] = 1 << task
            for child in self.graph.successors[task]:
                result[task] |= result[child]
        return result

    def states(self, limit: int) -> list[int] | None:
        """All sets of tasks that are closed under producers, largest first.

        None if there are more than `limit`. They are built task by task: each set with all of a
        task's producers also exists with the task added. O(tasks * states).
        """
        states = [0]
        for task, producers in enumerate(self.graph.predecessors):
            need = sum(1 << producer for producer in producers)
            states += [state | 1 << task for state in states if state & need == need]
            if len(states) > limit:
                return None
        return sorted(states, key=int.bit_count, reverse=True)

    def sinks(self, state: int) -> list[int]:
        """The tasks of a state that no task in it reads."""
        return [task for task in bits(state) if not self.children[task] & state]

    def groups(self, state: int, r: int) -> list[Group]:
        """The connected endings of a state of at most `r` tasks, longest time first.

        Such a set is the union of its tasks' dependents in the state, so the sets are built from
        those of single tasks, by adding ones that overlap.
        """
        filters = [
            part for task in bits(state) if (part := self.filters[task] & state).bit_count() <= r
        ]
        found = dict.fromkeys(filters)
        fresh = filters
        while fresh:
            grown: dict[int, None] = {}
            for group in fresh:
                if group.bit_count() == r:
                    continue
                for part in filters:
                    union = group | part
                    if group & part and union not in found and union.bit_count() <= r:
                        grown[union] = None
            found |= grown
            fresh = list(grown)
        return sorted(((self.time(group), group) for group in found), key=lambda g: (-g[0], g[1]))

    def components(self, ending: int) -> list[int]:
        """The groups of an ending: its weakly connected components, by their first tasks."""
        parts: list[int] = []
        for task in bits(ending):
            part = 1 << task | self.children[task] & ending
            for other in parts:
                if other & part:
                    part |= other
            parts = [other for other in parts if not other & part] + [part]
        return sorted(parts, key=lambda part: part & -part)

    def time(self, group: int) -> float:
        """The time of a group on one worker, in µs."""
        time = self._times.get(group)
        if time is None:
            time = self._times[group] = sum(self.graph.costs[task] for task in bits(group))
        return time


def endings(
    groups: Sequence[Group], s: int, loads: tuple[float, ...]
) -> Iterator[tuple[int, float]]:
    """The unions of at most `s` disjoint groups, each once, with their latencies in µs.

    `groups` is longest first. Each group goes to the worker that is free first, as in `share_out`;
    `loads` are the times at which the workers may start.
    """
    stack = [(0, 0.0, loads, groups, s)]
    while stack:
        ending, latency, loads, groups, left = stack.pop()
        start = min(loads)
        worker = loads.index(start)
        for i, (time, group) in enumerate(groups, 1):
            end = start + time
            longest = latency if latency > end else end
            yield ending | group, longest
            if left > 1:
                further = [other for other in groups[i:] if not other[1] & group]
                if further:
                    after = (*loads[:worker], end, *loads[worker + 1 :])
                    stack.append((ending | group, longest, after, further, left - 1))


def sharing(
    groups: Sequence[Group], s: int, works: Callable[[int], float], edge: float
) -> Iterator[tuple[int, float]]:
    """The unions of at most `s` disjoint groups, each once, with their latencies in µs on a device
    that they share.

    Each group is on a stream of its own. Together they take as long as the longest, with the edges
    to and from other streams, or as long as their `works`, times with the whole device, if those
    are more: then they slow each other down.
    """
    stack = [(0, 0.0, 0.0, groups, s)]
    while stack:
        ending, longest, work, groups, left = stack.pop()
        for i, (time, group) in enumerate(groups, 1):
            most = max(longest, time + 2 * edge * bool(ending))
            filled = work + works(group)
            yield ending | group, max(most, filled)
            if left > 1:
                further = [other for other in groups[i:] if not other[1] & group]
                if further:
                    stack.append((ending | group, most, filled, further, left - 1))
