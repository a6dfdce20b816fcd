"""Fits the constants of the static cost model (ramiel/analysis/static_cost.py).

    python benchmarks/calibrate.py MODEL.onnx ... [--threads 2]

Times every operation of the models on one thread and on several, as `--profile` does, and finds
the constants that minimise the sum of squared logarithms of predicted / measured: first the prices,
from the times on one thread, then the parallel shares, from the speed-ups.
"""

from __future__ import annotations

import argparse
from dataclasses import astuple, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ramiel.analysis.static_cost import PRICES, SHARED, TEAM, Work
from ramiel.compiler import run_passes
from ramiel.execution.profiler import key_of, profile
from ramiel.frontend.importer import import_model
from ramiel.pipelines import Options, pipeline
from ramiel.torch_level.tasks import main_function, tasks_of
from ramiel.torch_level.work import work_of

SMALLEST = 2.0
"""Operations under this many µs are left out: views."""


class Sample(NamedTuple):
    """The work of an operation, and its times in µs on one thread and on several."""

    work: Work
    alone: float
    together: float


def samples_of(model: Path, threads: int) -> list[Sample]:
    module = import_model(model)
    steps = pipeline(Options(1, "serial"))
    run_passes(module, steps[: [name for name, _ in steps].index("cluster-costs")])
    function = main_function(module)
    times = profile(function, [1, threads], lambda done, total: None).costs
    ops = tasks_of(function, lambda _: 1.0).ops
    return [Sample(work_of(op), times[key_of(op), 1], times[key_of(op), threads]) for op in ops]


def prices_of(samples: list[Sample]) -> tuple[Work, np.ndarray]:
    """The prices and the errors, by least squares in log space."""
    features = np.array([astuple(s.work) for s in samples])
    times = np.array([s.alone for s in samples])
    logs = np.log(np.array(astuple(PRICES)))

    def errors(values: np.ndarray) -> np.ndarray:
        return np.log(features @ np.exp(values) / times)

    for _ in range(100):  # Gauss-Newton
        weights = features * np.exp(logs)
        jacobian = weights / weights.sum(axis=1, keepdims=True)
        logs = logs - 0.5 * np.linalg.lstsq(jacobian, errors(logs), rcond=None)[0]
    return Work(*np.exp(logs)), errors(logs)


def shared_of(samples: list[Sample], prices: Work, threads: int) -> tuple[Work, float, np.ndarray]:
    """The parallel share of each kind of work, the µs of a team, and the errors.

    Calls are not parallel. A share stays between 0 and 1 as it is the logistic of the fitted value.
    """
    work = np.array([astuple(s.work) for s in samples]) * np.array(astuple(prices))
    part = work / work.sum(axis=1, keepdims=True)
    alone = np.array([s.alone for s in samples])
    together = np.array([s.together for s in samples])

    def errors(values: np.ndarray) -> np.ndarray:
        share = 1 / (1 + np.exp(-values[:-1]))
        left = 1 - part[:, 1:] @ share * (1 - 1 / threads)
        return np.log(np.minimum(alone, alone * left + np.exp(values[-1])) / together)

    start = np.clip(np.array(astuple(SHARED)[1:]), 0.01, 0.99)
    values = np.append(np.log(start / (1 - start)), np.log(TEAM))
    for _ in range(200):  # damped Gauss-Newton
        now, step = errors(values), 1e-4
        jacobian = np.stack(
            [(errors(values + d) - now) / step for d in step * np.eye(len(values))], 1
        )
        normal = jacobian.T @ jacobian + 0.1 * np.eye(len(values))
        values = np.clip(values - 0.3 * np.linalg.solve(normal, jacobian.T @ now), -6.0, 6.0)
    share = 1 / (1 + np.exp(-values[:-1]))
    return Work(0.0, *share), float(np.exp(values[-1])), errors(values)


def within(errors: np.ndarray) -> str:
    half, most = np.exp(np.quantile(np.abs(errors), [0.5, 0.9]))
    return f"predicted / measured within {half:.2f}x for half, {most:.2f}x for 9 of 10"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    samples: list[Sample] = []
    for model in options.models:
        found = samples_of(model, options.threads)
        samples += [s for s in found if s.alone >= SMALLEST]
        alone, together = sum(s.alone for s in found) / 1e3, sum(s.together for s in found) / 1e3
        print(f"{model.stem:20} {len(found):5} operations, {alone:8.1f} and {together:8.1f} ms")
    prices, errors = prices_of(samples)
    print(f"one thread: {within(errors)}")
    print(f"calls = {prices.calls:.1f} µs")
    for field in fields(Work)[1:]:
        print(f"{field.name} = 1 / {1 / getattr(prices, field.name):,.0f} µs")
    shared, team, errors = shared_of(samples, prices, options.threads)
    print(f"{options.threads} threads: {within(errors)}")
    for field in fields(Work)[1:]:
        print(f"{field.name} shared {getattr(shared, field.name):.2f}")
    print(f"team = {team:.1f} µs")


if __name__ == "__main__":
    main()
