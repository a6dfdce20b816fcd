"""What a program takes: tensors of open shapes, lists, optionals, strings; names of dimensions."""

from __future__ import annotations

from typing import Any, cast

import ml_dtypes
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
    (Input("s", str, (None,)), [1], TypeError, "int is not a string"),
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


class Wrapped:
    """What only says how it becomes an array."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return self.array if dtype is None else self.array.astype(dtype)


class Interface:
    """As Pillow's images: an array's interface, and nothing else of it."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.__array_interface__ = array.__array_interface__
        self.array = array


class Exchanged:
    """What is known by DLPack alone."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor

    def __dlpack__(self, **options: Any) -> Any:
        return self.tensor.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.tensor.__dlpack_device__()


class Broken:
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise KeyError("nothing there")


SIX = np.arange(6, dtype=np.float32).reshape(2, 3)
FIELDS = np.zeros((2, 3), [("flag", np.uint8), ("x", np.float32)])
FIELDS["x"] = SIX
FROZEN = SIX.copy()
FROZEN.flags.writeable = False

ARRAYS: dict[str, Any] = {
    "array": SIX,
    "read-only": FROZEN,
    "backwards": SIX[::-1, ::-1].copy()[::-1, ::-1],
    "big-endian": SIX.astype(">f4"),
    "in Fortran's order": np.asfortranarray(SIX),
    "out of step": FIELDS["x"],
    "__array__": Wrapped(SIX),
    "__array__, read-only": Wrapped(FROZEN),
    "__array_interface__": Interface(SIX),
    "__dlpack__": Exchanged(torch.from_numpy(SIX)),
    "a buffer": memoryview(SIX),  # pyright: ignore[reportArgumentType]
    "lists": SIX.tolist(),
    "rows that are tensors": list(torch.from_numpy(SIX)),
    "rows of __array__": [Wrapped(row) for row in SIX],
    "array scalars": [[np.float32(x) for x in row] for row in SIX],
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name: str) -> None:
    (tensor,) = bind("Model", [Input("x", F32, (2, 3))], [ARRAYS[name]], {})
    assert tensor.dtype is F32 and tensor.tolist() == SIX.tolist()


def test_memory_is_shared_where_it_can_be() -> None:
    for value in (SIX.copy(), SIX.copy().T, Wrapped(SIX.copy()), Interface(SIX.copy())):
        (tensor,) = bind("Model", [Input("x", F32, None)], [value], {})
        assert tensor.data_ptr() == np.asarray(value).ctypes.data


@pytest.mark.parametrize("name", ["bfloat16", "float8_e5m2", "float8_e4m3fn"])
def test_types_that_numpy_has_from_others(name: str) -> None:
    array = np.array([1, -2], getattr(ml_dtypes, name))
    (tensor,) = bind("Model", [Input("x", getattr(torch, name), (2,))], [array], {})
    assert tensor.float().tolist() == [1, -2]


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (SIX.astype(np.float64), ValueError, "got float64"),
        (SIX.astype(">f8"), ValueError, "got float64"),
        (Wrapped(SIX[0]), ValueError, "got float32"),
        (Broken(), TypeError, "got Broken: 'nothing there'"),
        (object(), (TypeError, ValueError), "got object: "),
        (np.array([["a", None]], object), TypeError, "got ndarray: "),
        (b"abcdef", TypeError, "got bytes: "),
        ("abc", TypeError, "got str: "),
        (None, TypeError, "got NoneType: "),
        ([[1, 2], [3]], ValueError, "got list: "),
    ],
    ids=[
        *("float64", "big-endian float64", "a shape", "a method that raises", "object"),
        *("objects", "bytes", "str", "None", "ragged"),
    ],
)
def test_no_arrays(value: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind) as error:
        bind("Model", [Input("x", F32, (2, 3))], [value], {})
    assert str(error.value).startswith('input "x": expected float32[2, 3], ')
    assert message in str(error.value)


@pytest.mark.parametrize(
    "value", [Wrapped(np.array(["a", "b"])), np.array([b"a", b"b"]), np.array(["a", "b"], object)]
)
def test_arrays_of_strings(value: Any) -> None:
    assert bind("Model", [Input("s", str, (2,))], [value], {})[0].tolist() == ["a", "b"]


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
        with pytest.raises(CompileError, match=r'input "x" .* can only be given from Python'):
            inputs_of(program, Inputs({}))
        with pytest.raises(ValueError, match="no random input can be made for x"):
            random_inputs(program.inputs, {}, 0)
    with pytest.raises(CompileError, match="not a tensor of numbers: it cannot be profiled"):
        compile_model(model, Options(workers=1, profile=True))


def test_sequences_have_no_shape_to_give() -> None:
    with pytest.raises(CompileError, match='input "x" is not a tensor'):
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
