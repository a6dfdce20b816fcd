"""The peak memory of the values of a simulated run."""

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
