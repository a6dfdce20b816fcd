"""Strings of a model in every place, with characters that text and files may trip over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import ramiel
from ramiel.errors import CompileError
from ramiel.runtime import strings

Array = np.ndarray[Any, Any]
STRING, node = TensorProto.STRING, helper.make_node

onnxruntime.set_default_logger_severity(4)

AWKWARD = (
    *(
        'it\'s "q"',
        "a\nb\r\n\t",
        "日本\u2028",
        "\\x00{}%s",
        "",
        " ",
        "'''\"\"\"",
        "{x}",
        "\\",
        "nan",
    ),
    *("\x00nul\x00", "\x00", "\u202ertl\x7f\x1b", "\N{GRINNING FACE}", "\ufeff", "\x85", "e\u0301"),
)
X = np.array(AWKWARD[:3], object)


def constant(name: str, *words: str | bytes, dims: list[int] | None = None) -> TensorProto:
    """An initializer. helper.make_tensor() loses NULs at the end."""
    tensor = TensorProto(name=name, data_type=STRING, dims=[len(words)] if dims is None else dims)
    tensor.string_data.extend(w.encode() if isinstance(w, str) else w for w in words)
    return tensor


def value(name: str, shape: list[int] | None, type: int = STRING) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, type, shape)


def graph(
    nodes: list[onnx.NodeProto],
    outputs: list[str],
    constants: list[TensorProto],
    inputs: list[onnx.ValueInfoProto],
) -> onnx.GraphProto:
    made = [helper.make_empty_tensor_value_info(name) for name in outputs]
    return helper.make_graph(nodes, "g", inputs, made, constants)


K = constant("k", *AWKWARD)
BRANCHES: dict[str, Any] = {
    "then_branch": graph([node("Concat", ["s", "k"], ["u"], axis=0)], ["u"], [K], []),
    "else_branch": graph([], ["k"], [K], []),
}
BODY = graph(
    [
        node("Concat", ["old", "k"], ["new"], axis=0),
        node("Identity", ["on"], ["go"]),
        node("Gather", ["k", "i"], ["one"]),
    ],
    ["go", "new", "one"],
    [K],
    [value("i", [], 7), value("on", [], 9), value("old", None)],
)
SLICE = graph(
    [node("Equal", ["part", "k"], ["same"]), node("Identity", ["part"], ["copy"])],
    ["same", "copy"],
    [constant("k", AWKWARD[1], dims=[])],
    [value("part", [])],
)

MODELS: dict[str, tuple[list[onnx.NodeProto], list[str], list[TensorProto]]] = {
    "an initializer that is an output": ([node("Identity", ["s"], ["y"])], ["y", "k"], [K]),
    "a constant": (
        [node("Constant", [], ["c"], value=K), node("Concat", ["s", "c"], ["y"], axis=0)],
        ["y", "c"],
        [],
    ),
    "a list of an attribute": (
        [node("Constant", [], ["c"], value_strings=AWKWARD)],
        ["c", "s"],
        [],
    ),
    "one of an attribute": (
        [node("Constant", [], ["c"], value_string=AWKWARD[0]), node("Equal", ["s", "c"], ["y"])],
        ["y", "c"],
        [],
    ),
    "constants alone": (
        [node("Concat", ["k", "k"], ["c"], axis=0), node("Equal", ["k", "k"], ["y"])],
        ["c", "y"],
        [K],
    ),
    "a scalar": ([node("Identity", ["k"], ["y"])], ["y"], [constant("k", "a\0", dims=[])]),
    "none": ([node("Concat", ["k", "s"], ["y"], axis=0)], ["y", "k"], [constant("k", dims=[0])]),
    "a choice": (
        [node("Equal", ["s", "k"], ["e"]), node("Where", ["e", "s", "k"], ["y"])],
        ["e", "y"],
        [constant("k", AWKWARD[1])],
    ),
    "a table": (
        [node("Gather", ["k", "i"], ["y"])],
        ["y"],
        [K, helper.make_tensor("i", 7, [2, 2], [0, -1, 10, 11])],
    ),
    "distinct ones": (
        [
            node("Concat", ["k", "s"], ["c"], axis=0),
            node("Unique", ["c"], ["y", "a", "b", "n"]),
            node("Unique", ["c"], ["z", "d", "e"], sorted=0),
        ],
        ["y", "a", "b", "n", "z", "d", "e"],
        [K],
    ),
    "distinct rows": (
        [node("Reshape", ["k", "h"], ["r"]), node("Unique", ["r"], ["y", "a"], axis=0)],
        ["y", "a"],
        [constant("k", "b", "a", "a", "\0", "b", "a"), helper.make_tensor("h", 7, [2], [3, 2])],
    ),
    "a branch": ([node("If", ["yes"], ["y"], **BRANCHES)], ["y"], []),
    "the other branch": (
        [node("Not", ["yes"], ["no"]), node("If", ["no"], ["y"], **BRANCHES)],
        ["y"],
        [],
    ),
    "a loop": (
        [node("Loop", ["n", "", "s"], ["y", "z"], body=BODY)],
        ["y", "z"],
        [helper.make_tensor("n", 7, [], [2])],
    ),
    "a loop that is not run": (
        [node("Loop", ["n", "", "s"], ["y", "z"], body=BODY)],
        ["y", "z"],
        [helper.make_tensor("n", 7, [], [0])],
    ),
    "a scan": ([node("Scan", ["s"], ["y", "z"], body=SLICE, num_scan_inputs=1)], ["y", "z"], []),
}


@pytest.mark.parametrize("name", MODELS)
def test_as_onnxruntime(name: str, tmp_path: Path) -> None:
    nodes, outputs, constants = MODELS[name]
    inputs = [value("s", [3]), value("yes", [], 9)]
    source = helper.make_model(
        graph(nodes, outputs, constants, inputs),
        opset_imports=[helper.make_opsetid("", 19)],
        ir_version=9,
    )
    session = onnxruntime.InferenceSession(
        source.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    feeds = {"s": X, "yes": np.array(True)}
    wanted: list[Any] = session.run(None, feeds)  # pyright: ignore
    with ramiel.compile(source, workers=2) as program:
        program.save(tmp_path / "saved.py")
        for call in (program, program.serial):
            got = call(**feeds)
            for ours, theirs in zip(got if len(outputs) > 1 else [got], wanted, strict=True):
                array = np.asarray(ours)
                assert (array.dtype, array.shape) == (theirs.dtype, theirs.shape)
                np.testing.assert_array_equal(array, theirs)
    text = (tmp_path / "saved.py").read_text("utf-8")
    compile(text, "saved.py", "exec")


@pytest.mark.parametrize("stage", ["onnx-infer-shapes", "onnx-to-torch"])
def test_in_text_that_is_read_again(stage: str, tmp_path: Path) -> None:
    nodes = [
        node("Constant", [], ["c"], value_strings=AWKWARD),
        node("Concat", ["c", "k"], ["y"], axis=0),
    ]
    source = helper.make_model(
        graph(nodes, ["y"], [K], []), opset_imports=[helper.make_opsetid("", 19)], ir_version=9
    )
    onnx.save(source, tmp_path / "m.onnx")
    for before, after in (("m.onnx", "a.mlir"), ("a.mlir", "b.mlir")):
        command = [sys.executable, "-m", "ramiel.tools.opt", before, "-p", stage, "-o", after]
        if (before, stage) == ("a.mlir", "onnx-to-torch"):
            command[4:6] = []
        subprocess.run(command, cwd=tmp_path, check=True)
    one, two = ((tmp_path / f"{x}.mlir").read_text("utf-8") for x in "ab")
    assert one.replace("a.safetensors", "b.safetensors") == two
    if stage == "onnx-infer-shapes":
        from safetensors.numpy import load_file

        from ramiel.weights.packing import unpack

        stored = load_file(tmp_path / "b.safetensors")["k"]
        assert tuple(unpack(stored, "string", [len(AWKWARD)])) == AWKWARD


@pytest.mark.parametrize(
    ("nodes", "constants", "message"),
    [
        (
            [node("Constant", [], ["y"], value_strings=[b"\xff", b"a"])],
            [],
            r"\(Constant, opset 19\): attribute 'value_strings' is not UTF-8",
        ),
        ([node("Identity", ["k"], ["y"])], [constant("k", b"\xff")], 'tensor "k" is malformed'),
    ],
)
def test_not_utf8(nodes: list[onnx.NodeProto], constants: list[TensorProto], message: str) -> None:
    source = helper.make_model(
        graph(nodes, ["y"], constants, []), opset_imports=[helper.make_opsetid("", 19)]
    )
    with pytest.raises(CompileError, match=message):
        ramiel.compile(source, workers=1)


def test_as_arrays() -> None:
    made = strings([["a", "b\0"], ["", "日"]])
    assert made.numpy().dtype == np.object_ and made.numpy().tolist() == made.tolist()
    assert np.asarray(made).shape == (2, 2) and np.array(made, "U1")[1, 1] == "日"
    assert made.cpu().numpy()[0, 1] == "b\0"
    assert np.asarray(strings("x")).shape == () and np.asarray(strings([])).shape == (0,)
    with pytest.raises(ValueError, match="always a copy"):
        made.__array__(copy=False)
