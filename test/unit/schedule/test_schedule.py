"""Clustering, merging, placing and choosing."""

from itertools import chain, pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel.analysis.critical_path import bound, distance_to_end
from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import simulate
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.choose import choose
from ramiel.schedule.linear import linear_clusters
from ramiel.schedule.merge import merge_clusters
from ramiel.schedule.order import order_tasks
from ramiel.schedule.place import place, serial

EMPTY = TaskGraph((), ())


@st.composite
def graphs(draw: st.DrawFn) -> TaskGraph:
    """A random DAG; costs are small integers, so that sums of them are exact."""
    tasks = draw(st.integers(0, 40))
    random = draw(st.randoms(use_true_random=False))
    density = draw(st.sampled_from([0.02, 0.1, 0.4]))
    largest = draw(st.sampled_from([0, 9, 100]))
    return TaskGraph(
        tuple(float(random.randint(0, largest)) for _ in range(tasks)),
        tuple((i, j) for j in range(tasks) for i in range(j) if random.random() < density),
        hand_over=draw(st.sampled_from([0.0, 1.0, 24.0])),
    )


def path(length: int) -> TaskGraph:
    """Each task reads the one before it."""
    return TaskGraph((1.0,) * length, tuple((i, i + 1) for i in range(length - 1)))


def fork_join(branches: int, cost: float = 100.0) -> TaskGraph:
    """Task 0 forks into independent branches, and the last task joins them."""
    middle = range(1, branches + 1)
    edges = [(0, i) for i in middle] + [(i, branches + 1) for i in middle]
    return TaskGraph((1.0, *[cost] * branches, 1.0), tuple(edges))


def is_partition(graph: TaskGraph, parts: list[list[int]]) -> bool:
    """Whether every task is in exactly one part, and no part is empty."""
    return all(parts) and sorted(chain.from_iterable(parts)) == list(range(len(graph)))


def spans(graph: TaskGraph, clusters: list[list[int]]) -> dict[int, tuple[float, float]]:
    """From and down to which distance each cluster, named by its first task, is active."""
    distance = distance_to_end(graph, graph.hand_over)
    return {c[0]: (distance[c[0]], distance[c[-1]] - graph.costs[c[-1]]) for c in clusters}


def overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether neither of two spans ends before the other starts."""
    return one[1] < other[0] and other[1] < one[0]


@settings(deadline=None, derandomize=True)
@given(graphs())
def test_linear_clusters_are_disjoint_paths(graph: TaskGraph) -> None:
    clusters = linear_clusters(graph)
    assert is_partition(graph, clusters)
    for cluster in clusters:
        assert set(pairwise(cluster)) <= set(graph.edges)


@settings(deadline=None, derandomize=True)
@given(graphs())
def test_linear_clusters_follow_the_largest_distance(graph: TaskGraph) -> None:
    distance = distance_to_end(graph, graph.hand_over)
    left = set(range(len(graph)))
    expected: list[list[int]] = []
    while left:
        walk: list[int] = []
        following = left
        while following:
            walk.append(min(following, key=lambda task: (-distance[task], task)))
            left.remove(walk[-1])
            following = left & set(graph.successors[walk[-1]])
        expected.append(walk)
    assert linear_clusters(graph) == expected


def test_a_chain_is_one_cluster() -> None:
    assert linear_clusters(path(50)) == [list(range(50))]


@pytest.mark.parametrize("branches", [1, 2, 7])
def test_a_fork_join_has_a_cluster_for_each_branch(branches: int) -> None:
    graph = fork_join(branches)
    clusters = linear_clusters(graph)
    assert clusters == [[0, 1, branches + 1], *([i] for i in range(2, branches + 1))]
    assert len(merge_clusters(graph, clusters)) == branches


@settings(deadline=None, derandomize=True)
@given(graphs())
def test_lanes_are_unions_of_clusters_that_do_not_overlap(graph: TaskGraph) -> None:
    clusters = linear_clusters(graph)
    lanes = merge_clusters(graph, clusters)
    assert is_partition(graph, lanes)
    distance = distance_to_end(graph, graph.hand_over)
    active = spans(graph, clusters)
    for lane in lanes:
        assert lane == sorted(lane, key=lambda task: (-distance[task], task))
        members = [c for c in clusters if c[0] in lane]
        assert sorted(chain.from_iterable(members)) == sorted(lane)
        heads = [c[0] for c in members]
        assert not any(overlap(active[a], active[b]) for a in heads for b in heads if a < b)


@settings(deadline=None, derandomize=True)
@given(graphs())
def test_lanes_are_a_fixpoint_and_the_fewest(graph: TaskGraph) -> None:
    clusters = linear_clusters(graph)
    lanes = merge_clusters(graph, clusters)
    hulls = list(spans(graph, lanes).values())
    assert all(overlap(a, b) for i, a in enumerate(hulls) for b in hulls[:i])
    assert len(merge_clusters(graph, lanes)) == len(lanes)
    active = list(spans(graph, clusters).values())
    # The spans that overlap `a` and start no later than it all overlap each other.
    cliques = [
        1 + sum(overlap(a, b) and a[0] <= b[0] for j, b in enumerate(active) if i != j)
        for i, a in enumerate(active)
    ]
    assert len(lanes) == max(cliques, default=0)


@settings(deadline=None, derandomize=True)
@given(graphs())
def test_lanes_as_workers_do_not_deadlock(graph: TaskGraph) -> None:
    lanes = merge_clusters(graph, linear_clusters(graph))
    simulate(graph, Placement(tuple(map(tuple, lanes))))


def test_clusters_that_follow_each_other_share_a_lane() -> None:
    graph = TaskGraph((1.0,) * 6, ((0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (3, 5)))
    clusters = linear_clusters(graph)
    assert clusters == [[0, 1, 3, 4], [2], [5]]
    assert merge_clusters(graph, clusters) == [[0, 1, 3, 4], [2, 5]]


@pytest.mark.parametrize("clusters", [[[0, 1]], [[0, 1], [1, 2]], [[0, 1, 2, 3]]])
def test_clusters_must_be_a_partition(clusters: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="task"):
        merge_clusters(path(3), clusters)
    with pytest.raises(ValueError, match="task"):
        place(path(3), clusters, 2)


@settings(deadline=None, derandomize=True)
@given(graphs(), st.integers(1, 6))
def test_placements_run_and_keep_clusters_whole(graph: TaskGraph, workers: int) -> None:
    clusters = linear_clusters(graph)
    for parts in (clusters, merge_clusters(graph, clusters)):
        placement = place(graph, parts, workers)
        timeline = simulate(graph, placement)
        assert len(placement.workers) == workers
        assert timeline.makespan >= bound(graph, workers) * (1 - 1e-12)
        worker_of = placement.leaders(len(graph))
        assert all(len({worker_of[task] for task in part}) == 1 for part in parts)


@settings(deadline=None, derandomize=True)
@given(graphs())
def test_one_worker_takes_as_long_as_the_work(graph: TaskGraph) -> None:
    placement = place(graph, linear_clusters(graph), 1)
    assert simulate(graph, placement).makespan == graph.work
    assert simulate(graph, serial(graph)).makespan == graph.work


def test_enough_workers_run_a_fork_join_in_parallel() -> None:
    graph = fork_join(4)
    placement = place(graph, linear_clusters(graph), 9)
    assert simulate(graph, placement).makespan == 1.0 + 24.0 + 100.0 + 24.0 + 1.0
    assert sum(map(bool, placement.workers)) == 4


def test_branches_too_short_to_hand_over_stay_together() -> None:
    graph = fork_join(4, cost=2.0)
    placement = place(graph, linear_clusters(graph), 9)
    assert simulate(graph, placement).makespan == graph.work


@pytest.mark.parametrize("workers", [0, -1])
def test_place_needs_a_worker(workers: int) -> None:
    with pytest.raises(ValueError, match="at least 1 worker"):
        place(path(2), [[0, 1]], workers)


@settings(deadline=None, derandomize=True)
@given(graphs(), st.integers(1, 6), st.randoms(use_true_random=False))
def test_any_assignment_can_be_ordered(graph: TaskGraph, workers: int, random: Random) -> None:
    worker_of = [random.randrange(workers) for _ in graph.costs]
    placement = order_tasks(graph, worker_of, workers)
    assert placement.leaders(len(graph)) == worker_of
    start = simulate(graph, placement).start
    for order in placement.workers:
        assert [start[task] for task in order] == sorted(start[task] for task in order)


def test_a_free_worker_takes_the_farthest_task_that_is_there() -> None:
    # Worker 1 has tasks 1 and 2 at once, and takes 2 for its distance. Task 3, the farthest of
    # all, arrives at 24 + 1 µs, while worker 1 is still busy with 1.
    costs = (1.0, 10.0, 20.0, 50.0, 5.0)
    graph = TaskGraph(costs, ((0, 3), (2, 4)))
    assert order_tasks(graph, [0, 1, 1, 1, 1], 2).workers == ((0,), (2, 1, 3, 4))


def test_a_free_worker_waits_for_the_first_arrival() -> None:
    graph = TaskGraph((1.0, 9.0, 2.0, 50.0), ((0, 2), (1, 3)))
    assert order_tasks(graph, [0, 2, 1, 1], 3).workers == ((0,), (2, 3), (1,))


def test_order_tasks_rejects_bad_assignments() -> None:
    with pytest.raises(ValueError, match="1 workers are given for 2 tasks"):
        order_tasks(path(2), [0], 1)
    with pytest.raises(ValueError, match=r"outside 0 \.\. 1"):
        order_tasks(path(2), [0, 2], 2)
    with pytest.raises(ValueError, match="outside"):
        order_tasks(path(2), [0, -1], 2)


def test_zero_costs() -> None:
    graph = TaskGraph((0.0,) * 6, ((0, 1), (0, 2), (1, 3), (2, 3), (4, 5)), hand_over=0.0)
    clusters = linear_clusters(graph)
    lanes = merge_clusters(graph, clusters)
    assert is_partition(graph, lanes)
    assert len(lanes) == 1
    for workers in (1, 2, 8):
        assert simulate(graph, place(graph, clusters, workers)).makespan == 0.0


def test_empty_graph() -> None:
    assert linear_clusters(EMPTY) == []
    assert merge_clusters(EMPTY, []) == []
    assert place(EMPTY, [], 3).workers == ((), (), ())
    assert serial(EMPTY).workers == ((),)
    assert bound(EMPTY, 3) == 0.0


def test_choose_prefers_the_first_of_equals() -> None:
    graph = path(3)
    same = Placement(((0, 1, 2), ()))
    worse = Placement(((0, 1), (2,)))
    choice = choose(graph, [("worse", worse), ("serial", serial(graph)), ("same", same)])
    assert (choice.name, choice.timeline.makespan) == ("serial", 3.0)
    assert choice.placement == serial(graph)


def test_choose_takes_a_strictly_faster_schedule() -> None:
    graph = fork_join(2)
    parallel = place(graph, linear_clusters(graph), 2)
    assert choose(graph, [("serial", serial(graph)), ("parallel", parallel)]).name == "parallel"


def test_choose_needs_a_candidate() -> None:
    with pytest.raises(ValueError, match="no candidate"):
        choose(EMPTY, [])


def test_large_layered_graph() -> None:
    random = Random(2308)
    tasks, width = 20_000, 20
    edges = {
        (task - task % width - random.randint(1, width), task)
        for task in range(width, tasks)
        for _ in range(3)
    }
    costs = tuple(random.uniform(1.0, 200.0) for _ in range(tasks))
    graph = TaskGraph(costs, tuple(sorted(edges)))
    clusters = linear_clusters(graph)
    lanes = merge_clusters(graph, clusters)
    candidates = [
        ("serial", serial(graph)),
        ("clusters", place(graph, clusters, 8)),
        ("lanes", place(graph, lanes, 8)),
    ]
    choice = choose(graph, candidates)
    assert bound(graph, 8) <= choice.timeline.makespan < graph.work / 4
