"""List scheduling of moldable tasks: the most urgent task is placed where it finishes first.

Sources: Topcuoglu, Hariri & Wu, "Performance-effective and low-complexity task scheduling for
heterogeneous computing", IEEE TPDS 13(3), 2002, section 5.1 (HEFT: upward rank, insertion);
Radulescu & van Gemund, "A low-cost approach towards mixed task and data parallel scheduling",
ICPP 2001, section 3 (an allotment first, then a list schedule of it).
"""

from collections.abc import Iterator, Sequence

from ramiel.analysis.critical_path import by_distance, distance_to_end
from ramiel.analysis.memory import most_bytes
from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import simulate
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.allotment import allotments, counts_up_to, fastest
from ramiel.schedule.arrivals import Arrivals, homes, machines, spans
from ramiel.schedule.memory_order import MemoryProfile, least_memory_order
from ramiel.schedule.order import order_tasks

WEIGHTS = (8.0, 4.0, 2.0, 2.5)
"""The prices of area when thread counts are chosen during list scheduling: µs of delay that are
worth one µs less of work per worker."""

GAPS = 4
"""The most idle gaps of a worker that are tried for a task, so that time stays linear."""

LARGE = 20_000
"""From this many tasks on, only four list schedules are made instead of ten."""


def serial_wide(graph: TaskGraph, workers: int, order: Sequence[int] | None = None) -> Placement:
    """All tasks one after the other, in `order` (default: by id), each on its fastest thread count.

    Worker 0 leads them all. Raises ValueError if `workers` is less than 1. O(V * workers).
    """
    counts = fastest(graph, workers)
    sequence = range(len(graph)) if order is None else order
    return Placement(
        tuple(tuple(t for t in sequence if counts[t] > worker) for worker in range(workers))
    )


def list_schedule(graph: TaskGraph, workers: int, memory_limit: float | None = None) -> Placement:
    """The fastest of several list schedules, by simulation.

    A list schedule takes the tasks in descending distance to end (with `graph.hand_over` for each
    edge) and places each where it finishes first; tasks on one thread also into idle gaps. One is
    made for each of the `allotments`; others choose the thread count together with the place, at a
    price for the area. The serial order, on one thread and on the fastest thread counts, is among
    the candidates, so the result is never slower.

    With several ranks, schedules on the first, the first two and so on are among the candidates.

    With `memory_limit`, in bytes, values never occupy more (`most_bytes`). Schedules that exceed it
    are replaced by ones that take the tasks in an order that fits serially and place each where it
    finishes first within the limit, on fewer workers if necessary. With several ranks the limit is
    for each, weights included, and there are schedules that split the weights (`homes`).

    O((V * workers + E) log V) for each candidate. Raises ValueError if `workers` is less than 1,
    or if no schedule fits into the memory: the message names the least memory that was found.
    """
    orders: list[Sequence[int]] = [range(len(graph))]
    if memory_limit is not None:
        orders.append(by_distance(distance_to_end(graph, graph.hand_over)))
        orders.append(least_memory_order(graph))
    candidates = [_padded(Placement((tuple(order),)), workers) for order in orders]
    orders = [o for o, p in zip(orders, candidates, strict=True) if fits(graph, p, memory_limit)]
    candidates += [serial_wide(graph, workers, order) for order in orders]
    for span in spans(graph, workers):
        for allowed, weight in _choices(graph, span):
            schedule = _ListSchedule(graph, span, allowed, weight)
            schedule.run(_by_urgency(graph, allowed))
            candidates.append(_padded(schedule.placement(), workers))
    if graph.ranks and memory_limit is not None:
        candidates += _split(graph, workers, memory_limit)
    fastest_first = _by_makespan(graph, candidates)
    short = memory_limit is not None and not fits(graph, fastest_first[0], memory_limit)
    if short and memory_limit is not None and not graph.ranks:
        candidates += _frugal(graph, workers, memory_limit, orders)
        fastest_first = _by_makespan(graph, candidates)
    for placement in fastest_first:
        if fits(graph, placement, memory_limit):
            return placement
    need = min(most_bytes(graph, c, simulate(graph, c)) for c in candidates)
    raise ValueError(
        f"a memory limit of {memory_limit:.0f} bytes is too small: {need:.0f} are needed"
    )


def list_schedule_at(graph: TaskGraph, home: Sequence[int]) -> Placement:
    """The fastest of several list schedules, by simulation, of tasks whose ranks are given; one is
    that on the first worker of each rank."""
    workers = len(graph.ranks)
    first = [graph.team_of(rank)[0] for rank in home]
    candidates = [order_tasks(graph, first, workers), *_at(graph, workers, home)]
    return _by_makespan(graph, candidates)[0]


def fits(graph: TaskGraph, placement: Placement, memory_limit: float | None) -> bool:
    """Whether values never occupy more than `memory_limit` bytes; None means no limit."""
    if memory_limit is None:
        return True
    return most_bytes(graph, placement, simulate(graph, placement)) <= memory_limit


def _frugal(
    graph: TaskGraph, workers: int, memory_limit: float, orders: Sequence[Sequence[int]]
) -> list[Placement]:
    """List schedules that fit into the memory, on the most workers for which one is found: all,
    half of them, and so on."""
    found: list[Placement] = []
    width = workers
    while width > 1 and not found:
        for order in orders:
            for allowed, weight in _choices(graph, width):
                memory = MemoryProfile(graph, memory_limit)
                schedule = _ListSchedule(graph, width, allowed, weight, memory)
                if schedule.run(order):
                    found.append(_padded(schedule.placement(), workers))
        width //= 2
    return found


def _split(graph: TaskGraph, workers: int, memory_limit: float) -> list[Placement]:
    """List schedules in which the rank of each task was chosen for the weights to fit."""
    found: list[Placement] = []
    orders = [range(len(graph)), by_distance(distance_to_end(graph, graph.hand_over))]
    for home in homes(graph, orders, memory_limit):
        found += _at(graph, workers, home)
    return found


def _at(graph: TaskGraph, workers: int, home: Sequence[int]) -> list[Placement]:
    """List schedules of tasks whose ranks are given."""
    found: list[Placement] = []
    for allowed, weight in _choices(graph, workers):
        schedule = _ListSchedule(graph, workers, allowed, weight, home=home)
        schedule.run(_by_urgency(graph, allowed))
        found.append(_padded(schedule.placement(), workers))
    return found


def _choices(graph: TaskGraph, workers: int) -> list[tuple[Sequence[Sequence[int]], float]]:
    """The parameters of list schedules: the allowed thread counts of each task, and the price of
    area."""
    fixed = [[(n,) for n in allotment] for allotment in allotments(graph, workers)]
    choices: list[tuple[Sequence[Sequence[int]], float]] = [(allowed, 0.0) for allowed in fixed]
    counts = counts_up_to(graph, workers)
    if len(counts) > 1:
        choices += [([counts] * len(graph), weight) for weight in WEIGHTS]
    return choices if len(graph) < LARGE else [*choices[:3], *choices[3:][-1:]]


def _by_makespan(graph: TaskGraph, candidates: Sequence[Placement]) -> list[Placement]:
    return sorted(candidates, key=lambda candidate: simulate(graph, candidate).makespan)


def _padded(placement: Placement, workers: int) -> Placement:
    """A placement with empty workers added."""
    return Placement(placement.workers + ((),) * (workers - len(placement.workers)))


def _by_urgency(graph: TaskGraph, allowed: Sequence[Sequence[int]]) -> list[int]:
    """All tasks in descending distance to end, each task on its fastest allowed thread count."""
    columns = {n: graph.costs_on(n) for n in {n for counts in allowed for n in counts}}
    costs = [min([columns[n][task] for n in counts]) for task, counts in enumerate(allowed)]
    return by_distance(distance_to_end(graph, graph.hand_over, costs))


class _ListSchedule:
    """A list schedule under construction. Its times are those of `simulate`, or later."""

    def __init__(
        self,
        graph: TaskGraph,
        workers: int,
        allowed: Sequence[Sequence[int]],
        weight: float,
        memory: MemoryProfile | None = None,
        home: Sequence[int] | None = None,
    ) -> None:
        """`home` has the rank of each task, if it has been chosen."""
        self.home = home
        self.graph, self.workers, self.allowed = graph, workers, allowed
        self.price = weight / workers
        self.memory = memory
        self.costs = {n: graph.costs_on(n) for n in counts_up_to(graph, workers)}
        self.machines = machines(graph, workers)
        self.blocks = {n: [b for m in self.machines for b in _blocks(m, n)] for n in self.costs}
        self.start = [0.0] * len(graph)
        self.finish = [0.0] * len(graph)
        self.leader = [-1] * len(graph)
        self.arrivals = Arrivals(graph, self.finish, self.leader)
        self.count = [0] * len(graph)
        self.free = [0.0] * workers  # the finish of each worker's last task
        self.last = [-1] * workers
        # For each worker, the task that follows each of its tasks; the first one follows -1.
        self.following: list[dict[int, int]] = [{} for _ in range(workers)]
        # For each worker, idle gaps, given by the tasks before and after.
        self.gaps: list[list[tuple[int, int]]] = [[] for _ in range(workers)]

    def run(self, order: Sequence[int]) -> bool:
        """Places the tasks in a topological order. False if one does not fit into the memory."""
        for task in order:
            places = [place for n in self.allowed[task] for place in self._places(task, n)]
            if self.memory is None:
                place = min(places)
            else:
                size = self.graph.sizes[task] if self.graph.sizes else 0.0
                memory = self.memory
                found = (p for p in sorted(places) if memory.has_room(p[2], size))
                place = next(found, None)
                if place is None:
                    return False
            _, _, start, team, before = place
            self._put(task, start, team, before)
        return True

    def placement(self) -> Placement:
        orders: list[tuple[int, ...]] = []
        for following in self.following:
            order: list[int] = []
            task = following.get(-1, -1)
            while task >= 0:
                order.append(task)
                task = following.get(task, -1)
            orders.append(tuple(order))
        return Placement(tuple(orders))

    def _places(
        self, task: int, count: int
    ) -> Iterator[tuple[float, float, float, tuple[int, ...], int]]:
        """The places for a task: `(score, idle, start, team, task before, or -2 to append)`."""
        cost = self.costs[count][task]
        price = self.price * (count * cost - self.graph.costs[task])
        near, far = self.arrivals.of(self.graph.predecessors[task], task)
        free = self.free
        teams = self.blocks[count]
        for members in self.machines:
            if 1 < count < len(members):
                ranked = sorted(members, key=free.__getitem__)
                teams = [*teams, tuple(sorted(ranked[:count]))]
        for team in teams:
            leader = team[0]
            if self.home is not None and self.graph.rank_of(leader) != self.home[task]:
                continue
            start = arrived = near.get(leader, far[self.graph.rank_of(leader)])
            idle = 0.0
            for worker in team:
                time = self._ready(worker, self.last[worker], leader, count)
                idle -= free[worker]
                if time > start:
                    start = time
            yield start + cost + price, idle, start, team, -2
            if count == 1 and self.gaps[leader] and cost > 0 and self.memory is None:
                data = arrived
                for before, after in self.gaps[leader]:
                    latest = self.start[after] - self._between(1, leader, after)
                    if data + cost > latest:
                        continue
                    start = max(data, self._ready(leader, before, leader, 1))
                    if start < start + cost <= latest:
                        yield start + cost + price, 0.0, start, team, before
                        break

    def _ready(self, worker: int, before: int, leader: int, count: int) -> float:
        """The time at which `worker`, after task `before`, is free for a task that `leader` runs on
        `count` threads."""
        if before < 0:
            return self.graph.switch if worker == leader and count > 1 else 0.0
        return self.finish[before] + self._between(count, leader, before)

    def _between(self, count: int, leader: int, neighbour: int) -> float:
        """The least time in µs between a task on `count` threads and its neighbour on a worker."""
        if self.leader[neighbour] != leader:
            return self.graph.hand_over
        return self.graph.switch if self.count[neighbour] != count else 0.0

    def _put(self, task: int, start: float, team: tuple[int, ...], before: int) -> None:
        count = len(team)
        finish = start + self.costs[count][task]
        self.start[task], self.finish[task] = start, finish
        self.leader[task], self.count[task] = team[0], count
        if self.memory is not None:
            self.memory.add(task, start, finish)
        if before != -2:
            (worker,) = team
            following, gaps = self.following[worker], self.gaps[worker]
            after = following[before]
            following[before], following[task] = task, after
            number = gaps.index((before, after))
            gaps[number : number + 1] = [(before, task), (task, after)]
            del gaps[:-GAPS]
            return
        for worker in team:
            last = self.last[worker]
            self.following[worker][last] = task
            if start > self.free[worker]:
                gaps = self.gaps[worker]
                gaps.append((last, task))
                del gaps[:-GAPS]
            self.last[worker], self.free[worker] = task, finish


def _blocks(members: Sequence[int], count: int) -> Iterator[tuple[int, ...]]:
    """Teams of `count` workers that follow each other and together cover all; none if there are
    less."""
    for first in range(0, len(members), count) if count <= len(members) else ():
        first = min(first, len(members) - count)
        yield tuple(members[first : first + count])
