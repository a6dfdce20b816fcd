"""Choosing between schedules by simulation."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ramiel.analysis.memory import most_bytes
from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import Timeline, simulate
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.dsc import dsc_clusters
from ramiel.schedule.edges import by_edges
from ramiel.schedule.greedy import greedy_stages
from ramiel.schedule.hyper import hyperclusters, replicate, whole_samples
from ramiel.schedule.ios import ios
from ramiel.schedule.linear import linear_clusters
from ramiel.schedule.list_scheduling import list_schedule
from ramiel.schedule.merge import merge_clusters
from ramiel.schedule.place import intra_op, place, serial

SHARING = 1.12
"""The factor by which concurrent workers may be slower than simulated: as they share memory, and as
the costs on one thread and on several are not off alike (docs/decisions.md)."""
TURN = 1.0
"""The time in µs that each operation of a worker takes longer, if there are other workers, by what
is not simulated: operands in another core's cache, waits for the slower of two."""
ALIKE = 0.01
"""The part of the expected time by which a schedule has to be faster than an earlier one, which is
simpler."""

WHOLE_SAMPLES = "whole samples"

Candidate = tuple[str, Placement]


@dataclass(frozen=True)
class Choice:
    """A named placement and its simulated run."""

    name: str
    placement: Placement
    timeline: Timeline


def choose(graph: TaskGraph, candidates: Iterable[Candidate]) -> Choice:
    """The candidate with the least simulated makespan, ties to the first.

    Raises ValueError if there is no candidate, or as `simulate` does.
    """
    choices = [Choice(name, p, simulate(graph, p)) for name, p in candidates]
    if not choices:
        raise ValueError("there is no candidate to choose from")
    return min(choices, key=lambda choice: choice.timeline.makespan)


def choose_automatically(
    graph: TaskGraph,
    workers: int,
    batch: int = 1,
    memory_limit: float | None = None,
    *,
    thorough: bool = False,
) -> Choice:
    """The best of the schedules that are quick to compute, for `batch` samples of a graph.

    Schedules on several workers are expected to take longer than simulated (see expected()), and of
    alike ones the simplest is chosen. With `thorough`, as the starting point of a search, neither
    is so, and for one sample IOS is among the candidates, which may take seconds. With
    `memory_limit`, in bytes, only a schedule that fits is chosen. The placement is one of
    `replicate(graph, batch)`.

    Raises ValueError if `workers` or `batch` is less than 1, or no schedule fits into the memory.
    """
    whole = replicate(graph, batch)
    choices = simulated(graph, workers, batch, thorough=thorough)
    needs = [most_bytes(whole, choice.placement, choice.timeline) for choice in choices]
    if memory_limit is not None:
        try:
            # All samples' copies of a task must run on the same number of threads.
            alike = whole if batch == 1 else replace(whole, wide={})
            listed = list_schedule(alike, workers, memory_limit)
        except ValueError as error:
            if min(needs) > memory_limit:
                raise ValueError(
                    f"a memory limit of {memory_limit:.0f} bytes is too small: the least that a "
                    f"schedule was found to need is {min(needs):.0f}"
                ) from error
        else:
            choices.append(Choice("list", listed, simulate(whole, listed)))
            needs.append(memory_limit)
    fitting = [
        choice
        for choice, need in zip(choices, needs, strict=True)
        if memory_limit is None or need <= memory_limit
    ]
    if thorough:
        return min(fitting, key=lambda choice: choice.timeline.makespan)
    return simplest(fitting)


def simulated(
    graph: TaskGraph, workers: int, batch: int = 1, *, thorough: bool = False
) -> list[Choice]:
    """The candidates of choose_automatically(), the simpler first, without a limit of memory."""
    whole = replicate(graph, batch)
    candidates = [*separate(graph, workers, batch)]
    if workers > 1:
        candidates += cooperating(graph, workers, batch, thorough=thorough)
    return [Choice(name, p, simulate(whole, p)) for name, p in candidates]


def simplest(choices: Sequence[Choice]) -> Choice:
    """The first that is expected to take no longer than the others, but for what is noise."""
    alike = min(map(expected, choices)) * (1 + ALIKE)
    return next(choice for choice in choices if expected(choice) <= alike)


def expected(choice: Choice) -> float:
    """The expected time of a run in µs: more than simulated if there are several workers."""
    operations = Counter(choice.placement.leaders(len(choice.timeline.start)))
    makespan = choice.timeline.makespan
    if len(operations) < 2:
        return makespan
    return makespan * SHARING + TURN * max(operations.values())


def separate(graph: TaskGraph, workers: int, batch: int = 1) -> Iterator[Candidate]:
    """The schedules without hand-overs: one task after the other, or whole samples per worker."""
    whole = replicate(graph, batch)
    yield "serial", serial(whole)
    if workers > 1 and len(graph.threads) > 1:
        yield "intra-op", intra_op(whole, workers)
    if workers > 1 and batch > 1:
        yield WHOLE_SAMPLES, whole_samples(graph, workers, batch)


def cooperating(
    graph: TaskGraph, workers: int, batch: int = 1, *, thorough: bool = False
) -> Iterator[Candidate]:
    """The schedules in which workers hand values over to each other: those that are quick to
    compute and, with `thorough`, IOS for one sample."""
    if batch > 1:
        yield from _hyperclusters(graph, workers, batch)
        return
    yield from _one_sample(graph, workers)
    if thorough:
        yield "ios", ios(graph, workers).placement(graph, workers)


def _one_sample(graph: TaskGraph, workers: int) -> Iterator[Candidate]:
    clusters = by_edges(graph, workers, partial(linear_clusters, graph))
    merged = by_edges(graph, workers, partial(merge_clusters, graph, clusters))
    yield "linear, merged", place(graph, merged, workers)
    yield "linear", place(graph, clusters, workers)
    yield "dsc", place(graph, by_edges(graph, workers, partial(dsc_clusters, graph)), workers)
    yield "list", list_schedule(graph, workers)
    yield "greedy", greedy_stages(graph, workers).placement(graph, workers)


def _hyperclusters(graph: TaskGraph, workers: int, batch: int) -> Iterator[Candidate]:
    """Each task runs on one thread, so that all samples' copies run on the same number."""
    clusters = linear_clusters(graph)
    for name, groups in (
        ("linear, merged", merge_clusters(graph, clusters)),
        ("linear", clusters),
    ):
        placement = place(graph, groups, workers)
        for switched in (False, True):
            kind = "switched hyperclusters" if switched else "hyperclusters"
            yield f"{name}, {kind}", hyperclusters(graph, placement, batch, switched=switched)
