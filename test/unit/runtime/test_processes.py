"""Programs whose workers are processes compute what threads do."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnx
import pytest
import torch
from forked import LIMIT_S, compiled, is_alive, processes, same, wait_until_gone
from onnx import parser
from replayed import MODEL, inputs, plans, python_steps, replays

from ramiel.api import CompiledProgram
from ramiel.runtime import Channels, Conv2d, Input, ProcessProgram, Weights
from ramiel.runtime.measure import same_bits
from ramiel.runtime.replay.native import native

pytestmark = pytest.mark.skipif(
    native() is None or not hasattr(os, "fork"), reason="without the native part, oneDNN or fork"
)


@pytest.fixture
def model() -> onnx.ModelProto:
    return parser.parse_model(MODEL)


@pytest.fixture
def program(model: onnx.ModelProto) -> Iterator[CompiledProgram]:
    with compiled(model) as program:
        yield program


@pytest.mark.parametrize("workers", [2, 3, 16])
@pytest.mark.parametrize("schedule", ["linear", "list", "intra-op"])
def test_bits_are_those_of_one_thread(model: onnx.ModelProto, workers: int, schedule: str) -> None:
    with compiled(model, workers, schedule) as program:
        for seed in range(100):
            given = inputs(seed)
            for got, want in zip(program(*given), program.serial(*given), strict=True):
                assert schedule == "intra-op" or same_bits(got, want)
                assert (got - want).abs().max() < 1e-5
        assert len(processes(program)) == program.report.workers - 1
        assert all(map(is_alive, processes(program)))


def test_a_worker_is_a_process_and_ends_with_the_program(program: CompiledProgram) -> None:
    assert processes(program) == []
    program(*inputs())
    (pid,) = processes(program)
    assert pid != os.getpid() and is_alive(pid)
    assert replays(program, *inputs()) and processes(program) == [pid]
    program.close()
    wait_until_gone([pid])
    with pytest.raises(RuntimeError, match="closed"):
        program(*inputs())


def test_a_program_that_nobody_has_any_longer(model: onnx.ModelProto) -> None:
    program = compiled(model)
    program(*inputs())
    pids = processes(program)
    del program
    gc.collect()
    wait_until_gone(pids)


def test_shapes_have_processes_of_their_own(program: CompiledProgram) -> None:
    given = [torch.ones(1, 8, 48, 48).to(memory_format=torch.channels_last), inputs()[1]]
    expected = program.serial(*given)
    for _ in range(4):
        program(*inputs())
        assert same(program(*given), expected)
    assert len(set(processes(program))) == len(plans(program)) == 2


def test_calls_from_several_threads(program: CompiledProgram) -> None:
    given = [inputs(seed) for seed in range(8)]
    expected = [program.serial(*one) for one in given]

    def call(thread: int) -> None:
        for i in range(thread, thread + 200):
            assert same(program(*given[i % 8]), expected[i % 8])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(call, range(4)))
    assert len(processes(program)) == 1


def test_a_changed_weight_is_noticed(program: CompiledProgram) -> None:
    before = program(*inputs())
    pids = processes(program)
    with torch.no_grad():
        for weight in program.buffers():
            weight.mul_(2.0)
        for weight in program.parameters():
            weight.mul_(2.0)
    expected = program.serial(*inputs())
    assert not same(before, expected)
    for _ in range(4):
        assert same(program(*inputs()), expected)
    wait_until_gone(pids)


def test_what_is_not_finite_is_computed_in_python(model: onnx.ModelProto) -> None:
    """A check in a worker's process stops the run, and the error or the value is Python's."""
    with compiled(model) as program:
        x, z = inputs()
        program(x, z)
        z[0, 0, 0, 0] = float("inf")
        expected = program.serial(x, z)
        for _ in range(3):
            for got, want in zip(program(x, z), expected, strict=True):
                assert torch.equal(got.nan_to_num(), want.nan_to_num())
        assert same(program(*inputs()), program.serial(*inputs()))


def test_python_in_a_worker() -> None:
    """A step that Python computes, in each of the workers."""
    model = parser.parse_model(MODEL.replace("Sigmoid", "Elu"))
    with compiled(model) as program:
        for seed in range(50):
            given = inputs(seed)
            assert same(program(*given), program.serial(*given))
        assert len(processes(program)) == 1 and python_steps(plans(program)[0]) > 0


class Wide(ProcessProgram):
    """Worker 1 has an operation on several threads."""

    inputs = (Input("x", torch.float32, (1, 64, 64, 64)),)
    outputs = ("y",)
    channels = ("a",)

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights, workers=2)
        self.conv = Conv2d(weights, "conv", padding=1)

    def worker_0(self, ch: Channels) -> None:
        a = ch.a.recv()
        y = torch.relu(a)
        ch.y.send(y)

    def worker_1(self, ch: Channels) -> None:
        x = ch.x.recv()
        torch.set_num_threads(2)
        a = self.conv(x)
        a = a + x
        torch.set_num_threads(1)
        ch.a.send(a)


def test_an_operation_on_several_threads_of_a_process() -> None:
    generator = torch.Generator().manual_seed(0)
    given = torch.randn(1, 64, 64, 64, generator=generator)
    weights = {
        "conv.weight": torch.randn(64, 64, 3, 3, generator=generator),
        "conv.bias": torch.randn(64, generator=generator),
    }
    with Wide(Weights.from_tensors(weights, {})) as program:
        expected = program(given)
        for _ in range(100):
            assert torch.allclose(program(given), expected, atol=1e-3)
        assert len(processes(program)) == 1
        (pid,) = processes(program)
        # The threads of Python, of the worker, and at least one that helps it.
        assert len(os.listdir(f"/proc/{pid}/task")) >= 3


def test_when_what_happens_is_known(program: CompiledProgram) -> None:
    program(*inputs())
    (plan,) = plans(program)
    for _ in range(3):
        times = plan.times(inputs())
        assert times is not None
        assert [len(ns) - 1 for ns in times] == [len(events) for events in plan.workers]
        assert all(ns == sorted(ns) for ns in times)
        assert max(ns[-1] for ns in times) - min(ns[0] for ns in times) < LIMIT_S * 1e9
    assert len(processes(program)) == 1


def test_copies_and_pickles_have_processes_of_their_own(program: CompiledProgram) -> None:
    expected = program(*inputs())
    for made in (copy.deepcopy(program), pickle.loads(pickle.dumps(program))):
        with made:
            for _ in range(4):
                assert same(made(*inputs()), expected)
            assert set(processes(made)).isdisjoint(processes(program))
    assert same(program(*inputs()), expected)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_leaves_its_parents_processes_alone(program: CompiledProgram) -> None:
    expected = program(*inputs())
    (pid,) = processes(program)
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)  # for the comparison: after a fork PyTorch itself hangs on more
        is_right = all(same(program(*inputs()), expected) for _ in range(3))
        program.close()
        os._exit(0 if is_right else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert is_alive(pid) and processes(program) == [pid]
    assert same(program(*inputs()), expected)


def test_idle_processes_use_no_processor_time(program: CompiledProgram) -> None:
    program(*inputs())
    (pid,) = processes(program)

    def ticks() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    time.sleep(0.1)
    before = ticks()
    time.sleep(1.0)
    assert ticks() - before <= 2
