"""IOS and the schedules that it is compared with: stages, endings, blocks, fallbacks."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import combinations, pairwise
from math import prod
from typing import Any, cast

import pytest
from brute_force import dags
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel.analysis.critical_path import bound
from ramiel.analysis.simulate import simulate
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.endings import EndingGraph, endings
from ramiel.schedule.greedy import greedy_stages, sequential_stages
from ramiel.schedule.ios import Merges, Strategies, ios
from ramiel.schedule.stages import StagePlan, share_out

EMPTY = TaskGraph((), ())
ANY = 100
"""An r or s that prunes nothing in the graphs here."""


@st.composite
def small_graphs(draw: st.DrawFn, most: int = 7) -> TaskGraph:
    """A random DAG none of whose tasks is so light that it is contracted."""
    tasks = draw(st.integers(0, most))
    random = draw(st.randoms(use_true_random=False))
    density = draw(st.sampled_from([0.15, 0.3, 0.6]))
    costs = tuple(float(random.randint(10, 60)) for _ in range(tasks))
    return TaskGraph(
        costs,
        tuple((i, j) for j in range(tasks) for i in range(j) if random.random() < density),
        hand_over=draw(st.sampled_from([0.0, 1.0, 4.0])),
        wide={n: tuple(c * random.uniform(0.9 / n, 1.2) for c in costs) for n in (2, 4)},
        switch=draw(st.sampled_from([0.0, 1.0])),
    )


def chains(count: int, length: int) -> TaskGraph:
    """Independent chains of tasks, too heavy to be contracted."""
    edges = [(i, i + 1) for i in range(count * length) if (i + 1) % length]
    return TaskGraph((100.0,) * (count * length), tuple(edges), hand_over=1.0)


def components(graph: TaskGraph, tasks: frozenset[int]) -> list[set[int]]:
    """The weakly connected parts of some tasks."""
    parts = [{task} for task in tasks]
    for a, b in graph.edges:
        if a in tasks and b in tasks:
            one, other = (next(part for part in parts if t in part) for t in (a, b))
            if one is not other:
                parts.remove(other)
                one |= other
    return parts


def lpt(times: list[float], workers: int, fork_join: float) -> float:
    """The latency of groups by the rule that `share_out` documents."""
    done = [(0.0, 0)] + [(fork_join, worker) for worker in range(1, workers)]
    latency = 0.0
    for time in sorted(times, reverse=True):
        first, worker = min(done)
        done[worker] = (first + time, worker)
        latency = max(latency, first + time)
    return latency


def best_latency(
    graph: TaskGraph,
    workers: int,
    r: int,
    s: int,
    merges: Mapping[frozenset[int], float],
    wide: bool,
    concurrent: bool = True,
) -> float:
    """The least latency of all sequences of stages, tried from the first stage on."""

    def latencies(stage: frozenset[int]) -> Iterator[float]:
        groups = components(graph, stage)
        if concurrent or len(stage) == 1:
            times = [sum(graph.costs[t] for t in group) for group in groups]
            yield lpt(times, workers, 2 * graph.hand_over)
        if wide and len(stage) == 1:
            for count in graph.wide:
                if count <= workers:
                    yield graph.wide[count][min(stage)] + 2 * graph.switch
        if stage in merges and len(groups) == len(stage):
            yield merges[stage]

    @cache
    def best(done: frozenset[int]) -> float:
        left = [t for t in range(len(graph)) if t not in done]
        if not left:
            return 0.0
        result = float("inf")
        for size in range(1, len(left) + 1):
            for chosen in combinations(left, size):
                stage = frozenset(chosen)
                if any(set(graph.predecessors[t]) - done - stage for t in stage):
                    continue
                groups = components(graph, stage)
                if len(groups) > s or max(map(len, groups)) > r:
                    continue
                for latency in latencies(stage):
                    result = min(result, latency + best(done | stage))
        return result

    return best(frozenset())


def covers_once(graph: TaskGraph, plan: StagePlan) -> bool:
    tasks = [task for stage in plan.stages for group in stage.groups for task in group]
    return sorted(tasks) == list(range(len(graph)))


def stages_are_legal(graph: TaskGraph, plan: StagePlan) -> bool:
    """Whether what a task reads is from an earlier stage, or made earlier by its own group."""
    done: set[int] = set()
    for stage in plan.stages:
        for group in stage.groups:
            here = set(done)
            for task in group:
                if not here.issuperset(graph.predecessors[task]):
                    return False
                here.add(task)
        done.update(task for group in stage.groups for task in group)
    return True


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    small_graphs(),
    st.sampled_from([(ANY, ANY), (3, 8), (2, 2), (1, 3), (1, 1)]),
    st.sampled_from([1, 2, 3, 8]),
    st.booleans(),
)
def test_no_sequence_of_stages_is_better(
    graph: TaskGraph, pruning: tuple[int, int], workers: int, wide: bool
) -> None:
    r, s = pruning
    plan = ios(graph, workers, r=r, s=s, wide=wide)
    assert plan.latency == pytest.approx(best_latency(graph, workers, r, s, {}, wide))
    assert all(len(group) <= r for stage in plan.stages for group in stage.groups)
    assert all(len(stage.groups) <= s for stage in plan.stages)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    small_graphs(6),
    st.data(),
    st.sampled_from([(ANY, ANY), (2, 2)]),
    st.sampled_from(["both", "merge"]),
)
def test_merging_is_optimal_too(
    graph: TaskGraph, data: st.DataObject, pruning: tuple[int, int], strategies: Strategies
) -> None:
    sets = [frozenset(c) for k in (2, 3) for c in combinations(range(len(graph)), k)]
    chosen = data.draw(st.lists(st.sampled_from(sets), unique=True)) if sets else []
    merges = {tasks: 0.6 * sum(graph.costs[t] for t in tasks) for tasks in chosen}
    r, s = pruning
    plan = ios(
        graph,
        2,
        r=r,
        s=s,
        wide=False,
        merges={tasks: {1: time} for tasks, time in merges.items()},
        strategies=strategies,
    )
    expected = best_latency(graph, 2, r, s, merges, False, strategies == "both")
    assert plan.latency == pytest.approx(expected)
    assert covers_once(graph, plan)
    assert all(frozenset(stage.groups[0]) in merges for stage in plan.stages if stage.merged)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(dags(), st.sampled_from([1, 2, 3, 8]), st.sampled_from([40, 1000, 20_000]))
def test_plans_become_placements_that_are_no_slower(
    graph: TaskGraph, workers: int, limit: int
) -> None:
    plans = {
        "ios": ios(graph, workers, wide=False, max_transitions=limit),
        "moldable": ios(graph, workers, max_transitions=limit),
        "greedy": greedy_stages(graph, workers),
        "sequential": sequential_stages(graph),
    }
    for plan in plans.values():
        assert covers_once(graph, plan) and stages_are_legal(graph, plan)
        makespan = simulate(graph, plan.placement(graph, workers)).makespan
        assert bound(graph, workers) <= makespan * (1 + 1e-9)
        assert makespan <= plan.latency * (1 + 1e-9) + 1e-9
    assert plans["sequential"].latency == pytest.approx(graph.work)
    assert plans["ios"].latency <= graph.work * (1 + 1e-9)
    for name in ("ios", "moldable"):
        assert sum(report.tasks for report in plans[name].reports) == len(graph)
        assert all(r.transitions <= 8 * limit + 8 for r in plans[name].reports)


@settings(deadline=None, derandomize=True)
@given(dags(), st.sampled_from([30, 1000, 20_000]), st.sampled_from(["both", "merge"]))
def test_merging_survives_every_fallback(
    graph: TaskGraph, limit: int, strategies: Strategies
) -> None:
    """Whatever reads the same value may be merged, two by two."""
    merges = {
        frozenset(pair): {1: 0.5 * sum(graph.costs[t] for t in pair), 2: 0.0}
        for consumers in graph.successors
        for pair in pairwise(consumers)
    }
    plan = ios(graph, 2, merges=merges, strategies=strategies, max_transitions=limit)
    assert covers_once(graph, plan) and stages_are_legal(graph, plan)
    for stage in plan.stages:
        assert all(group == tuple(sorted(group)) for group in stage.groups)
        assert not stage.merged or frozenset(stage.groups[0]) in merges
    simulate(graph, plan.placement(graph, 2))


@settings(deadline=None, derandomize=True)
@given(small_graphs(), st.sampled_from([1, 2, 3, ANY]), st.sampled_from([1, 2, ANY]))
def test_endings_are_those_of_the_definition(graph: TaskGraph, r: int, s: int) -> None:
    masks = EndingGraph(graph)
    tasks = range(len(graph))
    every = [frozenset(c) for k in range(len(graph) + 1) for c in combinations(tasks, k)]
    closed = [t for t in every if all(t.issuperset(graph.predecessors[x]) for x in t)]
    states = masks.states(10_000)
    assert states is not None and len(states) == len(set(states)) == len(closed)
    assert len(closed) == 1 or masks.states(len(closed) - 1) is None
    for state in closed:
        expected = [
            ending
            for ending in every
            if ending
            and ending <= state
            and not any(a in ending and b in state - ending for a, b in graph.edges)
            and len(groups := components(graph, ending)) <= s
            and max(map(len, groups)) <= r
        ]
        mask = sum(1 << task for task in state)
        found = [ending for ending, _ in endings(masks.groups(mask, r), s, (0.0, 8.0))]
        assert sorted(found) == sorted(sum(1 << task for task in e) for e in expected)
        for ending in expected:
            parts = masks.components(sum(1 << task for task in ending))
            sums = [sum(1 << task for task in part) for part in components(graph, ending)]
            assert sorted(parts) == sorted(sums)


@pytest.mark.parametrize(("count", "length"), [(1, 5), (2, 3), (3, 3), (4, 2)])
def test_the_numbers_of_the_paper_for_independent_chains(count: int, length: int) -> None:
    """Chains of n / d units: (n/d + 1)^d states, at most C(n/d + 2, 2)^d transitions."""
    plan = ios(chains(count, length), 2, r=ANY, s=ANY, wide=False)
    if count == 1:  # each task is a block
        assert [(r.states, r.transitions) for r in plan.reports] == [(2, 1)] * length
        return
    (report,) = plan.reports
    states = (length + 1) ** count
    pairs = prod([(length + 2) * (length + 1) // 2] * count)
    assert report.states == states
    assert report.transitions == pairs - states  # the paper counts the empty ending, too
    assert report.fallback == ""
    assert report.estimate == pytest.approx(report.transitions, rel=0.1)


def test_branches_run_side_by_side_if_that_pays() -> None:
    edges = ((0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4))
    graph = TaskGraph((50.0, 100.0, 60.0, 50.0, 50.0), edges, hand_over=2.0)
    plan = ios(graph, 2, wide=False)
    assert [stage.groups for stage in plan.stages] == [((0,),), ((1,), (2,), (3,)), ((4,),)]
    assert plan.latency == 50 + (60 + 50 + 4) + 50
    far = replace(graph, hand_over=200.0)
    assert ios(far, 2, wide=False).latency == far.work
    # Without a barrier the short branches need not be handed over, and the long one is hidden.
    assert simulate(graph, plan.placement(graph, 2)).makespan == 50 + 60 + 50 + 50


def test_serial_on_all_threads_is_one_of_the_schedules() -> None:
    graph = chains(1, 4)
    graph = replace(graph, wide={2: (55.0,) * 4, 4: (30.0,) * 4})
    assert ios(graph, 4).latency == 4 * 30
    assert ios(graph, 2).latency == ios(graph, 3).latency == 4 * 55
    assert ios(graph, 4, wide=False).latency == 400
    placement = ios(graph, 4).placement(graph, 4)
    assert placement.workers == (tuple(range(4)),) * 4
    with pytest.raises(ValueError, match="a stage needs 4 workers, there are 2"):
        ios(graph, 4).placement(graph, 2)


def test_a_unit_of_merged_tasks_ends_with_what_follows_them() -> None:
    """Two convolutions with activations, of one input, and their sum."""
    edges = ((0, 1), (0, 3), (1, 2), (3, 4), (2, 5), (4, 5))
    graph = TaskGraph((100.0, 100.0, 1.0, 100.0, 1.0, 100.0), edges)
    merges: Merges = {frozenset((1, 3)): {1: 120.0, 2: 70.0}}
    plan = ios(graph, 2, merges=merges, wide=False)
    assert [(stage.groups, stage.merged) for stage in plan.stages] == [
        (((0,),), False),
        (((1, 3),), True),
        (((2,),), False),
        (((4,),), False),
        (((5,),), False),
    ]
    assert plan.latency == 100 + 120 + 1 + 1 + 100
    assert plan.placement(graph, 2).leaders(6) == [0] * 6
    assert ios(graph, 2, merges=merges, strategies="parallel", wide=False).latency == 349
    moldable = replace(graph, wide={2: graph.costs})
    assert ios(moldable, 2, merges=merges).latency == 100 + 70 + 1 + 1 + 100


def test_what_is_too_expensive_is_searched_otherwise_and_reported() -> None:
    graph = chains(5, 3)
    exact = ios(graph, 2, max_transitions=1_000_000)
    assert [report.fallback for report in exact.reports] == [""]
    seen: set[str] = set()
    for limit in (exact.reports[0].estimate - 1, 20_000, 2000, 200, 1):
        plan = ios(graph, 2, max_transitions=limit)
        assert covers_once(graph, plan)
        assert exact.latency <= plan.latency <= graph.work
        assert all(r.estimate <= limit or r.units == 1 for r in plan.reports)
        seen.update(report.fallback for report in plan.reports)
    assert {what for each in seen for what in each.split(", ")} >= {
        "tighter",
        "whole chains",
        "window",
    }


def test_progress_goes_from_start_to_end() -> None:
    graph = chains(4, 4)
    calls: list[tuple[int, int]] = []
    ios(graph, 2, progress=lambda done, total: calls.append((done, total)))
    assert len(calls) > 2 and calls == sorted(calls)
    assert len({total for _, total in calls}) == 1 and calls[-1][0] == calls[-1][1] > 16


def test_greedy_takes_all_that_is_ready() -> None:
    graph = TaskGraph((100.0,) * 5, ((0, 3), (1, 3), (2, 4)), hand_over=1.0)
    plan = greedy_stages(graph, 2)
    assert [stage.groups for stage in plan.stages] == [((0,), (1,), (2,)), ((3,), (4,))]
    assert plan.latency == 200 + 102


@pytest.mark.parametrize("workers", [1, 2])
def test_an_empty_graph_has_no_stages(workers: int) -> None:
    for plan in (ios(EMPTY, workers), greedy_stages(EMPTY, workers), sequential_stages(EMPTY)):
        assert (plan.stages, plan.latency, plan.reports) == ((), 0.0, ())
        assert plan.placement(EMPTY, workers).workers == ((),) * workers


def test_shares_are_longest_first() -> None:
    assert share_out([10.0, 50.0, 40.0, 20.0], [0.0, 0.0]) == (60.0, [[1, 0], [2, 3]])
    assert share_out([50.0, 10.0], [0.0, 20.0]) == (50.0, [[0], [1]])
    assert share_out([30.0, 10.0], [0.0, 20.0]) == (40.0, [[0, 1]])
    assert share_out([], [0.0, 1.0, 1.0]) == (0.0, [])


@pytest.mark.parametrize("name", ["workers", "r", "s", "max_transitions"])
def test_numbers_below_one_are_refused(name: str) -> None:
    arguments: dict[str, Any] = {"workers": 1, name: 0}
    with pytest.raises(ValueError, match=f"{name} is 0: need at least 1"):
        ios(EMPTY, **arguments)


def test_bad_merges_and_strategies_are_refused() -> None:
    graph = chains(2, 1)
    for tasks, times, message in [
        ({0}, {1: 1.0}, "cannot be merged"),
        ({0, 2}, {1: 1.0}, "cannot be merged"),
        ({0, 1}, {2: 1.0}, "need times >= 0, and one on 1 thread"),
        ({0, 1}, {1: float("nan")}, "need times >= 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            ios(graph, 1, merges={frozenset(tasks): times})
    with pytest.raises(ValueError, match="strategies are both, parallel, merge, not 'all'"):
        ios(graph, 1, strategies=cast(Any, "all"))
    with pytest.raises(ValueError, match="at least 1 worker"):
        greedy_stages(graph, 0)
    with pytest.raises(ValueError, match="at least 1 worker"):
        sequential_stages(graph).placement(graph, 0)
