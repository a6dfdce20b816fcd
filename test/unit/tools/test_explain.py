"""`ramiel explain`: what is to be gained, and what to try."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from commands import run
from onnx import ModelProto
from onnx.parser import parse_model
from small_models import branches

from ramiel.analysis.gpu import USUAL
from ramiel.compiler import compile_model
from ramiel.cores import cores
from ramiel.pipelines import Options
from ramiel.tools.explain import (
    CORES,
    IN_TURN,
    Explanation,
    OnCores,
    OnGpu,
    explain,
    suggestions,
)
from ramiel.tools.explain_text import COLUMNS, ROWS, lines_of, picture


def written(model: ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Explanation:
    return explain(written(branches(), tmp_path_factory.mktemp("explain")), Options())


def test_numbers_belong_together(explained: Explanation) -> None:
    assert explained.parallelism >= 1
    assert explained.spans[-1].finish == pytest.approx(explained.critical_path)
    assert 0 <= explained.narrow <= explained.critical_path
    assert [row.cores for row in explained.on_cores] == sorted({*CORES, cores()} - {1})
    for row in explained.on_cores:
        assert row.bound <= row.best <= row.in_turn
    assert isinstance(explained.on_gpu, OnGpu)
    assert explained.on_gpu.best <= explained.on_gpu.one_stream
    assert sum(share.part for share in explained.shares) == pytest.approx(1)


def test_the_picture_is_as_high_as_its_widest_part(explained: Explanation) -> None:
    title, *rows, axis, times = picture(explained.spans)
    assert "at a time" in title and len(rows) == ROWS
    assert all(len(line) == len(axis) == 8 + COLUMNS for line in (*rows, times))
    assert "█" in rows[0]


def with_gains(explained: Explanation, here: float, on_more: float) -> Explanation:
    rows = [
        OnCores(row.cores, {IN_TURN: 100.0 * gain, "list": 100.0}, "list", 90.0)
        for row in explained.on_cores
        for gain in (here if row.cores == cores() else on_more,)
    ]
    return replace(explained, on_cores=rows)


@pytest.mark.skipif(cores() == 1, reason="there is one core")
def test_advice_follows_the_gains(explained: Explanation) -> None:
    gains = suggestions(with_gains(explained, 1.5, 1.2))
    assert "branches gain 1.50 times" in gains[0] and "--tune" in gains[0]
    none = suggestions(with_gains(explained, 1.0, 1.2))
    assert "not worth a schedule" in none[0]
    assert any("branches would gain 1.20 times" in text for text in none)
    assert not any("would gain" in text for text in gains)


def test_a_gpu_is_told_with_whose_costs(explained: Explanation) -> None:
    given = replace(explained, on_gpu=OnGpu(USUAL, 200.0, 3, 100.0))
    (advice,) = (text for text in suggestions(given) if "--device cuda" in text)
    (table,) = (text for text in lines_of(given) if isinstance(text, str) and "On a GPU" in text)
    for text in (advice, table):
        assert "nominal costs of an H100" in text


def test_times_are_those_that_the_compiler_expects(tmp_path: Path) -> None:
    """Of a convolution that Winograd's algorithm computes on one core, but not on sixteen."""
    text = """<ir_version: 10, opset_import: ["" : 21]>
    g (float[1, 64, 28, 28] x) => (float[1, 64, 28, 28] y) <int64[4] shape = {64, 64, 3, 3}> {
        w = ConstantOfShape <value: tensor = float[1] {0.5}> (shape)
        y = Conv <pads = [1, 1, 1, 1]> (x, w)
    }"""
    model = written(parse_model(text), tmp_path)
    explained = explain(model, Options())
    serial = {}
    for row in explained.on_cores:
        report = compile_model(model, Options(workers=row.cores)).report
        assert row.best == pytest.approx(report.parallel_us)
        assert row.bound == pytest.approx(report.bound_us)
        serial[row.cores] = report.serial_us
    assert serial[2] != serial[16]
    if cores() > 1:
        assert explained.work == pytest.approx(serial[cores()])


def test_the_command(tmp_path: Path) -> None:
    written(branches(), tmp_path)
    result = run("explain", "model.onnx", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    for part in ("potential parallelism", "intra-op", "On a GPU", "What to try:"):
        assert part in result.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]  # it writes nothing
    assert run("explain", "model.onnx", "--schedule", "list", cwd=tmp_path).returncode == 2
    missing = run("explain", "other.onnx", cwd=tmp_path)
    assert missing.returncode == 1 and len(missing.stderr.splitlines()) == 1


def test_a_model_without_operations_and_one_that_no_gpu_takes(tmp_path: Path) -> None:
    empty = '<ir_version: 10, opset_import: ["" : 21]> g (float[2] x) => (float[2] x) {}'
    written(parse_model(empty), tmp_path)
    result = run("explain", "model.onnx", cwd=tmp_path)
    assert result.returncode == 0 and "0 operations" in result.stdout, result.stderr
    text = """<ir_version: 10, opset_import: ["" : 21]>
    g (string[N] x, string[N] y) => (z) { z = StringConcat (x, y) }"""
    written(parse_model(text), tmp_path)
    result = run("explain", "model.onnx", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "no kernel for a GPU" in result.stdout and "--shape" in result.stdout
