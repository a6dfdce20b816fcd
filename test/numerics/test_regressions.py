"""Models that were compiled wrongly once."""

from __future__ import annotations

import numpy as np
import onnx
from control_flow_models import X, model
from onnx import helper
from onnx.reference import ReferenceEvaluator

import ramiel


def test_a_loop_that_does_nothing() -> None:
    source = model(
        """
        idle (int64 n, float[3] x) => (float[3] y) {
          y = Loop (n, "", x) <
            body = b (int64 i, bool k, float[3] a) => (bool k2, float[3] c) {
              k2 = Identity (k)
              c = Identity (a)
            }
          >
        }
        """
    )
    with ramiel.compile(source) as program:
        assert program(3, X).tolist() == X.tolist()


def test_what_a_loop_yields_has_a_type() -> None:
    """Its element type was unknown where the body did not declare a shape."""
    source = model(
        """
        power (float[3] x) => (float[N] y) {
          two = Constant <value_int = 2> ()
          s = Loop (two, "", x) <
            body = b (int64 i, bool k, float[3] a) => (bool k2, float[3] c) {
              k2 = Identity (k)
              c = Neg (a)
            }
          >
          square = Constant <value_float = 2.0> ()
          y = Pow (s, square)
        }
        """
    )
    body = next(n for n in source.graph.node if n.op_type == "Loop").attribute[0].g
    body.output[1].type.tensor_type.ClearField("shape")
    with ramiel.compile(source) as program:
        assert program(X).tolist() == (X * X).tolist()


def test_a_function_reads_an_attribute_that_is_not_given() -> None:
    node = helper.make_node("AffineGrid", ["theta", "size"], ["grid"])
    graph = helper.make_graph(
        [node],
        "affine",
        [helper.make_tensor_value_info("theta", onnx.TensorProto.FLOAT, [2, 2, 3])],
        [helper.make_tensor_value_info("grid", onnx.TensorProto.FLOAT, [2, 3, 4, 2])],
        [helper.make_tensor("size", onnx.TensorProto.INT64, [4], [2, 1, 3, 4])],
    )
    source = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    theta = np.array([[[1, 0.5, 0], [0, 2, -1]], [[0, 1, 0], [1, 0, 0]]], np.float32)
    want = ReferenceEvaluator(source).run(None, {"theta": theta})[0]
    with ramiel.compile(source) as program:
        np.testing.assert_allclose(program(theta).numpy(), want, atol=1e-6)


def test_a_split_into_one_part() -> None:
    """torch.split() makes a tuple of it, which is no tensor."""
    source = model(
        """
        whole (float[3] x) => (float[3] y) {
          part = Split (x)
          y = Neg (part)
        }
        """
    )
    with ramiel.compile(source) as program:
        assert program(X).tolist() == (-X).tolist()
