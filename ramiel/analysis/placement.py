"""Which worker runs which task, and in which order."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Placement:
    """The task ids that each worker runs, in order. A worker may be empty."""

    workers: tuple[tuple[int, ...], ...]

    def worker_of(self, tasks: int) -> list[int]:
        """The worker of each of the tasks `0 .. tasks - 1`.

        Raises ValueError unless every task is there exactly once and there is no other.
        """
        worker_of = [-1] * tasks
        for worker, order in enumerate(self.workers):
            for task in order:
                if not 0 <= task < tasks:
                    raise ValueError(f"task {task} is placed, but there are only {tasks} tasks")
                if worker_of[task] >= 0:
                    raise ValueError(f"task {task} is placed twice")
                worker_of[task] = worker
        if -1 in worker_of:
            raise ValueError(f"task {worker_of.index(-1)} is not placed")
        return worker_of
