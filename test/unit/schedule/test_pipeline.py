"""Pipeline stages against all ways to cut an order."""

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import pytest
from brute_force import moldable_graphs
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel.analysis.simulate import simulate
from ramiel.analysis.streaming import overlapped
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule import pipeline as module
from ramiel.schedule.pipeline import bottleneck, pipeline, stages


def all_cuts(order: Sequence[int], most: int) -> Iterator[list[list[int]]]:
    """Every way to cut an order into at most so many stages, none of them empty."""
    for count in range(1, most + 1):
        for cuts in combinations(range(1, len(order)), count - 1):
            places = [0, *cuts, len(order)]
            yield [list(order[a:b]) for a, b in pairwise(places)]


@settings(deadline=None, derandomize=True, max_examples=150)
@given(moldable_graphs(9), st.integers(1, 5))
def test_the_largest_stage_is_least(graph: TaskGraph, most: int) -> None:
    found = stages(graph, range(len(graph)), most)
    assert [task for stage in found for task in stage] == list(range(len(graph)))
    assert len(found) <= most and all(found)
    least = min((bottleneck(graph, cut) for cut in all_cuts(range(len(graph)), most)), default=0.0)
    assert bottleneck(graph, found) == pytest.approx(least)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(moldable_graphs(40), st.integers(1, 6))
def test_worker_k_holds_stage_k(graph: TaskGraph, workers: int) -> None:
    """Values go to later stages only, so that nothing waits for what comes after it."""
    placement = pipeline(graph, workers)
    assert len(placement.workers) == workers
    worker_of = placement.leaders(len(graph))
    assert all(worker_of[producer] <= worker_of[consumer] for producer, consumer in graph.edges)
    by_id = bottleneck(graph, stages(graph, range(len(graph)), workers))
    assert bottleneck(graph, placement.workers) <= by_id
    simulate(graph, placement)


def test_hand_overs_count_on_both_sides_of_a_border() -> None:
    """A cut in the middle is not worth it where two values cross it."""
    graph = TaskGraph((1.0, 1.0, 4.0, 4.0), ((0, 2), (0, 3), (1, 2), (1, 3)), hand_over=3.0)
    assert bottleneck(graph, [[0, 1, 2], [3]]) == 6.0 + 2 * 3.0
    assert stages(graph, range(4), 2) == [[0, 1, 2, 3]]
    free = TaskGraph(graph.costs, graph.edges, hand_over=0.5)
    assert stages(free, range(4), 2) == [[0, 1, 2], [3]]


def test_a_long_order_is_cut_at_some_places_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CUTS", 10)
    chain = TaskGraph((1.0,) * 95, tuple((i, i + 1) for i in range(94)), hand_over=0.0)
    found = stages(chain, range(95), 4)
    assert [task for stage in found for task in stage] == list(range(95))
    assert bottleneck(chain, found) <= 95 / 4 + 95 / 10


def test_there_is_at_least_one_worker() -> None:
    with pytest.raises(ValueError, match="at least 1 worker"):
        pipeline(TaskGraph((1.0,), ()), 0)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(moldable_graphs(15), st.integers(1, 4))
def test_stages_bound_the_interval(graph: TaskGraph, workers: int) -> None:
    """With enough requests in flight the largest stage's work is the interval."""
    placement = pipeline(graph, workers)
    loads = [sum(graph.costs[task] for task in order) for order in placement.workers]
    used = sum(map(bool, placement.workers))
    interval = overlapped(graph, placement, 4 * workers + 4)
    assert interval >= max(loads, default=0.0) - 1e-9
    if graph.hand_over == 0 and used:
        assert interval == pytest.approx(max(loads))
