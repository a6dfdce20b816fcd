"""Allotments: the number of threads of each moldable task.

Sources: Radulescu & van Gemund, "A low-cost approach towards mixed task and data parallel
scheduling", ICPP 2001, section 3 (CPA: balances critical path and area); Turek, Wolf & Yu,
"Approximate algorithms for scheduling parallelizable tasks", SPAA 1992 (the allotment is chosen
first and then list-scheduled).
"""

from ramiel.analysis.critical_path import critical_path
from ramiel.analysis.task_graph import TaskGraph

EFFICIENCIES = (0.9, 0.75, 0.6)
"""The parallel efficiencies that `allotments` tries as lower limits."""

ROUNDS = 40
"""The most rounds of `balanced`, each of which finds the critical path once."""


def counts_up_to(graph: TaskGraph, workers: int) -> tuple[int, ...]:
    """The thread counts that tasks can have on `workers` workers, ascending from 1.

    Raises ValueError if `workers` is less than 1.
    """
    if workers < 1:
        raise ValueError(f"need at least 1 worker, not {workers}")
    return tuple(count for count in graph.threads if count <= workers)


def fastest(graph: TaskGraph, workers: int) -> list[int]:
    """Each task's fastest thread count, ties to the smaller count. O(V)."""
    columns = [graph.costs_on(count) for count in counts_up_to(graph, workers)]
    counts = counts_up_to(graph, workers)
    return [min(zip(times, counts, strict=True))[1] for times in zip(*columns, strict=True)]


def efficient(graph: TaskGraph, workers: int, share: float) -> list[int]:
    """Each task's largest thread count that still has `share` of the ideal speed-up. O(V)."""
    allotment = [1] * len(graph)
    for count in counts_up_to(graph, workers):
        for task, cost in enumerate(graph.costs_on(count)):
            if graph.costs[task] >= share * count * cost:
                allotment[task] = count
    return allotment


def balanced(graph: TaskGraph, workers: int) -> list[int]:
    """CPA: gives threads to the critical path until it is no longer than the work per worker.

    The paper's CPA widens one task of the path per round. Here each round widens the half of the
    path's tasks that gain most time for the added area, so that a constant number of rounds is
    enough. O(V log V + E).
    """
    counts = counts_up_to(graph, workers)
    columns = [graph.costs_on(count) for count in counts]
    level = [0] * len(graph)
    costs = list(graph.costs)
    area = graph.work
    for _ in range(ROUNDS):
        length, path = critical_path(graph, costs)
        if length <= area / workers:
            break
        gains: list[tuple[float, float, int]] = []
        for task in path:
            above = level[task] + 1
            if above < len(counts) and columns[above][task] < costs[task]:
                more = counts[above] * columns[above][task] - counts[above - 1] * costs[task]
                gain = costs[task] - columns[above][task]
                gains.append((more / gain, more, task))
        if not gains:
            break
        for _, more, task in sorted(gains)[: (len(gains) + 1) // 2]:
            level[task] += 1
            costs[task] = columns[level[task]][task]
            area += more
    return [counts[i] for i in level]


def allotments(graph: TaskGraph, workers: int) -> list[list[int]]:
    """The allotments to try, without duplicates; the first gives each task one thread.

    O(V log V + E). Raises ValueError if `workers` is less than 1.
    """
    found = [
        [1] * len(graph),
        fastest(graph, workers),
        balanced(graph, workers),
        *(efficient(graph, workers, share) for share in EFFICIENCIES),
    ]
    return [list(allotment) for allotment in dict.fromkeys(map(tuple, found))]
