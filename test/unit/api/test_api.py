"""The Python interface: what `ramiel.compile` takes, and what its result can do."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import helper, numpy_helper, parser
from small_models import branches

import ramiel
from ramiel.errors import CompileError
from ramiel.runtime import OpError, Weights
from ramiel.runtime.measure import same_bits


@pytest.fixture
def image() -> torch.Tensor:
    return torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(0))


def expected(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    weight = torch.ones(8, 8, 3, 3)
    left = torch.relu(torch.conv2d(image, 0.01 * weight, padding=1))
    right = torch.conv2d(image, -0.02 * weight, padding=1).clamp(min=0.5)
    return torch.cat([left, right], 1), right.mean((2, 3), keepdim=True)


def test_sources(tmp_path: Path, image: torch.Tensor) -> None:
    """A path, the bytes of a file and a ModelProto are the same model."""
    path = tmp_path / "two-branches.onnx"
    path.write_bytes(branches().SerializeToString())
    for source in (path, str(path), path.read_bytes(), branches()):
        with ramiel.compile(source, workers=2, schedule="linear") as model:
            for result, reference in zip(model(image), expected(image), strict=True):
                torch.testing.assert_close(result, reference)


def test_inputs_by_position_and_name(image: torch.Tensor) -> None:
    with ramiel.compile(branches(), workers=2, schedule="linear") as model:
        results = [model(image), model(image=image), model(image.numpy()), model.serial(image)]
        results.append(model.serial(image=image.numpy()))
        for result in results:
            assert all(same_bits(a, b) for a, b in zip(result, results[0], strict=True))
        with pytest.raises(TypeError, match="no input"):
            model(picture=image)
        with pytest.raises(ValueError, match="expected float32"):
            model(image.double())


@pytest.mark.parametrize("schedule", ["auto", "linear", "serial"])
def test_report(schedule: str) -> None:
    with ramiel.compile(branches(), workers=2, schedule=schedule) as model:
        report = model.report
    assert report.clusters_before_merge >= report.clusters >= 1
    assert report.workers == (2 if schedule == "linear" else report.workers)
    assert (report.channels == 0) == (report.workers == 1)
    assert report.parallel_us >= report.bound_us >= report.critical_path_us > 0
    assert schedule == "linear" or report.parallel_us <= report.serial_us


def test_save_and_run(tmp_path: Path, image: torch.Tensor) -> None:
    """The saved file is a program of its own, with the same source and the same results."""
    path = tmp_path / "saved.py"
    with ramiel.compile(branches(), workers=2, schedule="linear") as model:
        model.save(path)
        assert path.read_text() == model.source
    run = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert "agree bit for bit" in run.stdout
    # A program that disagrees with its serial form says so.
    path.write_text(path.read_text().replace("torch.maximum", "torch.minimum", 1))
    run = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=120)
    assert run.returncode == 1 and "differ in output" in run.stderr


def test_closed(image: torch.Tensor) -> None:
    model = ramiel.compile(branches(), workers=2, schedule="linear")
    model(image)
    model.close()
    with pytest.raises(RuntimeError, match="closed"):
        model(image)


def test_copies_run(image: torch.Tensor) -> None:
    model = ramiel.compile(branches(), workers=2, schedule="linear")
    with model, copy.deepcopy(model) as other:
        assert all(same_bits(a, b) for a, b in zip(model(image), other(image), strict=True))


def test_pickles_run_and_can_be_saved(tmp_path: Path, image: torch.Tensor) -> None:
    with ramiel.compile(branches(), workers=2, schedule="linear") as model:
        wanted = model(image)
        left = next(t for name, t in model.named_buffers() if name.startswith("left"))
        left.mul_(2)  # weights go along as they are
        changed = model(image)
        data = pickle.dumps(model)
    with pickle.loads(pickle.dumps(pickle.loads(data))) as again:
        assert all(same_bits(a, b) for a, b in zip(again(image), changed, strict=True))
        assert not same_bits(again(image)[0], wanted[0])
        assert again.source == model.source and again.report == model.report
        again.save(tmp_path / "saved.py")
    saved = Weights.open(tmp_path / "saved.safetensors")
    assert saved.keys() == dict(again.named_buffers(remove_duplicate=False)).keys()
    assert all(torch.equal(saved[n], t) for n, t in again.named_buffers())


def test_failing_op_is_named_and_the_model_usable_again() -> None:
    """A Reshape that does not fit raises with the name of its node, whatever worker it is on."""
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="first"),
        helper.make_node("Reshape", ["a", "shape"], ["y"], name="the reshape"),
    ]
    inputs = [
        helper.make_tensor_value_info("x", 1, ["n"]),
        helper.make_tensor_value_info("shape", 7, [2]),
    ]
    outputs = [helper.make_tensor_value_info("y", 1, None)]
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with ramiel.compile(proto, workers=2, schedule="linear") as model:
        x = np.arange(6, dtype=np.float32)
        for call in (model, model.serial):
            assert call(x, np.array([2, 3])).shape == (2, 3)
            with pytest.raises(OpError, match='node "the reshape", Reshape'):
                call(x, np.array([4, 4]))
            assert call(x, np.array([3, 2])).shape == (3, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers must be"),
        ({"workers": 100_000}, "workers must be"),
        ({"schedule": "fastest"}, "no schedule"),
        ({"shapes": {"nothing": (1,)}}, "no input"),
        ({"shapes": {"image": (2, 8, 16, 16)}}, "does not fit"),
    ],
)
def test_refused_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CompileError, match=message):
        ramiel.compile(branches(), **options)


def test_bad_sources(tmp_path: Path) -> None:
    for source in (tmp_path / "missing.onnx", b"", b"not a model at all", tmp_path):
        with pytest.raises(CompileError) as error:
            ramiel.compile(source)
        assert "\n" not in str(error.value)


def test_more_workers_than_work(image: torch.Tensor) -> None:
    with ramiel.compile(branches(), workers=64, schedule="linear") as model:
        assert model.report.workers <= 4
        for result, reference in zip(model(image), expected(image), strict=True):
            torch.testing.assert_close(result, reference)


def test_values_are_not_taken_for_modules() -> None:
    """A program imports `torch`, `kernels` and `ops`, whatever a model calls its values."""
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    torch (float[1, 2, 8, 8] kernels) => (float[1, 2, 4, 4] operator, float[128] ops) {
      operator = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (kernels)
      size = Constant <value_ints = [-1]> ()
      torch = Exp (kernels)
      ops = Reshape (torch, size)
    }"""
    x = torch.randn(1, 2, 8, 8)
    with ramiel.compile(parser.parse_model(text), workers=2, schedule="linear") as model:
        pooled, flat = model(x)
    assert torch.equal(pooled, torch.max_pool2d(x, 2))
    torch.testing.assert_close(flat, x.exp().flatten())


def test_layers_are_not_taken_for_workers() -> None:
    """`worker_0` and `worker_1` are methods of the program, whatever a model calls its nodes."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="worker_0"),
        helper.make_node("Conv", ["x", "w"], ["b"], name="worker"),
        helper.make_node("Conv", ["a", "w"], ["c"], name="/worker"),
        helper.make_node("Add", ["b", "c"], ["y"], name="worker_1"),
    ]
    weight = helper.make_tensor("w", 1, [2, 2, 1, 1], [1.0, 2.0, 3.0, 4.0])
    shape = [1, 2, 4, 4]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, shape)],
        [helper.make_tensor_value_info("y", 1, shape)],
        [weight],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with ramiel.compile(proto, workers=2, schedule="linear") as model:
        # By columns, the weight makes (3, 7) of (1, 1), and (17, 37) of that.
        result = model(torch.ones(shape))
    assert [float(v) for v in result[0, :, 0, 0]] == [3 + 17, 7 + 37]


def test_functional_call_with_the_state_of_tied_weights() -> None:
    bias = numpy_helper.from_array(np.ones(3, np.float32), "b")
    weights = [numpy_helper.from_array(k * np.eye(3, dtype=np.float32), f"w{k}") for k in (2, 3)]
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["": 17]> g (float[2,3] x) => (float[2,3] y)
        { h = Gemm (x, w2, b) y = Gemm (h, w3, b) }"""
    )
    model.graph.initializer.extend([bias, *weights])
    with ramiel.compile(model, workers=1) as program:
        x, state = torch.ones(2, 3), dict(program.state_dict())
        assert torch.func.functional_call(program, state, (x,)).tolist() == program(x).tolist()
        biases = [t for name, t in program.named_buffers() if name.endswith("bias")]
        assert len({t.data_ptr() for t in biases}) == 1 and len(biases) == 2
