"""Values that are no tensors of numbers, through whole programs: sequences, optionals, strings."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import string_cases
from one_node import Case, results
from onnx import helper, parser

import ramiel
from ramiel import onnx_backend
from ramiel.errors import CompileError

onnxruntime.set_default_logger_severity(4)

X = np.arange(6, dtype=np.float32).reshape(2, 3)
Y = np.ones((2, 3), np.float32)
ONE, LAST, TWO = np.array(1), np.array(-1), np.array(2)
COND = np.array(True)


def parsed(text: str, opset: int = 18) -> onnx.ModelProto:
    return parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]> {text}')


PAIR, BUILD = "float[2,3] x, float[2,3] y", "s = SequenceConstruct (x, y)"
PARTS = "s = SplitToSequence <axis = 1> (x, k)"
GRAPHS: list[tuple[str, list[Any]]] = [
    (
        f"g (float[N,M] x, float[N,M] y, int64 i) => (float[N,M] z) {{{BUILD} "
        "z = SequenceAt (s, i)}",
        [X, Y, LAST],
    ),
    (
        f"g ({PAIR}) => (float[2,3] z) {{{BUILD} "
        "i = Constant <value = int64 {-2}> () z = SequenceAt (s, i)}",
        [X, Y],
    ),
    (
        f"g ({PAIR}, int64 i) => (seq(float[2,3]) z) {{{BUILD} z = SequenceInsert (s, x, i)}}",
        [X, Y, LAST],
    ),
    (
        f"g ({PAIR}) => (seq(float[2,3]) z) {{{BUILD} z = SequenceInsert (s, x)}}",
        [X, Y],
    ),
    (
        f"g ({PAIR}, int64 i) => (seq(float[2,3]) z) {{{BUILD} z = SequenceErase (s, i)}}",
        [X, Y, LAST],
    ),
    (
        f"g ({PAIR}) => (seq(float[2,3]) z, int64 n) {{{BUILD} "
        "z = SequenceErase (s) n = SequenceLength (z)}",
        [X, Y],
    ),
    (
        f"g ({PAIR}) => (float[a,b] z) {{{BUILD} z = ConcatFromSequence <axis = 1> (s)}}",
        [X, Y],
    ),
    (
        f"g ({PAIR}) => (float[a,b,c] z) {{{BUILD} "
        "z = ConcatFromSequence <axis = -1, new_axis = 1> (s)}",
        [X, Y],
    ),
    (
        "g (int64[N] x) => (int64 n, seq(int64[M]) s) {e = SequenceEmpty <dtype = 7> () "
        "n = SequenceLength (e) s = SequenceInsert (e, x)}",
        [np.array([4, 5])],
    ),
    ("g (float[N,M] x) => (seq(float[a,M]) s) {s = SplitToSequence (x)}", [X]),
    (
        "g (float[N,M] x) => (seq(float[N]) s) {s = SplitToSequence <axis = -1, keepdims = 0> (x)}",
        [X],
    ),
    (
        f"g (float[N,M] x, int64 k) => (seq(float[N,a]) s) {{{PARTS}}}",
        [X, TWO],
    ),
    (
        f"g (float[N,M] x, int64[K] k) => (seq(float[N,a]) s) {{{PARTS}}}",
        [X, np.array([1, 2])],
    ),
    (
        "g (float[2,3] x) => (seq(float[2,a]) s) {k = Constant <value_ints = [1, 2]> () "
        f"{PARTS}}}",
        [X],
    ),
    ("g (seq(float[N]) s) => (seq(float[N]) z) {z = Identity (s)}", [[X[0], Y[0]]]),
    (
        "g (seq(float[N]) s, float[N] x) => (seq(float[N]) z) {z = SequenceMap (s, x) "
        "<body = b (float[N] a, float[N] c) => (float[N] d) {e = Mul (a, c) d = Add (e, x)}>}",
        [[X[0], Y[0]], X[1]],
    ),
    (
        "g (bool c, float[2,3] x, float[2,3] y) => (seq(float[2,3]) z) {z = If (c) <"
        "then_branch = t () => (seq(float[2,3]) a) {a = SequenceConstruct (x, y)}, "
        "else_branch = e () => (seq(float[2,3]) b) {b = SequenceConstruct (y)}>}",
        [COND, X, Y],
    ),
    (
        "g (seq(string[N]) s, string[N] x) => (string[M] z) {t = SequenceInsert (s, x) "
        "z = ConcatFromSequence <axis = 0> (t)}",
        [[np.array(["a", "b"], object)], np.array(["b"], object)],
    ),
]


@pytest.mark.parametrize("i", range(len(GRAPHS)))
@pytest.mark.parametrize("schedule", ["list", "serial"])
def test_sequences(i: int, schedule: str) -> None:
    text, inputs = GRAPHS[i]
    model = parsed(text)
    feeds = {info.name: value for info, value in zip(model.graph.input, inputs, strict=True)}
    session = onnxruntime.InferenceSession(model.SerializeToString())
    expected = session.run(None, feeds)
    with onnx_backend.prepare(model, workers=2, schedule=schedule).program as program:
        rep = onnx_backend.RamielRep(program, model)
        for got, want in zip(rep.run(inputs), expected, strict=True):
            _same(got, want)


def _same(got: Any, want: Any) -> None:
    if isinstance(want, list):
        assert isinstance(got, list) and len(got) == len(want)
        for one, other in zip(got, want, strict=True):
            _same(one, other)
        return
    assert np.asarray(got).dtype == np.asarray(want).dtype
    np.testing.assert_array_equal(got, want)


OPTIONAL = (
    "g (optional(float[N]) o) => (bool h, float[N] z) {h = OptionalHasElement (o) "
    "z = If (h) <then_branch = t () => (float[N] a) {a = OptionalGetElement (o)}, "
    "else_branch = e () => (float[N] b) {b = Constant <value_floats = [7.0]> ()}>}"
)


@pytest.mark.parametrize("value", [None, X[0]])
def test_optionals(value: Any) -> None:
    has, z = onnx_backend.run_model(parsed(OPTIONAL), [value], workers=1)
    assert has == (value is not None)
    np.testing.assert_array_equal(z, [7.0] if value is None else value)


def test_what_is_optional_but_a_tensor() -> None:
    text = (
        "g (float[N] x) => (float[N] y, bool h, bool k) {y = OptionalGetElement (x) "
        "h = OptionalHasElement (x) k = OptionalHasElement ()}"
    )
    y, has, none = onnx_backend.run_model(parsed(text), [X[0]], workers=1)
    assert has and not none
    np.testing.assert_array_equal(y, X[0])


def test_an_empty_optional_has_no_element() -> None:
    model = parsed("g (optional(float[N]) o) => (float[N] z) {z = OptionalGetElement (o)}")
    program = ramiel.compile(model, workers=1)
    with program, pytest.raises(RuntimeError, match="an optional is empty"):
        program(None)


@pytest.mark.parametrize(
    "op", ["z = SequenceAt (s, i)", "t = SequenceErase (s, i) z = SequenceAt(t, i)"]
)
def test_positions_are_checked(op: str) -> None:
    model = parsed(f"g (seq(float[N]) s, int64 i) => (float[N] z) {{{op}}}")
    program = ramiel.compile(model, workers=1)
    with program, pytest.raises(RuntimeError, match="position 2 in a sequence of 1"):
        program([X[0]], 2)


@pytest.mark.parametrize(("version", "x", "attributes"), string_cases.ENCODERS)
@pytest.mark.parametrize("open_shape", [False, True])
def test_label_encoder(version: int, x: Any, attributes: dict[str, Any], open_shape: bool) -> None:
    given: dict[str, Any] = {
        k: onnx.numpy_helper.from_array(v) if isinstance(v, np.ndarray) else v
        for k, v in attributes.items()
    }
    node = helper.make_node("LabelEncoder", ["x"], ["y"], domain="ai.onnx.ml", **given)
    kind = helper.np_dtype_to_tensor_dtype(x.dtype)
    info = helper.make_tensor_value_info("x", kind, [None] * x.ndim if open_shape else x.shape)
    graph = helper.make_graph([node], "g", [info], [helper.make_empty_tensor_value_info("y")])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", version)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    _same(onnx_backend.run_model(model, [x], workers=1)[0], expected[0])


@pytest.mark.parametrize(("c", "reason"), string_cases.REFUSED, ids=str)
def test_refused(c: Case, reason: str) -> None:
    with pytest.raises(CompileError, match=reason) as error:
        results(c)
    assert 'node "node"' in error.value.message
