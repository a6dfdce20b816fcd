"""Hyperclustering: a batch as copies of the graph, interleaved on the workers.

A worker that has several samples' copies of its clusters fills the waits of one with the work of
another. In the switched variant, each sample's clusters are placed on other workers than the
previous sample's, which balances a clustering that gives the workers unequal work.

Source: Das & Rauchwerger, "Automatic Task Parallelization of Dataflow Graphs in ML/DL models",
arXiv 2308.11192, the section on hyperclustering; Das's thesis (UIUC 2023).
"""

from dataclasses import fields

from ramiel.analysis.placement import Placement
from ramiel.analysis.task_graph import Messages, TaskGraph
from ramiel.schedule.order import order_tasks


def replicate(graph: TaskGraph, batch: int) -> TaskGraph:
    """The graph of `batch` independent samples: copy `b` of task `i` is task `b * n + i`.

    Raises ValueError if `batch` is less than 1. O(batch * (V + E)).
    """
    if batch < 1:
        raise ValueError(f"need a batch of at least 1, not {batch}")
    if batch == 1:
        return graph
    count, messages = len(graph), graph.messages
    return TaskGraph(
        costs=graph.costs * batch,
        edges=tuple(
            (sample * count + producer, sample * count + consumer)
            for sample in range(batch)
            for producer, consumer in graph.edges
        ),
        hand_over=graph.hand_over,
        call=graph.call,
        wide={threads: costs * batch for threads, costs in graph.wide.items()},
        switch=graph.switch,
        crowding=graph.crowding,
        sizes=graph.sizes * batch,
        shares=graph.shares * batch,
        ranks=graph.ranks,
        link=graph.link,
        messages=messages
        and Messages(*(getattr(messages, f.name) * batch for f in fields(messages))),
    )


def hyperclusters(
    graph: TaskGraph, placement: Placement, batch: int, *, switched: bool = False
) -> Placement:
    """The placement of a batch from that of one sample, in which each task has one thread.

    Copy `b` of a task on worker `w` of `P` runs there, or if `switched` on worker `(w + b) mod P`.
    Each worker runs its ready tasks by descending distance to end. The tasks are those of
    `replicate(graph, batch)`. O(batch * (V + E) + batch * V log (batch * V)).

    Raises ValueError if `batch` is less than 1 or a task is on several workers.
    """
    workers = len(placement.workers)
    if any(threads > 1 for threads in placement.threads(len(graph))):
        raise ValueError("hyperclusters are made of tasks that run on one thread")
    worker_of = placement.leaders(len(graph))
    shifts = [sample if switched else 0 for sample in range(batch)]
    copies = [(worker + shift) % workers for shift in shifts for worker in worker_of]
    return order_tasks(replicate(graph, batch), copies, workers)


def whole_samples(graph: TaskGraph, workers: int, batch: int) -> Placement:
    """Each sample on one worker, in round-robin order: no value is handed over."""
    count = len(graph)
    return Placement(
        tuple(
            tuple(
                task
                for sample in range(worker, batch, workers)
                for task in range(sample * count, (sample + 1) * count)
            )
            for worker in range(workers)
        )
    )
