"""Schedules as sequences of stages, the common form of IOS and of its baselines.

Source: Ding et al., "IOS: Inter-Operator Scheduler for CNN Acceleration", arXiv 2011.01302,
the problem definition (stages and groups); the cost of a stage is not from the paper.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from ramiel.analysis.placement import Placement
from ramiel.analysis.sharing import timeline_of
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.arrivals import spans


@dataclass(frozen=True)
class Stage:
    """The tasks that run between two barriers."""

    groups: tuple[tuple[int, ...], ...]
    """The tasks of each group, in id order. Groups do not depend on each other."""
    merged: bool = False
    """Whether the tasks, all in one group, are to be replaced by a single task."""
    threads: int = 1
    """The number of threads of each task; more than 1 only if there is one group."""


@dataclass(frozen=True)
class BlockReport:
    """How a block was searched."""

    tasks: int
    units: int
    """The number of units in the search; a unit is a chain of tasks."""
    states: int
    """The number of states, sets of units that may remain, including the empty one."""
    estimate: int
    """The estimated number of transitions."""
    transitions: int
    """The number of transitions, pairs of a state and one of its endings, that were examined."""
    r: int
    """The limit on the units of a group."""
    s: int
    """The limit on the groups of a stage."""
    fallback: str
    """The restrictions that made the search affordable, in words; empty if there are none."""


@dataclass(frozen=True)
class StagePlan:
    """Stages that run one after the other."""

    stages: tuple[Stage, ...]
    latency: float
    """The time of all stages, in µs, with a barrier after each stage on several workers."""
    reports: tuple[BlockReport, ...] = ()

    def placement(self, graph: TaskGraph, workers: int) -> Placement:
        """The stages as orders of workers, which wait for values instead of at barriers.

        The groups of a stage are distributed by `share_out`. The shares are assigned to workers in
        two ways, of which the faster by simulation is taken: the first share to worker 0 and so
        on; or each share, longest first, to the worker on which its inputs cost least. In the
        first way, without merged stages, the run takes at most `latency` on one rank. A wide stage
        runs on workers `0 .. threads - 1`. Of several ranks the first, the first two and so on are
        tried, each with and without regard to what their link costs.

        The tasks of a merged stage follow each other on one worker, or on those of the stage; they
        are not replaced here. O(workers * groups + V + E), plus the simulation.

        Raises ValueError if a stage needs more than `workers` workers, or the stages do not
        cover the tasks of `graph` once each.
        """
        if workers < 1:
            raise ValueError(f"need at least 1 worker, not {workers}")
        if (most := max((s.threads for s in self.stages), default=1)) > workers:
            raise ValueError(f"a stage needs {most} workers, there are {workers}")
        ways = [
            self._placed(graph, span, near=near, hand_overs=hand_overs)
            for span in spans(graph, workers)
            if span >= most
            for hand_overs in ((_within, _between) if graph.ranks else (_within,))
            for near in (False, True)
        ]
        best = min(ways, key=lambda way: timeline_of(graph, way).makespan)
        return Placement(best.workers + ((),) * (workers - len(best.workers)))

    def _placed(
        self, graph: TaskGraph, workers: int, *, near: bool, hand_overs: HandOvers
    ) -> Placement:
        orders: list[list[int]] = [[] for _ in range(workers)]
        worker_of = [-1] * len(graph)
        for stage in self.stages:
            if stage.threads > 1:
                for task in chain.from_iterable(stage.groups):
                    worker_of[task] = 0
                    for order in orders[: stage.threads]:
                        order.append(task)
                continue
            times = hand_overs(graph, workers, stage)
            for worker, share in _assigned(graph, stage, worker_of, times, near=near):
                orders[worker] += share
                for task in share:
                    worker_of[task] = worker
        return Placement(tuple(map(tuple, orders)))


def share_out(times: Sequence[float], hand_overs: Sequence[float]) -> tuple[float, list[list[int]]]:
    """The latency in µs of groups that take `times` µs, and the groups of each non-empty worker.

    Longest processing time first: groups by descending time, each to the worker that is free
    first. The first worker starts at once and hands nothing over; on any other, a stage takes
    twice its time in `hand_overs`, µs and ascending, longer, to receive its inputs and to return
    its results. So a group stays on the first worker if that is faster, and latencies of stages add
    up: all values of a stage are on the first worker when it ends. At most 4/3 of the optimum, and
    the optimum if each worker gets one group. O(groups * (workers + log groups)).
    """
    loads = [2 * hand_over for hand_over in hand_overs]
    shares: list[list[int]] = [[] for _ in loads]
    for group in sorted(range(len(times)), key=lambda group: -times[group]):
        worker = loads.index(min(loads))
        loads[worker] += times[group]
        shares[worker].append(group)
    used = [load for load, share in zip(loads, shares, strict=True) if share]
    return max(used, default=0.0), [share for share in shares if share]


def concurrent(graph: TaskGraph, groups: Sequence[Sequence[int]], workers: int) -> StagePlan:
    """A plan of one stage, which runs `groups` in parallel."""
    times = [sum(graph.costs[task] for task in group) for group in groups]
    latency = share_out(times, _within(graph, workers))[0]
    return StagePlan((Stage(tuple(map(tuple, groups))),), latency)


def _assigned(
    graph: TaskGraph,
    stage: Stage,
    worker_of: Sequence[int],
    hand_overs: Sequence[float],
    *,
    near: bool,
) -> list[tuple[int, list[int]]]:
    """The worker and the tasks of each share of a stage."""
    times = [sum(graph.costs[task] for task in group) for group in stage.groups]
    shares = [
        [task for group in sorted(share) for task in stage.groups[group]]
        for share in share_out(times, hand_overs)[1]
    ]
    if not near:
        return list(enumerate(shares))
    free = set(range(len(hand_overs)))
    result: list[tuple[int, list[int]]] = []
    for share in sorted(shares, key=lambda share: -sum(graph.costs[task] for task in share)):
        inputs = Counter(producer for task in share for producer in graph.predecessors[task])
        costs = {w: _cost(graph, inputs, worker_of, w) for w in sorted(free)}
        worker = min(costs, key=costs.__getitem__)
        free.remove(worker)
        result.append((worker, share))
    return result


HandOvers = Callable[[TaskGraph, int, Stage], list[float]]
"""What a hand-over to each of so many workers is taken to cost a stage, µs."""


def _within(graph: TaskGraph, workers: int, stage: Stage | None = None) -> list[float]:
    """As if all workers were on the machine of the first."""
    return [0.0] + [graph.hand_over] * (workers - 1)


def _between(graph: TaskGraph, workers: int, stage: Stage) -> list[float]:
    """With the mean time of a message that a group needs, on other machines than the first."""
    inputs = [p for task in chain.from_iterable(stage.groups) for p in graph.predecessors[task]]
    message = max(graph.hand_over, sum(graph.far[p] for p in inputs) / (len(inputs) or 1))
    own = graph.rank_of(0)
    times = _within(graph, workers)
    return [message if graph.rank_of(w) != own else time for w, time in enumerate(times)]


def _cost(
    graph: TaskGraph, inputs: Mapping[int, int], worker_of: Sequence[int], worker: int
) -> float:
    """The time to hand inputs, each read so often, over to a worker, µs: across a link once."""
    total = 0.0
    for producer, reads in inputs.items():
        home = worker_of[producer]
        if home < 0:  # it is in the share itself
            continue
        once = graph.rank_of(home) != graph.rank_of(worker)
        total += graph.delay(producer, home, worker) * (1 if once else reads)
    return total
