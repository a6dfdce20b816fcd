"""ONNX's backend tests: those that pass go on passing, and the record of them is up to date."""

from __future__ import annotations

import re

import pytest
from suite import PAGE, WHY, cases, failure_of, passing


@pytest.mark.parametrize("name", sorted(cases()))
def test_case(name: str) -> None:
    failure = failure_of(name)
    if name in passing():
        assert failure is None
    else:
        assert failure is not None, "it passes now: run make conformance"


def test_record_names_cases() -> None:
    assert passing() <= cases().keys()


def test_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    failing = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert failing == sorted(cases().keys() - passing())
    assert f"**{len(passing())} of {len(cases())} pass.**" in page
    assert all(any(name.startswith(start) for name in failing) for start in WHY)
