"""Requests that follow each other: how soon one result comes after the other, and how long one
request takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import Ports, ordered_by, receiving_times, simulate
from ramiel.analysis.task_graph import TaskGraph

ROUNDS = 8
"""How many times as many runs as are in flight are simulated until a pipeline is steady, and how
many over which it is then observed."""


@dataclass(frozen=True)
class Streaming:
    """How requests that follow each other are computed."""

    way: str
    """One of WAYS."""
    at_a_time: int
    """The requests that are computed at a time."""
    in_flight: int
    """The requests that are taken ahead of the results asked for: at least 1."""


@dataclass(frozen=True)
class Steady:
    """A stream that never lacks requests, and whose results are taken at once."""

    interval: float
    """The time from one result to the next, in µs: the throughput is its inverse."""
    latency: float
    """The time from when a request is taken to its result, in µs."""


def steady(graph: TaskGraph, placement: Placement, streaming: Streaming, batch: int = 1) -> Steady:
    """The steady state of a program with a placement of `graph`, that of `batch` samples.

    By Little's law ("A proof for the queuing formula L = λW", Operations Research 9(3), 1961) the
    latency is the interval times the requests in flight, however they are computed. Raises
    ValueError for an unknown way, and as simulate() does.
    """
    if streaming.way not in WAYS:
        raise ValueError(f"there is no way {streaming.way!r} to stream")
    interval = WAYS[streaming.way](graph, placement, streaming, batch)
    return Steady(interval, interval * streaming.in_flight)


def overlapped(graph: TaskGraph, placement: Placement, in_flight: int) -> float:
    """The time from one run's end to the next one's, in µs, if workers go from run to run.

    Each worker does its tasks of one run after the other, and ranks send as in simulate(), those of
    one run before those of the next; a run begins when fewer than `in_flight` are under way. Start
    times are longest paths, so after a while they are periodic (Cohen, Dubois, Quadrat & Viot, "A
    linear-system-theoretic view of discrete-event processes", IEEE Trans. Automatic Control 30(3),
    1985): the mean of the later half of 2 * ROUNDS * in_flight runs.
    O(ROUNDS * in_flight * (V + E)).

    Raises ValueError if a task is on several threads, Deadlock as simulate() does.
    """
    if any(count != 1 for count in placement.threads(len(graph))):
        raise ValueError("the workers of a pipeline run each task on one thread")
    worker_of = placement.leaders(len(graph))
    rank = [graph.rank_of(worker) for worker in worker_of]
    alone = sum(map(bool, placement.workers)) == 1
    costs = [cost / graph.crowding if alone else cost for cost in graph.costs]
    receiving, ports = receiving_times(graph, rank), Ports(graph)
    far = [_ranks_that_read(graph, task, rank) for task in range(len(graph))]
    order = ordered_by(simulate(graph, placement).finish, graph, placement)
    free = [0.0] * len(placement.workers)
    ends: list[float] = []
    for run in range(2 * ROUNDS * in_flight):
        begin = ends[run - in_flight] if run >= in_flight else 0.0
        end = max(begin, ends[-1] if ends else 0.0)  # results come in order
        finish = [0.0] * len(graph)
        arrives: dict[tuple[int, int], float] = {}
        for task in order:
            worker, home = worker_of[task], rank[task]
            start = max(begin + graph.begin_of(worker), free[worker]) + receiving[task]
            if home and graph.inputs_far[task]:
                start = max(start, begin + graph.inputs_far[task])
            for producer in graph.predecessors[task]:
                if rank[producer] != home:
                    start = max(start, arrives[producer, home])
                else:
                    crosses = worker_of[producer] != worker
                    start = max(start, finish[producer] + graph.hand_over * crosses)
            finish[task] = at = start + costs[task]
            for there in far[task]:
                arrives[task, there], at = ports.send(task, home, there, at)
            if home and graph.outputs_far[task]:
                arrival, at = ports.send_back(task, home, at)
                end = max(end, arrival)
            free[worker] = at
        ends.append(max([*finish, end]))
    half = ROUNDS * in_flight
    return (ends[-1] - ends[half - 1]) / half


def _ranks_that_read(graph: TaskGraph, task: int, rank: Sequence[int]) -> Sequence[int]:
    """The other ranks to which a task's value goes, in this order."""
    ranks = dict.fromkeys(rank[consumer] for consumer in graph.successors[task])
    return [other for other in ranks if other != rank[task]]


def _serial(graph: TaskGraph, _: Placement, streaming: Streaming, batch: int) -> float:
    """Each request on one thread, also what is on several in a call; slower while others are
    busy."""
    work = graph.work if streaming.at_a_time > 1 else graph.serial
    return work / batch / _computing(streaming)


def _calls(graph: TaskGraph, placement: Placement, streaming: Streaming, batch: int) -> float:
    return simulate(graph, placement).makespan / batch / _computing(streaming)


def _pipeline(graph: TaskGraph, placement: Placement, streaming: Streaming, _: int) -> float:
    return overlapped(graph, placement, streaming.in_flight)


def _batches(graph: TaskGraph, placement: Placement, _: Streaming, batch: int) -> float:
    return simulate(graph, placement).makespan / batch


def _computing(streaming: Streaming) -> int:
    return min(streaming.at_a_time, streaming.in_flight)


SERIAL, CALLS, PIPELINE, BATCHES = "serial", "calls", "pipeline", "batches"

WAYS: Mapping[str, Callable[[TaskGraph, Placement, Streaming, int], float]] = {
    SERIAL: _serial,
    CALLS: _calls,
    PIPELINE: _pipeline,
    BATCHES: _batches,
}
"""Each request by the serial program, by a call of the parallel one, by workers that go from
request to request, or in batches: their intervals."""
