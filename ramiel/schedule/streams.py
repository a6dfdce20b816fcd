"""Placing tasks on the streams of a device."""

from collections.abc import Callable, Iterator, Mapping

from ramiel.analysis.placement import Placement
from ramiel.analysis.sharing import simulate_sharing
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.choose import Candidate, Choice
from ramiel.schedule.linear import linear_clusters
from ramiel.schedule.list_scheduling import list_schedule
from ramiel.schedule.merge import merge_clusters
from ramiel.schedule.place import place, serial

FEWER = 1.01
"""The factor in makespan that is accepted for fewer streams."""

WIDTHS = (2, 3, 4, 6, 8, 12, 16, 24, 32)
"""The numbers of streams that list schedules are made for."""

LARGE = 2_000
"""From this many tasks on, list schedules are made for fewer numbers of streams."""


def opara(graph: TaskGraph, most: int) -> Placement:
    """Opara's stream allocation: a task joins the stream of its first producer whose stream no
    other consumer has joined; without one, it opens a stream.

    Streams beyond `most` are placed on those that there are, as clusters. O(V + E).

    Source: Chen, Xu, Jiang, Shi, "Opara: Exploiting Operator Parallelism for Expediting DNN
    Inference on GPUs", arXiv 2312.10351, section 3.1 (stream allocator).
    """
    stream_of: list[int] = []
    streams: list[list[int]] = []
    joined: set[int] = set()
    for task in range(len(graph)):
        producer = next((p for p in graph.predecessors[task] if p not in joined), None)
        if producer is None:
            stream_of.append(len(streams))
            streams.append([task])
        else:
            joined.add(producer)
            stream_of.append(stream_of[producer])
            streams[stream_of[task]].append(task)
    return _limited(graph, streams, most)


def linear(graph: TaskGraph, most: int) -> Placement:
    """Merged linear clusters, each on a stream of its own as far as there are any."""
    return _limited(graph, merge_clusters(graph, linear_clusters(graph)), most)


def listed(graph: TaskGraph, most: int) -> Placement:
    """The best of the list schedules on up to `most` streams."""
    return _best(graph, _lists(graph, most)).placement


def automatic(graph: TaskGraph, most: int) -> Choice:
    """The best of all of them by simulation, in which kernels share the device.

    One stream is among them, and fewer streams are preferred where they take at most 1 % longer.
    Raises ValueError if `most` is less than 1.
    """
    if most < 1:
        raise ValueError(f"need at least 1 stream, not {most}")
    return _best(graph, _all(graph, most))


def _all(graph: TaskGraph, most: int) -> Iterator[Candidate]:
    yield "serial", serial(graph)
    if most > 1:
        yield "linear, merged", linear(graph, most)
        yield "opara", opara(graph, most)
        yield from _lists(graph, most)


def _lists(graph: TaskGraph, most: int) -> Iterator[Candidate]:
    """List schedules. More streams than merged clusters, of which at some point all are active,
    would gain nothing."""
    lanes = len(merge_clusters(graph, linear_clusters(graph)))
    useful = max(1, min(most, lanes))
    widths = {width for width in WIDTHS if width < useful} | {useful}
    if len(graph) >= LARGE:
        widths = {useful, min(useful, 8)}
    for width in sorted(widths):
        yield "list", list_schedule(graph, width)


def _best(graph: TaskGraph, candidates: Iterator[Candidate]) -> Choice:
    choices = [Choice(name, p, simulate_sharing(graph, p)) for name, p in candidates]
    least = min(choice.timeline.makespan for choice in choices)
    good = [choice for choice in choices if choice.timeline.makespan <= FEWER * least]
    return min(good, key=_streams)


def _streams(choice: Choice) -> int:
    return sum(map(bool, choice.placement.workers))


def _limited(graph: TaskGraph, groups: list[list[int]], most: int) -> Placement:
    """Each group on a stream, if there are enough."""
    if len(groups) <= most:
        return Placement(tuple(map(tuple, groups)) or ((),))
    return place(graph, groups, most)


SCHEDULERS: Mapping[str, Callable[[TaskGraph, int], Placement]] = {
    "serial": lambda graph, most: serial(graph),
    "linear": linear,
    "list": listed,
    "opara": opara,
}
"""By name; besides, there is automatic()."""
