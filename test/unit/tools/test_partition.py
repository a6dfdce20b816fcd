"""ONNX Runtime's node partition config: every node is in it, and ONNX Runtime takes it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from commands import run
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, parser
from small_models import branches

from ramiel.compiler import Options
from ramiel.errors import CompileError
from ramiel.tools.partition import CONFIG, Partition, export_partition, partition_of

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
TWO = Options(workers=2, schedule="linear")


@st.composite
def cases(draw: st.DrawFn) -> tuple[onnx.GraphProto, dict[str, int], list[Any]]:
    """A graph, a schedule of a part of it, and another graph that has some of its nodes, some of
    them renamed as by a fusion, and some new ones."""
    count = draw(st.integers(1, 12))
    inputs = [draw(st.lists(st.integers(-1, i - 1), max_size=3)) for i in range(count)]
    nodes = [
        helper.make_node("Op", [f"v{j}" if j >= 0 else "" for j in ends], [f"v{i}"], f"n{i}")
        for i, ends in enumerate(inputs)
    ]
    schedule = draw(
        st.dictionaries(st.sampled_from([n.name for n in nodes]), st.integers(0, 3), max_size=count)
    )
    optimized: list[Any] = []
    for i, node in enumerate(nodes):
        name, output = draw(
            st.sampled_from(
                [(f"n{i}", f"v{i}"), (f"v{i}_nchwc", f"t{i}"), (f"token_{i}", f"t{i}"), ("", "")]
            )
        )
        if name:
            optimized.append((name, helper.make_node("Op", node.input, [output], name)))
    return helper.make_graph(nodes, "g", [], []), schedule, optimized


@settings(deadline=None, derandomize=True)
@given(cases())
def test_each_node_is_in_one_stream(
    case: tuple[onnx.GraphProto, dict[str, int], list[Any]],
) -> None:
    """ONNX Runtime refuses a config that lacks a node, and an empty stream crashes it."""
    graph, schedule, optimized = case
    names = [name for name, _ in optimized]
    if not names:
        with pytest.raises(CompileError, match="there is no node"):
            partition_of(graph, schedule, optimized)
        return
    partition = partition_of(graph, schedule, optimized)
    assert sorted(n for s in partition.streams for n in s) == sorted(names)
    assert all(partition.streams)
    assert partition.matched <= partition.nodes == len(names)
    stream_of = {name: i for i, s in enumerate(partition.streams) for name in s}
    together: dict[int, set[int]] = {}
    for number, worker in ((name[1:], worker) for name, worker in schedule.items()):
        for name in (f"n{number}", f"v{number}_nchwc"):
            if name in stream_of:
                together.setdefault(worker, set()).add(stream_of[name])
    streams = list(together.values())
    assert all(len(s) == 1 for s in streams), "a worker's nodes are in two streams"
    assert len(set.union(*streams) if streams else set()) == len(streams), "a stream is shared"


def test_where_fused_and_new_nodes_go() -> None:
    """The names are those that ONNX Runtime 1.31 makes up."""
    graph = parser.parse_graph(
        """g (float[1] x) => (float[1] out) {
          c = Conv (x, x)
          b = BatchNormalization (c, x)
          m = MatMul (x, x)
          "/a/Add_output_0" = Add (m, x)
          out = Concat (b, "/a/Add_output_0")
        }"""
    )
    for node, name in zip(graph.node, ["conv", "bn", "/a/MatMul", "/a/Add", "end"], strict=True):
        node.name = name
    schedule = {"conv": 1, "/a/MatMul": 0, "/a/Add": 0, "end": 0}
    optimized = [
        ("ReorderInput", ["x"], ["reorder_0"]),  # has no producer: goes to its consumer
        ("b_nchwc", ["reorder_0"], ["reorder_1"]),  # what the folded bn makes: beside conv
        ("ReorderOutput", ["reorder_1"], ["b"]),
        ("gemm_input_reshape_7", ["x"], ["reshaped"]),
        ("/a/MatMul/MatMulAddFusion", ["reshaped"], ["gemm_output"]),
        ("gemm_output_reshape_9", ["gemm_output"], ["reordered"]),
        ("Concat0", ["b", "reordered"], ["out"]),
    ]
    nodes = [(name, helper.make_node("Op", i, o, name)) for name, i, o in optimized]
    names = [name for name, _ in nodes]
    partition = partition_of(graph, schedule, nodes)
    assert partition == Partition([names[3:], names[:3]], matched=4)


def session(model: Path, config: Path | None) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 3
    if config is not None:
        options.execution_mode = ort.ExecutionMode.ORT_PARALLEL
        options.add_session_config_entry(CONFIG, str(config))
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def results(session: ort.InferenceSession) -> list[bytes]:
    values = np.random.default_rng(0)
    feeds = {i.name: values.random(i.shape, np.float32) for i in session.get_inputs()}
    return [np.asarray(o).tobytes() for o in session.run(None, feeds)]


def save_with_external_data(path: Path) -> None:
    """Two branches, weights in a file of their own; no node has a name."""
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[256, 256] x) => (float[256, 256] y) {
          a = MatMul (x, w)
          b = MatMul (w, x)
          c = Sin (a)
          d = Cos (b)
          y = Sub (c, d)
        }"""
    )
    weight = np.random.default_rng(1).random((256, 256), np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)


@pytest.mark.parametrize("which", ["branches", "external data", "Inception v1"])
def test_onnxruntime_reads_it(which: str, tmp_path: Path) -> None:
    """ONNX Runtime computes the same with it, and refuses it as soon as one node is left out,
    which shows that it is really read. Of these models some nodes have no names."""
    model, config = tmp_path / "model.onnx", tmp_path / "partition.json"
    if which == "branches":
        model.write_bytes(branches().SerializeToString())
    elif which == "external data":
        save_with_external_data(model)
    else:
        model = LIGHT / "light_inception_v1.onnx"
    partition = export_partition(model, config, TWO)
    written = json.loads(config.read_text())
    assert written["streams"] == partition.streams
    assert len(partition.streams) == len(written["devices"]) == 2
    assert results(session(model, config)) == results(session(model, None))
    for stream in written["streams"]:
        taken = stream.pop()
        stream.append("something else")
        config.write_text(json.dumps(written))
        with pytest.raises(Exception, match="Failed to find node"):
            session(model, config)
        stream[-1] = taken


def mistakes(path: Path, which: str) -> Path:
    model = branches()
    if which == "twice":  # ramiel compiles it, onnxruntime does not
        for node in model.graph.node:
            node.name = "same"
    elif which == "nothing":
        path.write_bytes(b"")
        return path
    elif which == "constant":
        model = parser.parse_model(
            """<ir_version: 8, opset_import: ["" : 17]>
            g () => (float[1] y) { y = Constant <value = float[1] {1.0}> () }"""
        )
    elif which == "no data":
        save_with_external_data(path)
        (path.parent / "w.bin").unlink()
        return path
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ("twice", "onnxruntime cannot load it: .*two nodes with same node name"),
        ("nothing", "is empty"),
        ("constant", "there is no node"),
        ("no data", "w.bin"),
        ("absent", "no such file"),
    ],
)
def test_mistakes(which: str, message: str, tmp_path: Path) -> None:
    """One line that names the file, and no config, nor an older one changed."""
    output = tmp_path / "partition.json"
    output.write_text("older")
    model = tmp_path / "model.onnx"
    if which != "absent":
        mistakes(model, which)
    with pytest.raises(CompileError, match=message) as caught:
        export_partition(model, output, TWO)
    assert str(caught.value).startswith(str(model)) and "\n" not in str(caught.value)
    assert output.read_text() == "older"
    assert not list(tmp_path.glob(".partition*"))


def test_a_batch_is_refused(tmp_path: Path) -> None:
    """Its samples run on different workers, and ONNX Runtime's graph has each node once."""
    with pytest.raises(CompileError, match=r"for one sample, .* leave --batch out"):
        export_partition(tmp_path / "m.onnx", tmp_path / "p.json", replace(TWO, batch=2))


def test_command(tmp_path: Path) -> None:
    (tmp_path / "branches.onnx").write_bytes(branches().SerializeToString())
    command = ("export-partition", "branches.onnx", "--workers", 2)
    done = run(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "wrote branches.partition.json" in done.stdout
    assert "inter_op_num_threads 3" in done.stdout
    assert json.loads((tmp_path / "branches.partition.json").read_text())["devices"] == ["0", "0"]
    failed = run(*command, "-o", "no/such/folder.json", cwd=tmp_path)
    assert failed.returncode == 1
    assert failed.stderr.strip().splitlines()[-1].startswith("error: no/such/folder.json: ")
