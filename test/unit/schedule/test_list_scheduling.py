"""List scheduling of moldable tasks, with and without a memory limit; allotments."""

from random import Random

import pytest
from brute_force import moldable_graphs, placements
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel.analysis.memory import high_water
from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import simulate
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.allotment import allotments, balanced, efficient, fastest
from ramiel.schedule.list_scheduling import list_schedule, serial_wide
from ramiel.schedule.memory_order import Lifetimes, MemoryProfile, least_memory_order
from ramiel.schedule.place import serial


def makespan(graph: TaskGraph, placement: Placement) -> float:
    return simulate(graph, placement).makespan


def memory(graph: TaskGraph, placement: Placement) -> float:
    return high_water(graph, simulate(graph, placement))


@settings(deadline=None, derandomize=True, max_examples=200)
@given(moldable_graphs(), st.integers(1, 9))
def test_no_slower_than_serial_on_any_number_of_threads(graph: TaskGraph, workers: int) -> None:
    placement = list_schedule(graph, workers)
    assert len(placement.workers) == workers
    time = makespan(graph, placement)
    assert time <= makespan(graph, serial(graph))
    assert time <= makespan(graph, serial_wide(graph, workers))


@settings(deadline=None, derandomize=True, max_examples=200)
@given(moldable_graphs(), st.integers(1, 5), st.floats(0, 1))
def test_the_memory_limit_holds(graph: TaskGraph, workers: int, share: float) -> None:
    least = memory(graph, Placement((tuple(least_memory_order(graph)),)))
    free = memory(graph, list_schedule(graph, workers))
    limit = least + share * max(0.0, free - least)
    placement = list_schedule(graph, workers, limit)
    assert memory(graph, placement) <= limit
    if memory(graph, serial(graph)) <= limit:
        assert makespan(graph, placement) <= makespan(graph, serial(graph))


@settings(deadline=None, derandomize=True)
@given(moldable_graphs(4, 2))
def test_an_impossible_memory_limit_is_refused(graph: TaskGraph) -> None:
    """What the message names is enough, and below what any serial order needs nothing fits."""
    possible = min(memory(graph, p) for p in placements(graph, 1))
    if possible:
        with pytest.raises(ValueError, match="memory limit") as problem:
            list_schedule(graph, 2, possible - 1)
        need = float(str(problem.value).rsplit(": ", 1)[1].split()[0])
        assert memory(graph, list_schedule(graph, 2, need)) <= need


def test_memory_is_traded_for_time() -> None:
    """Branches with large values: beside each other they are faster and need more memory."""
    branches = 4
    tails = range(branches, 2 * branches)
    graph = TaskGraph(
        (100.0,) * 2 * branches + (1.0,),
        (*((i, i + branches) for i in range(branches)), *((i, 2 * branches) for i in tails)),
        sizes=(100.0,) * branches + (1.0,) * branches + (1.0,),
    )
    fast = list_schedule(graph, 4)
    frugal = list_schedule(graph, 4, 320)
    assert memory(graph, fast) == 404 and makespan(graph, fast) < 230
    assert 230 < makespan(graph, frugal) < makespan(graph, serial(graph))
    assert memory(graph, frugal) <= 320


def test_a_short_task_is_inserted_into_an_idle_gap() -> None:
    """Worker 1 idles until the hand-over: task 3 is less urgent than 2, and fits before it."""
    graph = TaskGraph((50.0, 100.0, 90.0, 20.0), ((0, 1), (0, 2)), hand_over=30.0)
    assert makespan(graph, list_schedule(graph, 2)) == 170.0


def test_tasks_that_scale_get_all_threads_and_others_run_beside_each_other() -> None:
    chain = TaskGraph((100.0,) * 3, ((0, 1), (1, 2)), wide={2: (50.0,) * 3, 4: (26.0,) * 3})
    assert makespan(chain, list_schedule(chain, 4)) == 78.0
    loose = TaskGraph((100.0,) * 4, (), wide={2: (90.0,) * 4, 4: (85.0,) * 4})
    assert makespan(loose, list_schedule(loose, 4)) == 100.0


def test_allotments() -> None:
    graph = TaskGraph((100.0, 100.0), (), wide={2: (52.0, 99.0), 4: (40.0, 120.0)})
    assert fastest(graph, 4) == [4, 2]
    assert fastest(graph, 3) == [2, 2]
    assert efficient(graph, 4, 0.6) == [4, 1]
    assert efficient(graph, 4, 0.9) == [2, 1]
    assert [1, 1] in allotments(graph, 4) and [4, 2] in allotments(graph, 4)
    path = TaskGraph((100.0, 100.0), ((0, 1),), wide={2: (52.0, 60.0)})
    assert balanced(path, 2) == [2, 2]
    assert balanced(TaskGraph((100.0,) * 2, (), wide={2: (52.0,) * 2}), 2) == [1, 1]


@settings(deadline=None, derandomize=True)
@given(moldable_graphs())
def test_the_memory_profile_is_the_high_water_of_a_serial_run(graph: TaskGraph) -> None:
    order = least_memory_order(graph)
    timeline = simulate(graph, Placement((tuple(order),)))
    need = high_water(graph, timeline)
    for limit, fits in ((need, True), (need - 1, False)):
        profile = MemoryProfile(graph, limit)
        rooms: list[bool] = []
        for task in order:
            rooms.append(profile.has_room(timeline.start[task], graph.sizes[task]))
            profile.add(task, timeline.start[task], timeline.finish[task])
        assert not need or all(rooms) == fits


def test_views_keep_what_they_show_alive() -> None:
    graph = TaskGraph((1.0,) * 4, ((0, 1), (1, 2), (1, 3)), sizes=(8.0, 0.0, 1.0, 0.0))
    lifetimes = Lifetimes(graph)
    assert lifetimes.reads == [(), (0,), (0,), (0,)]
    assert lifetimes.readers == [2, 0, 1, 0]  # task 2, and view 3, which is an output


@settings(deadline=None, derandomize=True)
@given(moldable_graphs())
def test_the_memory_order_is_topological(graph: TaskGraph) -> None:
    order = least_memory_order(graph)
    assert sorted(order) == list(range(len(graph)))
    place = {task: i for i, task in enumerate(order)}
    assert all(place[producer] < place[consumer] for producer, consumer in graph.edges)


def test_the_memory_order_goes_into_the_depth() -> None:
    """Chains that end in small values: one after the other."""
    chains, length = 5, 4
    tasks = range(chains * length)
    graph = TaskGraph(
        (1.0,) * len(tasks),
        tuple((t, t + chains) for t in tasks if t + chains < len(tasks)),
        sizes=tuple(1.0 if t >= chains * (length - 1) else 100.0 for t in tasks),
    )
    assert memory(graph, Placement((tuple(least_memory_order(graph)),))) <= 305
    assert memory(graph, serial(graph)) >= 500


@pytest.mark.parametrize("workers", [0, -1])
def test_a_worker_is_needed(workers: int) -> None:
    with pytest.raises(ValueError, match="worker"):
        list_schedule(TaskGraph((1.0,), ()), workers)


def test_nothing_to_schedule() -> None:
    assert list_schedule(TaskGraph((), ()), 2) == Placement(((), ()))
    assert list_schedule(TaskGraph((), ()), 2, 0.0) == Placement(((), ()))


def test_a_large_graph() -> None:
    """20,000 tasks in layers take a few seconds at most, not hours."""
    random = Random(0)
    tasks = 20_000
    edges = {(max(0, j - random.randint(1, 60)), j) for j in range(1, tasks) for _ in range(2)}
    costs = tuple(random.uniform(1, 200) for _ in range(tasks))
    graph = TaskGraph(costs, tuple(edges), wide={4: tuple(c * 0.3 + 3 for c in costs)})
    assert makespan(graph, list_schedule(graph, 8)) < 0.3 * graph.work
