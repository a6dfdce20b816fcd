"""How well static costs predict measured ones, and the constants of the model that fit best.

    python benchmarks/calibrate.py prices MODEL.onnx ... [--threads 2]
    python benchmarks/calibrate.py scaling COSTS.sqlite MODEL.onnx ...

`prices` times every operation of the models, as `--profile` does, and compares the sums for each
model with those at the nominal prices, at the prices of the probe, and at prices that are fitted to
the other models. `scaling` takes times on 1, 2, 4, ... threads from a cache of measured costs, of
the machine with most of them, fits how they scale, and compares what follows from the times on two
threads with Amdahl's law; each model is predicted by what fits the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ramiel.analysis.static_cost import (
    LOSS,
    NOMINAL,
    SERIAL,
    TEAM,
    Prices,
    Work,
    static_cost,
)
from ramiel.compiler import run_passes
from ramiel.dialects.torch import TorchOperation
from ramiel.execution.cost_cache import CostCache
from ramiel.execution.fit import Sample, fitted
from ramiel.execution.probe import probed
from ramiel.execution.profiler import key_of, profile
from ramiel.frontend.importer import import_model
from ramiel.pipelines import Options, pipeline
from ramiel.torch_level.candidates import candidates, set_kernel
from ramiel.torch_level.tasks import main_function, tasks_of
from ramiel.torch_level.work import work_of

Array = NDArray[np.float64]

ROUNDS, PART = 4, 10
"""A tenth of the times of at least so many rounds counts: other programs may run, too."""
SMALLEST = 2.0
"""Operations under this many µs are not fitted: views."""
DIVISIBLE = 20.0
"""Operations under this many µs say nothing about scaling."""


def function_of(model: Path, probe: bool):
    """A model's function before costs, with the kernels that are guessed for it."""
    module = import_model(model)
    steps = pipeline(Options(2, "serial", probe=probe))
    run_passes(module, steps[: [name for name, _ in steps].index("cluster-costs")])
    return main_function(module)


# --- prices


def compare_prices(models: Sequence[Path], threads: int) -> None:
    prices = {"nominal": NOMINAL, "probe": probed(lambda what, done, total: None).prices}
    samples: dict[str, dict[int, list[Sample]]] = {}
    for model in models:
        function = function_of(model, probe=True)
        times = profile(
            function, [1, threads], lambda done, total: None, fewest=ROUNDS, part=PART
        ).costs
        ops = tasks_of(function, lambda _: 1.0).ops
        samples[model.stem] = {
            count: [Sample(work_of(op, count), times[key_of(op, count), count]) for op in ops]
            for count in (1, threads)
        }
    print(f"{'predicted / measured':20} {'threads':>7} {'ms':>8}  nominal  probe  held out")
    for name, by_count in samples.items():
        rest = [by for other, by in samples.items() if other != name]
        for count, found in by_count.items():
            total = sum(s.time for s in found)
            held_out = fit_of([s for by in rest for s in by[count]], count) if rest else NOMINAL
            ratios = (
                sum(static_cost(s.work, count, p) for s in found) / total
                for p in (*prices.values(), held_out)
            )
            row = "".join(f"{ratio:8.2f}" for ratio in ratios)
            print(f"{name:20} {count:7} {total / 1e3:8.1f} {row}")
    for count in (1, threads):
        everything = [s for by in samples.values() for s in by[count]]
        fit = fit_of(everything, count)
        errors = [static_cost(s.work, count, fit) / s.time for s in everything if s.time > SMALLEST]
        print(f"{count} thread(s): {within(np.log(errors))}")
        for field, price in zip(fields(Work), astuple(fit.on(count)), strict=True):
            print(
                f"    {field.name} = "
                + (f"{price:.2f}" if price > 0.1 else f"1 / {1 / price:,.0f}")
            )


def fit_of(samples: Sequence[Sample], threads: int) -> Prices:
    fit = fitted([s for s in samples if s.time > SMALLEST], NOMINAL.on(threads))
    return Prices({1: fit} if threads == 1 else {1: NOMINAL.on(1), threads: fit})


def within(errors: Array) -> str:
    half, most = np.exp(np.quantile(np.abs(errors), [0.5, 0.9]))
    return f"predicted / measured within {half:.2f}x for half, {most:.2f}x for 9 of 10"


# --- scaling


class Scaled(NamedTuple):
    """The parts of the nominal cost of an operation by kind of work, its calls, and its times."""

    parts: Array
    calls: float
    times: Array


class Scaling(NamedTuple):
    """How times change with threads; the serial parts are by kind of work, but for calls."""

    loss: float
    team: float
    serial: Array

    def times(self, ops: Sequence[Scaled], counts: Array) -> Array:
        """The times on so many threads, from that on one."""
        parts, one = np.array([op.parts for op in ops]), np.array([op.times[0] for op in ops])
        serial = parts[:, 1:] @ self.serial
        divided = 1 - parts[:, 0] - serial
        scale = parts[:, :1] + self.loss * (serial[:, None] + divided[:, None] / counts)
        team = self.team * np.array([op.calls for op in ops])[:, None] * np.log2(counts)
        return np.where(
            counts == 1, one[:, None], np.minimum(one[:, None], one[:, None] * scale + team)
        )

    @staticmethod
    def of(values: Array) -> Scaling:
        loss, team = np.exp(values[:2])
        return Scaling(1 + float(loss), float(team), 1 / (1 + np.exp(-values[2:])))


def compare_scaling(costs: Path, models: Sequence[Path]) -> None:
    times = times_of(costs)
    counts = np.array(sorted({count for by in times.values() for count in by}), dtype=float)
    ops = {model.stem: scaled_of(model, times, counts) for model in models}
    for name, found in ops.items():
        if not found:
            print(f"{name:16} has no costs there")
            continue
        rest = [op for other, ops_of in ops.items() if other != name for op in ops_of]
        measured = np.array([op.times for op in found])
        predicted = scaling_of(rest or found, counts).times(found, counts)
        two = measured[:, 1]
        by_form = np.minimum(measured[:, :1], two[:, None] * predicted / predicted[:, 1:2])
        alone = np.maximum(0.0, 2 * two - measured[:, 0])
        amdahl = np.minimum(measured[:, :1], alone[:, None] + (two - alone)[:, None] * 2 / counts)
        print(
            f"{name:16} {len(found)} operations, {measured[:, 0].sum() / 1e3:.1f} ms on one thread"
        )
        for i, count in enumerate(counts[2:], start=2):
            parts = [
                f"{what} {p[:, i].sum() / measured[:, i].sum():.2f} "
                f"({np.exp(np.median(np.abs(np.log(p[:, i] / measured[:, i])))):.2f}x)"
                for what, p in (("from one", predicted), ("from two", by_form), ("Amdahl", amdahl))
            ]
            print(f"    {count:3.0f} threads: {', '.join(parts)}")
    scaling = scaling_of([op for found in ops.values() for op in found], counts)
    print(f"LOSS = {scaling.loss:.2f}, TEAM = {scaling.team:.1f} µs")
    for field, serial in zip(fields(Work)[1:], scaling.serial, strict=True):
        print(f"    {field.name} = {serial:.3f}")


def times_of(costs: Path) -> dict[str, dict[int, float]]:
    """The times of the operations of the machine that has most in a cache, by threads."""
    with CostCache.open(costs) as cache:
        machine = max(cache.machines(), key=lambda m: m.entries).machine
        times: dict[str, dict[int, float]] = {}
        for entry in cache.entries(machine):
            times.setdefault(entry.operation, {})[entry.threads] = entry.microseconds
    return times


def scaled_of(model: Path, times: Mapping[str, Mapping[int, float]], counts: Array) -> list[Scaled]:
    """The distinct operations of a model, by each of their kernels, as far as times are known."""
    found: dict[str, Scaled] = {}
    for op in function_of(model, probe=False).body.block.ops:
        if not isinstance(op, TorchOperation):
            continue
        kernels = [k for k in candidates(op, "auto") if k != "plain"]
        if op.name == "torch.call" and kernels:
            kernels = kernels[:1]
        for kernel in kernels or [None]:
            if kernels:
                set_kernel(op, kernel)
            known = times.get(key_of(op), {})
            if all(count in known for count in counts) and known[1] >= DIVISIBLE:
                work = work_of(op)
                parts = np.array(astuple(work)) * np.array(astuple(NOMINAL.on(1)))
                by_count = np.array([known[int(count)] for count in counts])
                found[key_of(op)] = Scaled(parts / parts.sum(), work.calls, by_count)
    return list(found.values())


def scaling_of(ops: Sequence[Scaled], counts: Array) -> Scaling:
    """The constants that minimise errors in log space, and outliers count less."""
    measured = np.log(np.array([op.times for op in ops]))
    serial = np.clip(np.array(astuple(SERIAL)[1:]), 0.01, 0.9)
    start = np.concatenate([np.log([LOSS - 1, TEAM]), np.log(serial / (1 - serial))])
    values = start.copy()
    step = 1e-4 * np.eye(len(values))

    def errors(at: Array) -> Array:
        return (np.log(Scaling.of(at).times(ops, counts)) - measured)[:, 1:].ravel()

    for _ in range(60):  # damped Gauss-Newton
        now = errors(values)
        jacobian = np.stack([(errors(values + d) - now) / 1e-4 for d in step], axis=1)
        weighted = jacobian.T / np.maximum(1.0, np.abs(now) / 0.3)
        normal = weighted @ jacobian + np.eye(len(values))
        values -= 0.4 * np.linalg.solve(normal, weighted @ now + (values - start))
    return Scaling.of(values)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    prices = commands.add_parser("prices")
    prices.add_argument("models", nargs="+", type=Path)
    prices.add_argument("--threads", type=int, default=2)
    scaling = commands.add_parser("scaling")
    scaling.add_argument("costs", type=Path)
    scaling.add_argument("models", nargs="+", type=Path)
    options = parser.parse_args()
    if options.command == "prices":
        compare_prices(options.models, options.threads)
    else:
        compare_scaling(options.costs, options.models)


if __name__ == "__main__":
    main()
