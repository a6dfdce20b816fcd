"""Prices of the kinds of work that explain measured times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ramiel.analysis.static_cost import Work

OUTLIER = 0.1
"""Beyond this error, in natural logarithms, a time counts less: it may have been disturbed."""
TRUST = 0.0001
"""How much the prices at the start count, as a part of the times."""
FACTORS = np.log([1 / 16, 1 / 4, 1 / 2, 2, 4, 16, 64])
"""By how much each price is changed at first, which finds one that is far from its start."""
STEPS = 200


class Sample(NamedTuple):
    """The work of an operation and its time in µs."""

    work: Work
    time: float


def fitted(samples: Sequence[Sample], start: Work) -> Work:
    """The prices, in µs for one unit of each kind of work, that minimise the errors of predicted
    times: squares of the logarithm of predicted / measured, and linear beyond OUTLIER.

    A kind of work that no sample tells about keeps its ratio to the other prices of `start`.
    """
    work = np.array([[*s.work] for s in samples])
    times = np.array([s.time for s in samples])
    prior = np.log(np.array([*start]))
    prior += np.median(np.log(times / (work @ np.exp(prior))))
    logs, trust = prior.copy(), TRUST * len(samples) * np.eye(len(prior))

    def loss(at: NDArray[np.float64]) -> float:
        errors = np.abs(np.log(work @ np.exp(at) / times))
        small = np.minimum(errors, OUTLIER)
        away = at - prior
        return float((small * (errors - small / 2)).sum() + away @ trust @ away / 2)

    for factor in (*FACTORS, *FACTORS):
        for change in factor * np.eye(len(prior)):
            logs = min(logs, logs + change, key=loss)
    for _ in range(STEPS):  # damped Gauss-Newton with weights that are found anew
        parts = work * np.exp(logs)
        totals = parts.sum(axis=1)
        errors = np.log(totals / times)
        jacobian = parts / totals[:, None]
        weighted = jacobian.T / np.maximum(1.0, np.abs(errors) / OUTLIER)
        step = np.linalg.solve(
            weighted @ jacobian + trust, weighted @ errors + trust @ (logs - prior)
        )
        logs = logs - 0.5 * step
    return Work(*map(float, np.exp(logs)))
