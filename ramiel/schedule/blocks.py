"""Reduces a task graph before a search: contracts tasks to units and cuts the graph into blocks.

Source: Ding et al., "IOS: Inter-Operator Scheduler for CNN Acceleration", arXiv 2011.01302, which
schedules units (a convolution with its activation, a whole separable convolution) and takes the
blocks of a network in sequence (the section on the experiments).
"""

from collections.abc import Collection, Sequence
from heapq import heappop, heappush
from math import inf

from ramiel.analysis.critical_path import by_distance, distance_to_end
from ramiel.analysis.task_graph import TaskGraph

LIGHT = 1 / 8
"""A part of a chain that costs at most this fraction of its neighbour joins its unit."""


def contract_chains(
    graph: TaskGraph, *, grain: float = inf, heads: Collection[int] = ()
) -> tuple[TaskGraph, list[list[int]]]:
    """Contracts chains of tasks to units: `(graph of the units, tasks of each unit)`.

    A task continues a chain if it is the only consumer of the task before it and reads nothing
    else. A chain is cut before a task of `heads`, and between the unit so far and the next task
    if the lighter of them takes more than `grain` µs and more than 1/8 of the other. The default
    never cuts for cost. A unit costs the sum of its tasks, on each number of threads; sizes are
    dropped. Units are numbered by their first task. O(V + E log E).
    """
    members: list[list[int]] = []
    unit_of = [-1] * len(graph)
    cost = 0.0
    for head in range(len(graph)):
        task: int | None = head if unit_of[head] < 0 else None
        begin = True
        while task is not None:
            lighter, heavier = sorted((cost, graph.costs[task]))
            if begin or task in heads or lighter > max(grain, LIGHT * heavier):
                members.append([])
                cost = 0.0
            begin = False
            members[-1].append(task)
            unit_of[task] = len(members) - 1
            cost += graph.costs[task]
            task = _next_of_chain(graph, task)
    order = sorted(range(len(members)), key=lambda unit: members[unit][0])
    members = [members[unit] for unit in order]
    for unit, tasks in enumerate(members):
        for task in tasks:
            unit_of[task] = unit
    return _units(graph, members, unit_of), members


def contract_light(
    graph: TaskGraph, grain: float, heads: Collection[int] = ()
) -> tuple[TaskGraph, list[list[int]]]:
    """Joins light tasks to neighbours: `(graph of the units, tasks of each unit)`.

    A task that costs at most `grain` µs, including the tasks joined to it, joins its only
    consumer, or else its only producer. That creates no cycles: another path between the two
    would need a second edge out of the task, or into it. Tasks of `heads` stay as they are. Costs
    and sizes are as for `contract_chains`. O(V log V + E * width of a unit's edges).
    """
    after, before = [set(row) for row in graph.successors], [set(row) for row in graph.predecessors]
    members = [[task] for task in range(len(graph))]
    cost = list(graph.costs)
    fixed = frozenset(heads)
    for task in range(len(graph)):
        if cost[task] > grain or task in fixed:
            continue
        near = next((row for row in (after[task], before[task]) if len(row) == 1), set[int]())
        if not near or near <= fixed:
            continue
        (host,) = near
        for forth, back in ((after, before), (before, after)):
            for other in forth[task]:
                back[other].remove(task)
                if other != host:
                    back[other].add(host)
                    forth[host].add(other)
            forth[task] = set()
        members[host] += members[task]
        members[task] = []
        cost[host] += cost[task]
    missing = [len(row) for row in before]
    ready = [unit for unit, tasks in enumerate(members) if tasks and not missing[unit]]
    ordered: list[list[int]] = []
    unit_of = [-1] * len(graph)
    while ready:
        unit = heappop(ready)
        for task in members[unit]:
            unit_of[task] = len(ordered)
        ordered.append(sorted(members[unit]))
        for consumer in after[unit]:
            missing[consumer] -= 1
            if missing[consumer] == 0:
                heappush(ready, consumer)
    return _units(graph, ordered, unit_of), ordered


def _units(graph: TaskGraph, members: list[list[int]], unit_of: Sequence[int]) -> TaskGraph:
    arcs = {(unit_of[a], unit_of[b]) for a, b in graph.edges}
    return TaskGraph(
        tuple(sum(graph.costs[t] for t in tasks) for tasks in members),
        tuple(sorted((a, b) for a, b in arcs if a != b)),
        graph.hand_over,
        {n: tuple(sum(w[t] for t in tasks) for tasks in members) for n, w in graph.wide.items()},
        graph.switch,
    )


def _next_of_chain(graph: TaskGraph, task: int) -> int | None:
    """The only consumer of a task, if it reads nothing else; else None."""
    consumers = graph.successors[task]
    if len(consumers) == 1 and len(graph.predecessors[consumers[0]]) == 1:
        return consumers[0]
    return None


def subgraph(graph: TaskGraph, tasks: Sequence[int]) -> TaskGraph:
    """The subgraph of `tasks`, given in a topological order: its task i is `tasks[i]`.

    Sizes are dropped. O(len(tasks) + edges of these tasks).
    """
    number = {task: i for i, task in enumerate(tasks)}
    return TaskGraph(
        tuple(graph.costs[task] for task in tasks),
        tuple(
            (i, number[consumer])
            for i, task in enumerate(tasks)
            for consumer in graph.successors[task]
            if consumer in number
        ),
        graph.hand_over,
        {count: tuple(wide[task] for task in tasks) for count, wide in graph.wide.items()},
        graph.switch,
    )


def blocks(graph: TaskGraph) -> list[list[int]]:
    """Cuts the task ids after each task that depends on all before it and on which all after it
    depend.

    No stage gains by spanning such a cut: with tasks on both sides it includes the task at the
    cut, so all its tasks form one group. It is enough that each task before the cut has a consumer
    that is not after it, and each task after it a producer that is not before it. O(V + E).
    """
    first_read = 0  # the maximum, over the tasks so far, of the first consumer
    ends: list[bool] = []
    for task, consumers in enumerate(graph.successors):
        ends.append(first_read <= task)
        first_read = max(first_read, consumers[0] if consumers else len(graph))
    last_needed = len(graph)  # the minimum, over the tasks from here on, of the last producer
    for task in reversed(range(len(graph))):
        ends[task] &= last_needed >= task
        producers = graph.predecessors[task]
        last_needed = min(last_needed, producers[-1] if producers else -1)
    result: list[list[int]] = []
    for task in range(len(graph)):
        if task == 0 or ends[task - 1]:
            result.append([])
        result[-1].append(task)
    return result


def halves(graph: TaskGraph) -> tuple[list[int], list[int]]:
    """Cuts a graph of 2 or more tasks in two; no task of the first part reads from the second.

    Tasks are ordered by descending distance to end, so that tasks that can run in parallel stay
    together. The cut is where the fewest values cross it, in the middle third. O(V log V + E).
    """
    order = by_distance(distance_to_end(graph))
    place = [0] * len(graph)
    for i, task in enumerate(order):
        place[task] = i
    opened = [0] * (len(graph) + 1)  # changes of the number of live values
    for task, consumers in enumerate(graph.successors):
        if consumers:
            opened[place[task]] += 1
            opened[max(place[consumer] for consumer in consumers)] -= 1
    crossing: list[int] = []
    for change in opened:
        crossing.append(change + (crossing[-1] if crossing else 0))
    middle = len(graph) / 2
    low, high = max(1, len(graph) // 3), max(2, -(-2 * len(graph) // 3))
    cut = min(range(low, high), key=lambda i: (crossing[i - 1], abs(i - middle)))
    return order[:cut], order[cut:]
