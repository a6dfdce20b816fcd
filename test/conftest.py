"""Fixtures of all tests."""

import gc
import signal
from collections.abc import Iterator

import pytest
import torch


def pytest_collection_finish() -> None:
    """What is there before the first test stays, and no garbage collection searches it again."""
    gc.freeze()


@pytest.fixture(autouse=True)
def nominal_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Static costs are the same on any machine, and no test waits for the probe."""
    monkeypatch.setenv("RAMIEL_PROBE", "0")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Operations run on one thread, unless a test or a program says otherwise. Those of tests are
    short, and the other threads of OpenMP's team spin while they wait: for several times as long as
    the operations take, when tests run in several processes."""
    torch.set_num_threads(1)


@pytest.fixture
def handlers_may_raise() -> Iterator[None]:
    """Python ignores what is raised in a callback of its garbage collector, and hypothesis has one:
    what a handler of a signal raises there would be lost."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def python_handles_interrupts(handlers_may_raise: None) -> Iterator[None]:
    """A process that was started in the background ignores SIGINT, and Python leaves it so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
