"""A model's own functions.

The oracle is ONNX Runtime, except for functions that import another version of an operator set:
their values are by the text of that version. onnx.proto asks models for versions that agree on all
nodes of a function, and ONNX Runtime takes the nodes in the model's version all the same, and
ONNX's reference in the function's, where it has it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, parser

import ramiel
from ramiel.errors import CompileError
from ramiel.frontend import functions
from ramiel.frontend.importer import import_model

Array = np.ndarray[Any, Any]

onnxruntime.set_default_logger_severity(4)

X = np.array([[-1.5, 2.0, 0.5], [3.0, -0.25, -4.0]], np.float32)


def model(main: str, *parts: str, opset: int = 18, ir: int = 10) -> onnx.ModelProto:
    """A model of a float[2,3] x and a y, and functions of the domains l and k."""
    head = f'<ir_version: {ir}, opset_import: ["": {opset}, "l": 1, "k": 1, "com.microsoft": 1]>'
    return parser.parse_model(
        "\n".join([head, f"g (float[2,3] x) => (float[] y) {{ {main} }}", *parts])
    )


def function(signature: str, body: str, opset: int = 18, domain: str = "l") -> str:
    imports = f'["": {opset}, "l": 1, "k": 1, "com.microsoft": 1]'
    return f'<domain: "{domain}", opset_import: {imports}> {signature} {{ {body} }}'


def result(source: onnx.ModelProto) -> Array:
    """The result, parallel and serial the same."""
    with ramiel.compile(source, workers=2) as program:
        y, serial = program(X).numpy(), program.serial(X).numpy()
    np.testing.assert_array_equal(y, serial)
    return y


def expected(source: onnx.ModelProto) -> Array:
    session = onnxruntime.InferenceSession(
        source.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, {"x": X})[0])


def close(got: Array, wanted: Array) -> None:
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


LEAKY = function("f <q: float = 0.25> (a) => (b)", "b = LeakyRelu <alpha: float = @q> (a)")
PLAIN = function("f <q> (a) => (b)", "b = LeakyRelu <alpha: float = @q> (a)")
OUTER = "y = l.outer (x)"

ATTRIBUTES = {
    "default": ("y = l.f (x)", LEAKY),
    "given": ("y = l.f <q = 0.5> (x)", LEAKY),
    "given and not": ("t = l.f <q = 0.5> (x) y = l.f (t)", LEAKY),
    "absent, so the operator's": ("y = l.f (x)", PLAIN),
    "of two, one given": (
        "y = l.f <p = 2.0> (x)",
        function(
            "f <p: float = 1.0, q: float = 0.25> (a) => (b)",
            "c = LeakyRelu <alpha: float = @q> (a) d = Elu <alpha: float = @p> (a) b = Add (c, d)",
        ),
    ),
    "handed on": (
        OUTER,
        function("outer <r: float = 0.75> (a) => (b)", "b = l.f <q: float = @r> (a)"),
        LEAKY,
    ),
    "handed on, not given: the inner default": (
        OUTER,
        function("outer <r> (a) => (b)", "b = l.f <q: float = @r> (a)"),
        LEAKY,
    ),
    "not handed on, of the same name": (
        OUTER,
        function("outer <q: float = 0.75> (a) => (b)", "b = l.f (a)"),
        LEAKY,
    ),
    "in a branch": (
        OUTER,
        function(
            "outer <q: float = 0.75> (a) => (b)",
            """s = ReduceSum <keepdims = 0> (a) z = Constant <value_float = 0.0> ()
            c = Less (s, z) b = If (c) <
                then_branch = t () => (float[2,3] u) { u = LeakyRelu <alpha: float = @q> (a) },
                else_branch = e () => (float[2,3] v) { w = Neg (a) v = l.f (w) }>""",
        ),
        LEAKY,
    ),
    "in a loop": (
        OUTER,
        function(
            "outer <q: float = 0.75> (a) => (b)",
            """n = Constant <value_int = 3> () c = Constant <value = bool {1}> ()
            b = Loop (n, c, a) <body = l (int64 i, bool on, float[2,3] s) =>
                (bool go, float[2,3] t) {
                    go = Identity (on) t = LeakyRelu <alpha: float = @q> (s)
                }>""",
        ),
    ),
    "int and ints": (
        "y = l.f <keep = 0> (x)",
        function(
            "f <keep: int = 1, axes: ints = [1]> (a) => (b)",
            """t = Constant <value_ints: ints = @axes> ()
            b = ReduceSum <keepdims: int = @keep> (a, t)""",
        ),
    ),
    "floats": (
        "y = l.f (x)",
        function(
            "f <w: floats = [1.0, 2.0, 3.0]> (a) => (b)",
            "t = Constant <value_floats: floats = @w> () b = Mul (a, t)",
        ),
    ),
    "string": (
        "y = l.f (x)",
        function(
            'f <how: string = "tanh"> (a) => (b)', "b = Gelu <approximate: string = @how> (a)", 20
        ),
    ),
    "tensor": (
        "y = l.f (x)",
        function(
            "f <w: tensor = float[3] {1.0, 2.0, 3.0}> (a) => (b)",
            "t = Constant <value: tensor = @w> () b = Mul (a, t)",
        ),
    ),
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes(name: str) -> None:
    source = model(*ATTRIBUTES[name], opset=20 if name == "string" else 18)
    close(result(source), expected(source))


def softmax(x: Array, axis: int | None = None) -> Array:
    powers = np.exp(x - x.max())
    return powers / powers.sum(axis, keepdims=True)


OPSETS = {
    "an older version": (  # up to opset 12, of all dimensions from the axis on
        "y = l.f (x)",
        [function("f (a) => (b)", "b = Softmax <axis = 0> (a)", 11)],
        softmax(X),
    ),
    "a newer version": (
        "t = l.f (x) y = Abs (t)",
        [function("f (a) => (b)", "b = Mish (a)", 18)],
        np.abs(X * np.tanh(np.log1p(np.exp(X)))),
    ),
    "a form that is gone": (
        "y = l.f (x)",
        [function("f (a) => (b)", "b = ReduceMean <axes = [1]> (a)", 13)],
        X.mean(1, keepdims=True),
    ),
    "a form that was not there": (
        "y = l.f (x)",
        [function("f (a) => (b)", "c = Constant <value_ints = [1]> () b = ReduceMean (a, c)", 18)],
        X.mean(1, keepdims=True),
    ),
    "three versions": (
        "t = Softmax <axis = 0> (x) u = l.f (t) y = k.h (u)",
        [
            function("f (a) => (b)", "c = ReduceMean <axes = [0]> (a) b = k.h (c)", 13),
            function("h (a) => (b)", "b = Softmax <axis = 0> (a)", 11, "k"),
        ],
        softmax(softmax(softmax(X, 0).mean(0, keepdims=True))),
    ),
    "in a branch, around one of the model's": (
        "y = l.f (x)",
        [
            function(
                "f (a) => (b)",
                """s = ReduceMax (a) c = Equal (s, s) b = If (c) <
                    then_branch = t () => (float[] u) { v = Softmax <axis = 0> (a) u = k.h (v) },
                    else_branch = e () => (float[] u) { u = Neg (a) }>""",
                11,
            ),
            function("h (a) => (b)", "b = Softmax <axis = 0> (a)", 17, "k"),
        ],
        softmax(softmax(X), 0),
    ),
    "of a constant": (
        "t = l.f () y = Mul (x, t)",
        [
            function(
                "f () => (b)",
                "a = Constant <value = float[1,3] {1.0, 1.0, 1.0}> () b = Softmax <axis = 0> (a)",
                11,
            )
        ],
        X / 3,
    ),
}


@pytest.mark.parametrize("name", OPSETS)
def test_versions(name: str) -> None:
    main, parts, wanted = OPSETS[name]
    close(result(model(main, *parts, opset=17)), wanted)


def test_a_function_imports_a_domain_that_the_model_does_not() -> None:
    text = function("f (a) => (b)", "b = ai.onnx.ml.Binarizer <threshold = 1.0> (a)")
    source = model("y = l.f (x)", text.replace('"l": 1', '"ai.onnx.ml": 1'))
    np.testing.assert_array_equal(result(source), X > 1)


ARITY = {
    "an input not given": (
        "y = l.f (x)",
        function("f (a, low) => (b)", "b = Clip (a, low)"),
    ),
    "one in the middle": (
        'z = Constant <value_float = 1.0> () y = l.f (x, "", z)',
        function("f (a, low, high) => (b)", "b = Clip (a, low, high)"),
    ),
    "of a function in a branch": (
        "y = l.f (x)",
        function(
            "f (a, low) => (b)",
            """s = ReduceMax <keepdims = 0> (a) c = Equal (s, s) b = If (c) <
                then_branch = t () => (float[2,3] u) { u = l.h (a, low) },
                else_branch = e () => (float[2,3] u) { u = Neg (a) }>""",
        ),
        function("h (a, low) => (b)", "b = Clip (a, low)"),
    ),
    "the last not": (
        'y, "" = l.f (x)',
        function("f (a) => (b, c)", "c = Neg (a) b = Abs (c)"),
    ),
    "the first not": (
        '"", y = l.f (x)',
        function("f (a) => (b, c)", "c = Neg (a) b = Abs (c)"),
    ),
}


@pytest.mark.parametrize("name", ARITY)
def test_what_is_not_given(name: str) -> None:
    source = model(*ARITY[name])
    np.testing.assert_array_equal(result(source), expected(source))


def test_an_input_that_is_an_output() -> None:
    """ONNX Runtime refuses it; here it is the caller's value, under its own name."""
    source = model("t, u = l.f (x) y = Add (t, u)", function("f (a) => (a, b)", "b = Neg (a)"))
    np.testing.assert_array_equal(result(source), np.zeros_like(X))


def test_overloads() -> None:
    """The text format has none."""
    source = model(
        "t = l.f (x) u = l.f (t) y = l.f (u)",
        function("f (a) => (b)", "b = Neg (a)"),
        function("f (a) => (b)", "b = Abs (a)"),
        function("f (a) => (b)", "b = Sqrt (a)"),
    )
    for i, overload in enumerate(["one", "two"]):
        source.graph.node[i].overload = source.functions[i].overload = overload
    close(result(source), np.sqrt(np.abs(X)))
    source.graph.node[1].overload = "three"
    message = r'node "u" \(f, opset 18\): there is no function with the overload "three"'
    with pytest.raises(CompileError, match=message):
        import_model(source)


@pytest.mark.parametrize(
    ("call", "domain"), [("Relu", ""), ("Relu", "ai.onnx"), ("com.microsoft.Gelu", "com.microsoft")]
)
def test_an_operator_of_the_same_name_wins(call: str, domain: str) -> None:
    """ONNX leaves it to the runtime; ONNX Runtime has it so, and ONNX's reference for Relu."""
    name = call.rpartition(".")[2]
    source = model(f"y = {call} (x)", function(f"{name} (a) => (b)", "b = Neg (a)", domain=domain))
    close(result(source), expected(source))


@pytest.mark.parametrize("domain", ["", "com.microsoft"])
def test_a_function_in_a_domain_of_operators(domain: str) -> None:
    call = f"{domain}.Frobnicate".removeprefix(".")
    source = model(
        f"y = {call} (x)", function("Frobnicate (a) => (b)", "b = Neg (a)", domain=domain)
    )
    np.testing.assert_array_equal(result(source), -X)


def test_a_graph_as_an_attribute() -> None:
    """It sees the values of the caller, whatever the function calls its own. (ONNX Runtime and
    the text format have no such attributes of functions.)"""
    source = model(
        "t = Neg (x) y = l.f (x)",
        function("f <body> (t) => (y)", "c = Constant <value = bool {1}> ()"),
    )
    branch = parser.parse_graph("b () => (float[2,3] u) { u = Exp (t) }")
    source.graph.node[1].attribute.append(helper.make_attribute("body", branch))
    choose = helper.make_node("If", ["c"], ["y"])
    for name in ("then_branch", "else_branch"):
        attribute = choose.attribute.add()
        attribute.name, attribute.type, attribute.ref_attr_name = (
            name,
            onnx.AttributeProto.GRAPH,
            "body",
        )
    source.functions[0].node.append(choose)
    np.testing.assert_allclose(result(source), np.exp(-X), rtol=1e-6)


def test_types_that_a_function_declares() -> None:
    text = function("f (a) => (b)", "c = k.unknown (a) b = Neg (c)")
    source = model("y = l.f (x)", text)
    declared = helper.make_tensor_value_info("c", onnx.TensorProto.FLOAT, [2, 3])
    source.functions[0].value_info.append(declared)
    assert "(tensor<2x3xf32>) -> tensor<2x3xf32>" in str(import_model(source)).splitlines()[-4]


def doubling(levels: int) -> onnx.ModelProto:
    parts = [
        function(f"f{i} (a) => (b)", f"c = l.f{i + 1} (a) b = l.f{i + 1} (c)")
        for i in range(levels)
    ]
    return model("y = l.f0 (x)", *parts, function(f"f{levels} (a) => (b)", "b = Neg (a)"))


def test_functions_that_call_functions_twice() -> None:
    np.testing.assert_array_equal(result(doubling(6)), X)


F = "f (a) => (b)"
MISTAKES = {
    "calls itself": (
        "y = l.f (x)",
        [function(F, "b = l.f (a)")],
        "its functions are recursive: l::f calls l::f",
    ),
    "a circle": (
        "y = l.f (x)",
        [function(F, "b = k.h (a)"), function("h (a) => (b)", "c = Neg (a) b = l.f (c)", 18, "k")],
        "its functions are recursive: l::f calls k::h calls l::f",
    ),
    "no such function": ("y = l.f (x)", [], '"y" (l::f, opset 18): has no lowering to PyTorch'),
    "too many inputs": (
        '["call"] y = l.f (x, x)',
        [function(F, "b = Neg (a)")],
        'node "call" (f, opset 18): the function has 1 input(s), the call 2',
    ),
    "too many outputs": (
        '["call"] y, z = l.f (x)',
        [function(F, "b = Neg (a)")],
        'node "call" (f, opset 18): the function has 1 output(s), the call 2',
    ),
    "an output that nothing computes": (
        '["call"] y = l.f (x)',
        [function(F, "c = Neg (a)")],
        'node "call" (f, opset 18): no node computes its output "b"',
    ),
    "a value that nothing computes": (
        '["call"] y = l.f (x)',
        [function(F, "b = Neg (q)")],
        'node "b" (Neg): its input "q" is not defined',
    ),
    "an attribute of another type": (
        "y = l.f <q = 1> (x)",
        [LEAKY],
        "attribute 'alpha' is FLOAT, and 'q' of the function is INT",
    ),
    "a reference outside of a function": (
        "y = LeakyRelu <alpha: float = @q> (x)",
        [],
        "attribute 'alpha' refers to one of a function, and the node is in none",
    ),
    "an operator that its opset lacks": (
        '["call"] y = l.f (x)',
        [function(F, '["in"] b = Gelu (a)', 17)],
        'node "call/in" (Gelu, opset 17): is not in the function\'s opset: it came with opset 20',
    ),
    "an opset that there is not": (
        '["call"] y = l.f (x)',
        [function(F, "b = Neg (a)", 999)],
        'node "call" (f, opset 18): its function l::f uses ai.onnx opset 999, but the installed',
    ),
    "twice the same": (
        "y = l.f (x)",
        [function(F, "b = Neg (a)"), function(F, "b = Abs (a)")],
        "its function l::f is defined twice",
    ),
    "two inputs of a name": (
        "y = l.f (x, x)",
        [function("f (a, a) => (b)", "b = Neg (a)")],
        'the function has two inputs "a"',
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str) -> None:
    main, parts, message = MISTAKES[name]
    with pytest.raises(CompileError) as error:
        ramiel.compile(model(main, *parts), workers=1)
    assert message in str(error.value)


def test_what_would_be_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "LARGEST", 500)
    with pytest.raises(CompileError, match="its functions expand to more than 500 nodes"):
        import_model(doubling(30))


def test_what_would_be_too_deep() -> None:
    chain = [function(f"f{i} (a) => (b)", f"b = l.f{i + 1} (a)") for i in range(2000)]
    with pytest.raises(CompileError, match="nested more than 50 deep"):
        import_model(model("y = l.f0 (x)", *chain))


def test_messages_name_the_call() -> None:
    source = model(
        '["call"] y = l.f (x)', function(F, '["in"] c = Relu (a) ["sum"] b = Add (c, z)')
    )
    weight = helper.make_node("Constant", [], ["z"], value_floats=[1.0, 2.0])
    source.functions[0].node.insert(0, weight)
    with pytest.raises(CompileError, match=r'node "call/sum" \(Add, opset 18\): .*ncompatible'):
        import_model(source)
