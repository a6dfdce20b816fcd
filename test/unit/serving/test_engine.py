"""In which order and company requests are computed, without a server."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from served import affine, compiled

from ramiel.api import CompiledProgram
from ramiel.runtime import Streaming
from ramiel.serving.engine import Closed, Engine, Gathering, Queue, QueueFull


class Groups:
    """An observer that keeps the sizes of groups."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def computed(self, waited_s: float, took_s: float) -> None:
        assert waited_s >= 0 and took_s >= 0

    def gathered(self, requests: int) -> None:
        self.sizes.append(requests)


@pytest.fixture(scope="module")
def program() -> CompiledProgram:
    """A program that computes each request on one core if several wait."""
    program = compiled(affine())
    assert (program.streaming.way, program.streaming.at_a_time) == ("serial", 2)
    return program


@pytest.fixture(params=["serial", "calls"])
def either(request: pytest.FixtureRequest) -> CompiledProgram:
    """Such a program, or one that computes groups on all cores."""
    program = compiled(affine())
    type(program).streaming = Streaming(request.param, 2)
    return program


def submit(queue: Queue, value: float, order: list[float], rows: int = 1) -> Any:
    """The outputs to come of rows of a value, which is noted when they are there."""
    outputs = queue.submit({"x": torch.full((rows, 4), float(value))})
    outputs.add_done_callback(lambda _: order.append(value))
    return outputs


def finish(engine: Engine) -> None:
    engine.close()
    engine.run()


def test_models_take_turns(either: CompiledProgram) -> None:
    """The requests of one do not keep those of another one waiting."""
    engine, order, groups = Engine(Gathering(max_batch=1)), list[float](), Groups()
    busy, other = engine.queue(either, groups), engine.queue(either, groups)
    for value in (1, 2, 3):
        submit(busy, value, order)
    submit(other, 10, order)
    finish(engine)
    assert order == [1, 10, 2, 3] and groups.sizes == [1] * 4


def test_a_program_that_needs_all_cores_gets_its_turn(program: CompiledProgram) -> None:
    """Though another one's requests, each of which needs one, never cease."""
    engine, order, groups = Engine(Gathering()), list[float](), Groups()
    busy = engine.queue(program, groups)
    other = engine.queue(compiled(affine(), batch=2), groups)
    came: list[float] = []

    def again(_: object) -> None:
        if 10 not in order:
            came.append(len(came))
            busy.submit({"x": torch.ones(1, 4)}).add_done_callback(again)

    for _ in range(3):
        again(None)
    submit(other, 10, order).add_done_callback(lambda _: engine.close())
    engine.run()
    assert order == [10] and busy.waiting == 0 and len(came) < 100


@pytest.mark.parametrize(("most", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (64, [5])])
def test_the_most_that_are_computed_together(most: int, sizes: list[int]) -> None:
    program = compiled(affine())
    type(program).streaming = Streaming("calls", 2)
    engine, order, groups = Engine(Gathering(max_batch=most)), list[float](), Groups()
    queue = engine.queue(program, groups)
    results = [submit(queue, value, order) for value in range(5)]
    finish(engine)
    assert groups.sizes == sizes and order == list(range(5))
    for value, outputs in enumerate(results):
        assert outputs.result()[0].tolist() == [[3.0 * value + 1] * 4]


def test_as_many_requests_at_a_time_as_the_program_says(program: CompiledProgram) -> None:
    engine, order, groups = Engine(Gathering()), list[float](), Groups()
    queue = engine.queue(program, groups)
    results = [submit(queue, value, order) for value in range(50)]
    finish(engine)
    assert sorted(order) == list(range(50)) and len(groups.sizes) == 50
    assert set(groups.sizes) <= {1, 2} and engine.is_idle
    for value, outputs in enumerate(results):
        assert outputs.result()[0].tolist() == [[3.0 * value + 1] * 4]


@pytest.mark.parametrize("batch", [1, 2])
def test_one_that_fails_leaves_the_others(batch: int) -> None:
    """Among the samples of hyperclusters too: a batch of none, or with other columns."""
    program = compiled(affine(), batch=batch)
    engine, groups, order = Engine(Gathering()), Groups(), list[float]()
    queue = engine.queue(program, groups)
    first, last = submit(queue, 1, order, 3), submit(queue, 2, order, 2)
    wrong = queue.submit({"x": torch.zeros(2, 5)})
    finish(engine)
    assert isinstance(wrong.exception(), ValueError)
    assert np.array_equal(first.result()[0], np.full((3, 4), 4.0))
    assert np.array_equal(last.result()[0], np.full((2, 4), 7.0))


def test_what_is_cancelled_is_not_computed(program: CompiledProgram) -> None:
    engine, groups, order = Engine(Gathering(most_waiting=2)), Groups(), list[float]()
    queue = engine.queue(program, groups)
    submit(queue, 1, order).cancel()
    assert queue.waiting == 0
    kept = submit(queue, 2, order), submit(queue, 3, order)
    with pytest.raises(QueueFull):
        submit(queue, 4, order)
    finish(engine)
    assert all(outputs.result() for outputs in kept) and len(groups.sizes) == 2
    with pytest.raises(Closed):
        submit(queue, 5, order)


def test_tensors_are_freed_without_the_garbage_collector(program: CompiledProgram) -> None:
    """It counts objects, not bytes, and a server would grow by hundreds of MB until it runs."""
    engine, tensor = Engine(Gathering()), torch.zeros(1, 4)
    given = weakref.ref(tensor)
    outputs = engine.queue(program, Groups()).submit({"x": tensor})
    finish(engine)
    made = weakref.ref(outputs.result()[0])
    gc.disable()
    try:
        del tensor, outputs, engine
        assert given() is None and made() is None
    finally:
        gc.enable()
