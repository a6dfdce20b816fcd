"""Pipeline stages: tasks cut into contiguous stages, of which the largest is as small as possible.

Requests that follow each other pass through the stages, one worker each, so that the largest stage
is the time from one result to the next.

Source: Bokhari, "Partitioning problems in parallel, pipelined, and distributed computing", IEEE
Trans. Computers 37(1), 1988, section III: modules of a chain, contiguous on each processor, so that
the largest sum of computation and communication is least; here by dynamic programming, as Narayanan
et al., "PipeDream: generalized pipeline parallelism for DNN training", SOSP 2019, section 3.1, cut
the layers of a network. In a graph, what crosses a border is not one value but any number.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ramiel.analysis.critical_path import by_distance, distance_to_end
from ramiel.analysis.placement import Placement
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.memory_order import least_memory_order

MOST_CUTS = 4096
"""The places of an order at which it may be cut: evenly spaced ones, if there are more."""

Floats = NDArray[np.float64]


def pipeline(graph: TaskGraph, workers: int) -> Placement:
    """A placement of which worker k holds stage k, each task on one thread.

    Of several topological orders (by id; by least memory, so that few values cross a cut; by
    distance to end) the one is taken whose largest stage is least, ties to the first. There may be
    fewer stages than workers, if that is better: the last workers are empty then.

    Raises ValueError if `workers` is less than 1.
    """
    orders: list[Sequence[int]] = [range(len(graph)), least_memory_order(graph)]
    orders.append(by_distance(distance_to_end(graph, graph.hand_over)))
    cut = [stages(graph, order, workers) for order in orders]
    best = min(cut, key=lambda found: bottleneck(graph, found))
    return Placement((*map(tuple, best), *((),) * (workers - len(best))))


def bottleneck(graph: TaskGraph, stages: Sequence[Sequence[int]]) -> float:
    """The time of the largest stage, in µs: the costs of its tasks on one thread, and
    `graph.hand_over` for each value that it receives from another stage, or hands over."""
    stage_of = {task: number for number, stage in enumerate(stages) for task in stage}
    times = [sum(graph.costs[task] for task in stage) for stage in stages]
    for task, consumers in enumerate(graph.successors):
        receivers = {stage_of[consumer] for consumer in consumers} - {stage_of[task]}
        for stage in (*receivers, *[stage_of[task]][: len(receivers)]):
            times[stage] += graph.hand_over
    return max(times, default=0.0)


def stages(graph: TaskGraph, order: Sequence[int], most: int) -> list[list[int]]:
    """The tasks of each stage: `order`, a topological one, cut into at most `most` parts, so that
    their bottleneck() is least. Of equal ones, that with fewer stages.

    The best way to cut the tasks before some place into k stages ends with one stage, and before
    that is the best way to cut what is left into k - 1. O(most * cuts^2 + E * cuts) for `cuts`
    places, at most MOST_CUTS.

    Raises ValueError if `most` is less than 1.
    """
    if most < 1:
        raise ValueError(f"need at least 1 worker, not {most}")
    count = len(order)
    if not count:
        return []
    places = np.unique(np.linspace(0, count, min(count, MOST_CUTS) + 1).round().astype(np.int64))
    times = _stage_times(graph, order, places)
    cuts = len(places) - 1
    most = min(most, cuts)
    best = np.full((most + 1, cuts + 1), np.inf)
    best[0, 0] = 0.0
    begin = np.zeros((most + 1, cuts + 1), np.int64)
    """Where the last stage begins."""
    for end in range(1, cuts + 1):
        for k in range(1, most + 1):
            largest = np.maximum(best[k - 1, :end], times[end][:end])
            begin[k, end] = largest.argmin()
            best[k, end] = largest[begin[k, end]]
    k, end = int(best[:, cuts].argmin()), cuts
    found: list[list[int]] = []
    while end:
        start = int(begin[k, end])
        found.append(list(order[places[start] : places[end]]))
        k, end = k - 1, start
    return found[::-1]


def _stage_times(graph: TaskGraph, order: Sequence[int], places: NDArray[np.int64]) -> list[Floats]:
    """The times [begin] of the stages that end at each place, by the place where they begin."""
    position = {task: i for i, task in enumerate(order)}
    total = np.concatenate(([0.0], np.cumsum([graph.costs[task] for task in order])))[places]
    block = np.searchsorted(places, np.arange(len(order)), side="right")
    """The place after each position: a stage that begins there or later does not hold it."""
    last = np.zeros(len(order), np.int64)
    """Where the last reader of each position's value is."""
    for i, task in enumerate(order):
        last[i] = max((position[c] for c in graph.successors[task]), default=0)
    received = np.zeros(len(places))
    """By the place where a stage begins, the values that it receives if it ends at `end`."""
    latest = block.copy()
    """For each value, the first place after which a stage begins that does not receive it."""
    times: list[Floats] = [np.zeros(0)]
    for end in range(1, len(places)):
        for i in range(places[end - 1], places[end]):
            for producer in graph.predecessors[order[i]]:
                at = position[producer]
                # Stages that begin after the producer, and at or before this reader.
                received[latest[at] : block[i]] += 1
                latest[at] = max(latest[at], block[i])
        crossing = np.concatenate(([0.0], np.cumsum(last[: places[end]] >= places[end])))
        sent = crossing[-1] - crossing[places[:end]]
        times.append(total[end] - total[:end] + graph.hand_over * (received[:end] + sent))
    return times
