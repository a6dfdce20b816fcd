"""The benchmark of GPUs runs where there is none, on the stand-in, and says what it measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch
from small_models import branches

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "gpu.py"


def gpu(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("dtype", ["f32", "f16"])
def test_each_way_is_measured(dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAMIEL_STREAMS", "stand-in")
    onnx.save(branches(), tmp_path / "branches.onnx")
    schedules = ("--schedules", "auto,ios")
    made = gpu("prepare", "p", "branches.onnx", "--dtype", dtype, *schedules, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    name = "branches" if dtype == "f32" else "branches-f16"
    given = (f"p/{name}", "--no-compile", "--seconds", 0.01, "--json", "found.json")
    result = gpu("run", *given, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    document = json.loads((tmp_path / "found.json").read_text())
    rows = {row["way"]: row for row in document["rows"]}
    ways = ["eager", "plain graph", "plain calls on streams", "one stream", "auto", "as called"]
    assert list(rows) == [*ways, "ios"]
    assert not any("failed" in row for row in rows.values()), rows
    assert rows["auto"]["streams"] == 2 and not rows["auto"]["differing"]
    assert document["environment"]["tf32"] == "off"
    assert f"| {name} |" in result.stdout and "in the geometric mean" in result.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_one_line_says_so(tmp_path: Path) -> None:
    result = gpu("run", tmp_path, cwd=tmp_path)
    assert result.returncode == 1 and result.stderr.count("\n") == 1
    assert "this program is for CUDA, and " in result.stderr
