"""Placing tasks on the streams of a device that they share, and simulating it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel.analysis.critical_path import critical_path
from ramiel.analysis.gpu import GPUS, LAUNCH, kernel_cost
from ramiel.analysis.placement import Placement
from ramiel.analysis.sharing import simulate_sharing, timeline_of
from ramiel.analysis.simulate import Deadlock, simulate
from ramiel.analysis.static_cost import Work
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.choose import Choice
from ramiel.schedule.ios import ios
from ramiel.schedule.place import serial
from ramiel.schedule.streams import ROBUST, SCHEDULERS, automatic, fewer, opara

EXACT = 1e-6


@st.composite
def graphs(draw: st.DrawFn, most_share: float = 1.0) -> TaskGraph:
    count = draw(st.integers(1, 12))
    edges = tuple((a, b) for b in range(count) for a in range(b) if draw(st.integers(0, 3)) == 0)
    costs = draw(st.lists(st.floats(0, 50), min_size=count, max_size=count))
    shares = draw(st.lists(st.floats(0, most_share), min_size=count, max_size=count))
    return TaskGraph(tuple(costs), edges, hand_over=1.0, shares=tuple(shares))


@given(graphs(), st.integers(1, 5), st.sampled_from(sorted(SCHEDULERS)))
@settings(deadline=None)
def test_every_scheduler_places_every_task_on_a_stream(
    graph: TaskGraph, streams: int, name: str
) -> None:
    placement = SCHEDULERS[name](graph, streams)
    assert sum(map(bool, placement.workers)) <= streams
    assert set(placement.threads(len(graph))) == {1}
    timeline = simulate_sharing(graph, placement)
    least = max(critical_path(graph)[0], sum(map(float.__mul__, graph.costs, graph.shares)))
    assert least <= timeline.makespan + EXACT


@given(graphs(), st.integers(1, 5))
@settings(deadline=None)
def test_auto_keeps_what_it_promises(graph: TaskGraph, streams: int) -> None:
    chosen = automatic(graph, streams).timeline.makespan
    for name in SCHEDULERS:
        other = simulate_sharing(graph, SCHEDULERS[name](graph, streams)).makespan
        assert chosen <= ROBUST * other + EXACT


@given(graphs(), st.floats(1, 3))
@settings(deadline=None)
def test_fewer_streams_take_at_most_the_limit(graph: TaskGraph, factor: float) -> None:
    placement = opara(graph, len(graph))
    choice = Choice("opara", placement, simulate_sharing(graph, placement))
    limit = factor * choice.timeline.makespan
    found = fewer(graph, choice, limit)
    used = [sum(map(bool, c.placement.workers)) for c in (choice, found)]
    assert used[0] >= used[1] >= 1 and set(found.placement.threads(len(graph))) == {1}
    assert found.timeline.makespan <= limit + EXACT
    assert found.timeline == simulate_sharing(graph, found.placement)


def test_a_stream_that_gains_nothing_is_left_out() -> None:
    """Task 2 fits behind task 1, beside task 0."""
    graph = TaskGraph((30, 10, 10), (), shares=(0.3,) * 3)
    placement = Placement(((0,), (1,), (2,)))
    choice = Choice("linear", placement, simulate_sharing(graph, placement))
    assert fewer(graph, choice, 30).placement.workers == ((0,), (1, 2))
    assert len(fewer(graph, choice, 50).placement.workers) == 1
    assert len(fewer(graph, choice, 29).placement.workers) == 3


@given(graphs(), st.integers(1, 5))
@settings(deadline=None)
def test_the_stages_of_ios_take_what_it_says(graph: TaskGraph, streams: int) -> None:
    """At least, as streams wait for values and not for the end of a stage."""
    plan = ios(graph, streams, strategies="parallel", wide=False)
    simulated = simulate_sharing(graph, plan.placement(graph, streams)).makespan
    assert simulated <= plan.latency * 1.5 + EXACT
    assert plan.latency <= graph.work + EXACT


def test_a_stage_of_ios_takes_as_long_as_its_longest_group_or_its_work() -> None:
    for share, latency in ((0.2, 12), (0.5, 15), (1.0, 30)):
        graph = TaskGraph((10,) * 3, (), hand_over=1.0, shares=(share,) * 3)
        plan = ios(graph, 3, strategies="parallel")
        assert plan.latency == latency


def test_measured_stages_replace_the_model() -> None:
    """Whatever the shares of the tasks say."""
    for share, together, stages in ((0.5, 30.0, 2), (0.5, 10.0, 1), (0.9, 10.0, 1), (0.9, 30.0, 2)):
        graph = TaskGraph((10, 10), (), hand_over=1.0, shares=(share, share))
        asked: list[Sequence[Sequence[int]]] = []

        def measure(groups: Sequence[Sequence[int]], us: float = together) -> float:
            asked.append(groups)  # noqa: B023
            return us

        plan = ios(graph, 2, strategies="parallel", measure=measure)
        assert len(plan.stages) == stages and plan.latency == min(together, 20)
        assert [sorted(map(tuple, groups)) for groups in asked] == [[(0,), (1,)]]


@given(graphs(), st.integers(1, 4))
@settings(deadline=None)
def test_measurements_that_agree_with_the_model_change_nothing(
    graph: TaskGraph, streams: int
) -> None:
    """Nor do stages that cannot be measured, and no stage is asked for twice."""
    asked: list[object] = []

    def measure(groups: Sequence[Sequence[int]]) -> None:
        asked.append(tuple(map(tuple, groups)))

    plan = ios(graph, streams, strategies="parallel")
    assert ios(graph, streams, strategies="parallel", measure=measure) == plan
    assert len(asked) == len(set(asked))


@given(graphs(most_share=1 / 12))
@settings(deadline=None)
def test_tasks_that_fit_beside_each_other_run_at_full_speed(graph: TaskGraph) -> None:
    """As on cores."""
    placement = opara(graph, len(graph))
    shared, alone = simulate_sharing(graph, placement), simulate(graph, placement)
    assert shared.start == pytest.approx(alone.start, abs=EXACT)
    assert shared.finish == pytest.approx(alone.finish, abs=EXACT)
    assert shared.hand_overs == alone.hand_overs


@given(graphs())
@settings(deadline=None)
def test_one_stream_takes_the_sum(graph: TaskGraph) -> None:
    assert simulate_sharing(graph, serial(graph)).makespan == pytest.approx(graph.work)


def test_tasks_that_fill_the_device_slow_each_other_down() -> None:
    """Two of 10 µs that fill it all take 20 together; one that ends gives its part back."""
    both = Placement(((0,), (1,)))
    assert simulate_sharing(TaskGraph((10, 10), (), shares=(1, 1)), both).makespan == 20
    assert simulate_sharing(TaskGraph((10, 10), (), shares=(0.5, 0.5)), both).makespan == 10
    # 4 µs at 2/3 of the speed are over after 6; of the other's 10, 4 are done by then.
    timeline = simulate_sharing(TaskGraph((4, 10), (), shares=(0.5, 1)), both)
    assert timeline.finish == pytest.approx((6, 12))


def test_a_graph_without_shares_is_simulated_on_cores() -> None:
    graph = TaskGraph((1.0, 2.0), ((0, 1),))
    assert timeline_of(graph, serial(graph)) == simulate(graph, serial(graph))


def test_wrong_placements_are_refused() -> None:
    graph = TaskGraph((1, 1), ((0, 1),), shares=(1, 1))
    with pytest.raises(Deadlock):
        simulate_sharing(graph, Placement(((1, 0),)))
    with pytest.raises(ValueError, match="one stream"):
        simulate_sharing(graph, Placement(((0, 1), (1,))))
    with pytest.raises(ValueError, match="not placed"):
        simulate_sharing(graph, Placement(((0,),)))
    with pytest.raises(ValueError, match="share"):
        TaskGraph((1,), (), shares=(2.0,))
    with pytest.raises(ValueError, match="need at least 1 stream"):
        automatic(graph, 0)


@given(graphs())
@settings(deadline=None)
def test_a_stream_of_oparas_is_a_path(graph: TaskGraph) -> None:
    """Each task follows one of its producers, each of which is followed by one task at most."""
    for stream in opara(graph, len(graph)).workers:
        assert all(pair in graph.edges for pair in pairwise(stream))


def test_oparas_rule() -> None:
    """0 -> 1, 2, 3; 4 reads 1, 2 and 3: the first consumer of 0 stays on its stream, and 4 joins
    the first of its producers."""
    graph = TaskGraph((1,) * 5, ((0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)), shares=(0.1,) * 5)
    assert opara(graph, 8).workers == ((0, 1, 4), (2,), (3,))


def test_kernels_cost_their_launch_and_fill_what_their_blocks_fill() -> None:
    gpu = GPUS["h100"]
    small = kernel_cost(Work(moved=16.0), 4, gpu)
    large = kernel_cost(Work(convolution=1e9, moved=1e6), 1e6, gpu)
    half = kernel_cost(Work(convolution=1e9, moved=1e6), 1e6, gpu, half=True)
    assert small.cost == pytest.approx(LAUNCH, rel=0.01) and small.share < 0.001
    assert large.cost > half.cost > LAUNCH and large.share > 0.9
    assert kernel_cost(Work(calls=0.25), 1e6, gpu) == (0.0, 0.0)
    assert kernel_cost(Work(moved=16.0), 4, gpu, launches=3).cost > 3 * LAUNCH
