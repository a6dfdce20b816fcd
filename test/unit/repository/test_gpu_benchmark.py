"""The benchmark of GPUs runs where there is none, on the stand-in, and says what it measured."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from small_models import branches

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
sys.path.append(str(BENCHMARKS))
judged: Any = import_module("gpu_verdicts")


def gpu(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240)


@pytest.mark.timeout(300)
def test_one_command_measures_each_way_of_what_has_goals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model under the name of one that has a goal in float16, too; and the experts."""
    monkeypatch.setenv("RAMIEL_STREAMS", "stand-in")
    onnx.save(branches(), tmp_path / "inception_v3.onnx")
    options = ("--schedules", "auto,opara", "--no-compile", "--seconds", 0.01, "--limit", 200)
    result = gpu("run", "inception_v3.onnx", *options, "--json", "found.json", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    document = json.loads((tmp_path / "found.json").read_text())
    models = list(dict.fromkeys(row["model"] for row in document["rows"]))
    assert models == ["inception_v3", "experts", "inception_v3-f16"], "in the order of the goals"
    graphs = [judged.OWN, "auto", "opara", judged.CALLED]
    for name in models:
        rows = {row["way"]: row for row in document["rows"] if row["model"] == name}
        exact = [judged.EXACT] * (not name.endswith("-f16"))
        assert list(rows) == ["eager", judged.BASE, "plain calls on streams", *graphs, *exact]
        assert not any("failed" in row for row in rows.values()), rows
        assert not any(rows[way]["differing"] for way in graphs)
        assert f"| {name} |" in result.stdout
    assert document["environment"]["tf32"] == "in convolutions"
    assert "holds         results equal those of plain calls within 1e-05: " in result.stdout
    assert "not measured  at most 1.5 times the memory of one stream" in result.stdout
    assert "not measured  googlenet, at most 0.420 ms on an H100: –" in result.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_one_line_says_so(tmp_path: Path) -> None:
    result = gpu("run", tmp_path, cwd=tmp_path)
    assert result.returncode == 1 and result.stderr.count("\n") == 1
    assert "this program is for CUDA, and " in result.stderr


def good_rows() -> list[dict[str, Any]]:
    """What was measured if every promise holds."""
    rows: list[dict[str, Any]] = []
    for model, row in judged.trial().items():
        called = min(row["streams"], judged.LIMITS.get(model, row["streams"]))
        facts: dict[str, Any] = {"model": model, "reserved_mb": 3.0, "weights_mb": 1.0}
        graph = {**facts, "error": 1e-4, "differing": 0}
        rows += [
            {"model": model, "way": judged.BASE, "replay": 3 * called},
            {"model": model, "way": judged.COMPILED, "call": 2 * called},
            {**graph, "way": judged.OWN, "replay": 1.5 * called},
            {**graph, "way": judged.CALLED, "replay": called},
            {"model": model, "way": judged.EXACT, "error": 1e-6},
        ]
    return rows


def found(rows: list[dict[str, Any]], device: str = "NVIDIA H100 80GB") -> list[Any]:
    return list(judged.verdicts(rows, {"device": device}))


def test_each_promise_is_judged_and_may_fail() -> None:
    """A promise holds at its limit; each is broken by what was measured of one model alone."""
    assert all(verdict.holds for verdict in found(good_rows()))
    broken: list[tuple[str, str, str, float, str]] = [
        ("experts", judged.EXACT, "error", 2e-5, "within 1e-05"),
        ("squeezenet", judged.CALLED, "error", float("nan"), "within 0.001"),
        ("nasnet-f16", judged.CALLED, "error", 0.1, "within 0.03"),
        ("nasnet", judged.OWN, "differing", 1, "the same bits"),
        *(
            (model, judged.CALLED, "replay", judged.LIMITS[model] * 1.01, f"{model}, at most")
            for model in judged.LIMITS
        ),
        (
            "experts",
            judged.CALLED,
            "replay",
            judged.trial()["experts"]["streams"] * 1.01,
            "experts, at most",
        ),
        ("experts", judged.BASE, "replay", 0.01, f"slower than its {judged.BASE}"),
        ("nasnet-f16", judged.OWN, "replay", 0.01, f"slower than its {judged.OWN}"),
        ("nasnet", judged.BASE, "replay", 0.01, f"1.75 times as fast as {judged.BASE}"),
        ("nasnet", judged.COMPILED, "call", 0.01, f"1.3 times as fast as {judged.COMPILED}"),
        ("googlenet", judged.CALLED, "reserved_mb", 5.1, "the memory of one stream"),
    ]
    for model, way, key, value, promise in broken:
        rows = good_rows()
        next(r for r in rows if (r["model"], r["way"]) == (model, way))[key] = value
        failed = [verdict for verdict in found(rows) if verdict.holds is False]
        assert any(promise in verdict.promise for verdict in failed), (model, way, key)
    rows = [*good_rows(), {"model": "m", "way": "auto", "failed": "RuntimeError: no"}]
    assert [str(v) for v in found(rows) if not v.holds] == [
        "FAILS         m, auto, runs: RuntimeError: no"
    ]


def test_what_was_not_measured_is_not_claimed() -> None:
    assert all(verdict.holds is None for verdict in found([]))
    elsewhere = [v for v in found(good_rows(), "NVIDIA L4") if v.holds is None]
    assert len(elsewhere) == len(judged.trial()) and all("elsewhere" in v.found for v in elsewhere)
    rows = [
        row
        for row in good_rows()
        if (row["model"], row["way"]) != (judged.MEAN_OF[0], judged.COMPILED)
    ]
    (verdict,) = (v for v in found(rows) if v.holds is None)
    assert verdict.found == "2.00, of 5 of them only"
