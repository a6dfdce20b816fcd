"""Models whose large tensors stay in their file until they are needed."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from ramiel.compiler import compile_model
from ramiel.dialects.onnx.weights import weights_of
from ramiel.errors import CompileError
from ramiel.frontend import outline
from ramiel.frontend.data_file import DataFile
from ramiel.frontend.importer import import_model
from ramiel.frontend.outline import OWN_FILE, ModelFile

TYPES = (TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL, TensorProto.UINT4)


def tensor(name: str, kind: int, shape: tuple[int, ...], raw: bool) -> TensorProto:
    values = np.random.default_rng(len(name)).integers(0, 2, shape)
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    if raw:
        return numpy_helper.from_array(values.astype(dtype), name)
    return helper.make_tensor(name, kind, shape, values.astype(dtype).reshape(-1))


def of_constants(*tensors: TensorProto) -> ModelProto:
    """A model whose outputs are its initializers."""
    nodes = [helper.make_node("Identity", [t.name], [f"y{i}"]) for i, t in enumerate(tensors)]
    outputs = [
        helper.make_tensor_value_info(f"y{i}", t.data_type, t.dims) for i, t in enumerate(tensors)
    ]
    graph = helper.make_graph(nodes, "g", [], outputs, list(tensors))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


LARGE = tensor("large", TensorProto.FLOAT, (64, 32), raw=True)


def filled(file: ModelFile) -> ModelProto:
    """The model of a file's outline, with the tensors that stayed in the file."""
    model = ModelProto.FromString(file.message())
    for each in model.graph.initializer:
        entries = {e.key: e.value for e in each.external_data}
        if entries.get("location") == OWN_FILE:
            each.raw_data = file.read(int(entries["offset"]), int(entries["length"])).tobytes()
            each.ClearField("external_data")
            each.ClearField("data_location")
    return model


@given(
    tensors=st.lists(
        st.tuples(
            st.sampled_from(TYPES),
            st.lists(st.integers(0, 40), max_size=3).map(tuple),
            st.booleans(),
        ),
        max_size=5,
    ),
    doc=st.text(),
)
def test_nothing_is_lost(
    tmp_path_factory: pytest.TempPathFactory,
    tensors: list[tuple[int, tuple[int, ...], bool]],
    doc: str,
) -> None:
    model = of_constants(*(tensor(f"t{i}", *each) for i, each in enumerate(tensors)))
    model.graph.doc_string = doc
    path = tmp_path_factory.mktemp("outline") / "m.onnx"
    path.write_bytes(model.SerializeToString())
    file = ModelFile(path)
    large = sum(len(t.raw_data) for t in model.graph.initializer if len(t.raw_data) >= 4096)
    assert len(file.message()) <= file.length - large + 64 * len(tensors)
    assert filled(file) == model


def test_weights_are_those_of_the_message(tmp_path: Path) -> None:
    model = of_constants(LARGE, tensor("bits", TensorProto.UINT4, (100, 100), raw=True))
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    expected = weights_of(import_model(model))
    found = weights_of(import_model(path))
    assert found.keys() == expected.keys() == {"large", "bits"}
    for name, weight in found.items():
        assert weight.array().dtype == expected[name].array().dtype
        np.testing.assert_array_equal(weight.array(), expected[name].array())


@given(st.binary(max_size=200), st.data())
def test_any_file_is_read_as_protobuf_reads_it(
    tmp_path_factory: pytest.TempPathFactory, extra: bytes, data: st.DataObject
) -> None:
    """A message that is damaged is that of the file, or an equal one."""
    whole = of_constants(LARGE).SerializeToString()
    end = data.draw(st.integers(0, len(whole)))
    damaged = data.draw(st.sampled_from([whole[:end] + extra, extra + whole, extra]))
    path = tmp_path_factory.mktemp("outline") / "m.onnx"
    path.write_bytes(damaged)
    file = ModelFile(path)
    try:
        expected = ModelProto.FromString(damaged)
    except outline.DecodeError:
        with pytest.raises(outline.DecodeError):
            ModelProto.FromString(file.message())
        return
    assert filled(file) == expected


def test_a_file_that_is_replaced_or_cut(tmp_path: Path) -> None:
    path, other = tmp_path / "m.onnx", tmp_path / "other.onnx"
    onnx.save(of_constants(LARGE), path)
    replaced = import_model(path)
    onnx.save(of_constants(tensor("other", TensorProto.FLOAT, (64, 32), raw=True)), other)
    other.replace(path)
    np.testing.assert_array_equal(
        weights_of(replaced)["large"].array(), numpy_helper.to_array(LARGE)
    )
    cut = import_model(path)
    with path.open("r+b") as file:
        file.truncate(100)
    with pytest.raises(CompileError, match="has been changed"):
        weights_of(cut)["other"].array()


def with_external_data(folder: Path) -> Path:
    path = folder / "m.onnx"
    onnx.save(
        of_constants(LARGE), path, save_as_external_data=True, location="w.bin", size_threshold=0
    )
    return path


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(100)


def overwritten(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def replaced(path: Path) -> None:
    other = path.with_suffix(".other")
    other.write_bytes(bytes(path.stat().st_size))
    other.replace(path)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (cut, "w.bin has been changed"),
        (overwritten, "w.bin has been changed"),
        (replaced, "w.bin has been changed"),
        (Path.unlink, "w.bin cannot be read any longer: no such file"),
    ],
)
def test_external_data_that_changes(
    change: Callable[[Path], None], part: str, tmp_path: Path
) -> None:
    """Between the import of a model and the use of its tensors."""
    weight = weights_of(import_model(with_external_data(tmp_path)))["large"]
    np.testing.assert_array_equal(weight.array(), numpy_helper.to_array(LARGE))
    change(tmp_path / "w.bin")
    with pytest.raises(CompileError, match=part):
        weight.array()


def test_data_that_memory_is_too_small_for(tmp_path: Path) -> None:
    """A file may have holes, and then say that it is larger than any memory."""
    path = tmp_path / "w.bin"
    path.touch()
    os.truncate(path, 1 << 42)
    with pytest.raises(CompileError, match="too large"):
        DataFile(path).read(0, 1 << 62)


def test_a_model_with_more_files_than_may_be_open(tmp_path: Path) -> None:
    """Each tensor has its own."""
    few, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    now = len(os.listdir("/proc/self/fd"))
    tensors = [tensor(f"t{i}", TensorProto.FLOAT, (2, 2), raw=True) for i in range(40)]
    path = tmp_path / "m.onnx"
    onnx.save(
        of_constants(*tensors),
        path,
        save_as_external_data=True,
        all_tensors_to_one_file=False,
        size_threshold=0,
    )
    resource.setrlimit(resource.RLIMIT_NOFILE, (now + 20, hard))
    try:
        found = [weight.array() for weight in weights_of(import_model(path)).values()]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    assert len(found) == 40


@pytest.mark.parametrize("more", [{}, {"offset": "x"}, {"offset": "0", "length": "99999"}])
def test_a_model_that_refers_to_its_own_file(tmp_path: Path, more: dict[str, str]) -> None:
    """What an outline has is nothing that a model may not have, and is checked as in any."""
    own = TensorProto(name="own", data_type=TensorProto.FLOAT, dims=[16])
    own.data_location = TensorProto.EXTERNAL
    for key, value in {"location": OWN_FILE, **more}.items():
        own.external_data.add(key=key, value=value)
    path = tmp_path / "m.onnx"
    path.write_bytes(of_constants(own).SerializeToString())
    if more:
        with pytest.raises(CompileError, match='tensor "own"'):
            compile_model(path)
    else:
        assert compile_model(path).emitted.source
    with pytest.raises(CompileError, match="give the model's path"):
        compile_model(path.read_bytes())
