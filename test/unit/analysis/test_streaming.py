"""The simulated steady state of requests that follow each other."""

from itertools import chain

import pytest
from brute_force import moldable_graphs
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import simulate, total_order
from ramiel.analysis.streaming import ROUNDS, WAYS, Streaming, overlapped, steady
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.hyper import replicate, whole_samples
from ramiel.schedule.linear import linear_clusters
from ramiel.schedule.place import intra_op, place, serial

CHAIN = TaskGraph((30.0, 50.0, 20.0), ((0, 1), (1, 2)), hand_over=1.0, crowding=1.25)
STAGES = Placement(((0,), (1, 2)))


@settings(deadline=None, derandomize=True, max_examples=100)
@given(moldable_graphs(12), st.integers(1, 4))
def test_workers_that_go_from_run_to_run(graph: TaskGraph, workers: int) -> None:
    """As in the simulation of all runs as one graph, where so many may be under way."""
    placement = place(graph, linear_clusters(graph), workers)
    in_flight = 4
    runs = 2 * ROUNDS * in_flight
    orders = [
        tuple(chain.from_iterable((r * len(graph) + task for task in order) for r in range(runs)))
        for order in placement.workers
    ]
    finish = simulate(replicate(graph, runs), Placement(tuple(orders))).finish
    ends: list[float] = []
    for run in range(runs):
        own = finish[run * len(graph) : (run + 1) * len(graph)]
        ends.append(max([*own, *ends[-1:]], default=0.0))
    unbounded = (ends[-1] - ends[runs // 2 - 1]) / (runs // 2)
    assert overlapped(graph, placement, in_flight) >= unbounded - 1e-9
    assert overlapped(graph, placement, 1) == pytest.approx(simulate(graph, placement).makespan)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(moldable_graphs(12), st.integers(1, 4), st.integers(1, 5))
def test_more_in_flight_take_no_longer_and_no_worker_does_two_things(
    graph: TaskGraph, workers: int, in_flight: int
) -> None:
    placement = place(graph, linear_clusters(graph), workers)
    interval = overlapped(graph, placement, in_flight)
    assert interval >= overlapped(graph, placement, in_flight + 1) - 1e-9
    timeline = simulate(graph, placement)
    assert interval >= max(timeline.busy, default=0.0) - 1e-9
    assert interval >= timeline.makespan / in_flight - 1e-9


def test_each_way_by_hand() -> None:
    def interval(way: str, at_a_time: int, in_flight: int, placement: Placement = STAGES) -> float:
        return steady(CHAIN, placement, Streaming(way, at_a_time, in_flight)).interval

    assert interval("serial", 1, 1) == 100 / 1.25  # no other core is busy
    assert interval("serial", 2, 3) == interval("serial", 2, 2) == 50
    assert interval("calls", 1, 2) == 101
    assert interval("calls", 2, 2) == 50.5
    assert interval("pipeline", 2, 1) == 101
    assert interval("pipeline", 2, 2) == interval("pipeline", 2, 3) == 70
    pair = replicate(CHAIN, 2)
    batch = steady(pair, whole_samples(CHAIN, 2, 2), Streaming("batches", 2, 4), 2)
    assert (batch.interval, batch.latency) == (50, 200)
    assert set(WAYS) == {"serial", "calls", "pipeline", "batches"}


def test_what_cannot_be_streamed() -> None:
    wide = TaskGraph((4.0,), (), wide={2: (2.0,)})
    with pytest.raises(ValueError, match="on one thread"):
        steady(wide, intra_op(wide, 2), Streaming("pipeline", 1, 1))
    with pytest.raises(ValueError, match="no way 'by chance'"):
        steady(wide, serial(wide), Streaming("by chance", 1, 1))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(moldable_graphs(15), st.integers(1, 4))
def test_a_total_order_is_that_of_edges_and_workers(graph: TaskGraph, workers: int) -> None:
    placement = place(graph, linear_clusters(graph), workers)
    order = total_order(graph, placement)
    place_of = {task: i for i, task in enumerate(order)}
    assert sorted(order) == list(range(len(graph)))
    assert all(place_of[producer] < place_of[consumer] for producer, consumer in graph.edges)
    for tasks in placement.workers:
        assert list(tasks) == sorted(tasks, key=place_of.__getitem__)
