"""What runs at a time if there are cores for all that can."""

from __future__ import annotations

from itertools import pairwise

import pytest
from brute_force import moldable_graphs
from hypothesis import given
from hypothesis import strategies as st

from ramiel.analysis.critical_path import critical_path
from ramiel.analysis.parallelism import Span, alone, spans, widths
from ramiel.analysis.task_graph import TaskGraph


def test_a_fork_runs_beside_itself() -> None:
    graph = TaskGraph((2.0, 3.0, 1.0, 4.0), ((0, 1), (0, 2), (1, 3), (2, 3)))
    found = spans(graph)
    assert found == [
        Span(0, 2, (0,)),
        Span(2, 3, (1, 2)),
        Span(3, 5, (1,)),
        Span(5, 9, (3,)),
    ]
    assert alone(found) == {0: 2, 1: 2, 3: 4}
    assert widths(found, 9) == pytest.approx([1, 1, 2, 1, 1, 1, 1, 1, 1])


def test_tasks_without_time_take_none() -> None:
    assert spans(TaskGraph((), ())) == []
    assert spans(TaskGraph((0.0, 0.0), ((0, 1),))) == []
    assert widths([], 3) == [0, 0, 0]


@given(moldable_graphs(), st.integers(1, 70))
def test_all_work_is_done_within_the_critical_path(graph: TaskGraph, parts: int) -> None:
    found = spans(graph)
    length = critical_path(graph)[0]
    assert sum((s.finish - s.start) * len(s.tasks) for s in found) == pytest.approx(graph.work)
    assert (found[-1].finish if found else 0.0) == pytest.approx(length)
    assert all(a.finish <= b.start for a, b in pairwise(found))
    assert sum(widths(found, parts)) * length / parts == pytest.approx(graph.work)
    for span in found:  # no task beside one that it waits for
        assert not any(p in span.tasks for t in span.tasks for p in graph.predecessors[t])
