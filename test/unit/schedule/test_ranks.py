"""Schedules on several ranks, with links between them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random

import pytest
from brute_force import moldable_graphs
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel.analysis.memory import bytes_of_ranks, most_bytes
from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import simulate
from ramiel.analysis.streaming import overlapped
from ramiel.analysis.task_graph import Link, Messages, TaskGraph
from ramiel.schedule.choose import choose_automatically
from ramiel.schedule.dsc import dsc_clusters
from ramiel.schedule.edges import by_edges
from ramiel.schedule.greedy import greedy_stages
from ramiel.schedule.hyper import replicate
from ramiel.schedule.linear import linear_clusters
from ramiel.schedule.list_scheduling import list_schedule, list_schedule_at
from ramiel.schedule.order import order_tasks
from ramiel.schedule.pipeline import bottleneck, pipeline, stages
from ramiel.schedule.place import place, serial
from ramiel.schedule.refine import refine
from ramiel.schedule.throughput import choose_for_throughput


def on_ranks(
    graph: TaskGraph,
    ranks: tuple[int, ...],
    link: Link,
    sizes: tuple[float, ...] | None = None,
    weights: tuple[float, ...] | None = None,
) -> TaskGraph:
    nothing = (0.0,) * len(graph)
    values = sizes or nothing
    ends = tuple(0.0 if row else size for row, size in zip(graph.successors, values, strict=True))
    begins = tuple(0.0 if row else 8.0 for row in graph.predecessors)
    messages = Messages(values, begins, ends, weights or nothing)
    return replace(graph, ranks=ranks, link=link, messages=messages, sizes=sizes or ())


@st.composite
def graphs_on_ranks(draw: st.DrawFn) -> TaskGraph:
    graph = draw(moldable_graphs())
    width = max(graph.threads)
    count = draw(st.integers(1, 3))
    ranks = tuple(rank for rank in range(count) for _ in range(width))
    times, rates = st.floats(0, 100), st.floats(0.01, 1000)
    link = Link(draw(times), draw(rates), draw(times), draw(rates))
    some = st.lists(st.integers(0, 500), min_size=len(graph), max_size=len(graph))
    sizes, weights = (tuple(map(float, draw(some))) for _ in range(2))
    return on_ranks(graph, ranks, link, sizes, weights)


def check(graph: TaskGraph, placement: Placement) -> None:
    """Nothing starts before its inputs are there, and a team is of one rank."""
    timeline, leader = simulate(graph, placement), placement.leaders(len(graph))
    for producer, consumer in graph.edges:
        least = graph.delay(producer, leader[producer], leader[consumer])
        assert timeline.start[consumer] >= timeline.finish[producer] + least - 1e-6
    for task, worker in enumerate(leader):
        if graph.rank_of(worker):
            assert timeline.start[task] >= graph.inputs_far[task] - 1e-6
            assert timeline.makespan >= timeline.finish[task] + graph.outputs_far[task] - 1e-6
        holders = [w for w, order in enumerate(placement.workers) if task in order]
        assert len({graph.rank_of(holder) for holder in holders}) == 1


@settings(deadline=None, derandomize=True, max_examples=60)
@given(graphs_on_ranks())
def test_every_scheduler_keeps_to_ranks_and_links(graph: TaskGraph) -> None:
    workers = len(graph.ranks)
    alone = simulate(graph, serial(graph)).makespan
    listed = list_schedule(graph, workers)
    found = [
        place(graph, linear_clusters(graph), workers),
        listed,
        greedy_stages(graph, workers).placement(graph, workers),
        refine(graph, listed, 60, moves=50),
    ]
    for placement in found:
        check(graph, placement)
    assert simulate(graph, listed).makespan <= alone + 1e-6
    assert simulate(graph, found[-1]).makespan <= simulate(graph, listed).makespan + 1e-6
    chosen = choose_automatically(graph, workers)
    check(graph, chosen.placement)
    assert chosen.timeline.makespan <= alone + 1e-6


@settings(deadline=None, derandomize=True, max_examples=60)
@given(graphs_on_ranks(), st.floats(100, 3000))
def test_a_memory_limit_is_for_each_rank(graph: TaskGraph, limit: float) -> None:
    try:
        placement = list_schedule(graph, len(graph.ranks), limit)
    except ValueError as error:
        assert "too small" in str(error)
        return
    timeline = simulate(graph, placement)
    assert most_bytes(graph, placement, timeline) <= limit
    held = sum(graph.messages.weights) if graph.messages else 0
    assert sum(bytes_of_ranks(graph, placement, timeline)) >= held


@settings(deadline=None, derandomize=True, max_examples=60)
@given(graphs_on_ranks())
def test_clusters_for_ranks_are_no_slower_for_knowing_the_link(graph: TaskGraph) -> None:
    workers = len(graph.ranks)
    for cluster in (linear_clusters, dsc_clusters):
        found = by_edges(graph, workers, partial(cluster, graph))
        assert sorted(task for row in found for task in row) == list(range(len(graph)))
        placement, without = (place(graph, c, workers) for c in (found, cluster(graph)))
        check(graph, placement)
        assert simulate(graph, placement).makespan <= simulate(graph, without).makespan + 1e-6


def test_dsc_keeps_a_large_value_on_its_rank() -> None:
    """The longest path is by cost through the small value, and by link through the large one."""
    graph = TaskGraph((1.0, 20.0, 20.0, 1.0), ((0, 1), (0, 2), (1, 3), (2, 3)), hand_over=1.0)
    ranked = on_ranks(graph, (0, 1), Link(1.0, 1.0), (1.0, 1.0, 500.0, 1.0))
    together = {frozenset(row) for row in dsc_clusters(ranked, ranked.far)}
    assert any({2, 3} <= row for row in together)


def test_stages_use_a_second_machine_if_the_link_is_fast() -> None:
    """Four branches of two machines stay on the first, unless the link is fast."""
    branches = range(1, 5)
    edges = [(0, b) for b in branches] + [(b, 5) for b in branches]
    graph = TaskGraph((1.0, 9.0, 9.0, 9.0, 9.0, 1.0), tuple(edges), hand_over=0.1)
    ranked = on_ranks(graph, (0, 0, 1, 1), Link(20.0, 1e6), (8.0,) * 6)
    placement = greedy_stages(ranked, 4).placement(ranked, 4)
    assert simulate(ranked, placement).messages == 0
    fast = on_ranks(graph, (0, 0, 1, 1), Link(0.5, 1e6), (8.0,) * 6)
    assert simulate(fast, greedy_stages(fast, 4).placement(fast, 4)).messages > 0


FAST, SLOW = Link(1.0, 1e6), Link(1e5, 1e6)


def test_two_branches_are_divided_if_the_link_is_fast() -> None:
    """And only then: a join, at the end of two long tasks."""
    graph = TaskGraph((100.0, 100.0, 1.0), ((0, 2), (1, 2)), hand_over=1.0)
    for link, expected in ((FAST, 103.0), (SLOW, 201.0)):
        ranked = on_ranks(graph, (0, 1), link, (8.0, 8.0, 8.0))
        choice = choose_automatically(ranked, 2)
        assert choice.timeline.makespan == pytest.approx(expected, abs=1.0)
        assert choice.timeline.messages == (1 if link is FAST else 0)


def test_weights_that_fit_no_rank_are_split() -> None:
    graph = TaskGraph((10.0,) * 4, ((0, 1), (1, 2), (2, 3)))
    ranked = on_ranks(graph, (0, 1), SLOW, (4.0,) * 4, (100.0,) * 4)
    placement = list_schedule(ranked, 2, memory_limit=230.0)
    assert placement.workers == ((0, 1), (2, 3))
    assert bytes_of_ranks(ranked, placement, simulate(ranked, placement)) == [216.0, 216.0]
    with pytest.raises(ValueError, match="too small"):
        list_schedule(ranked, 2, memory_limit=190.0)


def test_messages_of_a_rank_follow_each_other() -> None:
    """Two values of 100 µs each leave rank 0 one after the other, though they are ready at once."""
    graph = TaskGraph((10.0, 10.0, 1.0, 1.0), ((0, 2), (1, 3)))
    ranked = on_ranks(graph, (0, 0, 1, 1), Link(5.0, 1.0), (100.0, 100.0, 0.0, 0.0))
    timeline = simulate(ranked, Placement(((0,), (1,), (2,), (3,))))
    assert sorted(timeline.start[2:]) == [115.0, 215.0]
    assert timeline.messages == 2


def test_copies_for_a_batch_have_messages_of_their_own() -> None:
    graph = on_ranks(TaskGraph((1.0, 2.0), ((0, 1),)), (0, 1), FAST, (3.0, 4.0))
    twice = replicate(graph, 2)
    assert twice.ranks == graph.ranks and twice.link == graph.link
    assert twice.messages is not None and twice.messages.values == (3.0, 4.0, 3.0, 4.0)


@pytest.mark.parametrize("latency", [-1.0, float("inf"), float("nan")])
def test_links_that_are_none(latency: float) -> None:
    with pytest.raises(ValueError, match="latency"):
        Link(latency, 1.0)
    with pytest.raises(ValueError, match="rate"):
        Link(1.0, -abs(latency))
    with pytest.raises(ValueError, match="overhead"):
        Link(1.0, 1.0, latency)
    with pytest.raises(ValueError, match="need a link"):
        TaskGraph((1.0,), (), ranks=(0,))


def test_a_worker_that_sends_does_nothing_else_meanwhile() -> None:
    """Nor does one that receives: 3 µs each, and the 100 bytes that the sender copies."""
    graph = TaskGraph((10.0, 20.0, 5.0, 1.0, 2.0), ((0, 3), (0, 4)), 1.0)
    link = Link(5.0, 2.0, overhead=3.0, copying=50.0)
    ranked = on_ranks(graph, (0, 1, 2), link, (100.0, 0.0, 0.0, 0.0, 0.0))
    found = simulate(ranked, Placement(((0, 1), (2, 3), (4,))))
    assert found.start[1] == 10.0 + 2 * (3.0 + 2.0)
    assert found.start[2] == 3.0 + 5.0 + 4.0 + 3.0  # an input of 8 bytes
    begin = 10.0 + 3.0
    assert found.start[3] == begin + 5.0 + 50.0 + 3.0
    assert found.start[4] == found.start[3] + 50.0  # as rank 0 sends one message at a time
    assert found.messages == 2


def test_a_message_that_is_there_costs_its_reader_time() -> None:
    graph = TaskGraph((1.0, 100.0, 1.0), ((0, 2),), 1.0)
    link = Link(5.0, 1e6, overhead=3.0)
    ranked = on_ranks(graph, (0, 1), link, (8.0, 0.0, 0.0))
    found = simulate(ranked, Placement(((0,), (1, 2))))
    assert found.start[2] == pytest.approx(found.finish[1] + 3.0)
    free = replace(ranked, link=Link(5.0, 1e6))
    found = simulate(free, Placement(((0,), (1, 2))))
    assert found.start[2] == found.finish[1]


def test_an_edge_costs_what_its_ends_spend() -> None:
    graph = TaskGraph((1.0, 1.0), ((0, 1),), hand_over=1.0)
    ranked = on_ranks(graph, (0, 1), Link(5.0, 2.0, overhead=3.0), (8.0, 0.0))
    assert ranked.far[0] == ranked.delay(0, 0, 1) == 3.0 + 5.0 + 4.0 + 3.0
    seen: list[tuple[float, ...]] = []
    by_edges(ranked, 2, lambda edges: seen.append(tuple(edges)) or [[0, 1]])
    assert seen == [(1.0, 1.0), ranked.far]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(graphs_on_ranks(), st.randoms(use_true_random=False))
def test_tasks_whose_ranks_are_given_stay_there(graph: TaskGraph, random: Random) -> None:
    home = [random.randrange(graph.rank_count) for _ in graph.costs]
    placement = list_schedule_at(graph, home)
    assert [graph.rank_of(w) for w in placement.leaders(len(graph))] == home
    check(graph, placement)
    first = order_tasks(graph, [graph.team_of(r)[0] for r in home], len(graph.ranks))
    assert simulate(graph, placement).makespan <= simulate(graph, first).makespan + 1e-6


def test_a_rank_uses_all_its_workers() -> None:
    graph = TaskGraph((10.0, 50.0, 50.0, 50.0, 50.0), ((0, 1), (0, 2), (0, 3), (0, 4)), 1.0)
    ranked = on_ranks(graph, (0, 0, 1, 1), FAST, (8.0, 0.0, 0.0, 0.0, 0.0))
    placement = list_schedule_at(ranked, (0, 0, 0, 1, 1))
    assert all(placement.workers) and simulate(ranked, placement).makespan < 70.0


def test_workers_elsewhere_begin_once_they_have_heard_of_a_call() -> None:
    """So small models stay on one rank, and in one process, where that is faster."""
    two = TaskGraph((40.0, 40.0), (), hand_over=0.0, call=75.0)
    apart = Placement(((0,), (1,)))
    link = Link(0.0, 1e9)
    for graph in (two, on_ranks(two, (0, 1), link)):
        timeline = simulate(graph, apart)
        assert timeline.start == pytest.approx((0.0, 75.0))
        assert choose_automatically(graph, 2).timeline.makespan == pytest.approx(80.0)
    near = on_ranks(two, (0, 0), link)
    assert simulate(near, apart).makespan == pytest.approx(40.0)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(moldable_graphs(8), st.data())
def test_stages_know_the_link(graph: TaskGraph, data: st.DataObject) -> None:
    """The largest stage is least where two ranks have a worker each."""
    count, size = len(graph), st.integers(0, 500).map(float)
    link = Link(0.0, data.draw(st.sampled_from([0.5, 20.0])), data.draw(st.floats(0, 30)), 50.0)
    values, weights = (
        tuple(data.draw(st.lists(size, min_size=count, max_size=count))) for _ in range(2)
    )
    ranked = on_ranks(graph, (0, 1), link, values, weights)
    found = stages(ranked, range(count), 2)
    cuts = [[list(range(cut)), list(range(cut, count))] for cut in range(1, count)]
    every = [[list(range(count))], *cuts] if count else [[]]
    assert bottleneck(ranked, found) == pytest.approx(min(bottleneck(ranked, c) for c in every))
    limit = data.draw(st.floats(0, 3000))
    fits = [c for c in every if all(sum(weights[t] for t in stage) <= limit for stage in c)]
    limited = stages(ranked, range(count), 2, limit)
    if fits:
        assert bottleneck(ranked, limited) == pytest.approx(
            min(bottleneck(ranked, c) for c in fits)
        )
    else:
        assert limited == found


@settings(deadline=None, derandomize=True, max_examples=80)
@given(graphs_on_ranks(), st.integers(1, 5))
def test_streams_wait_for_links(graph: TaskGraph, in_flight: int) -> None:
    """Results follow each other no faster than the largest stage allows, and no slower than calls
    that follow each other, however many are under way."""
    placement = pipeline(graph, len(graph.ranks))
    interval = overlapped(graph, placement, in_flight)
    assert interval >= bottleneck(replace(graph, hand_over=0.0), placement.workers) - 1e-6
    if in_flight == 1:
        assert interval == pytest.approx(simulate(graph, placement).makespan)


def test_streams_on_ranks() -> None:
    """Stages where the link allows them; whole requests on one machine, and batches of which each
    rank computes a part, where that is more; and what the memory of each rank holds."""
    link = Link(10.0, 1000.0, 2.0, 1000.0)
    chain = TaskGraph((100.0,) * 4, ((0, 1), (1, 2), (2, 3)))
    graph = on_ranks(chain, (0, 1), link, (1000.0,) * 4, (100.0,) * 4)
    stages = choose_for_throughput(graph, 2, batches=False)
    assert stages.streaming.way == "pipeline" and stages.placement.workers == ((0, 1), (2, 3))
    assert 200 < stages.steady.interval < 210
    apart = TaskGraph((100.0, 300.0), ((0, 1),))
    batches = choose_for_throughput(on_ranks(apart, (0, 1), link, (1000.0,) * 2), 2)
    assert batches.streaming.way == "batches" and 200 < batches.steady.interval < 220
    slow = on_ranks(chain, (0, 1), replace(link, rate=1.0), (1000.0,) * 4)
    alone = choose_for_throughput(slow, 2, batches=False)
    assert alone.streaming.way == "serial" and alone.streaming.at_a_time == 1
    heavy = on_ranks(chain, (0, 1), replace(link, rate=1.0), (1000.0,) * 4, (5e4,) * 4)
    assert choose_for_throughput(heavy, 2, batches=False).streaming.way == "serial"
    held = choose_for_throughput(heavy, 2, memory_limit=11e4)
    assert held.streaming.way == "pipeline" and held.placement.workers == ((0, 1), (2, 3))
    with pytest.raises(ValueError, match="memory limit"):
        choose_for_throughput(heavy, 2, memory_limit=9e4)
    patient = choose_for_throughput(graph, 2, latency_limit=410.0, batches=False)
    assert patient.steady.latency <= 410.0
