"""Initializers that are inputs as well: defaults that a call may override, from IR version 4 on."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper, parser

import ramiel
from ramiel import onnx_backend
from ramiel.compiler import Options, compile_model
from ramiel.errors import CompileError
from ramiel.runtime import Input, Weights, with_defaults
from ramiel.runtime.inputs import bind
from ramiel.tools.check import Inputs, compare

Array = np.ndarray[Any, Any]
Initializers = dict[str, Array]

onnxruntime.set_default_logger_severity(4)


def model(inputs: str, body: str, initializers: Initializers, ir: int = 8) -> onnx.ModelProto:
    """A model with a result y, whose initializers are listed as inputs, before the others."""
    made = parser.parse_model(
        f'<ir_version: {ir}, opset_import: ["": 18]> g ({inputs}) => (float[] y) {{ {body} }}'
    )
    for name, array in initializers.items():
        made.graph.initializer.append(numpy_helper.from_array(array, name))
        type = helper.np_dtype_to_tensor_dtype(array.dtype)
        made.graph.input.insert(0, helper.make_tensor_value_info(name, type, array.shape))
    return made


def f32(*shape: int) -> Array:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def i64(*values: int) -> Array:
    return np.array(values, np.int64)


X = np.array([1.0, 2.0, 3.0], np.float32)
TIMES_TWO = ("float[3] x", "y = Mul (x, k)", {"k": np.array([2], np.float32)})

CASES: dict[str, tuple[str, str, Initializers, Initializers]] = {
    "a factor": (*TIMES_TWO, {"k": np.array([5], np.float32)}),
    "a convolution's weights": (
        "float[1,3,8,8] x",
        "y = Conv <pads = [1, 1, 1, 1]> (x, w, b)",
        {"w": f32(4, 3, 3, 3), "b": f32(4)},
        {"w": 2 * f32(4, 3, 3, 3)},
    ),
    "a batch norm's": (
        "float[1,3,8,8] x",
        "c = Conv (x, w) y = BatchNormalization (c, s, b, m, v)",
        {"w": f32(3, 3, 3, 3), "s": f32(3), "b": f32(3), "m": f32(3), "v": np.abs(f32(3))},
        {"s": 2 * f32(3), "m": 3 * f32(3)},
    ),
    "a linear layer's": (
        "float[2,5] x",
        "y = Gemm <transB = 1> (x, w, b)",
        {"w": f32(4, 5), "b": f32(4)},
        {"b": 2 * f32(4)},
    ),
    "a recurrent layer's": (
        "float[2,1,6] x",
        "y = LSTM <hidden_size = 4> (x, w, r, b)",
        {"w": f32(1, 16, 6), "r": f32(1, 16, 4), "b": f32(1, 32)},
        {"w": 2 * f32(1, 16, 6)},
    ),
    "a shape": ("float[2,6] x", "y = Reshape (x, s)", {"s": i64(3, 4)}, {"s": i64(4, 3)}),
    "arithmetic of a shape": (
        "float[2,6] x",
        "t = Constant <value_ints = [2]> () n = Div (s, t) y = Reshape (x, n)",
        {"s": i64(6, 8)},
        {"s": i64(8, 6)},
    ),
    "ends of a slice": (
        "float[2,6] x",
        "y = Slice (x, a, b)",
        {"a": i64(0, 1), "b": i64(2, 4)},
        {"b": i64(1, 5)},
    ),
    "pads": ("float[2,6] x", "y = Pad (x, p)", {"p": i64(0, 1, 0, 1)}, {"p": i64(1, 1, 0, 2)}),
    "a number of results": ("float[2,6] x", "y, i = TopK (x, k)", {"k": i64(3)}, {"k": i64(1)}),
    "a scale": (
        "float[2,6] x",
        "q = QuantizeLinear (x, s, z) y = DequantizeLinear (q, s, z)",
        {"s": np.array(0.5, np.float32), "z": np.array(2, np.uint8)},
        {"s": np.array(0.25, np.float32)},
    ),
    "read in a branch": (
        "float[3] x, bool c",
        """y = If (c) <then_branch = t () => (float[3] u) { u = Mul (x, k) },
                       else_branch = e () => (float[3] v) { v = Neg (x) }>""",
        {"k": np.array([2], np.float32)},
        {"k": np.array([5], np.float32)},
    ),
}


def feeds(source: onnx.ModelProto) -> dict[str, Array]:
    defaults = {t.name for t in source.graph.initializer}
    shapes = {
        i.name: [d.dim_value for d in i.type.tensor_type.shape.dim]
        for i in source.graph.input
        if i.name not in defaults
    }
    return {name: f32(*shape) if shape else np.array(True) for name, shape in shapes.items()}


@pytest.mark.parametrize("name", CASES)
def test_as_onnxruntime(name: str) -> None:
    inputs, body, defaults, others = CASES[name]
    source = model(inputs, body, defaults)
    session = onnxruntime.InferenceSession(
        source.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    given = feeds(source)
    with ramiel.compile(source, workers=2) as program:
        for more in ({}, others, {}):
            wanted: Any = session.run(None, {**given, **more})[0]
            for call in (program, program.serial):
                np.testing.assert_allclose(call(**given, **more), wanted, 1e-5, 1e-5)


def test_by_position_after_the_others() -> None:
    with ramiel.compile(model(*TIMES_TWO), workers=1) as program:
        assert [i.name for i in program.inputs] == ["x", "k"]
        assert program(X).tolist() == [2, 4, 6]
        assert program(X, [3]).tolist() == [3, 6, 9]
        assert program(X, k=[3]).tolist() == [3, 6, 9]
        assert program(x=X).tolist() == [2, 4, 6]
        with pytest.raises(ValueError, match=r'input "k": expected float32\[1\], got float32\[2\]'):
            program(X, torch.ones(2))
        with pytest.raises(TypeError, match=r"takes 2 inputs \(x, k\), got 3"):
            program(X, [3], 1)
        with pytest.raises(TypeError, match='missing input "x"'):
            program(k=[3])
        assert repr(program) == "G(x: float32[3], k: float32[1] = ...) -> (mul) on 1 worker"


def test_in_the_program(tmp_path: Path) -> None:
    path = tmp_path / "doubled.py"
    with ramiel.compile(model(*TIMES_TWO), workers=1) as program:
        assert 'Input("k", torch.float32, (1,), default="k"),' in program.source
        assert "self.inputs = with_defaults(self.inputs, weights)" in program.source
        program.save(path)
        for copied in (copy.deepcopy(program), pickle.loads(pickle.dumps(program.inputs))):
            inputs = copied if isinstance(copied, tuple) else copied.inputs
            default = inputs[1].default
            assert isinstance(default, torch.Tensor) and default.tolist() == [2]
    run = subprocess.run([sys.executable, path, "--runs", "1"], capture_output=True, text=True)
    assert "agree bit for bit" in run.stdout, run.stderr


@pytest.mark.parametrize(("ir", "freeze"), [(3, False), (8, True)])
def test_constants(ir: int, freeze: bool) -> None:
    """Up to IR version 3 all initializers were listed; and so they are constants if asked for."""
    with ramiel.compile(model(*TIMES_TWO, ir=ir), workers=1, freeze=freeze) as program:
        assert "mul = x * 2.0" in program.source
        assert program(X).tolist() == [2, 4, 6]
        with pytest.raises(TypeError, match='G has no input "k"'):
            program(X, k=[3])


def test_in_a_batch_they_are_constants() -> None:
    source = model("float[1,3] x", "y = Mul (x, k)", {"k": np.array([2], np.float32)})
    with ramiel.compile(source, workers=2, batch=2) as program:
        assert program([[1, 2, 3]] * 3).tolist() == [[2, 4, 6]] * 3
        assert len(program.inputs) == 1


def test_a_default_has_the_size_of_a_name() -> None:
    source = model("float[n] x", "y = Mul (x, k)", {"k": np.array([2, 2, 2], np.float32)})
    source.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "n"
    with ramiel.compile(source, workers=1) as program:
        assert program(X).tolist() == [2, 4, 6]
        assert program([1, 2], [1, 2]).tolist() == [1, 4]
        with pytest.raises(ValueError, match='dimension "n" is 2 in input "x" and 3 in input "k"'):
            program([1, 2])


def test_an_output_is_a_default() -> None:
    source = model("float[3] x", "y = Neg (x)", {"k": np.array([2], np.float32)})
    source.graph.output.append(helper.make_tensor_value_info("k", onnx.TensorProto.FLOAT, [1]))
    with ramiel.compile(source, workers=2) as program:
        assert program(X)[1].tolist() == [2]
        assert program(X, [5])[1].tolist() == [5]


def test_a_default_that_does_not_fit() -> None:
    source = model(*TIMES_TWO)
    source.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 3
    with pytest.raises(CompileError, match=r'input "k" is tensor<3xf32>, which its default, a'):
        ramiel.compile(source, workers=1)


def test_nothing_is_declared_of_its_shape() -> None:
    source = model(*TIMES_TWO)
    source.graph.input[0].type.tensor_type.ClearField("shape")
    with ramiel.compile(source, workers=1) as program:
        assert program.inputs[1].shape == (1,)
        assert program(X).tolist() == [2, 4, 6]


def test_strings(tmp_path: Path) -> None:
    source = parser.parse_model(
        """<ir_version: 8, opset_import: ["": 19]> g (string[2] s, string[1] t) => (bool[2] y)
        <string[1] t = {"a\\"\\n"}> { y = Equal (s, t) }"""
    )
    text = numpy_helper.to_array(source.graph.initializer[0])[0]
    with ramiel.compile(source, workers=1) as program:
        assert program([text, "b"]).tolist() == [True, False]
        assert program(["a", "b"], ["b"]).tolist() == [False, True]
        program.save(tmp_path / "stored.py")
    assert Weights.open(tmp_path / "stored.safetensors")["t"].tolist() == [text]


def test_the_tools(tmp_path: Path) -> None:
    """check and the profiler run on the defaults, and so does a reference."""
    path = tmp_path / "reshape.onnx"
    onnx.save(model("float[2,6] x", "y = Reshape (x, s)", {"s": i64(3, 4)}), path)
    compilation = compile_model(path, Options(workers=1, profile=True))
    comparison = compare(path, compilation, Inputs({}))
    assert [row.shape for row in comparison.rows] == [(3, 4)]


def test_the_backend_interface() -> None:
    source = model(*TIMES_TWO)
    assert onnx_backend.run_model(source, [X])[0].tolist() == [2, 4, 6]
    assert onnx_backend.run_model(source, [X, np.array([3], np.float32)])[0].tolist() == [3, 6, 9]
    three = {"k": np.array([3], np.float32), "x": X}
    assert onnx_backend.run_model(source, three)[0].tolist() == [3, 6, 9]


def test_binding() -> None:
    weight = torch.tensor([2.0])
    inputs = (Input("x", torch.float32, (1,)), Input("k", torch.float32, (1,), default="w"))
    filled = with_defaults(inputs, {"w": weight})
    assert bind("M", filled, [[1.0]], {})[1] is weight
    with pytest.raises(KeyError, match="w"):
        with_defaults(inputs, {})
