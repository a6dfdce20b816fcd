"""Placing tasks on the streams of a device."""

from collections.abc import Callable, Mapping, Sequence

from ramiel.analysis.placement import Placement
from ramiel.analysis.sharing import simulate_sharing
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.choose import Choice
from ramiel.schedule.ios import ios
from ramiel.schedule.linear import linear_clusters
from ramiel.schedule.list_scheduling import list_schedule
from ramiel.schedule.merge import merge_clusters
from ramiel.schedule.place import place, serial

SIMPLER = 1.02
"""The factor in makespan that is accepted for one stream."""
ROBUST = 1.05
"""The factor that is accepted for merged linear clusters. Their streams follow the edges of the
graph, while those of a list schedule also wait where estimated costs said that it does not matter.
On an H100 with costs that were measured one by one, list schedules on 3 streams, as good in
simulation, took 0 to 22 % longer than linear clusters, and none of any width was 4 % faster."""

WIDTHS = (2, 3, 4, 6, 8, 12, 16, 24, 32)
"""The numbers of streams that list schedules are made for."""

FEWER = 1.005
"""The factor that is accepted for a stream less, which takes memory of its own. It is small, since
a stream that joins another waits where estimated costs say that it does not matter."""
TRIED = 4
"""How many streams one that joins another is tried with."""

LARGE = 2_000
"""From this many tasks on, list schedules are made for fewer numbers of streams."""


def opara(graph: TaskGraph, most: int) -> Placement:
    """Opara's stream allocation: a task joins the stream of its first producer whose stream no
    other consumer has joined; without one, it opens a stream.

    Beyond `most` streams, those that never overlap in time are merged. O(V + E).

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
    return _listed(graph, most).placement


def stages(graph: TaskGraph, most: int) -> Placement:
    """IOS's stages, which run at most `most` groups at the same time."""
    return ios(graph, most, strategies="parallel", wide=False).placement(graph, most)


def automatic(graph: TaskGraph, most: int) -> Choice:
    """The best of all of them by simulation, in which kernels share the device.

    One stream is preferred where it takes at most 2 % longer, then merged linear clusters where
    they take at most 5 % longer. Streams that gain less than 0.5 % are left out: see fewer().
    Raises ValueError if `most` is less than 1.
    """
    if most < 1:
        raise ValueError(f"need at least 1 stream, not {most}")
    first = _simulated(graph, "serial", serial(graph))
    if most == 1:
        return first
    second = _simulated(graph, "linear, merged", linear(graph, most))
    rest = [_simulated(graph, "opara", opara(graph, most)), _listed(graph, most)]
    choices = (first, second, *rest)
    least = min(choice.timeline.makespan for choice in choices)
    for choice, factor in zip(choices, (SIMPLER, ROBUST, 1.0, 1.0), strict=True):
        if choice.timeline.makespan <= factor * least:
            limit = min(FEWER * choice.timeline.makespan, ROBUST * least)
            return fewer(graph, choice, limit)
    raise AssertionError("the least is among them")


def fewer(graph: TaskGraph, choice: Choice, limit: float) -> Choice:
    """The same schedule on fewer streams, as long as it takes at most `limit` µs.

    The stream with the least to do joins one of those with little to do. Each stream of a graph has
    memory of its own, which no other uses again. O(streams) simulations.
    """
    if len(graph) >= LARGE:
        return choice
    start = choice.timeline.start
    # Tasks of streams that join are in the order of their starts, which follows all edges.
    rank = {
        task: i
        for i, task in enumerate(sorted(range(len(graph)), key=lambda task: (start[task], task)))
    }
    while len(lanes := [lane for lane in choice.placement.workers if lane]) > 1:
        lanes.sort(key=lambda lane: sum(graph.costs[task] for task in lane))
        least, *others = lanes
        joined = [
            _simulated(graph, choice.name, _joined(least, others, place, rank))
            for place in range(min(TRIED, len(others)))
        ]
        best = min(joined, key=lambda other: other.timeline.makespan)
        if best.timeline.makespan > limit:
            break
        choice = best
    return choice


def _joined(
    least: Sequence[int], others: Sequence[Sequence[int]], place: int, rank: Mapping[int, int]
) -> Placement:
    together = tuple(sorted((*least, *others[place]), key=rank.__getitem__))
    rest = (*map(tuple, others[:place]), together, *map(tuple, others[place + 1 :]))
    return Placement(tuple(sorted(rest, key=lambda lane: rank[lane[0]])))


def _simulated(graph: TaskGraph, name: str, placement: Placement) -> Choice:
    return Choice(name, placement, simulate_sharing(graph, placement))


def _listed(graph: TaskGraph, most: int) -> Choice:
    """The best list schedule. More streams than merged clusters, of which at some point all are
    active, would gain nothing."""
    lanes = len(merge_clusters(graph, linear_clusters(graph)))
    useful = max(1, min(most, lanes))
    widths = {width for width in WIDTHS if width < useful} | {useful}
    if len(graph) >= LARGE:
        widths = {useful, min(useful, 8)}
    choices = [_simulated(graph, "list", list_schedule(graph, w)) for w in sorted(widths)]
    return min(choices, key=lambda choice: choice.timeline.makespan)


def _limited(graph: TaskGraph, groups: list[list[int]], most: int) -> Placement:
    """Each group on a stream if there are enough, else those together that never overlap."""
    if len(groups) > most:
        groups = merge_clusters(graph, groups)
    if len(groups) > most:
        return place(graph, groups, most)
    return Placement(tuple(map(tuple, groups)) or ((),))


SCHEDULERS: Mapping[str, Callable[[TaskGraph, int], Placement]] = {
    "serial": lambda graph, most: serial(graph),
    "linear": linear,
    "list": listed,
    "opara": opara,
}
"""By name; besides, there is automatic()."""
