"""Noticing other programs that take the cores."""

from __future__ import annotations

from pathlib import Path

import pytest

from ramiel.runtime import disturbance
from ramiel.runtime.disturbance import Watch, are_usual

MS = 1_000_000


def write(threads: Path, waits: dict[str, int]) -> None:
    """The folders of threads that have waited for so many ns."""
    for name, ns in waits.items():
        (threads / name).mkdir(exist_ok=True)
        (threads / name / "schedstat").write_text(f"5000000 {ns} 17\n")


@pytest.mark.parametrize(
    ("later", "quiet"),
    [
        ({"1": 3 * MS, "2": 40 * MS}, True),
        ({"1": 3 * MS + 50_000, "2": 40 * MS + 90_000}, True),
        ({"1": 3 * MS, "2": 44 * MS}, False),
        ({"1": 7 * MS, "2": 40 * MS}, False),
        ({"1": 3 * MS, "2": 40 * MS, "3": 60_000}, True),
        ({"1": 3 * MS, "2": 40 * MS, "3": 4 * MS}, False),
    ],
    ids=["nothing", "as usual", "one thread", "another", "a new thread", "a new one that waits"],
)
def test_threads_that_wait_for_a_core(
    later: dict[str, int], quiet: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long each has waited before does not count; 100 ms pass."""
    clock = iter([10.0, 10.1])
    monkeypatch.setattr(disturbance.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(disturbance, "_THREADS", tmp_path)
    write(tmp_path, {"1": 3 * MS, "2": 40 * MS})
    watch = Watch()
    write(tmp_path, later)
    assert watch.is_quiet() == quiet


def test_threads_that_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disturbance, "_THREADS", tmp_path)
    write(tmp_path, {"1": 0, "2": 90 * MS})
    watch = Watch()
    (tmp_path / "2" / "schedstat").unlink()
    assert watch.is_quiet()


@pytest.mark.parametrize(("taken", "quiet"), [(2, True), (1000, False)])
def test_where_the_system_keeps_no_account(
    taken: int, quiet: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is how often a core was taken away."""
    counts = iter([500, 500 + taken])
    monkeypatch.setattr(disturbance, "_THREADS", tmp_path / "nowhere")
    monkeypatch.setattr(disturbance, "_preemptions", lambda: next(counts))
    assert Watch().is_quiet() == quiet


def test_what_is_usual() -> None:
    assert are_usual(0, 0.0) and are_usual(90, 1.0) and not are_usual(170, 1.0)


def test_forgetting() -> None:
    """There may be no native part, or nothing to forget."""
    disturbance.forget()
