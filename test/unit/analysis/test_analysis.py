"""The task graph, its critical path and the simulation of placements."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel.analysis.critical_path import bound, by_distance, critical_path, distance_to_end
from ramiel.analysis.lower_bound import lower_bound
from ramiel.analysis.memory import high_water
from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import Deadlock, Timeline, simulate
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.place import serial

DIAMOND = TaskGraph((1.0, 5.0, 2.0, 3.0), ((0, 1), (0, 2), (1, 3), (2, 3)), hand_over=0.5)


@st.composite
def placed_graphs(draw: st.DrawFn) -> tuple[TaskGraph, Placement]:
    """A random DAG, its tasks dealt out at random, some to several workers, and run in id order."""
    tasks = draw(st.integers(0, 40))
    workers = draw(st.integers(1, 5))
    random = draw(st.randoms(use_true_random=False))
    density = draw(st.sampled_from([0.02, 0.1, 0.4]))
    graph = TaskGraph(
        tuple(float(random.randint(0, 9)) for _ in range(tasks)),
        tuple((i, j) for j in range(tasks) for i in range(j) if random.random() < density),
        hand_over=float(random.randint(0, 5)),
        wide={
            count: tuple(float(random.randint(0, 9)) for _ in range(tasks))
            for count in range(2, workers + 1)
        },
        switch=float(random.randint(0, 2)),
        sizes=tuple(float(random.randint(0, 3)) for _ in range(tasks)),
    )
    orders: list[list[int]] = [[] for _ in range(workers)]
    for task in range(tasks):
        count = random.randint(1, workers) if random.random() < 0.3 else 1
        for order in random.sample(orders, count):
            order.append(task)
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
@given(placed_graphs(), st.floats(1.0, 3.0))
def test_the_bound_is_one_where_a_core_alone_is_faster(
    placed: tuple[TaskGraph, Placement], crowding: float
) -> None:
    graph = replace(placed[0], crowding=crowding)
    for placement in (placed[1], serial(graph)):
        least = bound(graph, len(placement.workers))
        assert simulate(graph, placement).makespan >= least * (1 - 1e-12)
    faster = replace(DIAMOND, crowding=2.0)
    assert bound(faster, 2) == lower_bound(faster, 2) == faster.serial == 5.5


@settings(deadline=None, derandomize=True)
@given(placed_graphs())
def test_timeline_is_feasible_and_tight(placed: tuple[TaskGraph, Placement]) -> None:
    graph, placement = placed
    timeline = simulate(graph, placement)
    leader, threads = placement.leaders(len(graph)), placement.threads(len(graph))
    allowed = [[0.0] for _ in graph.costs]
    for producer, consumer in graph.edges:
        remote = leader[producer] != leader[consumer]
        allowed[consumer].append(timeline.finish[producer] + graph.hand_over * remote)
    for worker, order in enumerate(placement.workers):
        if order and threads[order[0]] > 1 and leader[order[0]] == worker:
            allowed[order[0]].append(graph.switch)
        for task, following in pairwise(order):
            gap = graph.switch * (threads[task] != threads[following])
            if leader[task] != leader[following]:
                gap = graph.hand_over
            allowed[following].append(timeline.finish[task] + gap)
    assert timeline.start == tuple(map(max, allowed))
    assert timeline.makespan >= bound(graph, len(placement.workers)) * (1 - 1e-12)
    times = [graph.costs_on(count)[task] for task, count in enumerate(threads)]
    assert [f - s for s, f in zip(timeline.start, timeline.finish, strict=True)] == times
    assert sum(timeline.busy) == sum(t * n for t, n in zip(times, threads, strict=True))


@settings(deadline=None, derandomize=True)
@given(placed_graphs())
def test_cores_run_one_task_at_a_time(placed: tuple[TaskGraph, Placement]) -> None:
    graph, placement = placed
    timeline = simulate(graph, placement)
    for order in placement.workers:
        for task, following in pairwise(order):
            assert timeline.finish[task] <= timeline.start[following]


@settings(deadline=None, derandomize=True)
@given(placed_graphs())
def test_memory_is_that_of_the_values_that_live(placed: tuple[TaskGraph, Placement]) -> None:
    graph, placement = placed
    timeline = simulate(graph, placement)
    spans = list(zip(timeline.start, last_uses(graph, timeline), graph.sizes, strict=True))
    alive = [sum(size for a, b, size in spans if a <= now <= b) for now in timeline.start]
    assert high_water(graph, timeline) == max(alive, default=0.0)


def last_uses(graph: TaskGraph, timeline: Timeline) -> list[float]:
    """When the memory of what each task makes is read for the last time, views included."""
    ends = [0.0] * len(graph)
    for task in reversed(range(len(graph))):
        readers = graph.successors[task]
        uses = [timeline.finish[r] if graph.sizes[r] else ends[r] for r in readers]
        ends[task] = max(uses, default=timeline.makespan)
    return ends


def test_memory_of_a_chain() -> None:
    graph = TaskGraph((1.0,) * 4, ((0, 1), (1, 2), (2, 3)), sizes=(5.0, 3.0, 0.0, 2.0))
    timeline = simulate(graph, Placement(((0, 1, 2, 3),)))
    assert high_water(graph, timeline) == 8.0  # the first two; 2 is a view of 1
    no_sizes = TaskGraph((1.0,), ())
    assert high_water(no_sizes, simulate(no_sizes, Placement(((0,),)))) == 0.0


def test_a_wide_task_waits_for_the_cores_it_takes() -> None:
    graph = TaskGraph(
        (4.0, 10.0, 8.0, 1.0), ((0, 2), (2, 3)), hand_over=1.0, switch=0.5, wide={2: (4.0,) * 4}
    )
    timeline = simulate(graph, Placement(((0, 2, 3), (1, 2))))
    assert timeline.start == (0.0, 0.0, 11.0, 15.5)  # 1 ends at 10, its core is lent at 11
    assert timeline.busy == (9.0, 14.0)
    assert bound(graph, 2) == 10.5  # half of 4 + 8 + 8 + 1: tasks 1 and 2 both keep cores for 8


@pytest.mark.parametrize(
    ("orders", "problem"),
    [
        (((0, 1), (2,)), "task 3 is not placed"),
        (((0, 1, 1, 3), (2,)), "task 1 is placed twice"),
        (((0, 1, 3), (2, 1)), "no costs on 2 threads"),
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
