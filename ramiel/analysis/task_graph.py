"""The weighted DAG that every analysis and scheduler works on."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import isfinite


@dataclass(frozen=True)
class TaskGraph:
    """A DAG of tasks, numbered in a topological order.

    `costs[i]` is the run time of task `i` in µs. An edge `(producer, consumer)` says that the
    consumer reads a value of the producer. `hand_over` is the time in µs that a value needs to
    reach another worker; on its own worker it is there at once.

    Raises ValueError if a cost or `hand_over` is negative or not finite, if an edge names an
    unknown task or has `producer >= consumer`, or if an edge is repeated.
    """

    costs: tuple[float, ...]
    edges: tuple[tuple[int, int], ...]
    hand_over: float = 24.0

    def __post_init__(self) -> None:
        for task, cost in enumerate(self.costs):
            if not (isfinite(cost) and cost >= 0):
                raise ValueError(f"task {task} has cost {cost}: not a finite number >= 0")
        if not (isfinite(self.hand_over) and self.hand_over >= 0):
            raise ValueError(f"hand_over is {self.hand_over}: not a finite number >= 0")
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
        """The time of all tasks on one worker, in µs."""
        return sum(self.costs, 0.0)

    def _adjacency(self, arcs: Iterable[tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
        heads: list[list[int]] = [[] for _ in self.costs]
        for tail, head in arcs:
            heads[tail].append(head)
        return tuple(tuple(sorted(row)) for row in heads)
