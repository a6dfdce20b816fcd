"""Prices of work, and how they change with the number of threads."""

from __future__ import annotations

from dataclasses import astuple, fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel.analysis.static_cost import NOMINAL, Prices, Work, extrapolated, static_cost

QUICK = settings(deadline=None, derandomize=True)
AMOUNTS = st.floats(0, 1e9)
WORKS = st.builds(Work, st.floats(0, 100), *[AMOUNTS] * (len(fields(Work)) - 1))
COUNTS = st.integers(1, 64)


@QUICK
@given(WORKS, COUNTS)
def test_more_threads_never_cost_more_than_one(work: Work, threads: int) -> None:
    assert 0 <= static_cost(work, threads) <= static_cost(work)


@QUICK
@given(WORKS, WORKS, COUNTS)
def test_more_work_costs_more(work: Work, more: Work, threads: int) -> None:
    assert static_cost(work + more, threads) >= static_cost(work, threads) * (1 - 1e-9)


def test_no_threads() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        static_cost(Work(), 0)


@QUICK
@given(COUNTS)
def test_measured_prices_are_taken_as_they_are(threads: int) -> None:
    prices = Prices(
        {1: Work(*[1.0] * len(fields(Work))), threads: Work(*[0.5] * len(fields(Work)))}
    )
    assert prices.on(threads) == Work(*[0.5] * len(fields(Work)))


@QUICK
@given(st.integers(2, 32), st.integers(0, 4))
def test_what_was_not_measured_scales_from_the_next_smaller_number(known: int, more: int) -> None:
    """Between them, work that is divided takes less, but not in proportion; a call takes more."""
    prices = Prices({1: NOMINAL.on(1), known: NOMINAL.on(known)})
    threads = known * 2**more
    calls, *others = zip(astuple(prices.on(threads)), astuple(prices.on(known)), strict=True)
    assert calls[0] >= calls[1]
    assert all(0.999 * before * known / threads <= now <= before for now, before in others)
    assert astuple(prices.on(threads)) == pytest.approx(astuple(NOMINAL.on(threads)))


@QUICK
@given(WORKS, st.integers(1, 16), st.integers(0, 4), st.floats(1, 1e6))
def test_extrapolated_costs_fall_at_most_in_proportion(
    work: Work, known: int, more: int, cost: float
) -> None:
    found = extrapolated(cost, work, known, known * 2**more)
    assert cost / 2**more * 0.99 <= found <= cost


def test_a_large_operation_gains_from_sixteen_threads() -> None:
    """Amdahl's law through 1000 µs on one thread and 550 on two would say 156."""
    assert 70 < extrapolated(550, Work(convolution=2.4e8), 2, 16) < 140
