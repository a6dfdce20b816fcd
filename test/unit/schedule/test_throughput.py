"""Choosing how to stream: the most requests a second, within the limits."""

import pytest
from brute_force import moldable_graphs
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ramiel.analysis.memory import high_water
from ramiel.analysis.simulate import simulate
from ramiel.analysis.streaming import steady
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.choose import choose_automatically
from ramiel.schedule.hyper import replicate
from ramiel.schedule.pipeline import pipeline
from ramiel.schedule.place import serial
from ramiel.schedule.throughput import choose_for_placement, choose_for_throughput, stages_of

EXAMPLES = settings(deadline=None, derandomize=True, max_examples=60)


@EXAMPLES
@given(moldable_graphs(12), st.integers(1, 4))
def test_no_less_than_whole_requests_or_stages(graph: TaskGraph, workers: int) -> None:
    assume(len(graph))
    stream = choose_for_throughput(graph, workers)
    stages = pipeline(graph, workers)
    found = steady(replicate(graph, stream.batch), stream.placement, stream.streaming, stream.batch)
    assert found == stream.steady
    for other in (graph.work / workers, steady(graph, stages, stages_of(stages)).interval):
        assert stream.steady.interval <= other * 1.002 + 1e-9


@EXAMPLES
@given(moldable_graphs(12), st.integers(1, 4), st.floats(0.2, 3.0))
def test_the_latency_limit_holds(graph: TaskGraph, workers: int, share: float) -> None:
    assume(graph.work > 0)
    limit = share * graph.serial
    try:
        stream = choose_for_throughput(graph, workers, limit)
    except ValueError as error:
        assert "latency limit" in str(error)
        assert simulate(graph, serial(graph)).makespan > limit
    else:
        assert stream.steady.latency <= limit


def test_less_latency_takes_throughput() -> None:
    """Whole requests, as long as each may take its time; then all cores for one at a time."""
    graph = TaskGraph((100.0,), (), wide={2: (60.0,), 4: (40.0,)})
    found = {
        limit: choose_for_throughput(graph, 4, limit).streaming for limit in (None, 100, 60, 40)
    }
    assert [(s.way, s.at_a_time, s.in_flight) for s in found.values()] == [
        ("serial", 4, 5),
        ("serial", 4, 4),
        ("calls", 2, 2),
        ("calls", 1, 1),
    ]


def test_memory_of_all_requests_at_a_time() -> None:
    graph = TaskGraph((10.0, 10.0), ((0, 1),), wide={2: (9.0, 9.0)}, sizes=(100.0, 100.0))
    need = high_water(graph, simulate(graph, serial(graph)))
    assert choose_for_throughput(graph, 2, memory_limit=2 * need).streaming.way == "serial"
    assert choose_for_throughput(graph, 2, memory_limit=need).streaming.way == "calls"
    with pytest.raises(ValueError, match="memory limit"):
        choose_for_throughput(graph, 2, memory_limit=need - 1)


def test_workers_that_share_cores_with_none() -> None:
    """A program on several threads is not run by several calls at a time on the same cores, but
    each request on one thread, unless a call has less work."""
    graph = TaskGraph((10.0, 10.0), ((0, 1),), wide={2: (6.0, 6.0)})
    wide = choose_automatically(graph, 2).placement
    assert choose_for_placement(graph, wide, 2).way == "serial"
    assert choose_for_placement(graph, serial(graph), 2).way == "serial"
    less = TaskGraph((10.0, 10.0), ((0, 1),), wide={2: (4.0, 4.0)})
    found = choose_for_placement(less, choose_automatically(less, 2).placement, 2)
    assert (found.way, found.at_a_time) == ("calls", 1)
