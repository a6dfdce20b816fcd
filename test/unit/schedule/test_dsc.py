"""Dominant sequence clustering."""

from itertools import chain
from random import Random

import pytest
from brute_force import moldable_graphs
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel.analysis.critical_path import critical_path
from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import simulate
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.dsc import dsc_clusters
from ramiel.schedule.place import place


def unbounded(graph: TaskGraph, clusters: list[list[int]]) -> float:
    """The makespan in µs with a worker for each cluster."""
    return simulate(graph, Placement(tuple(map(tuple, clusters)))).makespan


@settings(deadline=None, derandomize=True, max_examples=300)
@given(moldable_graphs(40))
def test_clusters_are_a_partition_and_no_slower_than_single_tasks(graph: TaskGraph) -> None:
    clusters = dsc_clusters(graph)
    assert all(clusters)
    assert sorted(chain.from_iterable(clusters)) == list(range(len(graph)))
    alone = unbounded(graph, [[task] for task in range(len(graph))])
    assert unbounded(graph, clusters) <= alone + 1e-6


@settings(deadline=None, derandomize=True)
@given(moldable_graphs(40))
def test_clusters_are_in_topological_order(graph: TaskGraph) -> None:
    position = {t: (c, i) for c, row in enumerate(dsc_clusters(graph)) for i, t in enumerate(row)}
    for producer, consumer in graph.edges:
        (one, before), (other, after) = position[producer], position[consumer]
        assert one != other or before < after


@settings(deadline=None, derandomize=True)
@given(moldable_graphs(40), st.integers(1, 5))
def test_clusters_can_be_placed(graph: TaskGraph, workers: int) -> None:
    simulate(graph, place(graph, dsc_clusters(graph), workers))


def test_without_hand_overs_the_critical_path_is_reached() -> None:
    random = Random(3)
    edges = {(random.randrange(j), j) for j in range(1, 80) for _ in range(3)}
    costs = tuple(float(random.randint(1, 99)) for _ in range(80))
    graph = TaskGraph(costs, tuple(sorted(edges)), hand_over=0.0)
    assert unbounded(graph, dsc_clusters(graph)) == critical_path(graph)[0]


def test_a_chain_is_one_cluster() -> None:
    graph = TaskGraph((1.0,) * 9, tuple((i, i + 1) for i in range(8)))
    assert dsc_clusters(graph) == [list(range(9))]


def test_short_branches_are_joined_and_long_ones_are_not() -> None:
    """A fork into two branches: beside each other only if that saves more than the hand-overs."""
    edges = ((0, 1), (0, 2), (1, 3), (2, 3))
    assert len(dsc_clusters(TaskGraph((1.0, 5.0, 5.0, 1.0), edges, hand_over=24.0))) == 1
    assert len(dsc_clusters(TaskGraph((1.0, 500.0, 500.0, 1.0), edges, hand_over=24.0))) == 2


def test_producers_that_are_alone_are_fetched() -> None:
    """A join of three short tasks: one worker is faster than any hand-over."""
    graph = TaskGraph((3.0, 2.0, 1.0, 1.0), ((0, 3), (1, 3), (2, 3)), hand_over=10.0)
    (cluster,) = dsc_clusters(graph)
    assert sorted(cluster[:3]) == [0, 1, 2]
    assert unbounded(graph, [cluster]) == 7.0


def test_a_free_task_leaves_the_cluster_to_a_rival_on_a_longer_path() -> None:
    """Task 2 is met first, but 4 is to follow 1, their producer; it still waits for 3."""
    graph = TaskGraph(
        (1.0, 50.0, 80.0, 1.0, 100.0), ((0, 1), (1, 2), (1, 4), (3, 4)), hand_over=10.0
    )
    assert unbounded(graph, dsc_clusters(graph)) == 151.0


@pytest.mark.parametrize("inputs", [1, 50, 2000])
def test_a_task_with_many_producers(inputs: int) -> None:
    graph = TaskGraph(
        (*(float(i % 7 + 1) for i in range(inputs)), 1.0), tuple((i, inputs) for i in range(inputs))
    )
    clusters = dsc_clusters(graph)
    assert sorted(chain.from_iterable(clusters)) == list(range(inputs + 1))


def test_nothing_to_cluster() -> None:
    assert dsc_clusters(TaskGraph((), ())) == []
