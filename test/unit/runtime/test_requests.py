"""Requests that follow each other: order, bounds, and what fails among them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_programs import Net, net_weights
from torch import Tensor

from ramiel.runtime import OpError
from ramiel.runtime.requests import Calls, in_order

LIMIT_S = 60.0


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 4), max_size=20),
    st.integers(1, 4),
    st.integers(1, 8),
)
def test_results_come_in_order(delays: list[int], threads: int, in_flight: int) -> None:
    def compute(number: int, delay: int) -> int:
        time.sleep(delay * 1e-4)
        return number

    requests = list(enumerate(delays))
    found = list(in_order(Calls(compute, threads), requests, in_flight, False))
    assert found == list(range(len(delays)))


@pytest.mark.parametrize(("threads", "in_flight"), [(1, 1), (2, 1), (2, 3), (3, 8)])
def test_no_more_are_taken_than_may_be_in_flight(threads: int, in_flight: int) -> None:
    """Of requests without an end."""
    taken = 0
    running, most = 0, 0
    lock = threading.Lock()

    def requests() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    def compute(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(1e-4)
        with lock:
            running -= 1
        return number

    results = in_order(Calls(compute, threads), requests(), in_flight, False)
    for asked in range(1, 50):
        assert next(results) == asked
        assert taken <= asked - 1 + in_flight
    results.close()  # pyright: ignore
    assert running == 0 and most <= min(threads, in_flight)
    left = taken
    time.sleep(0.01)
    assert taken == left


def test_a_request_that_fails_loses_no_other() -> None:
    def compute(number: int) -> float:
        return 1 / number

    results = list(in_order(Calls(compute, 2), [1, 0, 2, 0, 4], 3, True))
    assert [results[i] for i in (0, 2, 4)] == [1, 0.5, 0.25]
    assert all(isinstance(results[i], ZeroDivisionError) for i in (1, 3))
    raising = in_order(Calls(compute, 2), [1, 0, 2], 3, False)
    assert next(raising) == 1
    with pytest.raises(ZeroDivisionError):
        next(raising)
    assert list(raising) == []


def test_requests_that_raise_come_after_the_results_of_those_before() -> None:
    def requests() -> Iterator[int]:
        yield from range(5)
        raise KeyError("the source is gone")

    found: list[int] = []
    with pytest.raises(KeyError, match="the source is gone"):
        for result in in_order(Calls(lambda x: x, 2), requests(), 4, True):
            found.append(result)
    assert found == list(range(5))


def test_what_a_stream_was_given_up_for_does_not_run_on() -> None:
    began: list[int] = []

    def compute(number: int) -> int:
        began.append(number)
        time.sleep(0.001)
        return number

    results = in_order(Calls(compute, 2), range(1000), 100, False)
    assert next(results) == 0
    del results
    count = len(began)
    time.sleep(0.02)
    assert len(began) == count < 100
    assert not [t for t in threading.enumerate() if t.name.startswith("ramiel-stream")]


def test_a_program_and_its_requests() -> None:
    with Net(net_weights()) as program:
        pairs = [(torch.full((3, 4), float(i)), torch.tensor(i)) for i in range(30)]
        expected = [program.serial(*pair) for pair in pairs]

        def check(results: Iterator[Any]) -> None:
            for got, want in zip(results, expected, strict=True):
                assert all(map(torch.equal, got, want))

        check(program.stream(pairs))
        check(program.stream(pairs, threads=3, in_flight=1))
        check(program.stream({"x": x, "n": n} for x, n in pairs))
        check(program.stream({"input.1": x, "n": n} for x, n in pairs))


def test_wrong_inputs_are_one_requests_error() -> None:
    with Net(net_weights()) as program:
        good = (torch.ones(3, 4), torch.tensor(1))
        wrong: list[Any] = [(torch.ones(3, 5), torch.tensor(1)), torch.ones(3, 4), {"x": 1, "y": 2}]
        results = list(program.stream([good, *wrong, good], return_exceptions=True))
        assert [isinstance(r, (TypeError, ValueError, OpError)) for r in results] == [
            False,
            *[True] * 3,
            False,
        ]
        assert isinstance(results[0][0], Tensor) and torch.equal(results[0][0], results[4][0])
        with pytest.raises(ValueError, match="at least 1"):
            program.stream([good], threads=0)
