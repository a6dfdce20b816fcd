"""What the passes over the torch dialect recognize and fuse computes what it did before."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp

from ramiel.compiler import run_passes
from ramiel.dialects.torch import CallOp, LayerOp
from ramiel.execution.evaluator import Evaluator
from ramiel.execution.tensors import array_of_tensor, tensor_of
from ramiel.frontend.importer import import_model
from ramiel.transforms.onnx_to_torch import OnnxToTorchPass

Array = np.ndarray[Any, Any]

RECOGNIZE = (
    "torch-recognize-activations",
    "torch-recognize-layer-norm",
    "torch-recognize-attention",
    "torch-cancel-permutes",
    "torch-flatten-concat",
    "torch-fold-pad",
)
FUSE = ("torch-fuse-bias", "torch-fuse-residual", "torch-fuse-activation")


class Graph:
    """An ONNX model that grows node by node; arrays among the inputs of a node are constants."""

    def __init__(self, **inputs: tuple[int, ...]) -> None:
        self.rng = np.random.default_rng(7)
        self.feeds = {k: self.draw(*shape) for k, shape in inputs.items()}
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def draw(self, *shape: int) -> Array:
        return self.rng.uniform(-2, 2, shape).astype(np.float32)

    def __call__(
        self, op: str, *inputs: str | float | np.floating | Array, **attributes: Any
    ) -> str:
        names = [i if isinstance(i, str) else self._constant(i) for i in inputs]
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, names, [name], name=f"/{name}", **attributes))
        return name

    def _constant(self, value: float | np.floating | Array) -> str:
        array = value if isinstance(value, np.ndarray) else np.array(value, np.float32)
        self.constants.append(numpy_helper.from_array(array, f"c{len(self.constants)}"))
        return self.constants[-1].name

    def module(self, *outputs: str) -> ModuleOp:
        inputs = [helper.make_tensor_value_info(k, 1, v.shape) for k, v in self.feeds.items()]
        results = [helper.make_empty_tensor_value_info(o) for o in outputs]
        graph = helper.make_graph(self.nodes, "test", inputs, results, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        module = import_model(model)
        OnnxToTorchPass().apply(Context(), module)
        module.verify()
        return module


def _function(module: ModuleOp) -> func.FuncOp:
    return next(op for op in module.ops if isinstance(op, func.FuncOp))


def _results(module: ModuleOp, feeds: Mapping[str, Array]) -> list[Array]:
    tensors = [tensor_of(a.copy()) for a in feeds.values()]
    return [array_of_tensor(r) for r in Evaluator().function(_function(module), tensors)]


def _counts(module: ModuleOp) -> Counter[str]:
    ops = list(_function(module).body.block.ops)
    calls = Counter(op.callee for op in ops if isinstance(op, CallOp))
    return calls + Counter(op.layer for op in ops if isinstance(op, LayerOp))


def check(g: Graph, outputs: Sequence[str], passes: Sequence[str], **expected: int) -> ModuleOp:
    """Fails if the passes change a result, or leave other calls than those expected."""
    module = g.module(*outputs)
    before = _results(module, g.feeds)
    run_passes(module, [(name, {}) for name in passes])
    module.verify()
    wanted = {name.replace("__", "."): count for name, count in expected.items()}
    assert dict(_counts(module)) == wanted
    for got, want in zip(_results(module, g.feeds), before, strict=True):
        assert got.dtype == want.dtype and got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5 * max(1, np.abs(want).max()))
    return module


# --- activations -------------------------------------------------------------------------


def _erf_gate(g: Graph, x: str) -> str:
    return g("Add", g("Erf", g("Div", x, math.sqrt(2))), 1.0)


def _tanh_gate(g: Graph, x: str) -> str:
    cubic = g("Add", x, g("Mul", g("Pow", x, 3.0), 0.044715))
    return g("Add", 1.0, g("Tanh", g("Mul", cubic, math.sqrt(2 / math.pi))))


def _squared_tanh_gate(g: Graph, x: str) -> str:
    square = g("Add", g("Mul", 0.044715, g("Mul", x, x)), 1.0)
    inner = g("Mul", g("Mul", x, math.sqrt(2 / math.pi)), square)
    return g("Add", g("Tanh", inner), 1.0)


def _relu6(g: Graph, x: str) -> str:
    return g("Clip", g("Add", x, 3.0), 0.0, 6.0)


ACTIVATIONS: Mapping[str, tuple[str, Callable[[Graph, str], str]]] = {
    "silu": ("F.silu", lambda g, x: g("Mul", x, g("Sigmoid", x))),
    "silu-swapped": ("F.silu", lambda g, x: g("Mul", g("Sigmoid", x), x)),
    "hardswish": (
        "F.hardswish",
        lambda g, x: g("Mul", x, g("HardSigmoid", x, alpha=1 / 6, beta=0.5)),
    ),
    "hardswish-divided-last": (
        "F.hardswish",
        lambda g, x: g("Div", g("Mul", x, _relu6(g, x)), 6.0),
    ),
    "hardswish-divided-first": (
        "F.hardswish",
        lambda g, x: g("Mul", x, g("Div", _relu6(g, x), 6.0)),
    ),
    "hardsigmoid": ("F.hardsigmoid", lambda g, x: g("Mul", _relu6(g, x), 1 / 6)),
    "gelu-half-last": ("F.gelu", lambda g, x: g("Mul", g("Mul", x, _erf_gate(g, x)), 0.5)),
    "gelu-half-first": ("F.gelu", lambda g, x: g("Mul", g("Mul", 0.5, x), _erf_gate(g, x))),
    "gelu-half-of-gate": ("F.gelu", lambda g, x: g("Mul", x, g("Mul", _erf_gate(g, x), 0.5))),
    "gelu-divided": ("F.gelu", lambda g, x: g("Div", g("Mul", _erf_gate(g, x), x), 2.0)),
    "gelu-root-of-half": (
        "F.gelu",
        lambda g, x: g(
            "Mul", g("Mul", x, g("Add", 1.0, g("Erf", g("Mul", x, math.sqrt(0.5))))), 0.5
        ),
    ),
    "gelu-one-element": (
        "F.gelu",
        lambda g, x: g("Mul", g("Mul", x, _erf_gate(g, x)), np.array([[0.5]], np.float32)),
    ),
    "gelu-tanh": ("F.gelu", lambda g, x: g("Mul", g("Mul", 0.5, x), _tanh_gate(g, x))),
    "gelu-tanh-squared": (
        "F.gelu",
        lambda g, x: g("Mul", 0.5, g("Mul", x, _squared_tanh_gate(g, x))),
    ),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name: str) -> None:
    callee, build = ACTIVATIONS[name]
    g = Graph(x=(3, 50))
    check(g, [build(g, "x")], RECOGNIZE, **{callee: 1})


def test_gated_product_keeps_its_other_factor() -> None:
    g = Graph(x=(3, 5), z=(3, 5))
    check(
        g, [g("Mul", g("Mul", "x", g("Sigmoid", "x")), "z")], RECOGNIZE, F__silu=1, operator__mul=1
    )


# --- normalisations ----------------------------------------------------------------------


def _deviation(g: Graph, d: str, axes: Sequence[int], eps: float) -> str:
    variance = g("ReduceMean", g("Pow", d, 2.0), axes=axes)
    return g("Sqrt", g("Add", variance, eps))


@pytest.mark.parametrize("axes", [[-1], [2], [1, 2], [-1, -2]])
def test_layer_norm(axes: list[int]) -> None:
    g = Graph(x=(2, 3, 8))
    shape = (2, 3, 8)[-len(axes) :]
    d = g("Sub", "x", g("ReduceMean", "x", axes=axes))
    y = g("Mul", g("Div", d, _deviation(g, d, axes, 1e-3)), g.draw(*shape))
    check(g, [g("Add", g.draw(*shape), y)], RECOGNIZE, LayerNorm=1)


def test_layer_norm_by_reciprocal_without_bias() -> None:
    g = Graph(x=(2, 3, 8))
    d = g("Sub", "x", g("ReduceMean", "x", axes=[-1]))
    variance = g("ReduceMean", g("Mul", d, d), axes=[-1])
    r = g("Reciprocal", g("Sqrt", g("Add", 1e-5, variance)))
    check(g, [g("Mul", g.draw(8), g("Mul", r, d))], RECOGNIZE, LayerNorm=1)


@pytest.mark.parametrize("divide", [True, False])
def test_rms_norm(divide: bool) -> None:
    g = Graph(x=(2, 3, 8))
    root = _deviation(g, "x", [-1], 1e-6)
    y = g("Div", "x", root) if divide else g("Mul", "x", g("Div", 1.0, root))
    check(g, [g("Mul", y, g.draw(8))], RECOGNIZE, F__rms_norm=1)


def test_rms_norm_with_a_computed_weight() -> None:
    g = Graph(x=(2, 3, 8), w=(8,))
    y = g("Div", "x", _deviation(g, "x", [-1], 1e-6))
    check(g, [g("Mul", y, "w")], RECOGNIZE, F__rms_norm=1)


# --- attention ---------------------------------------------------------------------------

SDPA = "F.scaled_dot_product_attention"


@pytest.mark.parametrize("mask", [None, (2, 4, 6, 6), (1, 1, 6, 6), (2, 1, 1, 6), (6, 6)])
def test_attention_of_heads(mask: tuple[int, ...] | None) -> None:
    g = Graph(x=(2, 6, 32), **({"m": mask} if mask else {}))
    heads = [
        g("Reshape", g("MatMul", "x", g.draw(32, 32)), np.array([2, 6, 4, 8])) for _ in range(3)
    ]
    q, v = (g("Transpose", h, perm=[0, 2, 1, 3]) for h in heads[::2])
    k = g("Transpose", heads[1], perm=[0, 2, 3, 1])
    scores = g("Div", g("MatMul", q, k), math.sqrt(8))
    if mask:
        scores = g("Add", scores, "m")
    y = g("MatMul", g("Softmax", scores, axis=-1), v)
    out = g("Reshape", g("Transpose", y, perm=[0, 2, 1, 3]), np.array([2, 6, 32]))
    expected = {SDPA: 1, "Linear": 3, "Tensor.permute": 4, "Tensor.reshape": 4}
    check(g, [out], RECOGNIZE, **expected)


@pytest.mark.parametrize("where", ["scores", "queries", "keys", "both", "nowhere"])
@pytest.mark.parametrize("lead", [(2,), (2, 3)])
def test_scale_of_attention(where: str, lead: tuple[int, ...]) -> None:
    g = Graph(q=(*lead, 4, 8), k=(*lead, 5, 8), v=(*lead, 5, 7))
    rank = len(lead) + 2
    q, k = "q", g("Transpose", "k", perm=[*range(rank - 2), rank - 1, rank - 2])
    if where in ("queries", "both"):
        q = g("Mul", "q", 0.3)
    if where in ("keys", "both"):
        k = g("Mul", 0.6, k)
    scores = g("MatMul", q, k)
    if where == "scores":
        scores = g("Mul", scores, 0.2)
    check(g, [g("MatMul", g("Softmax", scores, axis=-1), "v")], RECOGNIZE, **{SDPA: 1})


# --- paddings, concatenations and permutations -------------------------------------------


def test_padding_of_convolutions_and_pools() -> None:
    g = Graph(x=(1, 4, 9, 8))
    pads, one = np.array([0, 0, 1, 2, 0, 0, 1, 2]), np.array([0, 0, 1, 1, 0, 0, 1, 1])
    zeros, low = g("Pad", "x", pads), g("Pad", "x", one, -np.inf)
    outputs = [
        g("Conv", zeros, g.draw(6, 4, 3, 3), strides=[2, 1], pads=[1, 0, 1, 0]),
        g("Conv", zeros, g.draw(8, 1, 5, 5), group=4),
        g("AveragePool", zeros, kernel_shape=[3, 5], strides=[2, 2]),
        g("MaxPool", low, kernel_shape=[3, 3], strides=[2, 2]),
    ]
    check(g, outputs, RECOGNIZE, Conv2d=2, F__avg_pool2d=1, F__max_pool2d=1)


def test_padding_that_pools_leave_alone() -> None:
    g = Graph(x=(1, 4, 9, 8))
    pads = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    outputs = [
        g("AveragePool", g("Pad", "x", pads), kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        g("MaxPool", g("Pad", "x", pads), kernel_shape=[3, 3]),
    ]
    check(g, outputs, RECOGNIZE, F__pad=2, F__avg_pool2d=1, F__max_pool2d=1)


def test_max_pools_before_activations() -> None:
    g = Graph(x=(1, 4, 9, 8))
    a = g("Relu", g("Conv", "x", g.draw(6, 4, 3, 3)))
    b = g("Relu", g("Conv", "x", g.draw(2, 4, 3, 3)))
    pooled = [
        g("MaxPool", g("Concat", a, b, axis=1), kernel_shape=[3, 3], strides=[2, 2]),
        g(
            "MaxPool",
            g("Clip", "x", np.float32(-0.5), np.float32(0.5)),
            kernel_shape=[2, 2],
            strides=[2, 2],
        ),
    ]
    counts = {"F__relu": 1, "torch__clamp": 1, "torch__cat": 1, "F__max_pool2d": 2}
    check(g, pooled, ["torch-delay-activation"], Conv2d=2, **counts)


def test_concatenations() -> None:
    g = Graph(a=(2, 3), b=(2, 4), c=(2, 5))
    inner = g("Concat", "a", "b", axis=-1)
    check(g, [g("Concat", "c", inner, "a", axis=1)], RECOGNIZE, torch__cat=1)


def test_permutations() -> None:
    g = Graph(x=(2, 3, 4, 5))
    there = g("Transpose", "x", perm=[0, 2, 3, 1])
    back = g("Transpose", g("Tanh", g("Mul", there, 2.0)), perm=[0, 3, 1, 2])
    twice = g("Transpose", g("Transpose", "x", perm=[1, 2, 3, 0]), perm=[2, 0, 1, 3])
    reshaped = g("Reshape", g("Reshape", "x", np.array([-1])), np.array([6, 20]))
    check(
        g,
        [back, twice, reshaped],
        RECOGNIZE,
        operator__mul=1,
        torch__tanh=1,
        Tensor__permute=1,
        Tensor__reshape=1,
    )


# --- layers ------------------------------------------------------------------------------

AFTER: Mapping[str, Callable[[Graph, str], str]] = {
    "relu": lambda g, x: g("Relu", x),
    "sigmoid": lambda g, x: g("Sigmoid", x),
    "tanh": lambda g, x: g("Tanh", x),
    "silu": lambda g, x: g("Mul", x, g("Sigmoid", x)),
    "hardswish": lambda g, x: g("HardSwish", x),
    "hardsigmoid": lambda g, x: g("HardSigmoid", x, alpha=1 / 6, beta=0.5),
    "gelu": lambda g, x: g("Mul", g("Mul", x, _erf_gate(g, x)), 0.5),
    "gelu_tanh": lambda g, x: g("Mul", g("Mul", x, _tanh_gate(g, x)), 0.5),
    "clip": lambda g, x: g("Clip", x, -1.0, 2.0),
    "leaky_relu": lambda g, x: g("LeakyRelu", x, alpha=0.1),
    "none": lambda g, x: x,
}


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("activation", AFTER)
def test_linear(activation: str, residual: bool) -> None:
    g = Graph(x=(2, 5, 16), s=(2, 5, 24))
    y = g("Add", g.draw(24), g("MatMul", "x", g.draw(16, 24)))
    y = g("Add", y, "s") if residual else y
    module = check(g, [AFTER[activation](g, y)], (*RECOGNIZE, *FUSE), Linear=1)
    layer = next(op for op in module.walk() if isinstance(op, LayerOp))
    assert len(layer.operands) == (2 if residual else 1)
    assert "bias" in layer.weights and ("activation" in layer.config) == (activation != "none")


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("activation", AFTER)
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_convolution(dims: int, activation: str, residual: bool) -> None:
    size = (7, 6, 5)[:dims]
    g = Graph(x=(1, 4, *size), s=(1, 6, *size))
    y = g("Conv", "x", g.draw(6, 4, *[3] * dims), pads=[1] * (2 * dims))
    y = g("Add", y, g.draw(1, 6, *[1] * dims))
    y = g("Add", "s", y) if residual else y
    check(g, [AFTER[activation](g, y)], (*RECOGNIZE, *FUSE), **{f"Conv{dims}d": 1})


def test_bottleneck() -> None:
    g = Graph(x=(1, 8, 6, 6))
    y = g("Relu", g("Conv", "x", g.draw(4, 8, 1, 1), g.draw(4)))
    y = g("Relu", g("Conv", y, g.draw(4, 4, 3, 3), g.draw(4), pads=[1, 1, 1, 1]))
    y = g("Conv", y, g.draw(8, 4, 1, 1), g.draw(8))
    short = g("Conv", "x", g.draw(8, 8, 1, 1), g.draw(8))
    check(g, [g("Relu", g("Add", y, short))], (*RECOGNIZE, *FUSE), Conv2d=4)


def test_one_layer_called_twice() -> None:
    g = Graph(x=(2, 16), z=(3, 16))
    w = g.draw(16, 16)
    name = g._constant(w)
    outputs = [g("Relu", g("MatMul", v, name)) for v in ("x", "z")]
    module = check(g, outputs, (*RECOGNIZE, *FUSE), Linear=2)
    layers = [op for op in module.walk() if isinstance(op, LayerOp)]
    assert layers[0].identity == layers[1].identity
