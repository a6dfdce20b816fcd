"""Weights that stay quantised in the file of a program, and those of low-bit types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper
from safetensors import safe_open
from safetensors.torch import save_file

import ramiel
from ramiel.dialects.onnx.quantized import Quantized
from ramiel.errors import CompileError
from ramiel.execution.tensors import tensor_of
from ramiel.runtime import Weights
from ramiel.runtime.ops.conversion import cast
from ramiel.runtime.ops.quantization import dequantize, matmul_integer
from ramiel.weights.packing import pack, packed_type, unpack

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)


def model_of(
    nodes: list[onnx.NodeProto],
    constants: Mapping[str, ArrayLike],
    shape: list[int],
    opset: int = 21,
) -> onnx.ModelProto:
    """A model from x, of a shape in float32, to y."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_empty_tensor_value_info("y")
    given = [numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items()]
    graph = helper.make_graph(nodes, "quantized", [x], [y], given)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def node(op: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), [output], **attributes)


def integers(dtype: str, *shape: int) -> Array:
    bits = int(dtype[-1])
    low = 0 if dtype.startswith("u") else -(1 << (bits - 1))
    values = RNG.integers(low, low + (1 << bits), shape)
    return values.astype(getattr(ml_dtypes, dtype, dtype))


CONV = model_of(
    [
        node("QuantizeLinear", "x s z", "q"),
        node("DequantizeLinear", "q s z", "d"),
        node("DequantizeLinear", "w ws wz", "wd", axis=0),
        node("Conv", "d wd", "y", pads=[1, 1, 1, 1]),
    ],
    {
        "s": np.float32(0.02),
        "z": np.uint8(128),
        "w": integers("int8", 16, 8, 3, 3),
        "ws": RNG.uniform(0.01, 0.1, 16).astype(np.float32),
        "wz": np.zeros(16, np.int8),
    },
    [1, 8, 6, 6],
)
BLOCKS = {
    "w": integers("int4", 32, 40),
    "ws": RNG.uniform(0.01, 0.1, (2, 40)).astype(np.float32),
    "wz": integers("int4", 2, 40),
}
MATMUL = model_of(
    [
        node("DequantizeLinear", "w ws wz", "wd", axis=0, block_size=16),
        node("MatMul", "x wd", "y"),
    ],
    BLOCKS,
    [3, 32],
)
TRANSPOSED = model_of(
    [
        node("DequantizeLinear", "w ws wz", "wd", axis=1),
        node("Transpose", "wd", "t", perm=[1, 0]),
        node("MatMul", "x t", "y"),
    ],
    {
        "w": integers("uint8", 40, 32),
        "ws": RNG.uniform(0.01, 0.1, 32).astype(np.float32),
        "wz": integers("uint8", 32),
    },
    [3, 32],
)


@pytest.mark.parametrize(
    ("model", "stored", "dtype"),
    [
        (CONV, "conv.weight", torch.int8),
        (MATMUL, "mat_mul.weight", torch.uint8),
        (TRANSPOSED, "mat_mul.weight", torch.uint8),
    ],
    ids=["conv", "int4", "transposed"],
)
def test_weights_stay_quantised(
    model: onnx.ModelProto, stored: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    program = ramiel.compile(model, workers=1)
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    x = RNG.standard_normal(shape).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    (want,) = session.run(None, {"x": x})
    np.testing.assert_allclose(program(x).numpy(), np.asarray(want), rtol=1e-4, atol=1e-4)

    program.save(tmp_path / "quantised.py")
    path = tmp_path / "quantised.safetensors"
    with safe_open(path, framework="pt") as file:
        assert file.get_tensor(stored).dtype == dtype
    weights = Weights.open(path)
    assert list(weights) == [stored]
    assert torch.equal(weights[stored], program.state_dict()[stored])
    assert path.stat().st_size < len(model.SerializeToString()) + 1024


def test_small_ones_are_folded() -> None:
    model = model_of(
        [node("DequantizeLinear", "w ws", "wd"), node("MatMul", "x wd", "y")],
        {"w": integers("int8", 4, 3), "ws": np.float32(0.5)},
        [2, 4],
    )
    program = ramiel.compile(model, workers=1)
    assert "dequantize" not in program.source


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("block", [0, 3])
@pytest.mark.parametrize("dtype", ["int8", "uint4", "int2"])
def test_compiler_and_runtime_dequantise_alike(axis: int, block: int, dtype: str) -> None:
    shape = (5, 7)
    parts = [-(-d // block) if i == axis else d for i, d in enumerate(shape)] if block else []
    values = integers(dtype, *shape)
    scale = RNG.uniform(0.1, 1, parts or [shape[axis]]).astype(np.float32)
    zero = integers(dtype, *scale.shape)
    weight = Quantized(
        lambda: values, lambda: scale, lambda: zero, axis, block, np.dtype(np.float32)
    )
    for each, array in ((weight, weight.array()), (weight.transposed((1, 0)), weight.array().T)):
        assert each.zero_point is not None
        loaders = (each.values, each.scale, each.zero_point)
        x, scales, zeros = (tensor_of(load()) for load in loaders)
        got = dequantize(x, scales, zeros, each.axis, block)
        np.testing.assert_array_equal(got.numpy(), array)
        np.testing.assert_array_equal(each.array(), array)


@pytest.mark.parametrize(
    "dtype",
    "int4 uint4 int2 uint2 float4_e2m1fn float6_e2m3fn float6_e3m2fn float8_e4m3fn "
    "float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu".split(),
)
def test_packed_arrays_are_read_as_they_were(dtype: str, tmp_path: Path) -> None:
    array = np.array([[0, 1, 1], [2, 0, 1], [-1, 1, 0]][: 2 if dtype[0] == "u" else 3], np.float32)
    array = np.abs(array) if dtype == "float8_e8m0fnu" else array
    array = array.astype(getattr(ml_dtypes, dtype))
    name = packed_type(array)
    assert name is not None
    same = unpack(pack(array), name, list(array.shape))
    assert same.dtype == array.dtype
    np.testing.assert_array_equal(same.astype(np.float32), array.astype(np.float32))

    path = tmp_path / "w.safetensors"
    form = {"w": [name, list(array.shape)]}
    save_file({"w": torch.from_numpy(pack(array))}, path, {"ramiel.packed": json.dumps(form)})
    tensor = Weights.open(path)["w"]
    np.testing.assert_array_equal(tensor.float().numpy(), array.astype(np.float32))
    assert tensor.dtype == tensor_of(array).dtype


@pytest.mark.parametrize(
    "metadata",
    [
        {"ramiel.packed": '{"w": ["int3", [1]]}'},
        {"ramiel.packed": '{"w": ["int4", [-1]]}'},
        {"ramiel.packed": '{"w": ["int4", ["a"]]}'},
        {"ramiel.quantized": '{"w": [0, -1, "float32"]}'},
        {"ramiel.quantized": '{"w": [0, 0, "nn"]}'},
        {"ramiel.quantized": '{"w": 3}'},
        {"ramiel.quantized": "["},
    ],
    ids=str,
)
def test_malformed_metadata_is_refused(metadata: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"w": torch.zeros(4, dtype=torch.uint8)}, path, metadata)
    with pytest.raises(ValueError, match=r"w\.safetensors: metadata"):
        Weights.open(path)


@pytest.mark.parametrize(
    "metadata",
    [{"ramiel.packed": '{"w": ["int4", [9]]}'}, {"ramiel.quantized": '{"w": [0, 0, "float32"]}'}],
    ids=str,
)
def test_a_weight_without_its_parts_is_refused(metadata: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"w": torch.zeros(4, dtype=torch.uint8)}, path, metadata)
    with pytest.raises(ValueError, match="w"):
        Weights.open(path)["w"]


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "reason"),
    [
        ("QuantizeLinear", "x s3", {"axis": 7}, "axis is 7"),
        ("DequantizeLinear", "w s3 z3", {"axis": -3}, "axis is -3"),
        ("DequantizeLinear", "w s3 z3", {"block_size": -2}, "block_size is -2"),
        ("DequantizeLinear", "w s3 z3", {"block_size": 2}, "1 dimensions, but its input has 2"),
        ("QuantizeLinear", "x s z", {"output_dtype": 5}, "output_dtype INT16"),
        ("QuantizeLinear", "x s", {"output_dtype": 99}, "not specify a valid type"),
        ("QuantizeLinear", "x s", {"output_dtype": 1}, "unsupported type"),
        ("Cast", "x", {"to": 24, "round_mode": "sideways"}, "round_mode is 'sideways'"),
        ("MatMulNBits", "x p n", {"K": 4, "N": 3, "bits": 5, "block_size": 16}, "do not match"),
        ("MatMulNBits", "x p n", {"K": 20, "N": 3, "bits": 4, "block_size": 16}, "not fit K=20"),
        ("QLinearAveragePool", "u s z s z", {"kernel_shape": [1], "channels_last": 1}, "channels"),
        ("QLinearConcat", "s z u s", {"axis": 0}, "its inputs must be"),
    ],
)
def test_wrong_attributes_are_named(
    op: str, inputs: str, attributes: dict[str, Any], reason: str
) -> None:
    constants = {
        "w": integers("int8", 30, 3),
        "u": integers("uint8", 1, 2, 3),
        "p": integers("uint8", 3, 1, 8),
        "n": np.ones((3, 1), np.float32),
        "s3": np.ones(3, np.float32),
        "z3": np.zeros(3, np.int8),
        "s": np.ones((), np.float32),
        "z": np.zeros((), np.uint8),
    }
    used = {name: a for name, a in constants.items() if name in inputs.split()}
    domain = "com.microsoft" if op in ("MatMulNBits", "QLinearAveragePool", "QLinearConcat") else ""
    model = model_of([node(op, inputs, "y", domain=domain, **attributes)], used, [2, 4], 25)
    with pytest.raises(CompileError, match=reason):
        ramiel.compile(model, workers=1)


def test_casts_between_integers_keep_the_lowest_bits() -> None:
    x = tensor_of(np.array([-8, -1, 0, 7], np.int8).astype(ml_dtypes.int4))
    assert cast(x, "uint4").tolist() == [8, 15, 0, 7]
    assert cast(torch.tensor([255, 6], dtype=torch.uint8), "int2").tolist() == [-1, -2]


def test_a_zero_point_for_each_row() -> None:
    a, b = torch.tensor([[1, 2], [3, 4]]).byte(), torch.eye(2).byte()
    zero = torch.tensor([1, 3]).byte()
    assert matmul_integer(a, b, zero).tolist() == [[0, 1], [0, 1]]
