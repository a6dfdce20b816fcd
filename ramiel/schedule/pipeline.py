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
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ramiel.analysis.critical_path import by_distance, distance_to_end
from ramiel.analysis.placement import Placement
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.memory_order import least_memory_order

MOST_CUTS = 4096
"""The places of an order at which it may be cut: evenly spaced ones, if there are more."""

Floats = NDArray[np.float64]


def pipeline(graph: TaskGraph, workers: int, memory_limit: float | None = None) -> Placement:
    """A placement of which worker k holds stage k, each task on one thread.

    Of several topological orders (by id; by least memory, so that few values cross a cut; by
    distance to end) the one is taken whose largest stage is least, ties to the first. There may be
    fewer stages than workers, if that is better: the last workers are empty then. The weights of a
    rank take at most `memory_limit` bytes, each stage the same part of it, if that can be.

    Raises ValueError if `workers` is less than 1.
    """
    orders: list[Sequence[int]] = [range(len(graph)), least_memory_order(graph)]
    orders.append(by_distance(distance_to_end(graph, graph.hand_over)))
    cut = [stages(graph, order, workers, memory_limit) for order in orders]
    best = min(cut, key=lambda found: bottleneck(graph, found))
    return Placement((*map(tuple, best), *((),) * (workers - len(best))))


def bottleneck(graph: TaskGraph, stages: Sequence[Sequence[int]]) -> float:
    """The time of the largest stage, of which worker k has stage k, or of what is longer on a link,
    in µs.

    A stage takes the costs of its tasks on one thread, and `graph.hand_over` for each value that it
    receives from another stage, or hands over. If the other one is on another rank, the value is a
    message, and takes what the link does of a worker (see simulate()).
    """
    stage_of = {task: number for number, stage in enumerate(stages) for task in stage}
    work = _work(graph)
    near, far, on_link = _hand_overs(graph)
    times = [
        sum(work[int(graph.rank_of(number) > 0)][task] for task in stage)
        for number, stage in enumerate(stages)
    ]
    links = [0.0] * len(stages)
    """Of the values that leave each rank, by its number."""
    for task, consumers in enumerate(graph.successors):
        sender = stage_of[task]
        reached = {graph.rank_of(sender)}
        receivers = sorted({stage_of[consumer] for consumer in consumers} - {sender})
        for receiver in receivers:
            there = graph.rank_of(receiver)
            if there not in reached:  # a message, which the first there to read it receives
                reached.add(there)
                times[sender] += far[task]
                times[receiver] += far[task]
                links[graph.rank_of(sender)] += on_link[task]
            else:
                times[receiver] += near[task]
        if any(graph.rank_of(receiver) == graph.rank_of(sender) for receiver in receivers):
            times[sender] += near[task]
    return max([*times, *links], default=0.0)


def _work(graph: TaskGraph) -> tuple[Floats, Floats]:
    """The time of each task on rank 0, and on another one, to which inputs of the program come and
    from which outputs go, µs."""
    costs = np.array(graph.costs)
    if graph.link is None or graph.messages is None:
        return costs, costs
    ends = zip(graph.messages.inputs, graph.messages.outputs, strict=True)
    own = graph.link.own
    return costs, costs + [sum(own(size) for size in sizes if size) for sizes in ends]


def _hand_overs(graph: TaskGraph) -> tuple[Floats, Floats, Floats]:
    """What it takes of a worker to hand each task's value over within a rank, and to another one,
    and what it takes of the link, µs."""
    near = np.full(len(graph), graph.hand_over)
    if graph.link is None or graph.messages is None:
        return near, near, np.zeros(len(graph))
    sizes = graph.messages.values
    far = np.array([graph.link.own(size) for size in sizes])
    return near, far, np.array(sizes) / graph.link.rate


def stages(
    graph: TaskGraph, order: Sequence[int], most: int, memory_limit: float | None = None
) -> list[list[int]]:
    """The tasks of each stage: `order`, a topological one, cut into at most `most` parts, so that
    their bottleneck() is least. Of equal ones, that with fewer stages.

    The best way to cut the tasks before some place into k stages ends with one stage, and before
    that is the best way to cut what is left into k - 1. O(most * cuts^2 + E * cuts) for `cuts`
    places, at most MOST_CUTS. What a stage receives is taken to come from the rank of the stage
    before, and what it hands over to go to that of the next one: exact for two ranks of a worker.

    Raises ValueError if `most` is less than 1.
    """
    if most < 1:
        raise ValueError(f"need at least 1 worker, not {most}")
    count = len(order)
    if not count:
        return []
    places = np.unique(np.linspace(0, count, min(count, MOST_CUTS) + 1).round().astype(np.int64))
    times = _stage_times(graph, order, places)
    held = _weights(graph, order, places)
    ranks = [graph.rank_of(worker) for worker in range(most)]
    crosses = [False, *(a != b for a, b in pairwise(ranks)), False]
    """Whether ranks change before each stage."""
    cuts = len(places) - 1
    most = min(most, cuts)
    best = np.full((most + 1, cuts + 1), np.inf)
    best[0, 0] = 0.0
    begin = np.zeros((most + 1, cuts + 1), np.int64)
    """Where the last stage begins."""
    for end in range(1, cuts + 1):
        for k in range(1, most + 1):
            stage = times[end].of(ranks[k - 1] > 0, crosses[k - 1], crosses[k])
            if memory_limit is not None and held is not None:
                share = memory_limit / ranks.count(ranks[k - 1])
                stage = np.where(held[end] - held[:end] > share, np.inf, stage)
            largest = np.maximum(best[k - 1, :end], stage)
            begin[k, end] = largest.argmin()
            best[k, end] = largest[begin[k, end]]
    k, end = int(best[:, cuts].argmin()), cuts
    if memory_limit is not None and np.isinf(best[k, end]):
        return stages(graph, order, most)
    found: list[list[int]] = []
    while end:
        start = int(begin[k, end])
        found.append(list(order[places[start] : places[end]]))
        k, end = k - 1, start
    return found[::-1]


class _Times(NamedTuple):
    """Of the stages that end at some place, by the place where they begin, µs: each for what is
    near and what is far."""

    work: tuple[Floats, Floats]
    received: tuple[Floats, Floats]
    sent: tuple[Floats, Floats]
    on_link: Floats

    def of(self, is_away: bool, from_afar: bool, to_afar: bool) -> Floats:
        """The times of stages on rank 0 or away, between ones on the same or on other ranks."""
        times = self.work[is_away] + self.received[from_afar] + self.sent[to_afar]
        return np.maximum(times, self.on_link) if to_afar else times


def _stage_times(graph: TaskGraph, order: Sequence[int], places: NDArray[np.int64]) -> list[_Times]:
    """By the place where they end."""
    position = {task: i for i, task in enumerate(order)}
    at = np.array(order)
    works = [_summed(work[at])[places] for work in _work(graph)]
    hand_overs = [each[at] for each in _hand_overs(graph)]
    block = np.searchsorted(places, np.arange(len(order)), side="right")
    """The place after each position: a stage that begins there or later does not hold it."""
    last = np.zeros(len(order), np.int64)
    """Where the last reader of each position's value is."""
    for i, task in enumerate(order):
        last[i] = max((position[c] for c in graph.successors[task]), default=0)
    received = np.zeros((2, len(places)))
    """By the place where a stage begins, what it takes to receive its values, near and far, if it
    ends at `end`."""
    latest = block.copy()
    """For each value, the first place after which a stage begins that does not receive it."""
    nothing = np.zeros(0)
    times = [_Times((nothing, nothing), (nothing, nothing), (nothing, nothing), nothing)]
    for end in range(1, len(places)):
        for i in range(places[end - 1], places[end]):
            for producer in graph.predecessors[order[i]]:
                given = position[producer]
                # Stages that begin after the producer, and at or before this reader.
                takes = [[hand_overs[0][given]], [hand_overs[1][given]]]
                received[:, latest[given] : block[i]] += takes
                latest[given] = max(latest[given], block[i])
        leaves = last[: places[end]] >= places[end]
        crossing = [_summed(each[: places[end]] * leaves) for each in hand_overs]
        near, far, on_link = (each[-1] - each[places[:end]] for each in crossing)
        home, away = (work[end] - work[:end] for work in works)
        from_near, from_afar = received[:, :end].copy()
        times.append(_Times((home, away), (from_near, from_afar), (near, far), on_link))
    return times


def _weights(graph: TaskGraph, order: Sequence[int], places: NDArray[np.int64]) -> Floats | None:
    """The bytes of the weights before each place, if they count."""
    if graph.messages is None:
        return None
    return _summed(np.array(graph.messages.weights)[np.array(order)])[places]


def _summed(values: Floats) -> Floats:
    """The sums of the values before each place."""
    return np.concatenate(([0.0], np.cumsum(values)))
