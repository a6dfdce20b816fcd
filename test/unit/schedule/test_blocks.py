"""What IOS makes smaller before it searches: chains and light tasks contracted, blocks, halves."""

from itertools import pairwise

import pytest
from brute_force import dags
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.blocks import blocks, contract_chains, contract_light, halves, subgraph
from ramiel.schedule.endings import EndingGraph


@settings(deadline=None, derandomize=True)
@given(dags(), st.sampled_from([0.0, 20.0, float("inf")]))
def test_contraction_keeps_tasks_and_dependences(graph: TaskGraph, grain: float) -> None:
    units, members = contract_chains(graph, grain=grain, heads=(3, 5))
    assert sorted(task for tasks in members for task in tasks) == list(range(len(graph)))
    assert units.work == pytest.approx(graph.work)
    assert (units.hand_over, units.switch) == (graph.hand_over, graph.switch)
    unit_of = {task: unit for unit, tasks in enumerate(members) for task in tasks}
    arcs = {(unit_of[a], unit_of[b]) for a, b in graph.edges if unit_of[a] != unit_of[b]}
    assert set(units.edges) == arcs
    for tasks in members:
        for a, b in pairwise(tasks):
            assert graph.successors[a] == (b,) and graph.predecessors[b] == (a,)
        assert not {3, 5} & set(tasks[1:])


@settings(deadline=None, derandomize=True)
@given(dags(), st.sampled_from([0.0, 20.0, float("inf")]))
def test_joining_light_units_makes_no_cycle(graph: TaskGraph, grain: float) -> None:
    units, members = contract_light(graph, grain, heads=(3, 5))
    assert sorted(task for tasks in members for task in tasks) == list(range(len(graph)))
    unit_of = {task: unit for unit, tasks in enumerate(members) for task in tasks}
    arcs = {(unit_of[a], unit_of[b]) for a, b in graph.edges if unit_of[a] != unit_of[b]}
    assert set(units.edges) == arcs  # and a task graph has no cycle
    assert units.work == pytest.approx(graph.work)
    for tasks in members:
        assert tasks == sorted(tasks)
        assert sum(graph.costs[task] > grain for task in tasks) <= 1
        assert len(tasks) == 1 or not {3, 5} & set(tasks)


@settings(deadline=None, derandomize=True)
@given(dags())
def test_blocks_end_where_everything_passes(graph: TaskGraph) -> None:
    found = blocks(graph)
    assert [task for block in found for task in block] == list(range(len(graph)))
    reached = EndingGraph(graph).filters
    ends = {
        task
        for task in range(len(graph))
        if all(reached[other] >> task & 1 for other in range(task))
        and all(reached[task] >> other & 1 for other in range(task, len(graph)))
    }
    assert {block[-1] for block in found} | {len(graph) - 1} == ends | {len(graph) - 1}


@settings(deadline=None, derandomize=True)
@given(dags().filter(lambda graph: len(graph) > 1))
def test_halves_are_in_order(graph: TaskGraph) -> None:
    first, second = halves(graph)
    assert first and second and sorted(first + second) == list(range(len(graph)))
    assert not any(a in second and b in first for a, b in graph.edges)
    assert subgraph(graph, first).work + subgraph(graph, second).work == pytest.approx(graph.work)
