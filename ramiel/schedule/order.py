"""List scheduling for a fixed assignment: the order of each worker's tasks."""

from collections.abc import Sequence
from heapq import heappop, heappush

from ramiel.analysis.critical_path import by_distance, distance_to_end
from ramiel.analysis.placement import Placement
from ramiel.analysis.task_graph import TaskGraph


def order_tasks(
    graph: TaskGraph,
    worker_of: Sequence[int],
    workers: int,
    follower: Sequence[int] | None = None,
) -> Placement:
    """Orders the tasks of each worker by an event-driven list simulation.

    A free worker takes, among its tasks whose inputs are available, the one of largest distance to
    end (with `graph.hand_over` µs for each edge; ties by id). If there is none, it waits for the
    first to become ready. With `follower`, which holds the next task of each task's cluster or -1,
    a worker continues with its current cluster as long as it can: such an order is easier to read.
    Tasks are taken after all their producers have finished, so the result cannot deadlock.
    O((V + E) + V log V).

    Raises ValueError if `worker_of` does not give each task a worker in `0 .. workers - 1`.
    """
    if len(worker_of) != len(graph):
        raise ValueError(f"{len(worker_of)} workers are given for {len(graph)} tasks")
    if not all(0 <= worker < workers for worker in worker_of):
        raise ValueError(f"worker_of names a worker outside 0 .. {workers - 1}")

    priority = by_distance(distance_to_end(graph, graph.hand_over))
    rank = [0] * len(graph)
    for place, task in enumerate(priority):
        rank[task] = place

    missing = [len(producers) for producers in graph.predecessors]
    arrival = [0.0] * len(graph)
    taken = [False] * len(graph)
    idle = [True] * workers
    ready: list[list[int]] = [[] for _ in range(workers)]  # heaps of ranks, taken tasks too
    waiting = [0] * workers  # tasks that are ready and not taken
    is_ready = [False] * len(graph)
    last = [-1] * workers
    orders: list[list[int]] = [[] for _ in range(workers)]
    # A task has two events: its inputs become available, and, once it is taken, it finishes.
    events = [(0.0, task) for task, count in enumerate(missing) if count == 0]
    while events:
        now = events[0][0]
        awake: set[int] = set()
        while events and events[0][0] == now:
            task = heappop(events)[1]
            worker = worker_of[task]
            awake.add(worker)
            if not taken[task]:
                heappush(ready[worker], rank[task])
                is_ready[task] = True
                waiting[worker] += 1
                continue
            idle[worker] = True
            for consumer in graph.successors[task]:
                time = now + graph.delay(task, worker, worker_of[consumer])
                arrival[consumer] = max(arrival[consumer], time)
                missing[consumer] -= 1
                if missing[consumer] == 0:
                    heappush(events, (arrival[consumer], consumer))
        for worker in awake:
            if idle[worker] and waiting[worker]:
                task = follower[last[worker]] if follower and last[worker] >= 0 else -1
                if task < 0 or not is_ready[task] or taken[task] or worker_of[task] != worker:
                    task = priority[heappop(ready[worker])]
                    while taken[task]:
                        task = priority[heappop(ready[worker])]
                taken[task] = True
                idle[worker] = False
                waiting[worker] -= 1
                last[worker] = task
                orders[worker].append(task)
                heappush(events, (now + graph.costs[task], task))
    return Placement(tuple(map(tuple, orders)))
