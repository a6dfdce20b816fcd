"""What is computed in float64 has its sixteen digits, whatever the attributes are of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from one_node import (
    Array,
    Case,
    Random,
    case,
    evaluated,
    expected,
    feed_of,
    model_of,
    rand,
    scalar,
)
from onnx import numpy_helper, parser
from onnx.reference import ReferenceEvaluator
from test_lowering import CASES

import ramiel

TOLERANCE = 1e-12
EACH = 6
"""How many cases of an operator are tried."""

LESS_EXACT = {
    "Erf": "ONNX's reference computes it in float32",
    "Gelu": "ONNX's definition has its numbers in float32, its text has not",
    "GlobalMaxPool": "ONNX's reference drops dimensions",
    "GridSample": "ONNX's reference has its weights in float32",
    "GroupNormalization": "both runtimes compute the statistics in float32",
    "HardSwish": "ONNX's definition has 1/6 in float32, its text has not",
    "com.microsoft::FastGelu": "ONNX Runtime has its numbers in float32",
}
"""Operators for which the others are less exact, or wrong, and why."""

OTHERWISE = {
    "GRU": "ONNX's reference does not look at the lengths",
    "LRN": "ONNX's reference sums up channels for the first of them only",
    "LSTM": "ONNX's reference does not look at the lengths",
    "LpPool": "ONNX's reference has another ceil_mode",
    "RNN": "ONNX's reference does not look at the lengths",
    "Resize": "ONNX's reference has cubic weights in float32, and rounds scales otherwise",
}
"""Operators of which ONNX's reference has cases wrong, so that only some have to agree."""


def doubled(c: Case) -> Case | None:
    """The case with the inputs of float32 that may be of float64 as these; None if none may, or if
    its results would be of float32 all the same."""
    domain, _, name = c.op.rpartition("::")
    if domain == "ai.onnx.ml":
        return None
    schema = onnx.defs.get_schema(name, c.opset, "") if onnx.defs.has(name, domain) else None

    def may_be(i: int) -> bool:
        formal = schema and schema.inputs[min(i, len(schema.inputs) - 1)]
        return formal is None or "tensor(double)" in formal.types

    inputs = list(c.inputs)
    for i, value in enumerate(c.inputs):
        if value is None or value.dtype != "float32" or not may_be(i):
            continue
        drawn = isinstance(value, Random)
        inputs[i] = replace(value, dtype="float64") if drawn else value.astype(np.float64)
    changed = any(a is not b for a, b in zip(inputs, c.inputs, strict=True))
    return replace(c, inputs=inputs) if changed else None


def by_operator() -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for c in CASES:
        # What has no elements has no digits either.
        if not any(v is not None and 0 in v.shape for v in c.inputs) and (wide := doubled(c)):
            cases = found.setdefault(c.op, [])
            others = [(o.attributes, o.opset) for o in cases]
            if len(cases) < EACH and (c.attributes, c.opset) not in others:
                cases.append(wide)
    return found


BY_OPERATOR = by_operator()


def oracles(c: Case, model: onnx.ModelProto, feed: dict[str, Array]) -> Iterator[list[Array]]:
    """The results by ONNX Runtime and by ONNX's reference, if they take the types."""
    for reference in (False, True):
        try:
            yield expected(replace(c, reference=reference), model, feed)
        except Exception:  # the errors of a runtime that has no such kernel, of any type
            continue


def difference(ours: list[Array], theirs: list[Array]) -> float:
    """The largest, relative to the largest value of a result."""
    worst = 0.0
    for a, b in zip(ours, theirs, strict=True):
        if a.shape != b.shape or a.dtype != b.dtype:
            return np.inf
        if a.dtype == np.float64:
            finite = np.isfinite(b)
            if not np.array_equal(np.isfinite(a), finite):
                return np.inf
            scale = max(np.abs(b[finite]).max(initial=0), 1e-6)
            worst = max(worst, np.abs(a[finite] - b[finite]).max(initial=0) / scale)
    return worst


@pytest.mark.parametrize("op", sorted(BY_OPERATOR.keys() - LESS_EXACT.keys()))
def test_operators(op: str) -> None:
    agree: list[bool] = []
    for c in BY_OPERATOR[op]:
        arrays = c.arrays()
        model, feed = model_of(c, arrays), feed_of(c, arrays)
        results = list(oracles(c, model, feed))
        if results:
            ours = evaluated(model, list(feed.values()))
            agree.append(min(difference(ours, theirs) for theirs in results) <= TOLERANCE)
    if not agree:
        pytest.skip("no other runtime computes it in float64")
    assert any(agree) if op in OTHERWISE else all(agree)


def of_one(c: Case) -> Array:
    arrays = c.arrays()
    return evaluated(model_of(c, arrays), list(feed_of(c, arrays).values()))[0]


X = np.linspace(-30, 30, 61)


@pytest.mark.parametrize(
    ("op", "attributes", "want"),
    [
        ("Softplus", {}, np.logaddexp(0, X)),
        ("LeakyRelu", {"alpha": 0.1}, np.where(X < 0, X * float(np.float32(0.1)), X)),
        ("HardSwish", {}, X * np.clip(X / 6 + 0.5, 0, 1)),
        ("HardSigmoid", {"alpha": 1 / 6}, np.clip(X * float(np.float32(1 / 6)) + 0.5, 0, 1)),
    ],
)
def test_of_formulas(op: str, attributes: dict[str, Any], want: Array) -> None:
    np.testing.assert_allclose(of_one(case(op, X, **attributes)), want, rtol=1e-14, atol=1e-14)


def test_a_float32_among_doubles_is_what_it_is() -> None:
    """PyTorch computes with a number in the type of the tensor beside it."""
    c = case("Pow", rand("float64", 3, low=1, high=2), scalar(0.1), const=(1,))
    base = c.arrays()[0]
    assert base is not None
    np.testing.assert_allclose(of_one(c), base ** float(np.float32(0.1)), rtol=1e-15)


def test_float32_has_short_numbers() -> None:
    with ramiel.compile(parser.parse_model(_of("float", "y = LeakyRelu <alpha = 0.1> (x)"))) as m:
        assert "0.1)" in m.source


def _of(kind: str, body: str) -> str:
    return f"""
        <ir_version: 9, opset_import: ["" : 20]>
        f ({kind}[2, 4, 5, 5] x) => ({kind}[a, b, c, d] y) {{ {body} }}
    """


ROUNDED = {
    "tanh": """
        k = Constant <value = double {0.044714998453855515}> ()
        s = Constant <value = double {0.7978845834732056}> ()
        one = Constant <value = double {1.0}> ()
        half = Constant <value = double {0.5}> ()
        xx = Mul (x, x)  xxx = Mul (xx, x)  kx = Mul (xxx, k)  sum = Add (x, kx)
        in = Mul (sum, s)  t = Tanh (in)  c = Add (t, one)  d = Mul (x, c)  y = Mul (d, half)
    """,
    "hardsigmoid": """
        three = Constant <value = double {3.0}> ()
        zero = Constant <value = double {0.0}> ()
        six = Constant <value = double {6.0}> ()
        s = Constant <value = double {0.1666666716337204}> ()
        a = Add (x, three)  b = Clip (a, zero, six)  y = Mul (b, s)
    """,
    "layer norm": """
        axes = Constant <value_ints = [-1]> ()
        two = Constant <value = double {2.0}> ()
        eps = Constant <value = double {0.001}> ()
        w = Constant <value = double[5] {1.0, 0.3, 0.5, 2.0, 0.7}> ()
        m = ReduceMean (x, axes)  d = Sub (x, m)  q = Pow (d, two)  v = ReduceMean (q, axes)
        e = Add (v, eps)  r = Sqrt (e)  n = Div (d, r)  y = Mul (n, w)
    """,
}
"""Activations and norms with numbers that were rounded to float32, or not."""


@pytest.mark.parametrize("name", ROUNDED)
def test_recognized_calls(name: str) -> None:
    model = parser.parse_model(_of("double", ROUNDED[name]))
    compare(model)


def test_a_gelu_of_a_rounded_root() -> None:
    """Neither ONNX Runtime nor ONNX's reference has an Erf of float64."""
    root = 0.7071067690849304
    text = f"""
        s = Constant <value = double {{{root}}}> ()
        one = Constant <value = double {{1.0}}> ()
        half = Constant <value = double {{0.5}}> ()
        a = Mul (x, s)  b = Erf (a)  c = Add (b, one)  d = Mul (x, c)  y = Mul (d, half)
    """
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 5)) * 3
    with ramiel.compile(parser.parse_model(_of("double", text))) as program:
        got = np.asarray(program.serial(x))
    want = x * (1 + np.vectorize(math.erf)(x * root)) / 2
    np.testing.assert_allclose(got, want, rtol=TOLERANCE, atol=TOLERANCE)


def test_folded_batch_norm() -> None:
    model = parser.parse_model(
        _of(
            "double",
            """
            c = Conv <pads = [1, 1, 1, 1]> (x, w, b)
            n = BatchNormalization <epsilon = 0.3> (c, s, b, m, v)
            r = Relu (n)
            flat = Flatten <axis = 3> (r)
            y = Gemm <alpha = 0.3, beta = 0.7> (flat, g, h)
            """,
        )
    )
    rng = np.random.default_rng(1)
    shapes = {"w": (3, 4, 3, 3), "b": (3,), "s": (3,), "m": (3,), "v": (3,), "g": (5, 2), "h": (2,)}
    for name, shape in shapes.items():
        value = rng.uniform(0.5, 1.5, shape)
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    model.graph.output[0].CopyFrom(onnx.helper.make_empty_tensor_value_info("y"))
    compare(model)


def compare(model: onnx.ModelProto) -> None:
    """Fails where the compiled model differs from ONNX's reference."""
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 5)) * 3
    (want,) = ReferenceEvaluator(model).run(None, {"x": x})
    with ramiel.compile(model) as program:
        got = np.asarray(program.serial(x))
    np.testing.assert_allclose(got, np.asarray(want), rtol=TOLERANCE, atol=TOLERANCE)
