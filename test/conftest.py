"""Fixtures of all tests."""

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture
def python_handles_interrupts() -> Iterator[None]:
    """A process that was started in the background ignores SIGINT, and Python leaves it so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
