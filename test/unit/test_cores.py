"""The number of usable cores."""

from __future__ import annotations

import os

import pytest

from ramiel import cores as under_test
from ramiel.cores import VARIABLE, cores


@pytest.fixture(autouse=True)
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(under_test, "_last", (0, -under_test.AGE_S))


def test_no_more_than_the_affinity() -> None:
    assert 1 <= cores() <= len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("given", "expected"), [("3", 3), ("64", 64)])
def test_the_variable_decides(monkeypatch: pytest.MonkeyPatch, given: str, expected: int) -> None:
    monkeypatch.setenv(VARIABLE, given)
    assert cores() == expected


@pytest.mark.parametrize("given", ["0", "-1", "many", ""])
def test_what_is_no_number_of_cores_is_ignored(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    usual = cores()
    monkeypatch.setenv(VARIABLE, given)
    assert cores() == usual


def test_changes_are_seen_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([4, 2])
    monkeypatch.setattr(under_test, "_usable", lambda: next(counts))
    now = [100.0]
    monkeypatch.setattr(under_test.time, "monotonic", lambda: now[0])
    assert [cores(), cores()] == [4, 4]
    now[0] += under_test.AGE_S
    assert cores() == 2
