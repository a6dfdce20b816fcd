"""Schedules that are sequences of stages, the common form of IOS and of what it is compared with.

Source: Ding et al., "IOS: Inter-Operator Scheduler for CNN Acceleration", arXiv 2011.01302,
the problem definition (stages and groups); the cost of a stage is ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import simulate
from ramiel.analysis.task_graph import TaskGraph


@dataclass(frozen=True)
class Stage:
    """What runs between two barriers."""

    groups: tuple[tuple[int, ...], ...]
    """The tasks of each group in id order. Groups do not depend on each other."""
    merged: bool = False
    """Whether the tasks, all in one group, are to be replaced by a single one."""
    threads: int = 1
    """On how many threads the tasks run. More than 1 only if there is one group."""


@dataclass(frozen=True)
class BlockReport:
    """How a block was searched."""

    tasks: int
    units: int
    """The number of units that the search dealt with; a unit is a chain of tasks."""
    states: int
    """The number of sets of units that may be left at some time, the empty one too."""
    estimate: int
    """The number of transitions that was expected."""
    transitions: int
    """The number of pairs of a state and an ending of it that were looked at."""
    r: int
    """The most units that a group had."""
    s: int
    """The most groups that a stage had."""
    fallback: str
    """What was done to make the search affordable; empty if nothing."""


@dataclass(frozen=True)
class StagePlan:
    """Stages that run one after the other."""

    stages: tuple[Stage, ...]
    latency: float
    """The time of all stages, in µs, with a barrier after each that ran on several workers."""
    reports: tuple[BlockReport, ...] = ()

    def placement(self, graph: TaskGraph, workers: int) -> Placement:
        """The stages as orders of workers, which wait for values and not at barriers.

        The groups of a stage are shared out as `share_out` does. Which worker takes which share
        is decided twice: the first share to worker 0 and so on, and each share, the longest
        first, to the worker that made most of what it reads. What simulates faster is taken. In
        the first way, without merged stages, no run is longer than `latency`. A wide stage runs
        on workers `0 .. threads - 1`.

        The tasks of a merged stage follow each other on one worker, or on those of the stage;
        what replaces them is not this function's matter. O(workers * groups + V + E), and the
        simulation.

        Raises ValueError if a stage needs more than `workers` workers, or the stages do not
        cover the tasks of `graph` once each.
        """
        if workers < 1:
            raise ValueError(f"need at least 1 worker, not {workers}")
        plain, near = (self._placed(graph, workers, near=near) for near in (False, True))
        faster = simulate(graph, near).makespan < simulate(graph, plain).makespan
        return near if faster else plain

    def _placed(self, graph: TaskGraph, workers: int, *, near: bool) -> Placement:
        orders: list[list[int]] = [[] for _ in range(workers)]
        worker_of = [-1] * len(graph)
        for stage in self.stages:
            if stage.threads > workers:
                raise ValueError(f"a stage needs {stage.threads} workers, there are {workers}")
            if stage.threads > 1:
                for task in chain.from_iterable(stage.groups):
                    worker_of[task] = 0
                    for order in orders[: stage.threads]:
                        order.append(task)
                continue
            for worker, share in _assigned(graph, stage, worker_of, workers, near=near):
                orders[worker] += share
                for task in share:
                    worker_of[task] = worker
        return Placement(tuple(map(tuple, orders)))


def share_out(
    times: Sequence[float], workers: int, hand_over: float
) -> tuple[float, list[list[int]]]:
    """The latency of groups that take `times` µs, and the groups of each worker that has some.

    Longest processing time first: groups by descending time, each to the worker that is done
    first. The first worker may start at once and hands nothing over; on another one a stage
    takes `2 * hand_over` µs longer, to get its inputs and to give its results back. So a group
    stays on the first worker if that is faster, and stages can be added up: all values of a
    stage are on the first worker when it ends. At most `4/3` of the optimum, and the optimum if
    each worker gets one group. O(groups * (workers + log groups)).
    """
    loads = [0.0] + [2 * hand_over] * (workers - 1)
    shares: list[list[int]] = [[] for _ in loads]
    for group in sorted(range(len(times)), key=lambda group: -times[group]):
        worker = loads.index(min(loads))
        loads[worker] += times[group]
        shares[worker].append(group)
    used = [load for load, share in zip(loads, shares, strict=True) if share]
    return max(used, default=0.0), [share for share in shares if share]


def concurrent(graph: TaskGraph, groups: Sequence[Sequence[int]], workers: int) -> StagePlan:
    """A plan of the one stage that runs `groups` side by side."""
    times = [sum(graph.costs[task] for task in group) for group in groups]
    latency = share_out(times, workers, graph.hand_over)[0]
    return StagePlan((Stage(tuple(map(tuple, groups))),), latency)


def _assigned(
    graph: TaskGraph, stage: Stage, worker_of: Sequence[int], workers: int, *, near: bool
) -> list[tuple[int, list[int]]]:
    """The worker and the tasks of each share of a stage."""
    times = [sum(graph.costs[task] for task in group) for group in stage.groups]
    shares = [
        [task for group in sorted(share) for task in stage.groups[group]]
        for share in share_out(times, workers, graph.hand_over)[1]
    ]
    if not near:
        return list(enumerate(shares))
    free = set(range(workers))
    result: list[tuple[int, list[int]]] = []
    for share in sorted(shares, key=lambda share: -sum(graph.costs[task] for task in share)):
        made = dict.fromkeys(sorted(free), 0)
        for task in share:
            for producer in graph.predecessors[task]:
                if worker_of[producer] in made:
                    made[worker_of[producer]] += 1
        worker = max(made, key=made.__getitem__)
        free.remove(worker)
        result.append((worker, share))
    return result
