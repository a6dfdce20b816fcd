"""The task graph, its critical path and the simulation of placements."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel.analysis.critical_path import bound, by_distance, critical_path, distance_to_end
from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import Deadlock, simulate
from ramiel.analysis.task_graph import TaskGraph

DIAMOND = TaskGraph((1.0, 5.0, 2.0, 3.0), ((0, 1), (0, 2), (1, 3), (2, 3)), hand_over=0.5)


@st.composite
def placed_graphs(draw: st.DrawFn) -> tuple[TaskGraph, Placement]:
    """A random DAG, its tasks dealt out at random and run in id order."""
    tasks = draw(st.integers(0, 40))
    workers = draw(st.integers(1, 5))
    random = draw(st.randoms(use_true_random=False))
    density = draw(st.sampled_from([0.02, 0.1, 0.4]))
    graph = TaskGraph(
        tuple(float(random.randint(0, 9)) for _ in range(tasks)),
        tuple((i, j) for j in range(tasks) for i in range(j) if random.random() < density),
        hand_over=float(random.randint(0, 5)),
    )
    orders: list[list[int]] = [[] for _ in range(workers)]
    for task in range(tasks):
        random.choice(orders).append(task)
    return graph, Placement(tuple(map(tuple, orders)))


def test_adjacency_and_work() -> None:
    graph = TaskGraph((1.0, 2.0, 4.0), ((1, 2), (0, 2), (0, 1)))
    assert graph.successors == ((1, 2), (2,), ())
    assert graph.predecessors == ((), (0,), (0, 1))
    assert (len(graph), graph.work, graph.hand_over) == (3, 7.0, 24.0)


@pytest.mark.parametrize("cost", [-1.0, float("nan"), float("inf")])
def test_bad_times_are_rejected(cost: float) -> None:
    with pytest.raises(ValueError, match="task 1 has cost"):
        TaskGraph((0.0, cost), ())
    with pytest.raises(ValueError, match="hand_over"):
        TaskGraph((), (), hand_over=cost)
    if cost != float("inf"):
        with pytest.raises(ValueError, match="edge_cost"):
            distance_to_end(DIAMOND, cost)


@pytest.mark.parametrize("edge", [(1, 0), (1, 1), (-1, 1), (0, 2)])
def test_bad_edges_are_rejected(edge: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="need 0 <= producer < consumer < 2"):
        TaskGraph((1.0, 1.0), (edge,))


def test_repeated_edges_are_rejected() -> None:
    with pytest.raises(ValueError, match="repeated"):
        TaskGraph((1.0, 1.0), ((0, 1), (0, 1)))


def test_distances_of_a_diamond() -> None:
    assert distance_to_end(DIAMOND) == [9.0, 8.0, 5.0, 3.0]
    assert distance_to_end(DIAMOND, 10.0) == [29.0, 18.0, 15.0, 3.0]
    assert critical_path(DIAMOND) == (9.0, [0, 1, 3])
    assert bound(DIAMOND, 1) == 11.0
    assert bound(DIAMOND, 2) == 9.0


def test_critical_path_ties_go_to_the_smaller_id() -> None:
    assert critical_path(TaskGraph((0.0,) * 4, ((0, 2), (0, 3), (1, 3)))) == (0.0, [0, 2])


def test_bound_needs_a_worker() -> None:
    with pytest.raises(ValueError, match="at least 1 worker"):
        bound(DIAMOND, 0)


@settings(deadline=None, derandomize=True)
@given(placed_graphs())
def test_critical_path_is_a_path_of_its_length(placed: tuple[TaskGraph, Placement]) -> None:
    graph, _ = placed
    length, path = critical_path(graph)
    assert length == sum(graph.costs[task] for task in path)
    assert set(pairwise(path)) <= set(graph.edges)
    place = {task: i for i, task in enumerate(by_distance(distance_to_end(graph)))}
    assert all(place[producer] < place[consumer] for producer, consumer in graph.edges)


def test_simulate_a_diamond() -> None:
    timeline = simulate(DIAMOND, Placement(((0, 1, 3), (), (2,))))
    assert timeline.start == (0.0, 1.0, 1.5, 6.0)
    assert timeline.finish == (1.0, 6.0, 3.5, 9.0)
    assert timeline.makespan == 9.0
    assert timeline.busy == (9.0, 0.0, 2.0)
    assert timeline.hand_overs == 2


def test_a_value_with_many_remote_consumers_is_one_hand_over() -> None:
    graph = TaskGraph((1.0,) * 4, ((0, 1), (0, 2), (0, 3)))
    assert simulate(graph, Placement(((0,), (1, 2), (3,)))).hand_overs == 1


def test_simulate_nothing() -> None:
    timeline = simulate(TaskGraph((), ()), Placement(((), ())))
    assert (timeline.makespan, timeline.busy, timeline.hand_overs) == (0.0, (0.0, 0.0), 0)


@settings(deadline=None, derandomize=True)
@given(placed_graphs())
def test_timeline_is_feasible_and_tight(placed: tuple[TaskGraph, Placement]) -> None:
    graph, placement = placed
    timeline = simulate(graph, placement)
    worker_of = placement.worker_of(len(graph))
    allowed = [[0.0] for _ in graph.costs]
    for producer, consumer in graph.edges:
        remote = worker_of[producer] != worker_of[consumer]
        allowed[consumer].append(timeline.finish[producer] + graph.hand_over * remote)
    for order in placement.workers:
        for task, following in pairwise(order):
            allowed[following].append(timeline.finish[task])
    assert timeline.start == tuple(map(max, allowed))
    assert timeline.makespan >= bound(graph, len(placement.workers)) * (1 - 1e-12)
    assert sum(timeline.busy) == graph.work


@pytest.mark.parametrize(
    ("orders", "problem"),
    [
        (((0, 1), (2,)), "task 3 is not placed"),
        (((0, 1, 3), (2, 1)), "task 1 is placed twice"),
        (((0, 1, 2, 3, 4),), "only 4 tasks"),
        (((-1, 0, 1, 2, 3),), "task -1"),
    ],
)
def test_placements_must_be_partitions(orders: tuple[tuple[int, ...], ...], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        simulate(DIAMOND, Placement(orders))


def test_deadlock_names_the_blocked_tasks() -> None:
    graph = TaskGraph((1.0,) * 5, ((0, 1), (2, 3)))
    with pytest.raises(Deadlock, match=r"at tasks 1, 3$") as caught:
        simulate(graph, Placement(((4, 1, 2), (3, 0), ())))
    assert caught.value.blocked == (1, 3)


def test_a_consumer_before_its_producer_blocks_one_worker() -> None:
    with pytest.raises(Deadlock) as caught:
        simulate(DIAMOND, Placement(((0, 3, 1, 2),)))
    assert caught.value.blocked == (3,)
    graph = TaskGraph((1.0,) * 20, tuple((2 * i, 2 * i + 1) for i in range(10)))
    with pytest.raises(Deadlock, match=r"15, \.\.\.$"):
        simulate(graph, Placement(tuple((2 * i + 1, 2 * i) for i in range(10))))
