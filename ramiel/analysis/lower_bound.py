"""A makespan that no schedule of moldable tasks can beat, tighter than `bound`.

Sources: the two sides that are balanced here, critical path and area of an allotment, are those
of Turek, Wolf & Yu, "Approximate algorithms for scheduling parallelizable tasks", SPAA 1992,
section 2; the relaxation is Lagrangian (Fisher, "The Lagrangian relaxation method for solving
integer programming problems", Management Science 27(1), 1981), its multipliers found by
fictitious play (Robinson, "An iterative method of solving a game", Annals of Mathematics 54, 1951).
"""

from collections.abc import Sequence
from math import inf

from ramiel.analysis.critical_path import bound, critical_path
from ramiel.analysis.task_graph import TaskGraph

ROUNDS = 100
"""Rounds of fictitious play."""

REACHES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 64, inf)
"""How many tasks of the spine a task may run beside, to be counted in a stage."""


def lower_bound(graph: TaskGraph, workers: int) -> float:
    """A makespan in µs that no placement on `workers` workers can beat, at least `bound`.

    For any allotment of threads a schedule takes at least the critical path, and at least the
    area over `workers`. Hence also any weighted mean of the area over `workers` and of paths,
    and the least of that mean over all allotments is a bound whatever the weights are. As the
    mean is a sum over tasks, the least is found task by task; `_dual` looks for good weights.

    The graph is also cut into stages along its critical path, the spine: what must run between
    two tasks of the spine takes its own bound, and stages follow each other. A stage is bounded
    by hand-overs, too: see `_with_hand_overs`. Tasks that run beside much of the spine would
    make all of it one stage; stages are formed with and without them, and the best chain of
    stages is taken. Leaving tasks or edges out only lowers a bound.

    Raises ValueError if `workers` is less than 1. O(V + E) rounds of play, whose number is
    a constant, for each of the `REACHES`.
    """
    least = bound(graph, workers)
    counts = [n for n in graph.threads if n <= workers]
    columns = [graph.costs_on(n) for n in counts]
    if not len(graph):
        return least
    bounds = _Bounds(graph, workers, counts, columns)
    return max(least, bounds.dual(range(len(graph))), bounds.along_the_spine())


class _Bounds:
    """Bounds of parts of one graph; equal parts are bounded once."""

    def __init__(
        self,
        graph: TaskGraph,
        workers: int,
        counts: Sequence[int],
        columns: Sequence[Sequence[float]],
    ) -> None:
        self.graph, self.workers, self.counts, self.columns = graph, workers, counts, columns
        self.fastest = [min(times) for times in zip(*columns, strict=True)]
        self.known: dict[object, float] = {}

    def along_the_spine(self) -> float:
        """The best chain of stages, µs."""
        graph = self.graph
        _, spine = critical_path(graph, self.fastest)
        end = len(spine)
        index = {task: i for i, task in enumerate(spine)}
        after = [-1] * len(graph)  # the last task of the spine that comes before each task
        for task, producers in enumerate(graph.predecessors):
            after[task] = max([index.get(p, after[p]) for p in producers], default=-1)
        until = [end] * len(graph)  # the first one that comes after it
        for task in reversed(range(len(graph))):
            until[task] = min([index.get(c, until[c]) for c in graph.successors[task]], default=end)
        beside = sorted((after[t], t) for t in range(len(graph)) if t not in index)
        stages: set[tuple[int, int, tuple[int, ...]]] = set()
        for reach in REACHES:
            near = [(a, until[t], t) for a, t in beside if until[t] - a <= reach]
            stages.update(_components(near))
        arrives = [0.0] * (end + 1)  # the least time at which each task of the spine can start
        endings: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
        for first, last, tasks in stages:
            endings.setdefault(last, []).append((first, tasks))
        for last in range(end + 1):
            if last:
                arrives[last] = arrives[last - 1] + self.fastest[spine[last - 1]]
            for first, tasks in endings.get(last, ()):
                begin = arrives[first] + self.fastest[spine[first]] if first >= 0 else 0.0
                inside = sorted((*tasks, *spine[first + 1 : last]))
                ends = (first >= 0) + (last < end)
                arrives[last] = max(arrives[last], begin + self.stage(inside, ends))
        return arrives[end]

    def stage(self, tasks: Sequence[int], ends: int) -> float:
        """A bound in µs for `tasks`, ascending; `ends` of their two neighbours are tasks."""
        local = {task: i for i, task in enumerate(tasks)}
        key = (
            ends,
            tuple(column[t] for column in self.columns for t in tasks),
            tuple(tuple([local.get(p) for p in self.graph.predecessors[t]]) for t in tasks),
        )
        if key not in self.known:
            total = sum(self.fastest[t] for t in tasks)
            found = self.dual(tasks)
            self.known[key] = min(total, max(found, self._with_hand_overs(tasks, local, ends)))
        return self.known[key]

    def _with_hand_overs(self, tasks: Sequence[int], local: dict[int, int], ends: int) -> float:
        """What a stage takes, in µs, if its tasks are not all led by one worker.

        Call A the task before the stage and Z the one after it. If their leaders differ, a value
        is handed over on each path from A to Z. If they are the same, all tasks led by that
        worker run one after the other, and a path through any other task has two hand-overs; the
        others are best those on the shortest paths. Without A or without Z there is one.
        """
        hand_over = self.graph.hand_over
        head, tail = [0.0] * len(tasks), [0.0] * len(tasks)
        for i, task in enumerate(tasks):
            before = [head[local[p]] for p in self.graph.predecessors[task] if p in local]
            head[i] = max(before, default=0.0) + self.fastest[task]
        for i in reversed(range(len(tasks))):
            after = [tail[local[c]] for c in self.graph.successors[tasks[i]] if c in local]
            tail[i] = max(after, default=0.0) + self.fastest[tasks[i]]
        length = max(head)
        through = sorted(
            (head[i] + tail[i] - self.fastest[task], self.fastest[task])
            for i, task in enumerate(tasks)
        )
        alone = sum(cost for _, cost in through)
        least = inf
        for path, cost in through:
            alone -= cost
            least = min(least, max(alone, path + ends * hand_over, length))
        return min(least, length + hand_over) if ends == 2 else least

    def dual(self, tasks: Sequence[int]) -> float:
        """The best Lagrangian bound found for `tasks`, ascending, in µs.

        A game: one side mixes the paths and the area, the other answers with the allotment
        that is cheapest for the mixture, and the first adds what is largest for that answer.
        Each round's mixture gives a bound; 100 rounds come within 0.5 % of the best one.
        """
        local = {task: i for i, task in enumerate(tasks)}
        inside = [[local[p] for p in self.graph.predecessors[t] if p in local] for t in tasks]
        times = [[column[t] for column in self.columns] for t in tasks]
        return _play(times, inside, [n / self.workers for n in self.counts])


def _components(
    near: Sequence[tuple[int, int, int]],
) -> list[tuple[int, int, tuple[int, ...]]]:
    """The intervals `(after, until, task)`, ascending, grouped where they overlap."""
    found: list[tuple[int, int, tuple[int, ...]]] = []
    first, last, tasks = 0, -2, list[int]()
    for after, until, task in near:
        if after >= last:
            if tasks:
                found.append((first, last, tuple(tasks)))
            first, last, tasks = after, until, []
        last = max(last, until)
        tasks.append(task)
    if tasks:
        found.append((first, last, tuple(tasks)))
    return found


def _play(
    times: Sequence[Sequence[float]],
    predecessors: Sequence[Sequence[int]],
    shares: Sequence[float],
) -> float:
    """The best bound of the game in µs: `times` and `shares` of the area for each thread count."""
    weight = [0.0] * len(times)  # of each task's time: how much of the mixture's paths goes there
    area_weight, best = 1.0, 0.0
    for number in range(ROUNDS):
        prices = [area_weight * share for share in shares]
        least, area = 0.0, 0.0
        chosen: list[float] = []
        for row, w in zip(times, weight, strict=True):
            value, time, share = min(
                [(t * (w + p), t, s) for t, p, s in zip(row, prices, shares, strict=True)]
            )
            least += value
            area += time * share
            chosen.append(time)
        best = max(best, least)
        reach = [0.0] * len(times)
        for task, producers in enumerate(predecessors):
            reach[task] = max([reach[p] for p in producers], default=0.0) + chosen[task]
        step = 2 / (number + 3)
        weight = [(1 - step) * w for w in weight]
        area_weight *= 1 - step
        task = max(range(len(times)), key=reach.__getitem__)
        if area >= reach[task]:
            area_weight += step
            continue
        while True:
            weight[task] += step
            if not predecessors[task]:
                break
            task = max(predecessors[task], key=reach.__getitem__)
    return best
