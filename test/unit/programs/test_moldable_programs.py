"""Programs whose operations run on different numbers of threads."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper, parser
from xdsl.dialects.builtin import DenseArrayBase, FloatAttr, f64
from xdsl.ir import Attribute

import ramiel
from ramiel.api import CompiledProgram, load
from ramiel.backend.pytorch.printer import print_program
from ramiel.compiler import Compilation, Report, run_passes
from ramiel.dialects.cluster import ProgramOp
from ramiel.dialects.cluster.attributes import COST, WIDE_COST
from ramiel.frontend.importer import import_model
from ramiel.pipelines import Options, pipeline
from ramiel.runtime import OpError
from ramiel.runtime.measure import same_bits
from ramiel.runtime.outputs import as_tuple
from ramiel.torch_level.tasks import main_function, tasks_of

pytestmark = pytest.mark.timeout(120)

BRANCHES, CHANNELS, SIZE = 3, 16, 24


def model() -> onnx.ModelProto:
    """A convolution, branches of two each, of different sizes, and a sum of all."""
    random = np.random.default_rng(0)
    weights: list[onnx.TensorProto] = []

    def conv(name: str, read: str, kernel: int) -> onnx.NodeProto:
        data = random.normal(size=(CHANNELS, CHANNELS, kernel, kernel)).astype(np.float32) / 16
        weights.append(numpy_helper.from_array(data, f"{name}_w"))
        pads = [kernel // 2] * 4
        return helper.make_node("Conv", [read, f"{name}_w"], [name], name=f"/{name}", pads=pads)

    nodes = [conv("stem", "x", 3)]
    for i in range(BRANCHES):
        nodes += [conv(f"a{i}", "stem", 2 * i + 1), conv(f"b{i}", f"a{i}", 3)]
    nodes.append(helper.make_node("Sum", [f"b{i}" for i in range(BRANCHES)], ["y"], name="/sum"))
    shape = [1, CHANNELS, SIZE, SIZE]
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "moldable", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def image() -> torch.Tensor:
    return torch.randn(1, CHANNELS, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def control() -> onnx.ModelProto:
    """A branch, a loop and a function of one value, and a sum of them."""
    return parser.parse_model(
        """<ir_version: 8, opset_import: ["": 17]>
        control (bool c, int64 n, bool go, float[64, 64] x) => (float[64, 64] y) {
            a = If (c) <
                then_branch = then () => (float[64, 64] p) { p = Relu (x) },
                else_branch = other () => (float[64, 64] q) { q = Tanh (x) }
            >
            b = Loop (n, go, x) <
                body = body (int64 i, bool on, float[64, 64] s) => (bool next, float[64, 64] t) {
                    next = Identity (on)
                    t = Sin (s)
                }
            >
            d = Cos (x)
            y = Sum (a, b, d)
        }"""
    )


def mixed(
    workers: int = 2, source: onnx.ModelProto | None = None, scaling: Sequence[int] = (0, -1)
) -> CompiledProgram:
    """A program with operations on one thread beside others, and operations on all of them:
    list scheduling with costs by which some tasks scale, the first and last, and others do not."""
    module = import_model(source or model())
    steps = pipeline(Options(workers, "list"))
    cut = [name for name, _ in steps].index("cluster-costs") + 1
    run_passes(module, steps[:cut])
    tasks = tasks_of(main_function(module))
    scales = {range(len(tasks.ops))[i] for i in scaling}
    for i, op in enumerate(tasks.ops):
        one, many = (2000.0, 2000.0 / workers) if i in scales else (500.0, 480.0)
        op.attributes.update(costs_of(one, many))
    run_passes(module, steps[cut:])
    program = next(op for op in module.ops if isinstance(op, ProgramOp))
    return load(Compilation(module, print_program(module), Report.of(program)))


def costs_of(one: float, many: float) -> dict[str, Attribute]:
    return {COST: FloatAttr(one, f64), WIDE_COST: DenseArrayBase.from_list(f64, [many])}


def test_it_mixes() -> None:
    with mixed() as program:
        assert program.report.workers == 2
        source = program.source
    workers = source[source.index("def worker_0(") :]
    assert "torch.set_num_threads(2)" in workers and "torch.set_num_threads(1)" in workers
    assert "reserves" not in source  # that is for the verifier


def test_parallel_is_serial_bit_for_bit() -> None:
    x = image()
    with mixed() as program:
        expected = as_tuple(program.serial(x))
        for _ in range(50):
            for a, b in zip(as_tuple(program(x)), expected, strict=True):
                assert same_bits(a, b)


@pytest.mark.parametrize("wide", [0, 1], ids=["branch", "loop"])
def test_a_branch_and_a_loop_of_which_one_has_all_cores(wide: int) -> None:
    """Compilation verifies that the other one keeps off them."""
    x = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    given = (torch.tensor(True), torch.tensor(3), torch.tensor(True), x)
    with mixed(source=control(), scaling=[wide]) as program:
        workers = program.source[program.source.index("def worker_0(") :]
        assert "torch.set_num_threads(2)" in workers
        for a, b in zip(as_tuple(program(*given)), as_tuple(program.serial(*given)), strict=True):
            assert same_bits(a, b)


@pytest.mark.parametrize("schedule", ["intra-op", "list", "ios", "auto", "refine"])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_schedules(schedule: str, workers: int) -> None:
    """On more workers than cores, too."""
    x = image()
    with ramiel.compile(model(), workers=workers, schedule=schedule) as program:
        for a, b in zip(as_tuple(program(x)), as_tuple(program.serial(x)), strict=True):
            assert same_bits(a, b)


@pytest.mark.parametrize("before", [1, 2, 5])
def test_callers_keep_their_number_of_threads(before: int) -> None:
    """Each thread has its own, so this is asked of one that nobody else uses."""
    seen: list[int] = []
    with mixed() as program, ramiel.compile(model(), workers=2, schedule="intra-op") as wide:

        def call() -> None:
            torch.set_num_threads(before)
            for run in (program, program.serial, wide, wide.serial):
                run(image())
                seen.append(torch.get_num_threads())

        thread = threading.Thread(target=call)
        thread.start()
        thread.join(60)
    assert seen == [before] * 4


def test_callers_keep_it_when_a_run_fails() -> None:
    """The second input's shape is only known at run time, and wrong."""
    nodes = [
        helper.make_node("MatMul", ["x", "x"], ["a"], name="/big"),
        helper.make_node("Reshape", ["a", "shape"], ["y"], name="/fails"),
    ]
    inputs = [
        helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [128, 128]),
        helper.make_tensor_value_info("shape", onnx.TensorProto.INT64, [1]),
    ]
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None])
    graph = helper.make_graph(nodes, "fails", inputs, [y])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    seen: list[int] = []
    with ramiel.compile(proto, workers=2, schedule="intra-op") as program:
        assert "set_num_threads(2)" in program.source

        def call() -> None:
            torch.set_num_threads(3)
            with pytest.raises(OpError, match="/fails"):
                program(torch.ones(128, 128), torch.tensor([7]))
            seen.append(torch.get_num_threads())

        thread = threading.Thread(target=call)
        thread.start()
        thread.join(60)
    assert seen == [3]


def test_calls_from_several_threads() -> None:
    x = image()
    with mixed() as program, ThreadPoolExecutor(4) as pool:
        expected = as_tuple(program.serial(x))
        for results in pool.map(lambda _: as_tuple(program(x)), range(40)):
            assert all(same_bits(a, b) for a, b in zip(results, expected, strict=True))


def test_new_threads_do_as_told_from_the_first_call_on() -> None:
    """torch gives a thread that uses it for the first time the number set last, anywhere."""
    x = image()
    for _ in range(20):
        with mixed() as program:
            torch.set_num_threads(2)
            first = as_tuple(program(x))
            for a, b in zip(first, as_tuple(program.serial(x)), strict=True):
                assert same_bits(a, b)


def test_saved_programs_mix_too(tmp_path: Path) -> None:
    with mixed() as program:
        path = tmp_path / "mixed.py"
        program.save(path)
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert "agree bit for bit" in done.stdout
