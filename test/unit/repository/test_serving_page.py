"""The page on serving says what is in its results."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
BENCHMARKS = ROOT / "benchmarks"
PAGE = ROOT / "docs" / "serving.md"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("serving_page")


@pytest.fixture
def document() -> dict[str, Any]:
    return json.loads((BENCHMARKS / "results" / "serving.json").read_text())


def test_the_table_is_that_of_the_results(page: Any, document: dict[str, Any]) -> None:
    assert page.filled(PAGE.read_text(), document) == PAGE.read_text()


def test_errors_are_counted(page: Any, document: dict[str, Any]) -> None:
    row = document["rows"][0] | {"requests": 9, "errors": 1, "different": 2}
    told = page.written(document | {"rows": [row]})
    assert "Of 9 requests, 3 got an error or another result" in told
    assert f"| {row['model']} |" in told


def test_a_page_without_a_place(page: Any, document: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="no place"):
        page.filled("# Serving", document)
