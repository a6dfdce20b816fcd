"""Models for Triton's Python backend: what is written, and that model.py runs. Triton's client."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from commands import run
from onnx.parser import parse_model
from served import affine, compiled, serving

from ramiel.serving.server import Settings

ROOT = next(p for p in Path(__file__).parents if (p / "pyproject.toml").exists())

MIXED = """<ir_version: 8, opset_import: ["" : 17]>
mixed (string[2] "a.word", float factor, float[2] x) => (string[2] "out/word", float[2] y)
{ "out/word" = Identity ("a.word")  y = Mul (x, factor) }"""


class Tensor:
    """What stands in for pb_utils.Tensor."""

    def __init__(self, name: str, array: Any) -> None:
        self.name, self._array = name, array

    def as_numpy(self) -> Any:
        return self._array


class Response:
    """For pb_utils.InferenceResponse."""

    def __init__(self, output_tensors: Any = (), error: Any = None) -> None:
        self.outputs = {tensor.name: tensor.as_numpy() for tensor in output_tensors}
        self.error = error


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """triton_python_backend_utils, where a request is a mapping of arrays by name."""
    utils: Any = ModuleType("triton_python_backend_utils")
    utils.Tensor, utils.InferenceResponse, utils.TritonError = Tensor, Response, str
    utils.get_input_tensor_by_name = lambda request, name: (
        Tensor(name, request[name]) if name in request else None
    )
    monkeypatch.setitem(sys.modules, utils.__name__, utils)
    yield
    sys.modules.pop("program", None)


def written(folder: Path, model: onnx.ModelProto, *arguments: object) -> Path:
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    result = run("triton-model", "m.onnx", "repository/m", *arguments, cwd=folder)
    assert result.returncode == 0, result.stderr
    assert "wrote repository/m/config.pbtxt" in result.stdout
    return folder / "repository" / "m"


def loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The model, as Triton has it."""
    monkeypatch.syspath_prepend(folder / "1")
    path = folder / "1" / "model.py"
    namespace: dict[str, Any] = {"__file__": str(path)}
    exec(compile(path.read_text(), path, "exec"), namespace)
    model = namespace["TritonPythonModel"]()
    model.initialize({})
    return model


@pytest.mark.usefixtures("backend")
def test_any_number_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(tmp_path, affine(), "--max-batch", 8)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*.*")}
    assert files >= {"config.pbtxt", "1/model.py", "1/program.py", "1/program.safetensors"}
    assert (folder / "config.pbtxt").read_text().splitlines() == [
        'backend: "python"',
        "max_batch_size: 8",
        'input { name: "x", data_type: TYPE_FP32, dims: [4] }',
        'output { name: "y", data_type: TYPE_FP32, dims: [4] }',
        'output { name: "z", data_type: TYPE_FP32, dims: [4] }',
        "dynamic_batching { }",
        "instance_group [ { kind: KIND_CPU, count: 1 } ]",
    ]
    model = loaded(folder, monkeypatch)
    rows = [np.full((1 + i, 4), i, np.float32) for i in range(3)]
    wrong = np.zeros((1, 5), np.float32)
    for requests in (rows, rows[:1], [*rows, wrong], [wrong]):
        responses = model.execute([{"x": row} for row in requests])
        for row, response in zip(requests, responses, strict=True):
            if row is wrong:
                assert "expected float32[" in response.error
                continue
            assert response.error is None
            assert np.array_equal(response.outputs["y"], 3 * row + 1)
    model.finalize()


@pytest.mark.usefixtures("backend")
def test_names_strings_and_scalars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(tmp_path, parse_model(MIXED))
    assert (folder / "config.pbtxt").read_text().splitlines() == [
        'backend: "python"',
        "max_batch_size: 0",
        'input { name: "a.word", data_type: TYPE_STRING, dims: [2] }',
        'input { name: "factor", data_type: TYPE_FP32, dims: [1], reshape: { shape: [ ] } }',
        'input { name: "x", data_type: TYPE_FP32, dims: [2] }',
        'output { name: "out/word", data_type: TYPE_STRING, dims: [2] }',
        'output { name: "y", data_type: TYPE_FP32, dims: [2] }',
        "instance_group [ { kind: KIND_CPU, count: 1 } ]",
    ]
    words = np.array(["é".encode(), b""], np.object_)
    request = {"a.word": words, "factor": np.float32(2), "x": np.array([1, 2], np.float32)}
    (response,) = loaded(folder, monkeypatch).execute([request])
    assert response.outputs["out/word"].tolist() == words.tolist()
    assert response.outputs["y"].tolist() == [2.0, 4.0]


def test_what_cannot_be_written(tmp_path: Path) -> None:
    model = parse_model(
        """<ir_version: 10, opset_import: ["" : 21]> low (bfloat16[2] x) => (bfloat16[2] y)
        { y = Relu (x) }"""
    )
    (tmp_path / "low.onnx").write_bytes(model.SerializeToString())
    (tmp_path / "m.onnx").write_bytes(affine().SerializeToString())
    (tmp_path / "file").touch()
    for arguments, reason in (
        (["low.onnx", "out"], 'low.onnx: "x" is of bfloat16, which Triton\'s Python backend lacks'),
        (["m.onnx", "file"], "cannot be written: "),
    ):
        result = run("triton-model", *arguments, cwd=tmp_path)
        assert result.returncode == 1 and result.stderr.count("\n") == 1
        assert reason in result.stderr


def test_the_client_of_the_documentation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its program runs as it is, but for the port, where Triton's client is installed."""
    triton = pytest.importorskip("tritonclient.http")
    text = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```py\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    model = parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        pooled (float[1, 3, 224, 224] x) => (float[1, 3, 1, 1] fc)
        { pooled = GlobalAveragePool (x)  fc = Exp (pooled) }"""
    )
    with serving({"model": compiled(model)}, Settings(access_log=False)) as server:
        connect = triton.InferenceServerClient
        ports = {"127.0.0.1:8000": f"127.0.0.1:{server.port}"}
        monkeypatch.setattr(triton, "InferenceServerClient", lambda url: connect(ports[url]))
        exec(compile(program, "serving.md", "exec"), {})
    assert capsys.readouterr().out == f"{np.ones((1, 3, 1, 1), np.float32)}\n"
