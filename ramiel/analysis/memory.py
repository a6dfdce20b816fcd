"""How much memory the values of a simulated run need."""

from ramiel.analysis.simulate import Timeline
from ramiel.analysis.task_graph import TaskGraph


def high_water(graph: TaskGraph, timeline: Timeline) -> float:
    """The most bytes that values occupy at one time; inputs and weights do not count.

    A value lives from the start of the task that makes it to the end of the last one that reads
    it, or a view of it; one that nobody reads is an output and lives to the end. Without
    `graph.sizes` nothing has a size. O(V log V + E).
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
    # At one time, what starts counts before what ends: a task holds its inputs and its result.
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
