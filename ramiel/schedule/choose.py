"""Choosing between schedules by simulation."""

from collections.abc import Mapping
from dataclasses import dataclass

from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import Timeline, simulate
from ramiel.analysis.task_graph import TaskGraph


@dataclass(frozen=True)
class Choice:
    """A named placement and its simulated run."""

    name: str
    placement: Placement
    timeline: Timeline


def choose(graph: TaskGraph, candidates: Mapping[str, Placement]) -> Choice:
    """The candidate of least simulated makespan, ties to the first.

    With the serial placement first, a parallel one is only chosen if it is strictly faster.
    Raises ValueError if there is no candidate, or as `simulate` does.
    """
    if not candidates:
        raise ValueError("there is no candidate to choose from")
    choices = [Choice(name, p, simulate(graph, p)) for name, p in candidates.items()]
    return min(choices, key=lambda choice: choice.timeline.makespan)
