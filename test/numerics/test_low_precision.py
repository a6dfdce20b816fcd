"""What is computed in bf16 or f16 is close to what is computed in f32, and half as large."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import ml_dtypes
import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from safetensors import safe_open
from torch import Tensor

import ramiel
from ramiel.errors import CompileError
from ramiel.runtime.measure import same_bits
from ramiel.runtime.outputs import as_tuple
from ramiel.tools import check
from ramiel.torch_level.low_types import LOW_TYPES, rounded

Array = npt.NDArray[Any]
LOSS = {"bf16": 0.03, "f16": 0.004}


class Graph:
    """An ONNX model that grows node by node; arrays among the inputs of a node are constants."""

    def __init__(self, **inputs: Array) -> None:
        self.rng = np.random.default_rng(3)
        self.inputs = inputs
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def weight(self, *shape: int) -> Array:
        scale = float(np.prod(shape[1:])) ** -0.5
        return (self.rng.standard_normal(shape) * scale).astype(np.float32)

    def __call__(self, op: str, *inputs: str | Array, outputs: int = 1, **attributes: Any) -> str:
        names = [self._name(i) for i in inputs]
        made = [f"v{len(self.nodes)}" + ("" if i == 0 else f"_{i}") for i in range(outputs)]
        self.nodes.append(helper.make_node(op, names, made, **attributes))
        return made[0]

    def _name(self, value: str | Array) -> str:
        if isinstance(value, str):
            return value
        self.constants.append(numpy_helper.from_array(value, f"c{len(self.constants)}"))
        return self.constants[-1].name

    def model(self, *outputs: str) -> onnx.ModelProto:
        inputs = [
            helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for k, v in self.inputs.items()
        ]
        results = [helper.make_empty_tensor_value_info(o) for o in outputs]
        graph = helper.make_graph(self.nodes, "low", inputs, results, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _image(*shape: int) -> Array:
    return np.random.default_rng(4).standard_normal(shape).astype(np.float32)


def convolutions() -> tuple[onnx.ModelProto, Mapping[str, Array]]:
    """Convolutions with sums, activations, groups and normalisation, pools, a linear layer."""
    g = Graph(image=_image(1, 8, 24, 24))
    a = g("Relu", g("Conv", "image", g.weight(32, 8, 3, 3), g.weight(32), pads=[1, 1, 1, 1]))
    b = g("Conv", a, g.weight(32, 1, 3, 3), g.weight(32), group=32, pads=[1, 1, 1, 1])
    c = g("Mul", b, g("Sigmoid", b))
    d = g("Conv", c, g.weight(32, 32, 1, 1), g.weight(32))
    e = g("Relu", g("Add", d, a))
    f = g("MaxPool", e, kernel_shape=[2, 2], strides=[2, 2])
    n = g("Relu", f)
    ones = np.ones(32, np.float32)
    h = g("BatchNormalization", n, ones, ones * 0.1, ones * 0.3, ones * 2)
    p = g("AveragePool", g("Concat", h, f, axis=1), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    t = g("ConvTranspose", p, g.weight(64, 8, 2, 2), strides=[2, 2])
    q = g("Flatten", g("GlobalAveragePool", p))
    r = g("Softmax", g("Gemm", q, g.weight(10, 64), g.weight(10), transB=1))
    return g.model(r, t), g.inputs


def attention() -> tuple[onnx.ModelProto, Mapping[str, Array]]:
    """Embeddings, attention under a mask made from integers, layer norm, gelu."""
    ids = np.random.default_rng(5).integers(0, 50, (1, 12))
    kept = np.array([[1] * 9 + [0] * 3])
    g = Graph(ids=ids, kept=kept)
    width, heads = 32, 4
    x = g("Add", g("Gather", g.weight(50, width) * 5, "ids"), g.weight(12, width))
    lowest = np.array(np.finfo(np.float32).min, np.float32)
    off = g("Sub", np.array(1, np.float32), g("Cast", "kept", to=1))
    mask = g("Mul", g("Reshape", off, np.array([1, 1, 1, 12])), lowest)

    def project(perm: list[int]) -> str:
        y = g("Add", g("MatMul", x, g.weight(width, width)), g.weight(width))
        return g("Transpose", g("Reshape", y, np.array([1, 12, heads, 8])), perm=perm)

    q, k, v = project([0, 2, 1, 3]), project([0, 2, 3, 1]), project([0, 2, 1, 3])
    scores = g("Div", g("MatMul", q, k), np.array(8**0.5, np.float32))
    weights = g("Softmax", g("Add", scores, mask), axis=-1)
    y = g("Transpose", g("MatMul", weights, v), perm=[0, 2, 1, 3])
    y = g("Add", g("Reshape", y, np.array([1, 12, width])), x)
    centred = g("Sub", y, g("ReduceMean", y, axes=[-1]))
    variance = g("ReduceMean", g("Pow", centred, np.array(2, np.float32)), axes=[-1])
    deviation = g("Sqrt", g("Add", variance, np.array(1e-12, np.float32)))
    y = g("Div", centred, deviation)
    y = g("Mul", y, np.abs(g.weight(width)) + 1)
    z = g("MatMul", y, g.weight(width, 64))
    half, one, root = (np.array(n, np.float32) for n in (0.5, 1, 2**0.5))
    z = g("Mul", g("Mul", z, g("Add", g("Erf", g("Div", z, root)), one)), half)
    return g.model(g("MatMul", z, g.weight(64, width))), g.inputs


def integers() -> tuple[onnx.ModelProto, Mapping[str, Array]]:
    """Sizes and positions that are computed in floats, which bf16 would not hold."""
    ratio = np.array([1, 1, 1.5625, 1.5625], np.float32)
    g = Graph(image=_image(1, 4, 33, 21), ratio=ratio, steps=np.array(300))
    a = g("Relu", g("Conv", "image", g.weight(8, 4, 3, 3), pads=[1, 1, 1, 1]))
    scales = g("Mul", "ratio", np.array([1, 1, 1, 1], np.float32))
    big = g("Resize", a, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")
    steps = g("Cast", "steps", to=1)
    zero, one = np.array(0, np.float32), np.array(1, np.float32)
    positions = g("Range", zero, steps, one)
    exact = g("Cast", g("Add", positions, one), to=7)
    waves = g("Sin", g("Mul", positions, np.array(0.3, np.float32)))
    flat = g("Reshape", big, np.array([-1]))
    best = g("TopK", flat, np.array([5]), outputs=2)
    counts = g("CumSum", g("Abs", g("Sign", flat)), np.array(0))
    size = g("Shape", big)
    shifted = g("Mul", big, g("ReduceMean", waves, keepdims=0))
    return g.model(shifted, exact, waves, best, size, counts), g.inputs


def _run(model: onnx.ModelProto, inputs: Mapping[str, Array], **options: Any) -> list[Tensor]:
    with ramiel.compile(model, workers=2, schedule="linear", **options) as program:
        results = as_tuple(program(**inputs))
        serial = as_tuple(cast(Any, program).serial(**inputs))
        assert all(same_bits(a, b) for a, b in zip(results, serial, strict=True))
        return list(results)


@pytest.mark.parametrize("dtype", ["bf16", "f16"])
@pytest.mark.parametrize("make", [convolutions, attention, integers])
def test_close(make: Any, dtype: str) -> None:
    model, inputs = make()
    expected = _run(model, inputs)
    results = _run(model, inputs, dtype=dtype)
    losses: list[float] = []
    for result, reference in zip(results, expected, strict=True):
        assert (result.dtype, result.shape) == (reference.dtype, reference.shape)
        if not result.is_floating_point():
            assert torch.equal(result, reference)
            continue
        losses.append(float((result - reference).abs().max() / reference.abs().max()))
    assert max(losses) <= LOSS[dtype]
    assert max(losses) > 1e-6, "it was computed in f32"


def test_exact_parts() -> None:
    """What comes from integers alone is the same to the bit, and so is a count of thousands."""
    model, inputs = integers()
    expected, results = _run(model, inputs), _run(model, inputs, dtype="bf16")
    for i in (1, 2, 4, 5):
        assert same_bits(results[i], expected[i])
    assert expected[5].max() > 1000


def test_f32_is_as_before() -> None:
    model, _ = convolutions()
    with ramiel.compile(model, workers=2, schedule="linear") as program:
        source = program.source
    with ramiel.compile(model, workers=2, schedule="linear", dtype="f32") as program:
        assert program.source == source and "bfloat16" not in source


def test_saved(tmp_path: Path) -> None:
    """The program converts at its borders only; its weights are bfloat16, and half the size."""
    model, _ = attention()
    for dtype in ("f32", "bf16"):
        with ramiel.compile(model, workers=2, schedule="linear", dtype=dtype) as program:
            program.save(tmp_path / f"{dtype}.py")
    sizes = {
        dtype: sum(t.numel() * t.itemsize for t in _tensors(tmp_path / f"{dtype}.safetensors"))
        for dtype in ("f32", "bf16")
    }
    assert 0.5 <= sizes["bf16"] / sizes["f32"] < 0.51
    kinds = {t.dtype for t in _tensors(tmp_path / "bf16.safetensors") if t.numel() > 1}
    assert kinds == {torch.bfloat16}
    run = subprocess.run(
        [sys.executable, tmp_path / "bf16.py"], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr


def _tensors(path: Path) -> list[Tensor]:
    with safe_open(path, framework="pt") as file:
        return [file.get_tensor(name) for name in file.keys()]  # noqa: SIM118


def test_names() -> None:
    """An output keeps its name."""
    model, _ = convolutions()
    with ramiel.compile(model, workers=2, schedule="linear") as wide:
        names = wide.outputs
    with ramiel.compile(model, workers=2, schedule="linear", dtype="bf16") as low:
        assert low.outputs == names
        assert low.source.count(".to(torch.") == 2 * 3  # in the workers and in serial()


def test_rounded() -> None:
    """Numbers stay finite, nothing but 0 becomes 0, and infinities stay."""
    given = np.array([0, 1e-45, -1e-30, 1e5, -3.4e38, np.inf, -np.inf, np.nan], np.float32)
    for low in LOW_TYPES.values():
        result = rounded(given, low).astype(np.float64)
        assert np.array_equal(np.isfinite(result), np.isfinite(given))
        assert np.array_equal(result == 0, given == 0)
        assert np.array_equal(np.signbit(result[:-1]), np.signbit(given[:-1]))
    assert rounded(given, LOW_TYPES["bf16"]).dtype == ml_dtypes.bfloat16


def test_refused() -> None:
    model, _ = convolutions()
    with pytest.raises(CompileError, match="no dtype 'f64'"):
        ramiel.compile(model, dtype="f64")


def test_tolerances() -> None:
    """`ramiel check` has a limit for all that can be asked for."""
    assert check.TOLERANCES.keys() == {"f32", *LOW_TYPES}
