"""`--device`: a program for a GPU is compiled anywhere, and runs where there is one."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import onnx
import pytest
import torch
from commands import run
from onnx import parser
from small_models import branches

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "branches.onnx"
    onnx.save(branches(), path)
    return path


def python(program: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, program.name, "--runs", "2"]
    return subprocess.run(command, cwd=program.parent, capture_output=True, text=True, timeout=120)


def test_a_program_checks_itself(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the stand-in of a GPU, and from each of its stages."""
    options = ("--device", "cuda:h100", "--schedule", "linear")
    compiled = run("compile", model, "-o", "p.py", *options, "--dump-ir", "ir", cwd=tmp_path)
    assert compiled.returncode == 0, compiled.stderr
    assert "2 workers" in compiled.stdout
    source = (tmp_path / "p.py").read_text()
    for stage in sorted((tmp_path / "ir").glob("*.mlir"))[-1:]:
        again = run(stage, "-t", "pytorch", cwd=tmp_path, tool="opt")
        assert again.stdout == source, again.stderr
    monkeypatch.setenv("RAMIEL_STREAMS", "stand-in")
    result = python(tmp_path / "p.py")
    assert result.returncode == 0, result.stderr
    assert "the workers and the serial form agree within 0.001" in result.stdout
    checked = run("check", model, *options, "--calls", 3, cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr


@NO_GPU
def test_without_a_gpu_one_line_says_so(model: Path, tmp_path: Path) -> None:
    compiled = run("compile", model, "-o", "p.py", "--device", "cuda", cwd=tmp_path)
    assert compiled.returncode == 0
    assert "costs     estimated, of cuda:h100; --device cuda:NAME is" in compiled.stdout
    result = python(tmp_path / "p.py")
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith("this program is for CUDA, and ")
    assert result.stderr.count("\n") == 1
    checked = run("check", model, "--device", "cuda", cwd=tmp_path)
    assert checked.returncode == 1 and "this program is for CUDA, and " in checked.stderr
    assert checked.stderr.count("\n") == 1


@NO_GPU
@pytest.mark.parametrize("command", ["bench", "trace", "report --run"])
def test_tools_that_run_streams_say_in_one_line_that_there_are_none(
    command: str, model: Path, tmp_path: Path
) -> None:
    name, *rest = command.split()
    result = run(name, model, *rest, "--device", "cuda:h100", cwd=tmp_path)
    assert result.returncode == 1 and result.stderr.count("\n") == 1
    assert "this program is for CUDA, and " in result.stderr


def test_bench_on_streams(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMIEL_STREAMS", "stand-in")
    options = ("--device", "cuda:h100", "--schedule", "linear", "--runs", 3, "--json", "b.json")
    result = run("bench", model, *options, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    for line in (
        "2 streams, 2 channels",
        "on one stream",
        "alone on the device",
        "stand-in, torch",
    ):
        assert line in result.stdout
    found = json.loads((tmp_path / "b.json").read_text())
    assert found["lane"] == "stream" and found["graphs"]["form"] == "2 streams"
    assert found["parallel_replay"] == found["traced_replay"] == "captured"
    assert len(found["workers"]) == 2 and all(row["busy"] > 0 for row in found["workers"])
    assert all(op["measured_us"] > 0 for op in found["operations"])


def test_traces_and_reports_of_streams(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAMIEL_STREAMS", "stand-in")
    options = ("--device", "cuda:h100", "--schedule", "linear")
    result = run("trace", model, *options, "-o", "t.json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    names = {e["args"]["name"] for e in events if e["ph"] == "M" and "name" in e["args"]}
    assert names == {"predicted", "measured, replayed", "stream 0", "stream 1"}
    slices = [e for e in events if e["ph"] == "X" and e["cat"] == "op"]
    rows = [{(e["tid"], e["name"]) for e in slices if e["pid"] == process} for process in (1, 2)]
    assert rows[0] == rows[1] and len(rows[0]) > 2
    result = run("report", model, *options, "--run", "-o", "r.html", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    page = (tmp_path / "r.html").read_text()
    for text in ("<span>s1</span>", ", stream 1, ", "2 streams", "opara", "Measured timeline"):
        assert text in page
    assert "worker 1" not in page


LACKING = """
<ir_version: 8, opset_import: ["" : 20]>
lacking (string[2] s, int64[3, 3] i, float[2] x) => (string[2] t, int64[3, 3] j, int64[1, n] k) {
  one = StringConcat (s, s)
  t = StringConcat (one, s)
  j = MatMul (i, i)
  k = NonZero (x)
}
"""


def test_what_a_gpu_lacks_or_leaves_to_the_host_is_named_with_counts(tmp_path: Path) -> None:
    lacking = parser.parse_model(LACKING)
    onnx.save(lacking, tmp_path / "m.onnx")
    result = run("compile", "m.onnx", "--device", "cuda", cwd=tmp_path)
    assert result.returncode == 1 and result.stderr.count("\n") == 1
    expected = 'no kernel for a GPU for 2 StringConcat ("one", ...), 1 MatMul ("j"); use --device'
    assert expected in result.stderr
    del lacking.graph.node[:3], lacking.graph.output[:2], lacking.graph.input[:2]
    onnx.save(lacking, tmp_path / "m.onnx")
    result = run("compile", "m.onnx", "--device", "cuda", cwd=tmp_path)
    assert result.returncode == 0
    assert '1 NonZero ("k") need values on the host: calls are captured as graphs' in result.stderr


def test_what_this_cpu_computes_slowly_is_noted_for_this_cpu_alone(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lowering = import_module("ramiel.transforms.torch_lower_precision")
    monkeypatch.setattr(lowering, "cpu_features", frozenset)
    for device in ("cpu", "cuda", "cuda:t4"):
        options = ("--dtype", "f16", "--device", device)
        result = run("compile", model, *options, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        assert ("no instructions for f16" in result.stderr) == (device == "cpu")


def test_a_report_shows_the_streams(model: Path, tmp_path: Path) -> None:
    result = run("report", model, "--device", "cuda:h100", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "ch.stream(1)" in (tmp_path / "branches.html").read_text()
