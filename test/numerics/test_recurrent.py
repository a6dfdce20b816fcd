"""Recurrent operators: what one-node cases against ONNX Runtime do not say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from one_node import Case, assert_same, evaluated, lowered, model_of, results
from onnx import helper, numpy_helper
from recurrent_cases import GATES, LENGTHS, WEIGHTS, B, C, H, W, X, of_pytorch, recurrent

import ramiel
from ramiel.dialects.torch import CallOp, LayerOp
from ramiel.errors import CompileError
from ramiel.runtime import RNN, Weights
from ramiel.torch_level.work import work_of

Array = npt.NDArray[Any]

PER_BATCH = [X, H, C]
"""The inputs whose first two dimensions `layout` exchanges."""


def batch_first(c: Case) -> tuple[Case, list[Array]]:
    """A case with the batch first, and the results of the same case without."""
    arrays = c.arrays()
    swapped = [
        a.swapaxes(0, 1).copy() if a is not None and k in PER_BATCH else a
        for k, a in enumerate(arrays)
    ]
    first, *states = results(c)
    expected = [first.transpose(2, 0, 1, 3), *(s.swapaxes(0, 1) for s in states)]
    return replace(c, inputs=swapped, attributes={**c.attributes, "layout": 1}), expected


@pytest.mark.parametrize("const", [(), WEIGHTS], ids=["steps", "layer"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("steps", [1, 4])
def test_batch_first(op: str, direction: str, const: tuple[int, ...], steps: int) -> None:
    states = (H, C) if op == "LSTM" else (H,)
    optional = (B, LENGTHS, *states) if steps > 1 and not const else (B, *states)
    case = recurrent(op, optional, direction, const, steps=steps, **of_pytorch(op))
    swapped, expected = batch_first(case)
    for got, want in zip(results(swapped), expected, strict=True):
        assert_same(got, want)


@pytest.mark.parametrize("op", GATES)
def test_first_opset(op: str) -> None:
    """Which had no linear_before_reset, and a default direction that it did not allow."""
    case = recurrent(op, (B, H), const=WEIGHTS, opset=7)
    old = replace(case, opset=1, attributes={**case.attributes, "output_sequence": 1})
    for got, want in zip(results(old), results(case), strict=True):
        assert_same(got, want)


# --- what it becomes ---


def operations(c: Case) -> list[CallOp | LayerOp]:
    function = lowered(model_of(c, c.arrays()))
    return [op for op in function.body.block.ops if isinstance(op, CallOp | LayerOp)]


@pytest.mark.parametrize("op", GATES)
def test_known_weights_make_a_layer(op: str) -> None:
    (layer,) = operations(recurrent(op, (B, H), const=WEIGHTS, **of_pytorch(op)))
    assert isinstance(layer, LayerOp) and layer.layer == op
    (call,) = operations(recurrent(op, (B, H), const=(W, B), **of_pytorch(op)))
    assert isinstance(call, CallOp) and call.callee == f"ops.{op.lower()}"


def test_what_says_nothing_is_left_out() -> None:
    states = {k: np.zeros((1, 3, 3), np.float32) for k in (H, C)}
    case = recurrent("LSTM", (B, LENGTHS, H, C), lengths=(4, 4, 4))
    inputs = [states.get(k, v) for k, v in enumerate(case.inputs)]
    constant = replace(case, inputs=inputs, constants=(*WEIGHTS, LENGTHS, H, C))
    (layer,) = operations(constant)
    assert isinstance(layer, LayerOp) and len(layer.operands) == 1


@pytest.mark.parametrize("const", [(), WEIGHTS], ids=["steps", "layer"])
def test_directions_are_tasks_of_their_own(const: tuple[int, ...]) -> None:
    forward, backward, *cats = operations(recurrent("LSTM", (B,), "bidirectional", const))
    assert type(forward) is type(backward)
    assert not set(forward.results) & set(backward.operands)
    assert [op.callee for op in cats if isinstance(op, CallOp)] == ["torch.cat"] * 3


def test_cost_grows_with_the_steps() -> None:
    of_layer, of_call = (
        [work_of(operations(recurrent("LSTM", const=const, steps=steps))[0]) for steps in (4, 8)]
        for const in ((W, 2), ())
    )
    for short, long in (of_layer, of_call):
        assert long.product == 2 * short.product and long.calls > short.calls
        assert short.product == 2 * 4 * 3 * 12 * (2 + 3)
    assert of_layer[0].calls < of_call[0].calls


def test_program() -> None:
    """The whole way, with the directions on two workers."""
    case = recurrent("LSTM", (B, H, C), "bidirectional", WEIGHTS)
    arrays = case.arrays()
    model = onnx.shape_inference.infer_shapes(model_of(case, arrays))
    program = ramiel.compile(model, schedule="linear", workers=2)
    given = [torch.from_numpy(arrays[k]) for k in (X, H, C)]
    for got, want in zip(program(*given), results(case), strict=True):
        assert_same(got.numpy(), want)


# --- what is refused ---

REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "direction": ("RNN", {"direction": "sideways"}, "direction is 'sideways'"),
    "clip": ("GRU", {"clip": -1.0}, "clip is -1"),
    "layout": ("LSTM", {"layout": 2}, "layout is 2"),
    "hidden": ("LSTM", {"hidden_size": 4}, "input 1 has the shape"),
    "few": ("LSTM", {"activations": ["Tanh"]}, "it has 1 activations: expected 3"),
    "unknown": ("RNN", {"activations": ["Gelu"]}, "unknown activation 'Gelu'"),
    "numbers": ("RNN", {"activations": ["Affine"]}, "Affine needs activation_alpha"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    op, attributes, reason = REFUSED[name]
    case = recurrent(op, (B,))
    case = replace(case, attributes={**case.attributes, **attributes})
    with pytest.raises(CompileError, match="opset 22") as caught:
        lowered(model_of(case, case.arrays()))
    assert reason in caught.value.message


def test_layer_refuses_an_activation() -> None:
    with pytest.raises(ValueError, match="unknown activation 'gelu'"):
        one = torch.ones(1, 1)
        RNN(Weights.from_tensors({"r.weight": one, "r.recurrent": one}), "r", activation="gelu")


# --- DynamicQuantizeLSTM ---


def quantized(
    directions: int,
    dtype: str = "uint8",
    per_row: bool = False,
    peepholes: bool = False,
    const: bool = True,
    hidden: int = 5,
    scales: tuple[int, ...] | None = None,
    **attributes: Any,
) -> tuple[onnx.ModelProto, dict[str, Array]]:
    """A model of one DynamicQuantizeLSTM, and its inputs."""
    rng, steps, batch, inputs, units = np.random.default_rng(0), 3, 2, 4, 5
    low = np.iinfo(dtype).min
    scale = scales or ((directions, 4 * units) if per_row else (directions,))

    def draw(*shape: int) -> Array:
        return rng.uniform(-1, 1, shape).astype(np.float32)

    weights: dict[str, Array] = {
        "w": rng.integers(low, low + 256, (directions, inputs, 4 * units)).astype(dtype),
        "r": rng.integers(low, low + 256, (directions, units, 4 * units)).astype(dtype),
        "b": draw(directions, 8 * units),
        "w_scale": np.abs(draw(*scale)) / 100,
        "w_zero": np.full(scale, low + 128, dtype),
        "r_scale": np.abs(draw(*scale)) / 100,
        "r_zero": np.full(scale, low + 128, dtype),
    }
    given = {
        "x": draw(steps, batch, inputs),
        "h": draw(directions, batch, units),
        "c": draw(directions, batch, units),
    }
    if peepholes:
        weights["p"] = draw(directions, 3 * units)
    names = ["x", "w", "r", "b", "", "h", "c", "p" if peepholes else ""]
    if not const:
        given["w"] = weights.pop("w")
    node = helper.make_node(
        "DynamicQuantizeLSTM",
        [*names, "w_scale", "w_zero", "r_scale", "r_zero"],
        ["y", "y_h", "y_c"],
        domain="com.microsoft",
        hidden_size=hidden,
        direction="bidirectional" if directions == 2 else "reverse",
        **attributes,
    )
    values = [
        helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for k, v in given.items()
    ]
    made = [helper.make_tensor_value_info(o, 1, None) for o in node.output]
    constants = [numpy_helper.from_array(v, k) for k, v in weights.items()]
    graph = helper.make_graph([node], "case", values, made, constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = 8
    return model, given


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dtype": "int8"},
        {"per_row": True},
        {"peepholes": True, "clip": 0.5},
        {"input_forget": 1},
        {"activations": ["HardSigmoid", "Tanh", "Softsign"] * 2},
    ],
    ids=str,
)
def test_dynamic_quantize_lstm(options: dict[str, Any]) -> None:
    model, feed = quantized(2, **options)
    # On more threads ONNX Runtime rounds the sequences of each by themselves.
    one_thread = onnxruntime.SessionOptions()
    one_thread.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), one_thread)
    expected = session.run(None, feed)
    for got, want in zip(evaluated(model, list(feed.values())), expected, strict=True):
        assert_same(got, np.asarray(want))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"const": False}, "must be constant"),
        ({"hidden": 4}, "input 1 has the shape"),
        ({"scales": (2,)}, "input 8 is neither"),
        ({"activations": [1, 2, 3]}, "'activations' is not a list of str"),
        ({"activations": "Tanh"}, "'activations' is not a list"),
    ],
    ids=str,
)
def test_dynamic_quantize_lstm_refuses(options: dict[str, Any], reason: str) -> None:
    model, _ = quantized(1, **options)
    with pytest.raises(CompileError, match=reason):
        lowered(model)
