"""A lower bound on the makespan of moldable tasks, tighter than `bound`.

Source: bounds of intervals between two tasks, added up along a path, are the head and tail
arguments of Carlier & Pinson, "An algorithm for solving the job-shop problem", Management
Science 35(2), 1989, section 3. For the bound of an interval see `ramiel.analysis.stage_bound`.
"""

from collections.abc import Sequence
from math import inf

from ramiel.analysis.critical_path import bound, critical_path
from ramiel.analysis.stage_bound import Stage
from ramiel.analysis.task_graph import TaskGraph

REACHES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 64, inf)
"""The limits that are tried on how many tasks of the spine a task of a stage may run beside."""


def lower_bound(graph: TaskGraph, workers: int, *, steps: int = 0) -> float:
    """A lower bound in µs on the makespan of any placement on `workers` workers, at least `bound`.

    It is the largest of `bound`, a Lagrangian bound of the whole graph (`Stage.play`), and a sum
    over stages: the graph is cut along its critical path, the spine, and the tasks that must run
    between two tasks of the spine form a stage, which has its own bound. Tasks that may run beside
    much of the spine would merge all stages into one, so stages are formed with and without them
    and the best chain of stages is taken. Leaving out tasks or edges can only lower a bound. It
    is at most the time of one core, as `bound` is.

    Each small stage is searched for `steps` steps, at about 0.3 ms each: up to 5000 steps tighten
    the bound by a few per cent, more gain little.

    Raises ValueError if `workers` is less than 1 or `steps` is negative. Without the search,
    O(V log V + E) for each of a constant number of rounds of play.
    """
    if steps < 0:
        raise ValueError(f"steps is {steps}: need a number >= 0")
    least = bound(graph, workers)
    if not len(graph):
        return least
    cut = _Cut(graph, workers)
    found = max(cut.stage(range(len(graph))).play().bound, cut.along_the_spine(steps))
    return max(least, min(found, graph.serial))


class _Cut:
    """A graph and its stages."""

    def __init__(self, graph: TaskGraph, workers: int) -> None:
        self.graph, self.workers = graph, workers
        self.counts = tuple(n for n in graph.threads if n <= workers)
        self.columns = [graph.costs_on(n) for n in self.counts]

    def along_the_spine(self, steps: int) -> float:
        """The bound of the best chain of stages, µs."""
        graph = self.graph
        fastest = [min(times) for times in zip(*self.columns, strict=True)]
        _, spine = critical_path(graph, fastest)
        end = len(spine)
        index = {task: i for i, task in enumerate(spine)}
        after = [-1] * len(graph)  # the last task of the spine that precedes each task
        for task, producers in enumerate(graph.predecessors):
            after[task] = max([index.get(p, after[p]) for p in producers], default=-1)
        until = [end] * len(graph)  # the first task of the spine that follows it
        for task in reversed(range(len(graph))):
            until[task] = min([index.get(c, until[c]) for c in graph.successors[task]], default=end)
        beside = sorted((after[t], until[t], t) for t in range(len(graph)) if t not in index)
        endings: dict[int, dict[tuple[int, tuple[int, ...]], None]] = {}
        for reach in REACHES:
            near = [entry for entry in beside if entry[1] - entry[0] <= reach]
            for first, last, tasks in _components(near):
                endings.setdefault(last, {})[first, tasks] = None
        known: dict[Stage, float] = {}
        arrives = [0.0] * (end + 1)  # the earliest time at which each task of the spine can start
        for last in range(end + 1):
            if last:
                arrives[last] = arrives[last - 1] + fastest[spine[last - 1]]
            for first, tasks in endings.get(last, ()):
                begin = arrives[first] + fastest[spine[first]] if first >= 0 else 0.0
                inside = sorted((*tasks, *spine[first + 1 : last]))
                stage = self.stage(inside, before=first >= 0, after=last < end)
                if stage not in known:
                    known[stage] = stage.bound(steps)
                arrives[last] = max(arrives[last], begin + known[stage])
        return arrives[end]

    def stage(self, tasks: Sequence[int], *, before: bool = False, after: bool = False) -> Stage:
        """The stage of `tasks`, ascending; `before` and `after`: whether a task of the spine
        precedes and follows it."""
        local = {task: i for i, task in enumerate(tasks)}
        return Stage(
            times=tuple(tuple([column[t] for column in self.columns]) for t in tasks),
            predecessors=tuple(
                tuple([local[p] for p in self.graph.predecessors[t] if p in local]) for t in tasks
            ),
            counts=self.counts,
            workers=self.workers,
            hand_over=self.graph.hand_over,
            before=before,
            after=after,
        )


def _components(
    near: Sequence[tuple[int, int, int]],
) -> list[tuple[int, int, tuple[int, ...]]]:
    """Groups the intervals `(after, until, task)`, given in ascending order, where they overlap."""
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
