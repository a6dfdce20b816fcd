"""Hostile and broken models: one clear line, or they work; never code out of a name."""

from __future__ import annotations

import ast
import io
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper

from ramiel.api import load
from ramiel.compiler import Options, compile_model
from ramiel.errors import CompileError

FLOAT = TensorProto.FLOAT


def model(
    nodes: list[onnx.NodeProto],
    inputs: list[tuple[str, list[int]]],
    outputs: list[tuple[str, list[int]]],
    initializers: list[TensorProto] | None = None,
    opset: int = 17,
) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, FLOAT, s) for n, s in inputs],
        [helper.make_tensor_value_info(n, FLOAT, s) for n, s in outputs],
        initializers or [],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def refused(source: ModelProto | bytes | Path, *parts: str) -> None:
    """Compiling raises CompileError with one line that has all the parts in it."""
    with pytest.raises(CompileError) as error:
        compile_model(source)
    message = str(error.value)
    assert "\n" not in message and len(message) < 1000
    assert all(part in message for part in parts), message


def relu(x: str = "x", y: str = "y") -> onnx.NodeProto:
    return helper.make_node("Relu", [x], [y], name="the relu")


SIMPLE = model([relu()], [("x", [4])], [("y", [4])])


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("model.onnx", SIMPLE.SerializeToString())
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "is empty"),
        (SIMPLE.SerializeToString()[:-7], "not an ONNX model"),
        (bytes(range(256)) * 8, "not an ONNX model"),
        (zipped(), "not an ONNX model"),
        (b"\x08\x08", "not an ONNX model"),
        (b"{}", "not an ONNX model"),
    ],
    ids=["empty", "truncated", "binary", "zip", "no graph", "json"],
)
def test_not_onnx(data: bytes, part: str, tmp_path: Path) -> None:
    refused(data, part)
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    refused(path, str(path), part)


@pytest.mark.parametrize("opset", [0, 999])
def test_unknown_opset(opset: int) -> None:
    refused(model([relu()], [("x", [4])], [("y", [4])], opset=opset), f"opset {opset}")


def test_cycle_and_undefined() -> None:
    cycle = [relu("a", "b"), relu("b", "a"), relu("x", "y")]
    refused(model(cycle, [("x", [4])], [("y", [4])]), "the relu", "cycle")
    refused(model([relu("nowhere")], [], [("y", [4])]), "the relu", "nowhere", "not defined")
    refused(model([relu()], [("x", [4])], [("z", [4])]), '"z"', "no node")


def test_unsorted_nodes_work() -> None:
    nodes = [relu("a", "y"), relu("x", "a")]
    compile_model(model(nodes, [("x", [4])], [("y", [4])]))


def test_duplicate_names() -> None:
    refused(model([relu(), relu()], [("x", [4])], [("y", [4])]), '"y"', "two values")
    twice = [("x", [4]), ("x", [4])]
    refused(model([relu()], twice, [("y", [4])]), '"x"', "two values")


def test_shape_contradiction() -> None:
    node = helper.make_node("Add", ["a", "b"], ["y"], name="sum")
    contradiction = model([node], [("a", [2, 3]), ("b", [4, 5])], [("y", [2, 3])])
    refused(contradiction, 'node "sum" (Add, opset 17)', "ncompatible")


def test_operator_problems() -> None:
    def one(node: onnx.NodeProto) -> ModelProto:
        return model([node], [("x", [4])], [("y", [4])])

    refused(one(helper.make_node("Frobnicate", ["x"], ["y"], name="n")), "Frobnicate", "no such")
    late = helper.make_node("Gelu", ["x"], ["y"], name="n")
    refused(one(late), 'node "n" (Gelu, opset 17)', "came with opset 20")
    custom = helper.make_node("Magic", ["x"], ["y"], name="n", domain="com.example")
    refused(one(custom), "com.example::Magic", "no lowering")
    refused(one(helper.make_node("Relu", ["x", "x"], ["y"], name="n")), "expected 1 input")
    refused(one(helper.make_node("Relu", ["x"], ["y"], name="n", alpha=2.0)), "'alpha'")
    refused(one(helper.make_node("Flatten", ["x"], ["y"], name="n", axis="two")), "must be INT")


def test_all_unsupported_operators_are_named() -> None:
    nodes = [
        helper.make_node("Fold", ["x"], ["a"], name="first", domain="com.example"),
        helper.make_node("Fold", ["a"], ["b"], name="second", domain="com.example"),
        helper.make_node("Spin", ["b"], ["y"], name="third", domain="com.example"),
    ]
    unsupported = model(nodes, [("x", [1, 16, 1])], [("y", [1, 1, 1, 2])])
    first, other = "com.example::Fold", "com.example::Spin"
    refused(unsupported, f'node "first" ({first}', f"{first} (2)", f"{other} (1)")


def external(location: str, offset: str = "0", length: str = "16") -> ModelProto:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=value)
    node = helper.make_node("Add", ["x", "w"], ["y"])
    return model([node], [("x", [4])], [("y", [4])], [tensor])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder with 16 bytes of weights in it and a file next to the folder."""
    inner = tmp_path / "model"
    inner.mkdir()
    (inner / "w.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    (inner / "link.bin").symlink_to(tmp_path / "secret.bin")
    return inner


@pytest.mark.parametrize(
    ("proto", "part"),
    [
        (external("missing.bin"), "is missing"),
        (external("../secret.bin"), "outside the model's folder"),
        (external("link.bin"), "outside the model's folder"),
        (external("/etc/passwd"), "outside the model's folder"),
        (external(""), "outside the model's folder"),
        (external("a\0b"), "external"),
        (external("w.bin", offset="8"), "does not hold"),
        (external("w.bin", offset="-4"), "does not hold"),
        (external("w.bin", length="12"), "does not hold"),
        (external("w.bin", offset="x"), "malformed"),
    ],
)
def test_external_data(folder: Path, proto: ModelProto, part: str) -> None:
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    refused(path, '"w"', part)
    refused(proto, "path")


def test_external_data_works(folder: Path) -> None:
    path = folder / "model.onnx"
    path.write_bytes(external("w.bin").SerializeToString())
    with load(compile_model(path)) as program:
        assert program(torch.ones(4)).tolist() == [1, 2, 3, 4]


def test_malformed_tensors() -> None:
    node = helper.make_node("Add", ["x", "w"], ["y"])

    def with_weight(tensor: TensorProto) -> ModelProto:
        return model([node], [("x", [4])], [("y", [4])], [tensor])

    short = TensorProto(name="w", data_type=FLOAT, dims=[4], raw_data=bytes(8))
    refused(with_weight(short), '"w"', "malformed")
    refused(with_weight(TensorProto(name="w", data_type=99, dims=[4])), '"w"', "unknown type")
    negative = TensorProto(name="w", data_type=FLOAT, dims=[-4], raw_data=bytes(16))
    refused(with_weight(negative), '"w"', "negative")


def sparse(values: list[float], indices: object, dims: list[int]) -> ModelProto:
    proto = model([helper.make_node("Add", ["x", "w"], ["y"])], [("x", [4])], [("y", [4])])
    proto.graph.sparse_initializer.add(
        values=numpy_helper.from_array(np.array(values, np.float32), "w"),
        indices=numpy_helper.from_array(np.array(indices, np.int64)),
        dims=dims,
    )
    return proto


@pytest.mark.parametrize(
    ("indices", "dims", "part"),
    [
        ([0, 4], [4], "malformed"),
        ([0, -1], [4], "malformed"),
        ([0], [4], "malformed"),
        ([[0, 1], [1, 1]], [4], "malformed"),
        ([0, 1], [-4], "malformed"),
        ([0, 1], [], "malformed"),
        ([0, 1], [1 << 62, 4], "malformed"),
        ([0, 1], [1 << 47], "too large"),
    ],
)
def test_malformed_sparse_tensors(indices: object, dims: list[int], part: str) -> None:
    refused(sparse([1, 2], indices, dims), '"w"', part)


@pytest.mark.parametrize("indices", [[0, 3], [[0], [3]]])
def test_sparse_tensors_work(indices: object) -> None:
    with load(compile_model(sparse([1, 2], indices, [4]))) as program:
        assert program(torch.zeros(4)).tolist() == [1, 0, 0, 2]


NAMES = [
    "class",
    "None",
    "self",
    "torch",
    "ch",
    "x y",
    "9lives",
    "größe",
    "变量",
    "\N{PILE OF POO}",
    "a" * 10_000,
    'x"); import os #',
    "x\nimport os\n",
    '"""',
    "{0}",
    "__init__",
    "forward",
    "serial",
    "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
]


def named_everywhere(name: str) -> ModelProto:
    """A model with a name for its input, weight, values, nodes, output and graph."""
    weight = numpy_helper.from_array(np.ones((20, 20), np.float32), f"{name}w")
    nodes = [
        helper.make_node("MatMul", [name, f"{name}w"], [f"{name}1"], name=name),
        helper.make_node("Relu", [f"{name}1"], [f"{name}2"], name=f"{name}/{name}"),
        helper.make_node("Add", [f"{name}1", f"{name}2"], [f"{name}3"], name=name),
    ]
    proto = model(nodes, [(name, [2, 20])], [(f"{name}3", [2, 20])], [weight])
    proto.graph.name = name
    return proto


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
def test_names_are_data(name: str, tmp_path: Path) -> None:
    compilation = compile_model(named_everywhere(name), Options(workers=2, schedule="linear"))
    source = compilation.emitted.source
    tree = ast.parse(source)
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    modules = {a.name for n in imports for a in n.names} | {
        n.module for n in imports if isinstance(n, ast.ImportFrom)
    }
    assert "os" not in modules and len(tree.body) == len(ast.parse(SOURCE_SHAPE).body)
    assert max(map(len, source.splitlines())) < 120 or len(name) > 1000
    x = torch.randn(2, 20)
    with load(compilation) as program:
        y = x @ torch.ones(20, 20)
        torch.testing.assert_close(program(x), y + y.relu())
        # Python itself takes no second argument of the name `self`.
        again = program(x) if name == "self" else program(**{name: x})
        torch.testing.assert_close(again, program.serial(x))
        program.save(tmp_path / "named.py")


SOURCE_SHAPE = '"doc"\nimport a\nimport b\nfrom c import d\nfrom e import f\nclass G: pass\nif h: i'
"""The statements of a program: docstring, imports, the class and the last two lines."""


def test_no_outputs() -> None:
    refused(model([relu()], [("x", [4])], []), "no outputs")


def test_empty_names() -> None:
    refused(model([relu("", "y")], [], [("y", [4])]), "expected 1 input")
    refused(model([relu()], [("", [4]), ("x", [4])], [("y", [4])]), "no name")


def test_an_input_is_an_output() -> None:
    proto = model([relu()], [("x", [4])], [("y", [4]), ("x", [4])])
    with load(compile_model(proto, Options(2, "linear"))) as program:
        x = torch.tensor([-1.0, 0, 1, 2])
        y, same = program(x)
        assert y.tolist() == [0, 0, 1, 2] and same.tolist() == x.tolist()


def test_constant_and_repeated_outputs() -> None:
    weight = numpy_helper.from_array(np.arange(40, dtype=np.float32), "w")
    proto = model([relu()], [("x", [4])], [("y", [4]), ("w", [40]), ("y", [4])], [weight])
    proto.graph.output[2].name = "y"
    with load(compile_model(proto, Options(2, "linear"))) as program:
        y, w, again = program(torch.ones(4))
        assert w.tolist() == list(range(40)) and y.tolist() == again.tolist() == [1, 1, 1, 1]
        assert [t.tolist() for t in program.serial(torch.ones(4))] == [
            t.tolist() for t in (y, w, y)
        ]


def test_a_constant_output_named_like_an_input() -> None:
    """Their channels have different names, even where the identifiers are made the same."""
    weight = numpy_helper.from_array(np.arange(40, dtype=np.float32), "x!")
    proto = model([relu()], [("x", [4])], [("y", [4]), ("x!", [40])], [weight])
    with load(compile_model(proto, Options(2, "linear"))) as program:
        assert program(torch.ones(4))[1].tolist() == list(range(40))


def test_nothing_to_compute() -> None:
    proto = model([], [("x", [4])], [("x", [4])])
    with load(compile_model(proto, Options(2, "linear"))) as program:
        assert program(torch.ones(4)).tolist() == [1, 1, 1, 1]
