"""Memory during scheduling: the lifetimes of values, and a topological order of little memory.

Source of the greedy order: Sethi & Ullman, "The generation of optimal code for arithmetic
expressions", JACM 17(4), 1970, solve trees optimally; for DAGs the problem is NP-hard (Sethi, SIAM
J. Comput. 4(3), 1975), and taking the ready task that adds least is the usual heuristic.
"""

from bisect import insort
from heapq import heapify, heappop, heappush

from ramiel.analysis.task_graph import TaskGraph


class Lifetimes:
    """The values that each task reads, also through views, and the number of readers of each.

    An output, which is never freed, counts one more reader than it has.
    """

    def __init__(self, graph: TaskGraph) -> None:
        self.sizes = graph.sizes or (0.0,) * len(graph)
        self.reads: list[tuple[int, ...]] = [()] * len(graph)
        self.readers = [0] * len(graph)
        for task, producers in enumerate(graph.predecessors):
            values: dict[int, None] = {}
            for producer in producers:
                if self.sizes[producer]:
                    values[producer] = None
                else:
                    values.update(dict.fromkeys(self.reads[producer]))
            self.reads[task] = tuple(values)
            if self.sizes[task]:
                for value in values:
                    self.readers[value] += 1
            if not graph.successors[task]:
                for value in (task,) if self.sizes[task] else values:
                    self.readers[value] += 1


def least_memory_order(graph: TaskGraph) -> list[int]:
    """A topological order that always takes the ready task that adds least memory.

    Ties go to the task that became ready last, so that the order is depth-first.
    O((V + E) log V), where E includes reads through views.
    """
    lifetimes = Lifetimes(graph)
    left = list(lifetimes.readers)
    readers: list[list[int]] = [[] for _ in graph.costs]
    for task, values in enumerate(lifetimes.reads):
        for value in values if lifetimes.sizes[task] else ():
            readers[value].append(task)
    adds = list(lifetimes.sizes)
    for task, values in enumerate(lifetimes.reads):
        if lifetimes.sizes[task]:
            adds[task] -= sum(lifetimes.sizes[v] for v in values if left[v] == 1)
    missing = [len(producers) for producers in graph.predecessors]
    since = [0] * len(graph)
    ready = [(adds[task], 0, task) for task, count in enumerate(missing) if count == 0]
    heapify(ready)
    order: list[int] = []
    taken = [False] * len(graph)
    while ready:
        task = heappop(ready)[2]
        if taken[task]:
            continue
        taken[task] = True
        order.append(task)
        for value in lifetimes.reads[task] if lifetimes.sizes[task] else ():
            left[value] -= 1
            if left[value] == 1:  # the last remaining reader will free it
                for reader in readers[value]:
                    if not taken[reader]:
                        adds[reader] -= lifetimes.sizes[value]
                        if not missing[reader]:
                            heappush(ready, (adds[reader], since[reader], reader))
        for consumer in graph.successors[task]:
            missing[consumer] -= 1
            if not missing[consumer]:
                since[consumer] = -len(order)
                heappush(ready, (adds[consumer], since[consumer], consumer))
    return order


class MemoryProfile:
    """The bytes that the values of the tasks added so far occupy over time.

    A value whose readers have not all been added counts as live forever, so later tasks can only
    lower the profile, except for their own values.
    """

    def __init__(self, graph: TaskGraph, limit: float) -> None:
        self.lifetimes = Lifetimes(graph)
        self.limit = limit
        self.left = list(self.lifetimes.readers)
        self.end = [0.0] * len(graph)
        self.total = 0.0  # after the last change
        self.changes: list[tuple[float, float]] = []  # (µs, -bytes), as in `high_water`

    def has_room(self, start: float, size: float) -> bool:
        """Whether there is room for `size` bytes from `start` (µs) on. O(changes after it)."""
        room = self.limit - size
        level = self.total
        if level > room:
            return False
        for time, freed in reversed(self.changes):
            if time < start:
                break
            level += freed
            if level > room:
                return False
        return True

    def add(self, task: int, start: float, finish: float) -> None:
        """Adds a task that runs from `start` to `finish` (µs), after its producers."""
        size = self.lifetimes.sizes[task]
        if not size:
            return
        insort(self.changes, (start, -size))
        self.total += size
        for value in self.lifetimes.reads[task]:
            self.left[value] -= 1
            self.end[value] = max(self.end[value], finish)
            if not self.left[value]:
                insort(self.changes, (self.end[value], self.lifetimes.sizes[value]))
                self.total -= self.lifetimes.sizes[value]
