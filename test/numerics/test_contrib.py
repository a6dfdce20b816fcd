"""Models that ONNX Runtime has optimised, and what is refused of its own operators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from one_node import Case, assert_same, case, evaluated, f32, lowered, model_of, scalar
from onnx import TensorProto, helper, numpy_helper

from ramiel.errors import CompileError

Array = np.ndarray[Any, Any]


class Graph:
    """A model that grows node by node; arrays among the inputs of a node are constants."""

    def __init__(self, **inputs: tuple[int, ...]) -> None:
        self.rng = np.random.default_rng(5)
        self.feeds: dict[str, Array] = {k: self.draw(*shape) for k, shape in inputs.items()}
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def draw(self, *shape: int) -> Array:
        return self.rng.uniform(-1, 1, shape).astype(np.float32)

    def __call__(self, op: str, *inputs: str | Array, **attributes: Any) -> str:
        names = [i if isinstance(i, str) else self._constant(i) for i in inputs]
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, names, [name], name=name, **attributes))
        return name

    def _constant(self, array: Array) -> str:
        self.constants.append(numpy_helper.from_array(array, f"c{len(self.constants)}"))
        return self.constants[-1].name

    def model(self, output: str) -> onnx.ModelProto:
        kind = TensorProto.FLOAT
        inputs = [helper.make_tensor_value_info(k, kind, v.shape) for k, v in self.feeds.items()]
        graph = helper.make_graph(
            self.nodes, "g", inputs, [helper.make_empty_tensor_value_info(output)], self.constants
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        return model


def _residual() -> tuple[Graph, str]:
    g = Graph(x=(1, 4, 8, 8))
    weights = [g.draw(4, 4, 3, 3) for _ in range(3)]
    a = g("Relu", g("Conv", "x", weights[0], g.draw(4), pads=[1] * 4))
    b = g("Conv", a, weights[1], g.draw(4), pads=[1] * 4)
    c = g("Relu", g("Add", b, a))
    return g, g("LeakyRelu", g("Conv", c, weights[2]), alpha=0.1)


def _scores() -> tuple[Graph, str]:
    g = Graph(x=(2, 5, 8), y=(2, 5, 8))
    keys = g("Transpose", "y", perm=[0, 2, 1])
    scaled = g("Mul", g("MatMul", "x", keys), np.array(0.25, np.float32))
    y = g("MatMul", g("Softmax", scaled), "y")
    total = g("Add", g("Add", g("MatMul", y, g.draw(8, 8)), g.draw(8)), "x")
    normal = g("LayerNormalization", total, g.draw(8), g.draw(8))
    x = g("Add", g("MatMul", normal, g.draw(8, 16)), g.draw(16))
    half = g("Mul", x, g("Add", g("Erf", g("Div", x, _number(2**0.5))), _number(1)))
    return g, g("Mul", half, _number(0.5))


def _number(value: float) -> Array:
    return np.array(value, np.float32)


@pytest.mark.parametrize(
    ("made", "fused"),
    [
        (_residual, {"FusedConv"}),
        (_scores, {"FusedMatMul", "Gelu", "SkipLayerNormalization"}),
    ],
)
def test_optimised_models(made: Any, fused: set[str], tmp_path: Path) -> None:
    graph, output = made()
    path = tmp_path / "optimised.onnx"
    options = onnxruntime.SessionOptions()
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.graph_optimization_level = level
    options.optimized_model_filepath = str(path)
    session = onnxruntime.InferenceSession(graph.model(output).SerializeToString(), options)
    model = onnx.load(path)
    assert fused <= {node.op_type for node in model.graph.node if node.domain == "com.microsoft"}
    (want,) = session.run(None, graph.feeds)
    (got,) = evaluated(model, list(graph.feeds.values()))
    assert_same(got, np.asarray(want))


def _ms(op: str, *inputs: Any, **options: Any) -> Case:
    return case(f"com.microsoft::{op}", *inputs, opset=17, **options)


X, IMAGE = f32(2, 3, 8), f32(1, 3, 6, 6)
W, B = f32(8, 24), f32(24)
GQA = (f32(1, 1, 64), f32(1, 1, 32), f32(1, 1, 32), None, None, np.zeros(1, np.int32))
REFUSED = [
    (_ms("FusedConv", IMAGE, f32(4, 3, 3, 3), activation="Magic"), "unknown activation 'Magic'"),
    (_ms("FusedConv", IMAGE, f32(4, 3, 3, 3), activation="Clip"), "takes 2 number(s), got 0"),
    (_ms("FusedGemm", f32(2, 3), f32(3, 4), activation="LeakyRelu"), "'activation_alpha'"),
    (_ms("SkipLayerNormalization", X, X, f32(8), outputs=2), "training"),
    (_ms("Attention", X, W, B), "'num_heads' is missing"),
    (_ms("Attention", X, W, B, num_heads=0), "must be positive"),
    (_ms("Attention", X, W, B, num_heads=3), "3 heads do not divide a width of 8"),
    (_ms("Attention", X, W, B, num_heads=2, qkv_hidden_sizes=[8, 8]), "do not fit weights of 24"),
    (_ms("Attention", X, W, B, num_heads=2, do_rotary=1), "do_rotary"),
    (_ms("MultiHeadAttention", f32(2, 3, 2, 3, 4), num_heads=2), "packed"),
    (_ms("MultiHeadAttention", X, f32(2, 5, 8), f32(2, 5, 8), num_heads=2, unidirectional=1), "as"),
    (_ms("GroupQueryAttention", *GQA, scalar(1, "int32"), num_heads=4, kv_num_heads=3), "divide"),
    (
        _ms(
            *("GroupQueryAttention", *GQA, scalar(1, "int32")),
            num_heads=4,
            kv_num_heads=2,
            do_rotary=1,
        ),
        "cos_cache",
    ),
    (_ms("RotaryEmbedding", X, f32(1), f32(4, 2), f32(4, 2), rotary_embedding_dim=4), "num_heads"),
    (_ms("CDist", f32(2, 3), f32(2, 3), metric="cosine"), "'cosine'"),
    (_ms("GridSample", IMAGE, f32(1, 2, 2, 2), mode="magic"), "unknown mode 'magic'"),
    (_ms("CropAndResize", IMAGE, f32(1, 4), f32(1), f32(2), mode="magic"), "unknown mode 'magic'"),
    (case("ai.onnx::Crop", IMAGE, border=[1, 2]), "four"),
]


@pytest.mark.parametrize(("c", "reason"), REFUSED, ids=str)
def test_refused(c: Case, reason: str) -> None:
    with pytest.raises(CompileError) as error:
        lowered(model_of(c, c.arrays()))
    assert reason in error.value.message
    assert c.op in error.value.message
