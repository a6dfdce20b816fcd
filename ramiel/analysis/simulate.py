"""The timeline of a placement: when each task runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import NamedTuple, Protocol

from ramiel.analysis.placement import Placement
from ramiel.analysis.task_graph import TaskGraph


class Message(NamedTuple):
    """A task's value on its way from one rank to another. Times in µs."""

    task: int
    sender: int
    receiver: int
    bytes: float
    begin: float
    """When its ranks are free for it."""
    end: float
    """When all of it is there."""


@dataclass(frozen=True)
class Timeline:
    """A simulated run. All times are in µs since its start."""

    start: tuple[float, ...]
    """When each task starts."""
    finish: tuple[float, ...]
    """When each task ends."""
    makespan: float
    """When the last task ends."""
    busy: tuple[float, ...]
    """The time that each worker runs tasks or lends its core to one."""
    hand_overs: int
    """The number of tasks whose values are read on another worker."""
    sent: tuple[Message, ...] = ()
    """What went from rank to rank, in the order in which it was sent."""

    @property
    def messages(self) -> int:
        """The number of messages between ranks."""
        return len(self.sent)


class Deadlock(ValueError):
    """Workers wait for each other; `blocked` holds the task at which each of them is blocked."""

    def __init__(self, blocked: Sequence[int]) -> None:
        self.blocked = tuple(blocked)
        named = ", ".join(str(task) for task in self.blocked[:8])
        more = ", ..." if len(self.blocked) > 8 else ""
        super().__init__(f"deadlock: workers are blocked forever at tasks {named}{more}")


def simulate(graph: TaskGraph, placement: Placement) -> Timeline:
    """Simulates `placement`: a task starts when its workers are free and its inputs are available.

    A value is available when its producer finishes, or `graph.hand_over` µs later on another
    worker; the same holds for a core that another worker lends. To change the number of threads
    takes `graph.switch` µs. Workers that are processes or of other ranks begin `graph.call` µs
    after the first one. On a single core, tasks are faster by `graph.crowding`. Start times
    are longest paths in the graph of the edges and of each worker's program order, computed in
    O(V + E + entries of the placement).

    Between ranks, values are messages, which take what `graph.link` says: of the worker, that sends
    a value before it runs its next task; of that of the first task on another rank that reads it;
    and of the link. A rank sends one message at a time and receives one at a time: this is the
    one-port model of Beaumont, Boudet & Robert, "A realistic model and an efficient heuristic for
    scheduling with heterogeneous processors", HCW 2002, section 2. Messages are sent in the order
    in which tasks end, each value once to each rank. The inputs of the program come from rank 0,
    and its outputs are returned there, which counts. O((V + E) log V).

    Raises ValueError if the placement misses or repeats a task or runs one on a number of
    threads without costs, and Deadlock if that graph has a cycle.
    """
    several = any(graph.rank_of(w) for w, order in enumerate(placement.workers) if order)
    alone = not several and sum(map(bool, placement.workers)) == 1
    running = InOrder if several else InAnyOrder
    return follow(graph, placement, running, graph.crowding if alone else 1.0)


def follow(
    graph: TaskGraph,
    placement: Placement,
    running: Callable[[list[float]], Running],
    speed: float = 1.0,
) -> Timeline:
    """The timeline of tasks that take their costs at a speed, run as `running` says, which is made
    of these times, µs. Raises as simulate() does."""
    leader, threads = placement.leaders(len(graph)), placement.threads(len(graph))
    rank = [graph.rank_of(worker) for worker in leader]
    costs = {count: graph.costs_on(count) for count in set(threads)}
    run = running([costs[count][task] / speed for task, count in enumerate(threads)])
    ports, receiving = Ports(graph), receiving_times(graph, rank)
    waits_for = [len(producers) for producers in graph.predecessors]
    followers: list[list[int]] = [[] for _ in graph.costs]
    start = [0.0] * len(graph)
    for worker, order in enumerate(placement.workers):
        if order and leader[order[0]] == worker:
            begin = graph.switch if threads[order[0]] > 1 else 0.0  # it begins with one thread
            start[order[0]] = graph.begin_of(worker) + begin + receiving[order[0]]
        for task, following in pairwise(order):
            followers[task].append(following)
            waits_for[following] += 1
    for task, time in enumerate(graph.inputs_far):
        if rank[task]:
            start[task] = max(start[task], time)

    finish = [0.0] * len(graph)
    crosses = bytearray(len(graph))
    returned, hand_over, switch = 0.0, graph.hand_over, graph.switch
    for task, count in enumerate(waits_for):
        if count == 0:
            run.add(task, start[task])

    def arrive(task: int, time: float) -> None:
        if start[task] < time:
            start[task] = time
        waits_for[task] -= 1
        if waits_for[task] == 0:
            run.add(task, start[task])

    while (step := run.next()) is not None:
        task, start[task], end = step
        here, home, finish[task] = leader[task], rank[task], end
        arrivals, free = {home: end + hand_over}, end
        for consumer in graph.successors[task]:
            if leader[consumer] == here:
                arrive(consumer, end)
                continue
            crosses[task] = True
            there = rank[consumer]
            if there not in arrivals:
                arrivals[there], free = ports.send(task, home, there, free)
            arrive(consumer, arrivals[there])
        if home and graph.outputs_far[task]:
            arrival, free = ports.send_back(task, home, free)
            returned = max(returned, arrival)
        for following in followers[task]:
            changes = switch if threads[following] != threads[task] else 0.0
            ready = free + (changes if leader[following] == here else hand_over)
            arrive(following, ready + receiving[following])
    if any(waits_for):
        raise _deadlock(placement, waits_for)
    return Timeline(
        start=tuple(start),
        finish=tuple(finish),
        makespan=max(returned, max(finish, default=0.0)),
        busy=tuple(sum((run.times[t] for t in order), 0.0) for order in placement.workers),
        hand_overs=sum(crosses),
        sent=tuple(ports.sent),
    )


class Running(Protocol):
    """The tasks that can run, or do."""

    times: list[float]
    """How long each task runs, or, once it has ended, ran, µs."""

    def add(self, task: int, time: float) -> None:
        """A task whose workers and inputs are there at a time, µs."""
        ...

    def next(self) -> tuple[int, float, float] | None:
        """Takes a task which none that is added later changes: it, its start and its end, µs. None
        if there is no task."""
        ...


class InAnyOrder:
    """Tasks of given times that end in an order that does not matter. O(1) each."""

    def __init__(self, times: list[float]) -> None:
        self.times = times
        self._ready: list[tuple[int, float]] = []

    def add(self, task: int, time: float) -> None:
        self._ready.append((task, time))

    def next(self) -> tuple[int, float, float] | None:
        if not self._ready:
            return None
        task, start = self._ready.pop()
        return task, start, start + self.times[task]


class InOrder:
    """Tasks of given times, the first that ends first, ties by id. O(log V) each."""

    def __init__(self, times: list[float]) -> None:
        self.times = times
        self._ends: list[tuple[float, int, float]] = []

    def add(self, task: int, time: float) -> None:
        heappush(self._ends, (time + self.times[task], task, time))

    def next(self) -> tuple[int, float, float] | None:
        if not self._ends:
            return None
        end, task, start = heappop(self._ends)
        return task, start, end


class Ports:
    """When each rank is free to send and to receive, and what was sent."""

    def __init__(self, graph: TaskGraph) -> None:
        self._graph = graph
        self._sends = [0.0] * graph.rank_count
        self._receives = [0.0] * graph.rank_count
        self.sent: list[Message] = []

    def send(self, task: int, sender: int, receiver: int, time: float) -> tuple[float, float]:
        """When a task's value is there that is sent at `time`, and its worker is free, in µs."""
        assert self._graph.messages is not None
        size, takes = self._graph.messages.values[task], self._graph.far[task]
        return self._send(task, sender, receiver, size, time, takes)

    def send_back(self, task: int, sender: int, time: float) -> tuple[float, float]:
        """The same for the outputs of the program that it computes, which go to rank 0."""
        assert self._graph.messages is not None
        size, takes = self._graph.messages.outputs[task], self._graph.outputs_far[task]
        return self._send(task, sender, 0, size, time, takes)

    def _send(
        self, task: int, sender: int, receiver: int, size: float, time: float, takes: float
    ) -> tuple[float, float]:
        link = self._graph.link
        assert link is not None
        begin = max(time + link.overhead, self._sends[sender], self._receives[receiver])
        leaves = max(0.0, takes - link.latency - 2 * link.overhead)
        self._sends[sender] = self._receives[receiver] = begin + leaves
        arrives = begin + takes - link.overhead
        self.sent.append(Message(task, sender, receiver, size, begin, arrives - link.overhead))
        return arrives, time + link.own(size)


def receiving_times(graph: TaskGraph, rank: Sequence[int]) -> list[float]:
    """The time of its worker that each task's messages take before it, µs: inputs of the program,
    and values that it is the first on its rank to read."""
    times = [0.0] * len(graph)
    if graph.link is None or not any(rank):
        return times
    assert graph.messages is not None
    for producer, consumers in enumerate(graph.successors):
        read = {rank[producer]}
        for consumer in consumers:
            if rank[consumer] not in read:
                read.add(rank[consumer])
                times[consumer] += graph.link.own(graph.messages.values[producer])
    for task, time in enumerate(graph.inputs_far):
        if rank[task] and time:
            times[task] += graph.link.own(graph.messages.inputs[task])
    return times


def _deadlock(placement: Placement, waits_for: Sequence[int]) -> Deadlock:
    """The error for a simulation that ended while tasks wait, by how many others each waits for."""
    stuck = (next((t for t in order if waits_for[t]), None) for order in placement.workers)
    return Deadlock([task for task in stuck if task is not None])


def total_order(graph: TaskGraph, placement: Placement) -> list[int]:
    """The tasks in an order of the edges that is also that of each worker, by start time.

    Raises as simulate() does.
    """
    return ordered_by(simulate(graph, placement).start, graph, placement)


def ordered_by(times: Sequence[float], graph: TaskGraph, placement: Placement) -> list[int]:
    """The same by other times of the tasks, ties by id."""
    followers = [list(row) for row in graph.successors]
    waits_for = [len(row) for row in graph.predecessors]
    for order in placement.workers:
        for task, following in pairwise(order):
            followers[task].append(following)
            waits_for[following] += 1
    ready = [(times[task], task) for task, count in enumerate(waits_for) if count == 0]
    heapify(ready)
    found: list[int] = []
    while ready:
        task = heappop(ready)[1]
        found.append(task)
        for following in followers[task]:
            waits_for[following] -= 1
            if waits_for[following] == 0:
                heappush(ready, (times[following], following))
    return found
