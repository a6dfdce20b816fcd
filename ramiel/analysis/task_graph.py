"""The weighted DAG that every analysis and scheduler works on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf, isfinite


@dataclass(frozen=True)
class Link:
    """What connects two ranks, as in LogGP (Alexandrov, Ionescu, Schauser & Scheiman, SPAA 1995),
    where a message of n bytes arrives o + L + nG + o after a worker begins to send it. Cores of
    both ranks also copy the bytes, while they leave and arrive. ValueError for a time that is not a
    finite number >= 0, or no bytes a µs."""

    latency: float
    """The time from one machine to the other until the first byte of a message is there, µs: L."""
    rate: float
    """The bytes a µs that follow: 1250 are 10 Gbit/s. 1/G."""
    overhead: float = 0.0
    """The time of a worker's own that it takes to send a message, and to receive one, µs: o."""
    copying: float = inf
    """The bytes a µs of a message that a core copies to the system, or from it."""

    def __post_init__(self) -> None:
        for name in ("latency", "overhead"):
            if not (isfinite(time := getattr(self, name)) and time >= 0):
                raise ValueError(f"a link's {name} is {time}: not a finite number >= 0")
        if not (isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"a link's rate is {self.rate}: not a finite number > 0")
        if not self.copying > 0:
            raise ValueError(f"a sender's rate is {self.copying}: not a number > 0")

    def time(self, size: float) -> float:
        """From the begin of a send until its receiver has so many bytes, µs."""
        return 2 * self.overhead + self.latency + size / self.rate

    def own(self, size: float) -> float:
        """The time of its worker that it takes to send so many bytes, or to receive them, µs."""
        return self.overhead + size / self.copying


@dataclass(frozen=True)
class Messages:
    """The bytes of what each task would send if a reader is on another rank; 0 for nothing."""

    values: tuple[float, ...]
    """The task's own results."""
    inputs: tuple[float, ...]
    """The inputs of the program that it reads, which are on rank 0."""
    outputs: tuple[float, ...]
    """The outputs of the program that it computes, which rank 0 gets."""
    weights: tuple[float, ...]
    """The weights that its rank needs: no message, but memory."""


@dataclass(frozen=True)
class TaskGraph:
    """A DAG of tasks, numbered in a topological order.

    An edge `(producer, consumer)` means that the consumer reads a value of the producer.
    Tasks are moldable: a task may run on any number of threads for which it has a cost.

    Raises ValueError if a time is negative or not finite, if `wide`, `sizes` or `shares` do not
    fit the tasks, if an edge names an unknown task or has `producer >= consumer`, or if an edge is
    repeated.
    """

    costs: tuple[float, ...]
    """The run time of each task on one thread, in µs."""
    edges: tuple[tuple[int, int], ...]
    hand_over: float = 24.0
    """The time to hand a value over to another worker, in µs."""
    wide: Mapping[int, tuple[float, ...]] = field(default_factory=dict[int, tuple[float, ...]])
    """Thread count (2 or more) -> the run time of each task on that many threads, in µs."""
    switch: float = 0.0
    """The time that a worker takes to change its thread count, in µs."""
    crowding: float = 1.0
    """How much longer tasks take while other cores are busy, which is what costs are for, than
    where a single core runs all."""
    sizes: tuple[float, ...] = ()
    """The bytes of each task's result, 0 for a view of an operand. Empty if not known."""
    shares: tuple[float, ...] = ()
    """The part of a device that each task fills, if the workers are streams of one; else empty."""
    ranks: tuple[int, ...] = ()
    """The rank of each worker; empty if all workers share memory."""
    link: Link | None = None
    """What connects any two ranks; needed if there are ranks."""
    messages: Messages | None = None
    """What is sent over it; needed if there are ranks."""
    call: float = 0.0
    """When workers begin that are processes of their own, or of another rank than 0, in µs since
    the begin of a call; 0 if workers are threads."""

    def __post_init__(self) -> None:
        for threads, costs in ((1, self.costs), *self.wide.items()):
            on = f" on {threads} threads" if threads > 1 else ""
            for task, cost in enumerate(costs):
                if not (isfinite(cost) and cost >= 0):
                    raise ValueError(f"task {task} has cost {cost}{on}: not a finite number >= 0")
            if len(costs) != len(self.costs) or threads < 1:
                raise ValueError(f"{len(costs)} costs{on} are given for {len(self.costs)} tasks")
        for name in ("hand_over", "call", "switch"):
            time: float = getattr(self, name)
            if not (isfinite(time) and time >= 0):
                raise ValueError(f"{name} is {time}: not a finite number >= 0")
        if not (isfinite(self.crowding) and self.crowding >= 1):
            raise ValueError(f"crowding is {self.crowding}: not a finite number >= 1")
        if self.sizes and len(self.sizes) != len(self.costs):
            raise ValueError(f"{len(self.sizes)} sizes are given for {len(self.costs)} tasks")
        if self.shares and len(self.shares) != len(self.costs):
            raise ValueError(f"{len(self.shares)} shares are given for {len(self.costs)} tasks")
        if not all(0 <= share <= 1 for share in self.shares):
            raise ValueError("a share is not in 0 .. 1")
        if self.ranks and (self.link is None or self.messages is None):
            raise ValueError("ranks need a link and the sizes of what is sent")
        if any(rank < 0 for rank in self.ranks):
            raise ValueError("a rank is negative")
        for producer, consumer in self.edges:
            if not 0 <= producer < consumer < len(self.costs):
                raise ValueError(
                    f"edge ({producer}, {consumer}): need 0 <= producer < consumer"
                    f" < {len(self.costs)}"
                )
        if len(set(self.edges)) != len(self.edges):
            raise ValueError("an edge is repeated")

    def __len__(self) -> int:
        return len(self.costs)

    @property
    def rank_count(self) -> int:
        return max(self.ranks, default=0) + 1

    def rank_of(self, worker: int) -> int:
        return self.ranks[worker] if self.ranks else 0

    def begin_of(self, worker: int) -> float:
        """When a worker begins, µs."""
        is_called = self.ranks[worker] == 0 if self.ranks else worker == 0
        return 0.0 if is_called else self.call

    def team_of(self, rank: int) -> list[int]:
        """The workers of a rank, if there are ranks."""
        return [worker for worker, other in enumerate(self.ranks) if other == rank]

    @cached_property
    def far(self) -> tuple[float, ...]:
        """The time to hand each task's value over to another rank, µs."""
        return tuple(map(self._time, self.messages.values if self.messages else ()))

    @cached_property
    def inputs_far(self) -> tuple[float, ...]:
        """When the inputs that each task reads are on a rank other than 0, µs."""
        sizes = self.messages.inputs if self.messages else ()
        return tuple(self._time(size) if size else 0.0 for size in sizes)

    @cached_property
    def outputs_far(self) -> tuple[float, ...]:
        """The time to return each task's outputs from a rank other than 0, µs."""
        sizes = self.messages.outputs if self.messages else ()
        return tuple(self._time(size) if size else 0.0 for size in sizes)

    def _time(self, size: float) -> float:
        assert self.link is not None
        return max(self.hand_over, self.link.time(size))

    def delay(self, task: int, sender: int, receiver: int) -> float:
        """The time to hand a task's value over from one worker to another, µs."""
        if sender == receiver:
            return 0.0
        if self.ranks and self.ranks[sender] != self.ranks[receiver]:
            return self.far[task]
        return self.hand_over

    @cached_property
    def threads(self) -> tuple[int, ...]:
        """The thread counts that tasks have costs for, ascending from 1."""
        return (1, *sorted(self.wide))

    def costs_on(self, threads: int) -> Sequence[float]:
        """The run time of each task on `threads` threads, µs. Raises ValueError if not known."""
        if threads == 1:
            return self.costs
        if threads not in self.wide:
            raise ValueError(f"there are no costs on {threads} threads")
        return self.wide[threads]

    @cached_property
    def successors(self) -> tuple[tuple[int, ...], ...]:
        """The consumers of each task, ascending."""
        return self._adjacency(self.edges)

    @cached_property
    def predecessors(self) -> tuple[tuple[int, ...], ...]:
        """The producers that each task reads, ascending."""
        return self._adjacency((consumer, producer) for producer, consumer in self.edges)

    @cached_property
    def work(self) -> float:
        """The time that all tasks take of the cores if each is on one thread, in µs."""
        return sum(self.costs, 0.0)

    @property
    def serial(self) -> float:
        """The time of all tasks on one worker while there is no other, in µs."""
        return self.work / self.crowding

    def _adjacency(self, arcs: Iterable[tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
        heads: list[list[int]] = [[] for _ in self.costs]
        for tail, head in arcs:
            heads[tail].append(head)
        return tuple(tuple(sorted(row)) for row in heads)
