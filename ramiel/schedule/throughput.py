"""Choosing how requests that follow each other are computed, by simulated throughput."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ramiel.analysis.memory import most_bytes
from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import simulate
from ramiel.analysis.streaming import (
    BATCHES,
    CALLS,
    PIPELINE,
    SERIAL,
    Steady,
    Streaming,
    steady,
)
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.choose import choose_automatically, cooperating
from ramiel.schedule.hyper import replicate
from ramiel.schedule.pipeline import pipeline
from ramiel.schedule.place import serial

ALIKE = 0.001
"""The share of the interval by which a candidate has to be better than an earlier, simpler one."""


@dataclass(frozen=True)
class Stream:
    """A way to compute requests, and the program for it: a named placement of so many samples."""

    name: str
    placement: Placement
    batch: int
    streaming: Streaming
    steady: Steady


def stages_of(placement: Placement) -> Streaming:
    """How a pipeline streams: one request in each stage, and one more in flight, so that the first
    stage need not wait while a result is taken."""
    stages = sum(map(bool, placement.workers)) or 1
    return Streaming(PIPELINE, stages, stages + 1)


def choose_for_placement(
    graph: TaskGraph, placement: Placement, workers: int, batch: int = 1
) -> Streaming:
    """The way of least simulated interval that a program has with this placement of `graph`, that
    of `batch` samples, on so many cores."""
    ways = _ways(graph, "", placement, workers, batch)
    best = _best(ways, _least_interval(graph, workers) / batch)
    assert best is not None
    return best.streaming


def choose_for_throughput(
    graph: TaskGraph,
    workers: int,
    latency_limit: float | None = None,
    memory_limit: float | None = None,
    *,
    batches: bool = True,
) -> Stream:
    """The way of least simulated interval (see steady()) whose latency, in µs, is within a limit,
    and whose values, of all requests that are computed at a time, are within one in bytes.

    Candidates are whole requests, one on each worker or on the threads of several; pipeline stages,
    and other schedules whose workers go from request to request; and, with `batches`, hyperclusters
    of batches. Of alike ones the first, in this order, is taken, and rather one with a request more
    in flight, which covers what a caller does between two results. If there are several ranks,
    whole requests are computed on rank 0.

    Raises ValueError if `workers` is less than 1 or nothing is within the limits.
    """
    latencies: list[float] = []

    def within_limits() -> Iterator[Stream]:
        for stream in _candidates(graph, workers, memory_limit, batches=batches):
            if memory_limit is None or _memory(graph, stream) <= memory_limit:
                latencies.append(stream.steady.latency)
                if latency_limit is None or stream.steady.latency <= latency_limit:
                    yield stream

    if (best := _best(within_limits(), _least_interval(graph, workers))) is not None:
        return best
    if not latencies:
        raise ValueError(f"no way to stream is within a memory limit of {memory_limit:.0f} bytes")
    given, least = ((us or 0.0) / 1e3 for us in (latency_limit, min(latencies)))
    raise ValueError(
        f"a latency limit of {given:.3g} ms is too small: the least that a way to stream was found "
        f"to take is {least:.3g} ms"
    )


def _best(candidates: Iterable[Stream], enough: float) -> Stream | None:
    """The first of the alike ones of least interval; the search ends if it is small `enough`."""
    best: Stream | None = None
    for candidate in candidates:
        if best is None or candidate.steady.interval < best.steady.interval * (1 - ALIKE):
            best = candidate
        if best.steady.interval <= enough * (1 + ALIKE):
            break
    return best


def _least_interval(graph: TaskGraph, workers: int) -> float:
    """A lower bound on any interval, in µs: all cores work all the time, most efficiently."""
    counts = [count for count in graph.threads if count <= workers]
    times = zip(*([count * c for c in graph.costs_on(count)] for count in counts), strict=True)
    return sum(map(min, times), 0.0) / workers


def _candidates(
    graph: TaskGraph, workers: int, memory_limit: float | None, *, batches: bool
) -> Iterator[Stream]:
    yield from _whole_requests(graph, workers, memory_limit)
    if workers > 1:
        stages = pipeline(graph, workers, memory_limit)
        yield from _ways(graph, "pipeline", stages, workers)
        for name, placement in cooperating(graph, workers):
            yield from _ways(graph, name, placement, workers)
    for batch in sorted({workers, 2 * workers}) if batches and workers > 1 else ():
        whole = replicate(graph, batch)
        for name, placement in cooperating(graph, workers, batch):
            yield from _ways(whole, name, placement, workers, batch)


def _whole_requests(graph: TaskGraph, workers: int, memory_limit: float | None) -> Iterator[Stream]:
    """Each on one thread, or on those of several cores of one machine."""
    here = len(graph.team_of(0)) if graph.ranks else workers
    for threads in graph.threads:
        if threads > here:
            continue
        narrow = replace(graph, wide={}) if threads == 1 else graph
        among = here if threads == 1 else threads
        try:
            choice = choose_automatically(narrow, among, 1, memory_limit)
        except ValueError:
            if here == workers:
                raise
            continue  # it takes the memory of several ranks
        yield from _ways(graph, choice.name, choice.placement, workers)


def _ways(
    graph: TaskGraph, name: str, placement: Placement, workers: int, batch: int = 1
) -> Iterator[Stream]:
    """How requests can be computed by one program, in this order of preference: each with a request
    (or a batch) more in flight than are computed at a time, and without. On several ranks they are
    calls of all of them."""
    one_thread = max(placement.threads(len(graph)), default=1) == 1
    used = [worker for worker, order in enumerate(placement.workers) if order]
    lanes, several = len(used) or 1, any(map(graph.rank_of, used))
    here = len(graph.team_of(0)) if graph.ranks else workers
    ways = [] if several else [(SERIAL, here)]
    if batch > 1:
        ways.append((BATCHES, batch))
    elif lanes > 1 or several:
        ways.append((CALLS, 1 if several else max(here // lanes, 1)))
        if one_thread:
            ways += [(PIPELINE, count) for count in (lanes, *_powers_of_two(lanes - 1))]
    elif not one_thread:
        ways.append((CALLS, 1))
    for way, at_a_time in ways:
        for more in (batch if way == BATCHES else 1, 0):
            streaming = Streaming(way, at_a_time, at_a_time + more)
            found = steady(graph, placement, streaming, batch)
            yield Stream(name, placement, batch, streaming, found)


def _powers_of_two(most: int) -> list[int]:
    """Up to a number, the largest first."""
    return [1 << exponent for exponent in reversed(range(most.bit_length()))]


def _memory(graph: TaskGraph, stream: Stream) -> float:
    """The bytes that most_bytes() says, of all requests that are computed at a time."""
    streaming, placement = stream.streaming, stream.placement
    if streaming.way == SERIAL:
        placement = serial(graph)
    else:
        graph = replicate(graph, stream.batch)
    copies = {BATCHES: 1, PIPELINE: streaming.in_flight}.get(streaming.way, streaming.at_a_time)
    return most_bytes(graph, placement, simulate(graph, placement), copies)
