"""Local search, the windows it judges moves by, and the lower bound that it ends at."""

from random import Random
from typing import Any

import pytest
from brute_force import moldable_graphs, optimum
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel.analysis.critical_path import bound
from ramiel.analysis.lower_bound import lower_bound
from ramiel.analysis.memory import high_water
from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import simulate
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.list_scheduling import list_schedule
from ramiel.schedule.place import serial
from ramiel.schedule.refine import refine
from ramiel.schedule.windows import Schedule


def makespan(graph: TaskGraph, placement: Placement) -> float:
    return simulate(graph, placement).makespan


def on(workers: int, graph: TaskGraph) -> Placement:
    """Everything on the first of some workers."""
    return Placement(serial(graph).workers + ((),) * (workers - 1))


@settings(deadline=None, derandomize=True)
@given(moldable_graphs(), st.integers(1, 5), st.integers(0, 3))
def test_never_worse_and_the_same_for_a_seed(graph: TaskGraph, workers: int, seed: int) -> None:
    before = list_schedule(graph, workers)
    after = refine(graph, before, 1e9, seed=seed, moves=100)
    assert makespan(graph, after) <= makespan(graph, before)
    assert makespan(graph, after) >= lower_bound(graph, workers) - 1e-6
    assert after == refine(graph, before, 1e9, seed=seed, moves=100)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(moldable_graphs(4, 2))
def test_small_graphs_are_solved(graph: TaskGraph) -> None:
    found = makespan(graph, refine(graph, on(2, graph), 1e9, moves=2000))
    assert found == pytest.approx(optimum(graph, 2))


@settings(deadline=None, derandomize=True, max_examples=50)
@given(moldable_graphs(), st.integers(1, 4))
def test_the_memory_limit_holds(graph: TaskGraph, workers: int) -> None:
    before = on(workers, graph)
    limit = high_water(graph, simulate(graph, before))
    after = refine(graph, before, 1e9, memory_limit=limit, moves=100)
    assert high_water(graph, simulate(graph, after)) <= limit


@settings(deadline=None, derandomize=True, max_examples=200)
@given(moldable_graphs(), st.integers(1, 5), st.randoms(use_true_random=False))
def test_windows_are_judged_as_the_simulation_does(
    graph: TaskGraph, workers: int, random: Random
) -> None:
    """After any changes, all times are those of the simulation, and heads and tails meet."""
    schedule = Schedule(graph, list_schedule(graph, workers))
    for _ in range(8 if len(graph) else 0):
        first = random.randrange(len(graph))
        end = min(len(graph), first + random.randint(1, 6))
        tasks = (
            sorted(schedule.order[first:end])
            if random.random() < 0.5
            else (schedule.order[first:end])
        )
        count = random.choice([n for n in graph.threads if n <= workers])
        team = tuple(sorted(random.sample(range(workers), count)))
        before = schedule.makespan
        through = schedule.run(first, tasks, {random.choice(tasks): team})
        schedule.order[first:end] = tasks
        schedule.update(first, end)
        timeline = simulate(graph, schedule.placement())
        assert schedule.finish == pytest.approx(timeline.finish)
        assert through <= timeline.makespan + 1e-6
        assert timeline.makespan <= max(through, before) + 1e-6
        longest = max(schedule.start(t) + schedule.tail[t] for t in tasks)
        assert longest <= timeline.makespan + 1e-6
        assert max(
            schedule.start(t) + schedule.tail[t] for t in range(len(graph))
        ) == pytest.approx(timeline.makespan)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(moldable_graphs(4, 2), st.sampled_from([0, 3, 1000]))
def test_the_lower_bound_is_one_on_two_workers(graph: TaskGraph, steps: int) -> None:
    least = lower_bound(graph, 2, steps=steps)
    assert bound(graph, 2) <= least <= optimum(graph, 2) + 1e-6


@settings(deadline=None, derandomize=True, max_examples=25)
@given(moldable_graphs(3, 3), st.sampled_from([0, 1000]))
def test_the_lower_bound_is_one_on_three_workers(graph: TaskGraph, steps: int) -> None:
    least = lower_bound(graph, 3, steps=steps)
    assert bound(graph, 3) <= least <= optimum(graph, 3) + 1e-6


@st.composite
def fork_joins(draw: st.DrawFn, branches: int) -> TaskGraph:
    """Tasks between a first and a last one: a stage of a model. Some cost nothing."""
    times = st.integers(0, 60).map(float)
    costs = (1.0, *(draw(times) for _ in range(branches)), 1.0)
    inside = range(1, branches + 1)
    chained = [(i, i + 1) for i in inside[:-1] if draw(st.booleans())]
    edges = [(0, i) for i in inside] + chained + [(i, branches + 1) for i in inside]
    return TaskGraph(
        costs,
        tuple(edges),
        hand_over=draw(st.sampled_from([0.0, 3.0, 40.0])),
        wide={2: tuple(draw(st.sampled_from([0.5, 0.7, 1.0])) * c for c in costs)},
    )


@settings(deadline=None, derandomize=True, max_examples=100)
@given(fork_joins(2), st.integers(2, 3))
def test_the_lower_bound_of_two_branches(graph: TaskGraph, workers: int) -> None:
    best = optimum(graph, workers)
    for steps in (0, 2, 1000):
        assert lower_bound(graph, workers, steps=steps) <= best + 1e-6


@settings(deadline=None, derandomize=True, max_examples=20)
@given(fork_joins(3))
def test_the_lower_bound_of_three_branches(graph: TaskGraph) -> None:
    assert lower_bound(graph, 2, steps=1000) <= optimum(graph, 2) + 1e-6


@settings(deadline=None, derandomize=True, max_examples=40)
@given(fork_joins(6), st.integers(2, 4))
def test_no_search_finds_less_than_the_lower_bound(graph: TaskGraph, workers: int) -> None:
    found = refine(graph, list_schedule(graph, workers), 1e9, moves=500)
    assert lower_bound(graph, workers, steps=200) <= makespan(graph, found) + 1e-6


def test_a_searched_stage_is_bounded_by_its_optimum() -> None:
    """Three tasks of two threads on three workers: only one at a time, whatever the area says."""
    edges = [(0, i) for i in (1, 2, 3)] + [(i, 4) for i in (1, 2, 3)]
    costs = (1.0, 300.0, 300.0, 300.0, 1.0)
    graph = TaskGraph(costs, tuple(edges), hand_over=0.0, wide={2: (1.0, 60.0, 60.0, 60.0, 1.0)})
    assert lower_bound(graph, 3) < 160
    assert lower_bound(graph, 3, steps=1000) == pytest.approx(182.0)


def test_the_lower_bound_sees_that_fast_is_not_cheap() -> None:
    """The path wants all threads that there are, and so do the tasks beside it."""
    graph = TaskGraph((100.0,) * 4, ((0, 1),), wide={2: (80.0,) * 4})
    assert bound(graph, 2) == 200.0
    branches = TaskGraph((100.0,) * 6, ((0, 1), (1, 2), (2, 3)), wide={2: (80.0,) * 6})
    assert bound(branches, 2) == 320.0
    assert lower_bound(branches, 2) > 330.0


def test_the_lower_bound_adds_stages_up() -> None:
    """Three tasks between two others, twice: on two workers one of them has to wait each time."""
    edges = [(s, s + i) for s in (0, 4) for i in (1, 2, 3)]
    edges += [(s + i, s + 4) for s in (0, 4) for i in (1, 2, 3)]
    graph = TaskGraph((10.0, 90.0, 30.0, 30.0, 10.0, 30.0, 30.0, 30.0, 10.0), tuple(edges), 0.0)
    assert bound(graph, 2) == pytest.approx(150.0)
    assert lower_bound(graph, 2) == pytest.approx(30 + 90 + 45, rel=1e-2)


def test_the_lower_bound_counts_hand_overs() -> None:
    graph = TaskGraph((1.0, 50.0, 50.0, 1.0), ((0, 1), (0, 2), (1, 3), (2, 3)), hand_over=24.0)
    assert bound(graph, 2) == 52.0
    assert lower_bound(graph, 2) == pytest.approx(76.0)


def test_the_search_ends_with_the_budget_and_at_the_bound() -> None:
    graph = TaskGraph((10.0,) * 5, ((0, 1),))
    ticks = iter(range(1000))
    refine(graph, on(2, graph), 5.0, clock=lambda: float(next(ticks)))
    assert next(ticks) < 10
    pair = TaskGraph((10.0,) * 2, ())
    assert makespan(pair, refine(pair, on(2, pair), 1e9)) == 10.0


def test_progress_goes_to_the_end() -> None:
    graph = TaskGraph((100.0,) * 40, tuple((i, i + 3) for i in range(37)), hand_over=1.0)
    calls: list[tuple[int, int]] = []
    refine(graph, serial(graph), 60.0, moves=30, progress=lambda *call: calls.append(call))
    assert calls == sorted(calls) and calls[-1] == (100, 100)


@pytest.mark.parametrize(
    "budget, options, problem",
    [
        (0.0, {}, "budget"),
        (-1.0, {}, "budget"),
        (float("nan"), {}, "budget"),
        (1.0, {"moves": -1}, "moves"),
        (1.0, {"memory_limit": 15.0}, "bytes"),
    ],
)
def test_bad_options_are_refused(budget: float, options: dict[str, Any], problem: str) -> None:
    graph = TaskGraph((1.0, 1.0), (), sizes=(10.0, 10.0))
    with pytest.raises(ValueError, match=problem):
        refine(graph, on(2, graph), budget, **options)


def test_nothing_to_refine() -> None:
    empty = TaskGraph((), ())
    assert refine(empty, Placement(((),)), 1.0) == Placement(((),))
    assert lower_bound(empty, 3) == 0.0
    with pytest.raises(ValueError, match="worker"):
        lower_bound(empty, 0)
    with pytest.raises(ValueError, match="steps"):
        lower_bound(empty, 1, steps=-1)
