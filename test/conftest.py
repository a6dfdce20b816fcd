"""Fixtures of all tests."""

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def nominal_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Static costs are the same on any machine, and no test waits for the probe."""
    monkeypatch.setenv("RAMIEL_PROBE", "0")


@pytest.fixture
def python_handles_interrupts() -> Iterator[None]:
    """A process that was started in the background ignores SIGINT, and Python leaves it so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
