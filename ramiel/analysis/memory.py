"""The peak memory of a simulated run: of values, and on several ranks of weights, too."""

from collections.abc import Sequence

from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import Timeline
from ramiel.analysis.task_graph import TaskGraph


def high_water(graph: TaskGraph, timeline: Timeline) -> float:
    """The peak number of bytes that values occupy, without inputs and weights.

    A value is live from the start of its producer to the end of the last task that reads it or a
    view of it; a value that no task reads is an output and stays live to the end. The result is 0
    without `graph.sizes`. O(V log V + E).
    """
    if not graph.sizes:
        return 0.0
    end = [0.0] * len(graph)
    for task in reversed(range(len(graph))):
        readers = graph.successors[task]
        end[task] = max(
            (
                end[reader] if graph.sizes[reader] == 0 else timeline.finish[reader]
                for reader in readers
            ),
            default=timeline.makespan,
        )
    # At equal times allocations come before frees: a task holds its inputs and its result.
    changes: list[tuple[float, float]] = []
    for task, size in enumerate(graph.sizes):
        if size:
            changes += [(timeline.start[task], -size), (end[task], size)]
    changes.sort()
    now = most = 0.0
    for _, freed in changes:
        now -= freed
        most = max(most, now)
    return most


def most_bytes(
    graph: TaskGraph, placement: Placement, timeline: Timeline, copies: int = 1
) -> float:
    """The memory that a limit is for, with so many runs under way: that of values, as by
    high_water(), or all that the rank needs that needs most."""
    if not graph.ranks:
        return copies * high_water(graph, timeline)
    return max(bytes_of_ranks(graph, placement, timeline, copies))


def bytes_of_ranks(
    graph: TaskGraph, placement: Placement, timeline: Timeline, copies: int = 1
) -> list[float]:
    """The bytes that each rank needs: its weights, and for each run under way a buffer for each
    message that it sends or receives, and the peak of its values, as by high_water().
    O(V log V + E)."""
    assert graph.messages is not None
    messages = graph.messages
    rank = [graph.rank_of(worker) for worker in placement.leaders(len(graph))]
    weights, buffers = ([0.0] * graph.rank_count for _ in range(2))
    for task, home in enumerate(rank):
        weights[home] += messages.weights[task]
        for other in {rank[reader] for reader in graph.successors[task]} - {home}:
            buffers[home] += messages.values[task]
            buffers[other] += messages.values[task]
        if home:
            ends = messages.inputs[task] + messages.outputs[task]
            buffers[0] += ends
            buffers[home] += ends
    peaks = _peaks(graph, timeline, rank)
    return [
        held + copies * (buffer + peak)
        for held, buffer, peak in zip(weights, buffers, peaks, strict=True)
    ]


def _peaks(graph: TaskGraph, timeline: Timeline, rank: Sequence[int]) -> list[float]:
    """The peak of the values of each rank. One that only other ranks read is sent at once."""
    end = [0.0] * len(graph)
    changes: list[list[tuple[float, float]]] = [[] for _ in range(graph.rank_count)]
    for task in reversed(range(len(graph) if graph.sizes else 0)):
        readers = graph.successors[task]
        own = [reader for reader in readers if rank[reader] == rank[task]]
        end[task] = max(
            (end[r] if graph.sizes[r] == 0 else timeline.finish[r] for r in own),
            default=timeline.finish[task] if readers else timeline.makespan,
        )
        if size := graph.sizes[task]:
            changes[rank[task]] += [(timeline.start[task], -size), (end[task], size)]
    peaks: list[float] = []
    for row in changes:
        now = most = 0.0
        for _, freed in sorted(row):
            now -= freed
            most = max(most, now)
        peaks.append(most)
    return peaks
