"""ONNX's backend tests: those that pass go on passing, and the record of them is up to date."""

from __future__ import annotations

import pytest
from suite import cases, failure_of, passing


@pytest.mark.parametrize("name", sorted(cases()))
def test_case(name: str) -> None:
    failure = failure_of(name)
    if name in passing():
        assert failure is None
    else:
        assert failure is not None, "it passes now: run make conformance"


def test_record_names_cases() -> None:
    assert passing() <= cases().keys()
