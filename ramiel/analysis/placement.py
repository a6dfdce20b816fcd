"""Which worker runs which task, on how many threads, and in which order."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Placement:
    """The task ids that each worker runs, in order. A worker may be empty.

    A task in the orders of several workers is wide: the lowest-numbered of them, its leader, runs
    it with one thread per worker, and the others lend their cores and run nothing else meanwhile.
    """

    workers: tuple[tuple[int, ...], ...]

    def leaders(self, tasks: int) -> list[int]:
        """The worker that runs each of the tasks `0 .. tasks - 1`.

        Raises ValueError if a task is missing or unknown, or placed twice on one worker.
        """
        return self._placed(tasks)[0]

    def threads(self, tasks: int) -> list[int]:
        """The number of threads of each task. Raises as `leaders` does."""
        return self._placed(tasks)[1]

    def _placed(self, tasks: int) -> tuple[list[int], list[int]]:
        leaders, threads, last = [-1] * tasks, [0] * tasks, [-1] * tasks
        for worker, order in enumerate(self.workers):
            for task in order:
                if not 0 <= task < tasks:
                    raise ValueError(f"task {task} is placed, but there are only {tasks} tasks")
                if last[task] == worker:
                    raise ValueError(f"task {task} is placed twice")
                if leaders[task] < 0:
                    leaders[task] = worker
                last[task] = worker
                threads[task] += 1
        if -1 in leaders:
            raise ValueError(f"task {leaders.index(-1)} is not placed")
        return leaders, threads


def group_of(groups: Sequence[Sequence[int]], tasks: int) -> list[int]:
    """The index of the group of each of the tasks `0 .. tasks - 1`.

    Raises ValueError if the groups are not a partition.
    """
    placement = Placement(tuple(map(tuple, groups)))
    for task, count in enumerate(placement.threads(tasks)):
        if count > 1:
            raise ValueError(f"task {task} is in {count} groups")
    return placement.leaders(tasks)
