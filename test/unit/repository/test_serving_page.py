"""The page on serving gets the table of the results, which are given here."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
ROW: dict[str, Any] = {
    "model": "m",
    "options": "--batch 2",
    "clients": 4,
    "seconds": 6.0,
    "requests": 9,
    "errors": 1,
    "different": 2,
    "requests_per_s": 50.04,
    "bare_call_per_s": 40.0,
    "bare_stream_per_s": 60.0,
    "of_bare": 0.834,
    "of_bare_rounds": [0.9, 0.834, 0.8],
    "p50_ms": 20.0,
    "p99_ms": 31.5,
    "bare_cpu_ms": 16.0,
    "server_cpu_ms": 17.0,
    "clients_cpu_ms": 0.5,
    "memory_before_mb": 500.4,
    "memory_after_mb": 501.0,
}
MACHINE = {"cpu": "A CPU", "cores": 2, "python": "3.11.7", "torch": "2.13.0"}


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("serving_page")


def test_the_table_of_the_page(page: Any) -> None:
    text = (ROOT / "docs" / "serving.md").read_text()
    filled = page.filled(text, {"machine": MACHINE, "rows": [ROW]})
    assert (
        "| m | `--batch 2` | 4 | 50.0 | 40.0, 60.0 | 0.83 (0.80 to 0.90) | 20.0, 31.5 "
        "| 16.0, 17.0, 0.5 | 6, 9 | 500 to 501 |" in filled
    )
    assert "A CPU, 2 cores, Python 3.11.7, torch 2.13.0. Of 9 requests, 3 got an error" in filled
    assert page.filled(filled, {"machine": MACHINE, "rows": [ROW]}) == filled


def test_a_page_without_a_place(page: Any) -> None:
    with pytest.raises(AssertionError, match="no place"):
        page.filled("# Serving", {"machine": MACHINE, "rows": [ROW]})
