"""Requests that follow each other through the workers of a program, as threads and as processes."""

from __future__ import annotations

import copy
import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import parser
from replayed import MODEL, inputs, replays
from small_programs import Net, net_weights
from torch import Tensor

import ramiel
from ramiel.api import CompiledProgram
from ramiel.dialects.cluster.streaming import Way
from ramiel.runtime import Channels, Input, Program, Streaming, Weights, one_thread
from ramiel.runtime.measure import same_bits
from ramiel.runtime.processes.crew import WorkerLost
from ramiel.runtime.processes.pipeline import ProcessPipeline
from ramiel.runtime.replay.native import native
from ramiel.runtime.replay.pipeline import Pipeline
from ramiel.runtime.streaming import WAYS, Stages

NATIVE = pytest.mark.skipif(native() is None, reason="without the native part or oneDNN")
EXECUTORS = ["threads", *(["processes"] if hasattr(os, "fork") else [])]
LIMIT_S = 60.0


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> str:
    return request.param


def compiled(executor: str, workers: int = 2, schedule: str = "pipeline") -> CompiledProgram:
    model: onnx.ModelProto = parser.parse_model(MODEL)
    program = ramiel.compile(model, workers=workers, schedule=schedule, executor=executor)
    type(program).streaming = Streaming("pipeline", workers)
    if native() is not None:
        program.capture(*inputs())
    return program


def same(got: Any, expected: Any) -> bool:
    return all(map(same_bits, got, expected))


@pytest.fixture
def pipelines(monkeypatch: pytest.MonkeyPatch) -> list[Pipeline]:
    """Those that streams make."""
    made: list[Pipeline] = []
    before = Stages._pipeline_of

    def noted(self: Stages, plan: Any) -> Pipeline:
        pipeline = before(self, plan)
        if not any(pipeline is other for other in made):
            made.append(pipeline)
        return pipeline

    monkeypatch.setattr(Stages, "_pipeline_of", noted)
    return made


def test_every_way_of_the_ir_is_one_of_the_runtime() -> None:
    assert set(WAYS) == set(Way)


@pytest.mark.parametrize("schedule", ["pipeline", "linear", "list"])
@pytest.mark.parametrize("workers", [2, 3, 7])
def test_results_are_those_of_serial(executor: str, workers: int, schedule: str) -> None:
    """Of any number of requests, with any number in flight."""
    requests = [inputs(seed) for seed in range(40)]
    with compiled(executor, workers, schedule) as program:
        expected = [program.serial(*request) for request in requests]
        for count, in_flight in [(0, None), (1, None), (2, 1), (3, 8), (40, None), (40, 2)]:
            got = list(program.stream(requests[:count], in_flight=in_flight))
            assert len(got) == count and all(map(same, got, expected))
        assert same(program(*requests[3]), expected[3])


def test_the_other_ways(executor: str) -> None:
    requests = [inputs(seed) for seed in range(7)]
    with compiled(executor) as program:
        expected = [program.serial(*request) for request in requests]
        for way in ("serial", "calls"):
            type(program).streaming = Streaming(way, 2)
            got = list(program.stream(requests))
            assert len(got) == 7 and all(map(same, got, expected))
        type(program).streaming = Streaming("by chance")
        with pytest.raises(ValueError, match="no way 'by chance' to stream; there are serial"):
            program.stream(requests)


@NATIVE
def test_it_is_replayed_without_python(pipelines: list[Pipeline]) -> None:
    with compiled("threads") as program:
        assert replays(program, *inputs())
        program.__dict__["_run_in_python"] = None
        assert len(list(program.stream([inputs()] * 20))) == 20
        assert len(pipelines) == 1


@NATIVE
def test_the_first_requests_are_what_is_captured(pipelines: list[Pipeline]) -> None:
    model = parser.parse_model(MODEL)
    with ramiel.compile(model, workers=2, schedule="pipeline") as program:
        expected = program.serial(*inputs())
        assert all(same(got, expected) for got in program.stream([inputs()] * 30))
        assert len(pipelines) == 1


def test_what_is_not_captured_is_streamed_as_well() -> None:
    model = parser.parse_model(MODEL)
    with ramiel.compile(model, workers=2, schedule="pipeline", capture=False) as program:
        expected = [program.serial(*inputs(seed)) for seed in range(9)]
        assert all(map(same, program.stream(map(inputs, range(9))), expected))


seen: list[tuple[int, int]] = []
hook: Callable[[int, int], None] = lambda stage, request: None  # noqa: E731


@torch.library.custom_op("ramiel_test::stage", mutates_args=())
def stage(x: Tensor, number: int) -> Tensor:
    """Adds 1, and tells the test which request, its first element, is in which stage."""
    request = int(x.flatten().tolist()[0]) - number
    seen.append((number, request))
    hook(number, request)
    return x + 1


class Staged(Program):
    """Three stages."""

    inputs = (Input("x", torch.float32, (None,)),)
    outputs = ("c",)
    channels = ("a", "b")
    streaming = Streaming("pipeline", 3)

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, workers=3)

    def worker_0(self, ch: Channels) -> None:
        ch.a.send(torch.ops.ramiel_test.stage(ch.x.recv(), 0))

    def worker_1(self, ch: Channels) -> None:
        ch.b.send(torch.ops.ramiel_test.stage(ch.a.recv(), 1))

    def worker_2(self, ch: Channels) -> None:
        ch.c.send(torch.ops.ramiel_test.stage(ch.b.recv(), 2))

    @one_thread
    def serial(self, x: Tensor) -> Tensor:
        for number in range(3):
            x = torch.ops.ramiel_test.stage(x, number)
        return x


@pytest.fixture
def staged() -> Iterator[Staged]:
    global hook
    with Staged(Weights.from_tensors({})) as program:
        program.capture(torch.zeros(4))
        seen.clear()
        yield program
        hook = lambda stage, request: None  # noqa: E731


def numbered(count: int) -> Iterator[Tensor]:
    for number in range(count):
        yield torch.full((4,), float(number))


@NATIVE
def test_there_is_a_request_in_each_stage(staged: Staged) -> None:
    """The first one leaves the last stage only when the third one is in the first stage."""
    global hook
    entered = threading.Event()

    def wait(number: int, request: int) -> None:
        if (number, request) == (0, 2):
            entered.set()
        if (number, request) == (2, 0):
            assert entered.wait(LIMIT_S)

    hook = wait
    results = [int(y[0]) for y in staged.stream(numbered(20), in_flight=3)]
    assert results == [number + 3 for number in range(20)]
    for number in range(3):
        assert [r for n, r in seen if n == number] == list(range(20))


@NATIVE
@pytest.mark.parametrize("in_flight", [1, 2, 5])
def test_no_more_are_begun_than_may_be_in_flight(staged: Staged, in_flight: int) -> None:
    """Back-pressure: a stage that is slow, or a caller, holds up the others."""
    global hook
    asked = 0

    def check(number: int, request: int) -> None:
        assert request < asked + in_flight
        time.sleep(2e-4 * number)

    hook = check
    results = staged.stream(numbered(100), in_flight=in_flight)
    for asked in range(40):
        assert int(next(results)[0]) == asked + 3
    results.close()  # pyright: ignore


@NATIVE
@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_request_that_fails_in_a_stage_fails_alone(staged: Staged, failing: int) -> None:
    global hook

    def fail(number: int, request: int) -> None:
        if number == failing and request % 4 == 2:
            raise ValueError(f"request {request} is bad")

    hook = fail
    results = list(staged.stream(numbered(20), return_exceptions=True))
    for number, result in enumerate(results):
        if number % 4 == 2:
            assert isinstance(result, Exception) and f"request {number} is bad" in str(result)
        else:
            assert int(result[0]) == number + 3
    raising = staged.stream(numbered(20))
    assert [int(next(raising)[0]) for _ in range(2)] == [3, 4]
    with pytest.raises(Exception, match="request 2 is bad"):
        next(raising)
    assert list(raising) == []


@NATIVE
def test_closing_in_the_middle_ends_what_is_under_way(
    staged: Staged, pipelines: list[Pipeline]
) -> None:
    """And drops the rest, so that no stage has a later request."""
    results = staged.stream(numbered(1000), in_flight=100)
    assert int(next(results)[0]) == 3
    results.close()  # pyright: ignore
    count = len(seen)
    time.sleep(0.01)
    assert len(seen) == count < 3 * 101
    assert not pipelines[0].is_open
    assert int(staged(torch.zeros(4))[0]) == 3


@NATIVE
def test_a_stream_that_nobody_has_any_longer(staged: Staged, pipelines: list[Pipeline]) -> None:
    results = staged.stream(numbered(1000))
    next(results)
    del results
    gc.collect()
    assert not pipelines.pop().is_open


def test_requests_that_raise_and_wrong_ones(executor: str) -> None:
    good = inputs()

    def requests() -> Iterator[Any]:
        yield good
        yield good[:1]
        yield {"x": good[0], "z": good[1]}
        yield torch.ones(1, 8, 48, 47), good[1]
        raise KeyError("the source is gone")

    with compiled(executor) as program:
        expected = program.serial(*good)
        found: list[Any] = []
        with pytest.raises(KeyError, match="the source is gone"):
            for result in program.stream(requests(), return_exceptions=True):
                found.append(result)
        assert same(found[0], expected) and same(found[2], expected)
        assert isinstance(found[1], TypeError) and isinstance(found[3], ValueError)
        with pytest.raises(ValueError, match="at least 1"):
            program.stream([good], in_flight=0)


def test_shapes_and_weights_that_change_in_the_middle(executor: str) -> None:
    x, z = inputs()
    other = x.to(memory_format=torch.channels_last), z
    with compiled(executor) as program:
        expected = program.serial(x, z)
        program.capture(*other)
        taken = 0
        for got in program.stream([(x, z), other] * 8):
            taken += 1
            assert same(got, expected) or (got[0] - expected[0]).abs().max() < 1e-5
        assert taken == 16
        results = program.stream([(x, z)] * 20, in_flight=1)
        assert same(next(results), expected)
        with torch.no_grad():
            for weight in program.buffers():
                weight.mul_(2.0)
        changed = program.serial(x, z)
        assert not same(changed, expected)
        rest = list(results)
        assert len(rest) == 19 and all(same(got, changed) for got in rest)


@NATIVE
def test_what_is_not_finite_is_computed_in_python() -> None:
    with compiled("threads") as program:
        x, z = inputs()
        strange = x.clone()
        strange[0, 0, 0, 0] = float("nan")
        requests = [(x, z), (strange, z), (x, z)]
        expected = [program.serial(*request) for request in requests]
        got = list(program.stream(requests))
        for pair in zip(got, expected, strict=True):
            for one, other in zip(*pair, strict=True):
                assert torch.equal(one.nan_to_num(9.0), other.nan_to_num(9.0))


@NATIVE
def test_streams_at_a_time_and_calls_between(executor: str) -> None:
    requests = [inputs(seed) for seed in range(6)]
    with compiled(executor) as program:
        expected = [program.serial(*request) for request in requests]
        first, second = program.stream(requests), program.stream(reversed(requests))
        for i in range(6):
            assert same(next(first), expected[i])
            assert same(program(*requests[i]), expected[i])
            assert same(next(second), expected[5 - i])


@NATIVE
def test_a_closed_program_streams_no_longer(executor: str) -> None:
    program = compiled(executor)
    results = program.stream([inputs()] * 10, in_flight=1)
    next(results)
    program.close()
    with pytest.raises(RuntimeError, match="closed"):
        next(results)


@NATIVE
def test_copies_stream_as_well() -> None:
    with compiled("threads") as program, copy.deepcopy(program) as other:
        expected = program.serial(*inputs())
        assert all(same(got, expected) for got in other.stream([inputs()] * 5))


@NATIVE
@pytest.mark.skipif("processes" not in EXECUTORS, reason="without fork")
def test_a_process_that_is_killed(pipelines: list[Pipeline]) -> None:
    """What was under way is lost, with errors that name it, and the next requests are not."""
    with compiled("processes") as program:
        expected = program.serial(*inputs())
        results = program.stream([inputs()] * 400, return_exceptions=True)
        lost = 0
        for number in range(400):
            got = next(results)
            if isinstance(got, WorkerLost):
                lost += 1
                assert "worker_1 of Branches" in str(got) and "SIGKILL" in str(got)
            else:
                assert same(got, expected)
            if number % 100 == 50:
                pipeline = pipelines[-1]
                assert isinstance(pipeline, ProcessPipeline) and len(pipeline.pids) == 1
                os.kill(pipeline.pids[0], signal.SIGKILL)
        assert 4 <= lost <= 4 * 3 and len(pipelines) == 5
        pids = [pid for p in pipelines if isinstance(p, ProcessPipeline) for pid in p.pids]
        results.close()  # pyright: ignore
        assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 4), st.integers(0, 11), st.integers(1, 9), st.sets(st.integers(0, 10)))
def test_requests_of_batches(batch: int, count: int, in_flight: int, bad: set[int]) -> None:
    """Whatever is left over, and whichever of them fail."""

    class Batched(Net):
        streaming = Streaming("batches", batch)

    with Batched(net_weights()) as program:
        requests: list[Any] = [
            (torch.full((1, 3 if i in bad else 4), float(i)), torch.tensor(i)) for i in range(count)
        ]
        results = list(program.stream(requests, in_flight=in_flight, return_exceptions=True))
        assert len(results) == count
        for i, result in enumerate(results):
            if i in bad:
                assert isinstance(result, ValueError)
            else:
                assert same(result, program.serial(*requests[i]))


def test_batches_of_hyperclusters() -> None:
    model = parser.parse_model(MODEL)
    with ramiel.compile(model, workers=2, batch=3, schedule="hyper") as program:
        type(program).streaming = Streaming("batches", 3)
        requests = [inputs(seed) for seed in range(11)]
        expected = [program.serial(*request) for request in requests]
        for count in (1, 3, 4, 11):
            got = list(program.stream(requests[:count]))
            assert len(got) == count and all(map(same, got, expected))
