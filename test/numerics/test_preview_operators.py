"""Operators of ONNX's preview domains, those that are expanded into others, and ImageDecoder."""

import io
import sys
from typing import Any

import numpy as np
import onnx
import pytest
from one_node import assert_same
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from ramiel import onnx_backend
from ramiel.errors import CompileError

Array = np.ndarray[Any, Any]
TRAINING = "ai.onnx.preview.training"
PREVIEW = "ai.onnx.preview"
RNG = np.random.default_rng(0)


def f32(*shape: int) -> Array:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


def model_of(node: onnx.NodeProto, inputs: list[Array], opset: int) -> onnx.ModelProto:
    names = [name for name in node.input if name]
    given = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in zip(names, inputs, strict=True)
    ]
    made = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in node.output]
    graph = helper.make_graph([node], "case", given, made)
    opsets = [helper.make_opsetid("", opset)]
    if node.domain:
        opsets.append(helper.make_opsetid(node.domain, 1))
    return helper.make_model(graph, opset_imports=opsets, ir_version=11)


def check(node: onnx.NodeProto, *inputs: Array, opset: int = 26, tolerance: float = 1e-5) -> None:
    model = model_of(node, list(inputs), opset)
    feed = dict(zip([n for n in node.input if n], inputs, strict=True))
    want = ReferenceEvaluator(model).run(None, feed)
    got = onnx_backend.run_model(model, list(inputs))
    for a, b in zip(got, want, strict=True):
        # All results are float32; the reference's are sometimes wider.
        assert_same(a, np.asarray(b, np.float32), tolerance)


# --- optimizers ---

RATE, STEPS = np.array(0.1, np.float32), (np.array(0, np.int64), np.array(3, np.int64))
NORM = {"norm_coefficient": 0.01}


def optimizer(op: str, states: int, count: int, **attributes: Any) -> onnx.NodeProto:
    def names(kinds: int) -> list[str]:
        return [f"{k}{i}" for k in "xgvh"[:kinds] for i in range(count)]

    outputs = [f"new_{n}" for n in names(2 + states) if not n.startswith("g")]
    inputs = ["r", "t", *names(2 + states)]
    return helper.make_node(op, inputs, outputs, domain=TRAINING, **attributes)


@pytest.mark.parametrize("step", STEPS, ids=str)
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("mode", ["standard", "nesterov"])
def test_momentum(mode: str, count: int, step: Array) -> None:
    node = optimizer("Momentum", 1, count, mode=mode, alpha=0.9, beta=0.5, **NORM)
    check(node, RATE, step, *(f32(2, 3) for _ in range(3 * count)))


@pytest.mark.parametrize("step", STEPS, ids=str)
@pytest.mark.parametrize("count", [1, 2])
def test_adagrad(count: int, step: Array) -> None:
    node = optimizer("Adagrad", 1, count, decay_factor=0.1, epsilon=1e-5, **NORM)
    check(node, RATE, step, *(np.abs(f32(2, 3)) for _ in range(3 * count)))


@pytest.mark.parametrize("step", STEPS, ids=str)
@pytest.mark.parametrize("count", [1, 2])
def test_adam(count: int, step: Array) -> None:
    node = optimizer("Adam", 2, count, alpha=0.95, beta=0.1, norm_coefficient_post=0.1, **NORM)
    check(node, RATE, step, *(np.abs(f32(2, 3)) for _ in range(4 * count)))


def test_optimizer_with_a_state_missing() -> None:
    node = helper.make_node("Adam", ["r", "t", "x", "g", "v"], ["a", "b", "c"], domain=TRAINING)
    with pytest.raises(CompileError, match="should be a multiple of 4"):
        onnx_backend.run_model(model_of(node, [RATE, STEPS[0], *[f32(2)] * 3], 26), [])


# --- FlexAttention ---


def body(op: str, **attributes: Any) -> onnx.GraphProto:
    """A graph that applies an operator to scores, with a constant if it takes two."""
    binary = op in ("Mul", "Add")
    nodes = [helper.make_node(op, ["s", "c"] if binary else ["s"], ["o"], **attributes)]
    constant = helper.make_tensor("c", TensorProto.FLOAT, [1], [0.5])
    s, o = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [None] * 4) for n in "so")
    return helper.make_graph(nodes, "body", [s], [o], [constant] if binary else [])


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"scale": 0.3},
        {"score_mod": body("Tanh")},
        {"prob_mod": body("Mul")},
        {"score_mod": body("Add"), "prob_mod": body("Abs"), "softmax_precision": TensorProto.FLOAT},
    ],
    ids=["plain", "scale", "score", "prob", "both"],
)
@pytest.mark.parametrize("heads", [2, 4])
def test_flex_attention(heads: int, attributes: dict[str, Any]) -> None:
    node = helper.make_node("FlexAttention", ["q", "k", "v"], ["y"], domain=PREVIEW, **attributes)
    check(node, f32(2, heads, 3, 8), f32(2, 2, 5, 8), f32(2, 2, 5, 6))


# --- expanded ---


@pytest.mark.parametrize("kind", ["Hann", "Hamming", "Blackman"])
@pytest.mark.parametrize("attributes", [{}, {"periodic": 0}], ids=["periodic", "symmetric"])
def test_windows(kind: str, attributes: dict[str, Any]) -> None:
    """Their definitions refer to attributes by name, given or not."""
    node = helper.make_node(f"{kind}Window", ["n"], ["y"], **attributes)
    check(node, np.array(9, np.int64), opset=17)


@pytest.mark.parametrize("opset", [23, 24])
def test_attention_with_inputs_left_out(opset: int) -> None:
    """The mask before the past is not given, which its definition asks about."""
    node = helper.make_node("Attention", ["q", "k", "v", "", "pk", "pv"], ["y", "nk", "nv"])
    shape = (2, 3, 4, 8)
    check(node, f32(*shape), f32(*shape), f32(*shape), f32(*shape), f32(*shape), opset=opset)


@pytest.mark.parametrize("rule", ["linear", "gated", "delta", "gated_delta"])
def test_linear_attention(rule: str) -> None:
    """Its definition is a Scan, whose types nothing declares."""
    inputs = ["q", "k", "v", "", "d" if "gated" in rule else "", "b" if "delta" in rule else ""]
    while not inputs[-1]:
        inputs.pop()
    node = helper.make_node(
        "LinearAttention", inputs, ["y", "s"], q_num_heads=2, kv_num_heads=2, update_rule=rule
    )
    given = {"d": -np.abs(f32(2, 5, 8)), "b": np.abs(f32(2, 5, 2))}
    extra = [given[n] for n in inputs[3:] if n]
    check(node, f32(2, 5, 8), f32(2, 5, 8), f32(2, 5, 8), *extra, opset=27, tolerance=1e-4)


# --- pictures ---


def picture(mode: str) -> tuple[Array, Array]:
    """The bytes of a picture in a format without losses, and its pixels."""
    image = pytest.importorskip("PIL.Image")
    shape = (3, 5, 3) if mode == "RGB" else (3, 5)
    pixels = RNG.integers(0, 256, shape).astype(np.uint8)
    file = io.BytesIO()
    image.fromarray(pixels).save(file, "PNG")
    return np.frombuffer(file.getvalue(), np.uint8), pixels


def decoded(data: Array, pixel_format: str) -> Array:
    node = helper.make_node("ImageDecoder", ["x"], ["y"], pixel_format=pixel_format)
    return onnx_backend.run_node(node, [data], opset_version=20)[0]


def test_image_decoder() -> None:
    data, pixels = picture("RGB")
    np.testing.assert_array_equal(decoded(data, "RGB"), pixels)
    np.testing.assert_array_equal(decoded(data, "BGR"), pixels[:, :, ::-1])
    data, grey = picture("L")
    np.testing.assert_array_equal(decoded(data, "Grayscale"), grey[:, :, None])
    np.testing.assert_array_equal(decoded(data, "RGB"), np.stack([grey] * 3, axis=2))


def test_image_decoder_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = picture("RGB")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(Exception, match=r"ramiel\[image\]"):
        decoded(data, "RGB")


def test_image_decoder_of_an_unknown_format() -> None:
    with pytest.raises(CompileError, match="unknown pixel format"):
        decoded(np.zeros(4, np.uint8), "CMYK")
