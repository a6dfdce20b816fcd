"""The performance page says what is in its results, and contestants compute what the model says."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import parser

ROOT = Path(__file__).parents[3]
BENCHMARKS = ROOT / "benchmarks"

EVERYTHING = """
<ir_version: 8, opset_import: ["" : 17]>
everything (float[1, 4, 8, 8] image, int64[1, 5] ids) => (float[1, 2, 32] y, float[1, 5, 6] words)
<int64[4] folded = {1, 2, 2, 256}, int64[2] halves = {2, 2}, int64[1] first = {0},
 int64[1] last = {32}, int64[1] axis = {2}, int64[4] sizes = {1, 4, 16, 16},
 float[4] slope = {0.1, 0.2, 0.3, 0.4}, int64[3] row = {1, 5, 6}> {
  conv_shape = Constant <value_ints = [4, 4, 3, 3]> ()
  conv_w = ConstantOfShape <value = float[1] {0.01}> (conv_shape)
  up_shape = Constant <value_ints = [4, 4, 2, 2]> ()
  up_w = ConstantOfShape <value = float[1] {-0.02}> (up_shape)
  table_shape = Constant <value_ints = [3, 6]> ()
  table_one = ConstantOfShape <value = float[1] {0.3}> (table_shape)
  table = CumSum (table_one, first)
  c = Conv <pads = [1, 1, 1, 1]> (image, conv_w)
  n = BatchNormalization (c, slope, slope, slope, slope)
  p = PRelu (n, slope_c)
  slope_c = Unsqueeze (slope, spatial)
  spatial = Constant <value_ints = [1, 2]> ()
  u = ConvTranspose <strides = [2, 2]> (p, up_w)
  m = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (u)
  bigger = Resize <mode = "nearest"> (m, , , sizes)
  left, right = Split <axis = 1> (bigger, halves)
  joined = Concat <axis = 1> (left, right)
  f = Reshape (joined, folded)
  wide = Reshape (f, flat_long)
  flat_long = Constant <value_ints = [1, 2, 512]> ()
  y = Slice (wide, first, last, axis)
  e = Gather (table, ids)
  words = Expand (e, row)
}
"""


def load(name: str) -> Any:
    """A module of benchmarks/, which is no package."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.mark.parametrize("batch", [1, 3])
def test_plain_pytorch_computes_what_samples_do_one_by_one(tmp_path: Path, batch: int) -> None:
    contestants = load("contestants")
    model = tmp_path / "everything.onnx"
    onnx.save(parser.parse_model(EVERYTHING), model)
    contestants.prepare(model, batch, tmp_path)
    graph = contestants.graph_module(model if batch == 1 else tmp_path / "model.onnx")
    inputs = [torch.from_numpy(a) for a in contestants.load(tmp_path / "inputs.npz")]
    expected = contestants.load(tmp_path / "expected.npz")
    assert [e.shape for e in expected] == [(batch, 2, 32), (batch, 5, 6)]
    for got, wanted in zip(graph(*inputs), expected, strict=True):
        np.testing.assert_allclose(got.numpy(), wanted, rtol=1e-4, atol=1e-6)


def test_a_race_and_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures are given: nothing is timed here."""
    pytest.importorskip("matplotlib")
    model, out, page = (tmp_path / n for n in ("everything.onnx", "r.json", "docs.md"))
    onnx.save(parser.parse_model(EVERYTHING), model)
    performance = load("performance")

    def hold(race: Any) -> None:
        for name in race.names:
            row = {"max_rel": 1e-6, "ready_s": 1.0, "facts": {}}
            race.rows[name] = row | performance.summary([[2.0, 3.0, 9.0], [4.0]])
        race.disturbance = {"others_cores": 0.0, "stolen_cores": 0.0}

    monkeypatch.setattr(performance.Race, "hold", hold)
    race = ["performance.py", str(model), "--out", str(out), "--rounds", "2"]
    monkeypatch.setattr(sys, "argv", [*race, "--contestants", "eager-1,ort,ramiel-serial"])
    performance.main()
    rows = json.loads(out.read_text())["models"]["everything"]["batch 1, f32"]["contestants"]
    assert list(rows) == ["eager-1", "ort", "ramiel-serial"]
    assert all(row["rounds_ms"] == [3.0, 4.0] and row["ms"] == 3.5 for row in rows.values())
    page.write_text((ROOT / "docs" / "performance.md").read_text())
    subprocess.run(
        [sys.executable, BENCHMARKS / "performance_page.py", out, "--page", page], check=True
    )
    assert "| ms | eager-1 | ort | ramiel-serial |" in page.read_text()
    assert (tmp_path / "performance" / "latency.svg").exists()


def section(**rows: list[float] | str) -> dict[str, Any]:
    report = {"schedule": "list", "serial_us": 8e3, "parallel_us": 5e3, "bound_us": 4e3}
    contestants: dict[str, Any] = {}
    for name, row in rows.items():
        known = {"rounds_ms": row, "ms": sorted(row)[1], "facts": {"report": report}}
        known |= {"max_rel": 1e-6, "ready_s": 1.0}
        contestants[name] = {"absent": row} if isinstance(row, str) else known
    machine = {"cpu": "a CPU", "cores": 2, "python": "3", "torch": "2"}
    about = {"threads": 2, "rounds": 3, "others_cores": 0.0, "stolen_cores": 0.0}
    return {"batch": 1, "dtype": "f32", "machine": machine, "contestants": contestants, **about}


def test_the_tables_say_what_was_measured() -> None:
    pytest.importorskip("matplotlib")
    page = load("performance_page")
    first = section(ort=[10.0, 12.0, 40.0], ramiel=[5.0, 6.0, 10.0], openvino="no such luck")
    second = section(ort=[1.0, 1.0, 1.0], ramiel=[2.0, 2.0, 2.0])
    document = {"models": {"a": {"batch 1, f32": first}, "b": {"batch 1, f32": second}}}
    text = page.filled((ROOT / "docs" / "performance.md").read_text(), document)
    assert "| a | 12.0 | 6.00 |\n| b | 1.00 | 2.00 |" in text
    assert "| a | 2.00 (2.00 to 3.00) |\n| b | 0.50 (0.50 to 0.50) |" in text
    assert "| geometric mean | **1.00** |" in text
    assert "| a | list | 8.00 | 5.00 | 4.00 | 6.00 | 0.67 |" in text
    assert "- a, batch 1, f32, `openvino`: no such luck" in text
    mine = text.replace("# Performance\n", "# My words\n", 1)
    assert page.filled(mine, document).startswith("# My words\n")
