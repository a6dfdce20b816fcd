"""What a program takes: tensors of open shapes, lists, optionals, strings; names of dimensions."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import onnx
import pytest
import torch
from onnx import parser

import ramiel
from ramiel.api import load
from ramiel.compiler import compile_model
from ramiel.errors import CompileError
from ramiel.frontend.importer import import_model
from ramiel.pipelines import Options
from ramiel.runtime import Input, Strings, strings
from ramiel.runtime.inputs import bind
from ramiel.runtime.measure import random_inputs, same_bits
from ramiel.tools.check import Inputs, inputs_of

F32 = torch.float32


def parsed(text: str) -> onnx.ModelProto:
    return parser.parse_model(f'<ir_version: 8, opset_import: ["": 19]> {text}')


TWO = "g (float[batch,3] x, float[batch,N] y) => (float[batch,M] z) {z = Concat <axis = 1> (x, y)}"


# --- the names of dimensions ---


def test_names_are_printed_and_checked() -> None:
    with ramiel.compile(parsed(TWO), workers=1) as program:
        assert 'Input("x", torch.float32, ("batch", 3))' in program.source
        assert program(torch.ones(4, 3), torch.ones(4, 2)).shape == (4, 5)
        with pytest.raises(ValueError, match='"batch" is 4 in input "x" and 5 in input "y"'):
            program(torch.ones(4, 3), torch.ones(5, 2))
        with pytest.raises(ValueError, match=r"expected float32\[batch, 3\], got float32\[4, 2\]"):
            program(torch.ones(4, 2), torch.ones(4, 2))


def test_one_input_may_have_a_name_twice() -> None:
    square = [Input("x", F32, ("n", "n"))]
    bind("Model", square, [torch.ones(2, 2)], {})
    with pytest.raises(ValueError, match='"n" is 2 in input "x" and 3 in input "x"'):
        bind("Model", square, [torch.ones(2, 3)], {})


@pytest.mark.parametrize("name", ["?", "-1", "None", "unk", "x" * 200])
def test_what_says_nothing_is_no_name(name: str) -> None:
    model = parsed(TWO)
    for info in model.graph.input:
        info.type.tensor_type.shape.dim[0].dim_param = name
    with ramiel.compile(model, workers=1) as program:
        assert program.inputs[0].shape == (None, 3)


def test_a_name_may_be_any_text() -> None:
    model = parsed(TWO)
    for info in model.graph.input:
        info.type.tensor_type.shape.dim[0].dim_param = '"); exit("\\'
    with ramiel.compile(model, workers=1) as program:
        assert program(torch.ones(4, 3), torch.ones(4, 2)).shape == (4, 5)


def test_a_shape_holds_for_all_of_the_name() -> None:
    with ramiel.compile(parsed(TWO), workers=1, shapes={"x": (4, 3)}) as program:
        assert [i.shape for i in program.inputs] == [(4, 3), (4, "N")]


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        ({"x": (4, 3), "y": (5, 2)}, '"batch" is 4 in input "x" and 5 in input "y"'),
        ({"x": (4, 2)}, "is .x3, which 4x2 does not fit"),
        ({"x": (4,)}, "does not fit"),
        ({"w": (4,)}, 'no input "w"'),
    ],
)
def test_shapes_that_contradict(shapes: dict[str, tuple[int, ...]], reason: str) -> None:
    with pytest.raises(CompileError, match=reason):
        import_model(parsed(TWO), shapes)


def test_random_inputs_have_one_size_for_a_name() -> None:
    inputs = [Input("x", F32, ("batch", 3)), Input("y", F32, ("batch", "n")), Input("z", F32, ())]
    x, y, _ = random_inputs(inputs, {"y": (4, 2)}, 0)
    assert x.shape == (4, 3) and y.shape == (4, 2)
    with pytest.raises(ValueError, match='"batch" is 5'):
        random_inputs(inputs, {"x": (5, 3), "y": (4, 2)}, 0)


def test_the_module_is_text_with_the_names_in_it() -> None:
    module = import_model(parsed(TWO))
    assert 'onnx.dims = ["batch", ""]' in str(module)


# --- other values ---

KINDS: list[tuple[str, list[Any], Any]] = [
    ("float x) => (float y", [np.float32(2)], "()"),
    ("float[] x) => (float[] y", [np.ones((2, 1, 2), np.float32)], "None"),
    ("seq(float[N]) x) => (seq(float[N]) y", [[torch.ones(2)], (np.ones(1, np.float32),)], "list"),
    ("optional(float[N]) x) => (optional(float[N]) y", [None, torch.ones(2)], "optional"),
    ("optional(seq(float[N])) x) => (optional(seq(float[N])) y", [None, []], "optional list"),
    ("string[N] x) => (string[N] y", [["a"], np.array(["b"]), strings(["c", "c"])], "str"),
]


@pytest.mark.parametrize(("types", "values", "text"), KINDS, ids=[k[2] for k in KINDS])
def test_kinds(types: str, values: list[Any], text: str) -> None:
    model = parsed(f"g ({types}) {{y = Identity (x)}}")
    with ramiel.compile(model, workers=1) as program:
        assert text in program.source.split("outputs")[0]
        for value in values:
            result = program(value)
            assert same_bits(result, cast(Any, program).serial(value))
            assert (result is None) == (value is None)


XS = Input("xs", F32, (None,), kind="list")
WRONG: list[tuple[Input, Any, type[Exception], str]] = [
    (XS, torch.ones(2), TypeError, '"xs": expected a list, got Tensor'),
    (XS, [torch.ones(2, 2)], ValueError, '"xs": expected float32.?.., got float32.2, 2.'),
    (XS, [torch.ones(2, dtype=torch.int64)], ValueError, "got int64.2."),
    (XS, None, TypeError, "expected a list, got NoneType"),
    (Input("o", F32, (None,), kind="optional"), torch.ones(()), ValueError, "got float32.."),
    (Input("m", F32, (), kind="dict"), [1], TypeError, '"m": expected a dict, got list'),
    (Input("s", str, (None,)), torch.ones(2), ValueError, "expected str..., got float32.2."),
    (Input("s", str, (None,)), [1], TypeError, "int is no string"),
    (Input("s", str, (None, None)), [["a"], ["b", "c"]], ValueError, "differ in length"),
    (Input("n", torch.int64, (None,)), strings(["a"]), ValueError, "got str.1."),
    (Input("r", F32, None), torch.ones(2, dtype=torch.int64), ValueError, "float32[...], got"),
]


@pytest.mark.parametrize(("declared", "value", "kind", "reason"), WRONG)
def test_wrong_values(declared: Input, value: Any, kind: type[Exception], reason: str) -> None:
    with pytest.raises(kind) as error:
        bind("Model", [declared], [value], {})
    assert f'input "{declared.name}"' in str(error.value)
    for part in reason.split(".."):
        assert all(piece in str(error.value) for piece in part.split("."))


def test_a_dict_is_taken_as_it_is() -> None:
    assert bind("Model", [Input("m", F32, (), kind="dict")], [{1: 2.0}], {}) == [{1: 2.0}]


@pytest.mark.parametrize(
    "text",
    [
        "g (seq(float[N]) x) => (int64 y) {y = SequenceLength (x)}",
        "g (string[N] x) => (bool[N] y) {y = Equal (x, x)}",
    ],
)
def test_what_cannot_be_drawn(text: str) -> None:
    model = parsed(text)
    with load(compile_model(model, Options(workers=1))) as program:
        with pytest.raises(CompileError, match=r'input "x" .* can only be given by a program'):
            inputs_of(program, Inputs({}))
        with pytest.raises(ValueError, match="no random input can be made for x"):
            random_inputs(program.inputs, {}, 0)
    with pytest.raises(CompileError, match="no tensor of numbers: it cannot be profiled"):
        compile_model(model, Options(workers=1, profile=True))


def test_sequences_have_no_shape_to_give() -> None:
    with pytest.raises(CompileError, match='input "x" is no tensor'):
        import_model(parsed(f"g ({KINDS[2][0]}) {{y = Identity (x)}}"), {"x": (2,)})


# --- tensors of strings ---


def test_strings_move_as_numbers_do() -> None:
    a, b = strings([["a", "b"], ["b", "c"]]), strings([["d", "a"]])
    assert torch.cat([a, b]).tolist() == [["a", "b"], ["b", "c"], ["d", "a"]]
    assert a[:, 1].tolist() == ["b", "c"] and a[0, 0].item() == "a"
    assert [part.tolist() for part in a.unbind()] == [["a", "b"], ["b", "c"]]
    assert (a == b).tolist() == [[False, False], [False, False]]
    assert torch.where(a == strings("b"), a, strings("x")).tolist() == [["x", "b"], ["b", "x"]]
    assert isinstance(a.T, Strings) and strings([[], []]).shape == (2, 0)


def test_strings_do_not_compute() -> None:
    with pytest.raises(TypeError, match="torch has no sum of strings"):
        torch.sum(strings(["a"]))
    with pytest.raises(TypeError):
        torch.add(strings(["a"]), 1)


def test_strings_are_copied() -> None:
    import copy
    import pickle

    a = strings(["a", "b"])
    assert copy.deepcopy(a).tolist() == pickle.loads(pickle.dumps(a)).tolist() == ["a", "b"]
    assert repr(a) == "strings(['a', 'b'])"
