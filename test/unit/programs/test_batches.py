"""Hyperclustering for real: a model of one sample runs a batch, and no sample knows of another."""

from __future__ import annotations

import copy
import importlib.util
import pickle
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from small_models import branches

import ramiel
from ramiel.api import CompiledProgram
from ramiel.errors import CompileError
from ramiel.runtime import OpError, Weights
from ramiel.runtime.measure import same_bits
from ramiel.runtime.outputs import as_tuple

pytestmark = pytest.mark.timeout(120)

ROWS = 11
"""Rows of the table that `several` looks up: an id beyond them makes its Gather fail."""


def several(batch: int | str = "N") -> onnx.ModelProto:
    """Two inputs and four outputs, one of them an input. `centred` would mix samples if they
    came as one tensor: it subtracts the mean over the first axis, which for one sample is 0."""
    random = np.random.default_rng(0)
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"], name="the lookup"),
        helper.make_node("ReduceMean", ["rows"], ["mean"], name="mean", axes=[1], keepdims=0),
        helper.make_node("MatMul", ["x", "weight"], ["product"], name="product"),
        helper.make_node("Softmax", ["product"], ["soft"], name="soft", axis=1),
        helper.make_node("Add", ["soft", "mean"], ["y"], name="sum"),
        helper.make_node("Mul", ["ids", "two"], ["doubled"], name="double"),
        helper.make_node("ReduceMean", ["product"], ["m"], name="over_batch", axes=[0]),
        helper.make_node("Sub", ["product", "m"], ["centred"], name="centre"),
    ]
    weights = [
        numpy_helper.from_array(random.normal(size=(ROWS, 7)).astype(np.float32), "table"),
        numpy_helper.from_array(random.normal(size=(5, 7)).astype(np.float32), "weight"),
        numpy_helper.from_array(np.array(2), "two"),
    ]
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [batch, 5])
    inputs = [x, helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, [batch, 3])]
    outputs = [
        helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [batch, 7]),
        helper.make_tensor_value_info("doubled", onnx.TensorProto.INT64, [batch, 3]),
        x,
        helper.make_tensor_value_info("centred", onnx.TensorProto.FLOAT, [batch, 7]),
    ]
    return model_of(nodes, inputs, outputs, weights)


def model_of(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    weights: list[onnx.TensorProto] | None = None,
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights or [])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def compiled(batch: int, switched: bool = False, workers: int = 2) -> CompiledProgram:
    return ramiel.compile(
        several(), workers=workers, schedule="hyper", batch=batch, switched=switched
    )


def samples(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(count)
    x = torch.randn(count, 5, generator=generator)
    return x, torch.randint(0, ROWS, (count, 3), generator=generator)


def one_by_one(
    proto: onnx.ModelProto, inputs: Sequence[torch.Tensor], model: CompiledProgram
) -> list[torch.Tensor]:
    """The outputs of a run for each sample, each in memory of its own, put together.

    With the model's own weights, as MKL rounds by where those begin, too."""
    shapes = {
        declared.name: (1, *tensor.shape[1:])
        for declared, tensor in zip(proto.graph.input, inputs, strict=True)
    }
    with ramiel.compile(proto, schedule="serial", shapes=shapes) as single:
        single.load_state_dict(model.state_dict(), assign=True)
        runs = [
            as_tuple(single(*(tensor[i : i + 1].clone() for tensor in inputs)))
            for i in range(len(inputs[0]))
        ]
    return [torch.cat(outputs) for outputs in zip(*runs, strict=True)]


def assert_same(results: Sequence[torch.Tensor], expected: Sequence[torch.Tensor]) -> None:
    assert len(results) == len(expected)
    for i, (a, b) in enumerate(zip(results, expected, strict=True)):
        assert same_bits(a, b), f"output {i}"


# Results


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("switched", [False, True])
@pytest.mark.parametrize("batch", [2, 4])
def test_outputs_are_those_of_single_runs(batch: int, switched: bool, workers: int) -> None:
    """For a batch that is full, one that is not, several of them, and one with a rest."""
    proto = several()
    with compiled(batch, switched, workers) as model:
        for count in (1, 3, 4, 5, 9):
            inputs = samples(count)
            expected = one_by_one(proto, inputs, model)
            assert_same(model(*inputs), expected)
            assert_same(model.serial(*inputs), expected)
            assert expected[3].abs().max() == 0


@pytest.mark.parametrize("schedule", ["hyper", "auto", "serial", "intra-op"])
def test_convolutions(schedule: str) -> None:
    images = torch.randn(9, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    with ramiel.compile(branches(), workers=2, schedule=schedule, batch=4) as model:
        expected = one_by_one(branches(), [images], model)
        assert model.report.batch == model.batch == 4
        assert_same(model(images), expected)
        assert_same(model(image=images.numpy()), expected)
        # A sample's strides and its place in memory are no matter.
        assert_same(model(images.flip(0).contiguous().flip(0)), expected)


def test_how_the_inputs_are_given() -> None:
    x, ids = samples(5)
    with compiled(4) as model:
        expected = model(x, ids)
        for result in (
            model(ids=ids, x=x),
            model(x.numpy(), ids.numpy()),
            model(x.tolist(), ids.tolist()),
            model.serial(x, ids=ids.numpy()),
        ):
            assert_same(result, expected)
        # Samples that are not beside each other, and in memory that is not theirs alone.
        scattered = torch.empty(5, 10)[:, ::2].copy_(x)
        assert_same(model(scattered, ids.repeat(2, 1)[::1][:5]), expected)


def test_products_of_samples_that_are_not_aligned() -> None:
    """MKL rounds by where memory begins: a sample of 15 floats, at an odd place in its batch, is
    to be as good as one by itself."""
    value, weight = helper.make_tensor_value_info, np.random.default_rng(0).normal(size=(5, 7))
    proto = model_of(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        [value("x", 1, [1, 3, 5])],
        [value("y", 1, [1, 3, 7])],
        [numpy_helper.from_array(weight.astype(np.float32), "w")],
    )
    x = torch.randn(13, 3, 5, generator=torch.Generator().manual_seed(0))
    with ramiel.compile(proto, workers=2, schedule="hyper", batch=4) as model:
        expected = one_by_one(proto, [x], model)
        assert_same([model(x)], expected)
        assert_same([model.serial(x)], expected)


def test_one_output_is_a_tensor() -> None:
    value = helper.make_tensor_value_info
    proto = model_of(
        [helper.make_node("Relu", ["x"], ["y"], name="relu")],
        [value("x", 1, [1, 3])],
        [value("y", 1, [1, 3])],
    )
    with ramiel.compile(proto, workers=2, schedule="hyper", batch=2) as model:
        x = torch.tensor([[-1.0, 0.0, 1.0], [2.0, -3.0, 4.0], [5.0, -6.0, 7.0]])
        assert torch.equal(model(x), x.clamp(min=0))
        assert torch.equal(model.serial(x), x.clamp(min=0))


def test_a_fixed_batch_of_one_and_an_open_one_are_the_same_program() -> None:
    options: dict[str, Any] = {"workers": 2, "schedule": "hyper", "batch": 3}
    with (
        ramiel.compile(several(1), **options) as fixed,
        ramiel.compile(several(), **options) as open_,
    ):
        assert fixed.source == open_.source
        assert "batch = 3" in fixed.source


def test_workers_have_their_samples() -> None:
    """Each worker has the clusters of all samples; switched, those of the next one are others."""
    straight, switched = compiled(2).source, compiled(2, switched=True).source
    for source in (straight, switched):
        assert source.count("def worker_") == 2
        assert 'channels = ("' in source
    assert straight != switched


# What is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0, "schedule": "hyper"}, "a batch must be 1 to 1024 samples, not 0"),
        ({"batch": -1}, "a batch must be 1 to 1024 samples, not -1"),
        ({"batch": 1025}, "a batch must be 1 to 1024 samples, not 1025"),
        ({"batch": 4, "schedule": "linear"}, "'linear' is for one sample"),
        ({"batch": 4, "schedule": "list"}, "'list' is for one sample"),
        ({"batch": 4, "schedule": "fastest"}, "no schedule 'fastest'"),
        ({"switched": True}, "switched hyperclusters need a batch of 2 or more"),
        ({"switched": True, "schedule": "hyper"}, "need a batch of 2 or more"),
        ({"batch": 2, "shapes": {"x": (2, 5)}}, "input 0 is 2x5: a batch needs a model"),
    ],
)
def test_refused_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CompileError, match=message):
        ramiel.compile(several(), workers=2, **options)


@pytest.mark.parametrize(
    ("node", "shape", "message"),
    [
        (("ReduceSum", {"keepdims": 0}), [], "output 0 is scalar"),
        (("Transpose", {"perm": [1, 0]}), [5, 1], "output 0 is 5x1"),
        (("NonZero", {}), [2, "n"], "output 0 is 2x"),
    ],
)
@pytest.mark.parametrize("schedule", ["hyper", "auto"])
def test_outputs_without_a_batch_axis(
    node: tuple[str, dict[str, Any]], shape: list[int | str], message: str, schedule: str
) -> None:
    op_type, attributes = node
    element = 7 if op_type == "NonZero" else 1
    proto = model_of(
        [helper.make_node(op_type, ["x"], ["y"], **attributes)],
        [helper.make_tensor_value_info("x", 1, [1, 5])],
        [helper.make_tensor_value_info("y", element, shape)],
    )
    with pytest.raises(CompileError, match=message):
        ramiel.compile(proto, workers=2, schedule=schedule, batch=2)


def test_refused_inputs() -> None:
    x, ids = samples(4)
    with compiled(2) as model:
        for call in (model, model.serial):
            with pytest.raises(ValueError, match='input "ids" has 3 samples, "x" has 4'):
                call(x, ids[:3])
            with pytest.raises(ValueError, match="a batch needs at least one sample"):
                call(x[:0], ids[:0])
            with pytest.raises(ValueError, match=r'"x": expected float32\[\?, 5\], got .*\[4, 4\]'):
                call(x[:, :4], ids)
            with pytest.raises(ValueError, match=r'"x": expected float32\[\?, 5\], got .*\[5\]'):
                call(x[0], ids)
            with pytest.raises(ValueError, match=r"expected float32"):
                call(x.double(), ids)
            with pytest.raises(TypeError):
                call(x)
            assert len(call(x, ids)) == 4


# Errors


@pytest.mark.parametrize("switched", [False, True])
def test_a_failing_sample_is_found_and_the_model_usable_again(switched: bool) -> None:
    """In the first batch, in a later one and in the rest, and in each place of those."""
    x, ids = samples(11)
    with compiled(4, switched) as model:
        expected = model(x, ids)
        for bad in range(11):
            wrong = ids.clone()
            wrong[bad, 1] = ROWS
            for call in (model, model.serial):
                with pytest.raises(OpError, match='node "the lookup", Gather') as info:
                    call(x, wrong)
                assert info.value.node == "the lookup"
            assert_same(model(x, ids), expected)


# Threads


def test_calls_from_several_threads() -> None:
    """Fifty rounds of calls at once, of batches and rests and some that fail."""
    counts = (1, 3, 4, 6)
    inputs = {count: samples(count) for count in counts}
    proto = several()
    x, ids = inputs[6]
    wrong = ids.clone()
    wrong[5] = ROWS

    with compiled(2, switched=True) as model, ThreadPoolExecutor(4) as pool:
        expected = {count: one_by_one(proto, inputs[count], model) for count in counts}

        def fail() -> None:
            with pytest.raises(OpError, match="the lookup"):
                model(x, wrong)

        for _ in range(50):
            failing = pool.submit(fail)
            runs = {count: pool.submit(model, *inputs[count]) for count in counts}
            for count, run in runs.items():
                assert_same(run.result(), expected[count])
            failing.result()


def test_threads_end_with_the_program() -> None:
    model = compiled(2)
    x, ids = samples(3)
    expected = model(x, ids)
    model.close()
    for count in (1, 2, 3):
        with pytest.raises(RuntimeError, match="is closed"):
            model(x[:count], ids[:count])
    assert_same(model.serial(x, ids), expected)


# Copies and files


def test_copies_run() -> None:
    x, ids = samples(5)
    with compiled(2) as model, copy.deepcopy(model) as deep, copy.copy(model) as shallow:
        expected = model(x, ids)
        assert_same(deep(x, ids), expected)
        assert_same(shallow(x, ids), expected)


def test_saved_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is a program of its own, which checks its batch, and its class can be pickled."""
    path = tmp_path / "batch_of_two.py"
    x, ids = samples(5)
    with compiled(2) as model:
        expected = model(x, ids)
        model.save(path)
    run = subprocess.run(
        [sys.executable, path, "--runs", "2"], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert "agree bit for bit" in run.stdout

    spec = importlib.util.spec_from_file_location("batch_of_two", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "batch_of_two", module)
    spec.loader.exec_module(module)
    weights = Weights.open(path.with_suffix(".safetensors"))
    # Weights of a file begin anywhere, and products may round otherwise: not to the bit.
    with module.G(weights) as loaded, pickle.loads(pickle.dumps(loaded)) as again:
        assert_same(loaded(x, ids), loaded.serial(x, ids))
        torch.testing.assert_close(loaded(x, ids), expected)
        torch.testing.assert_close(again(x, ids), expected)
