"""Fits the constants of the static cost model (ramiel/analysis/static_cost.py).

    python benchmarks/calibrate.py MODEL.onnx ... [--runs 7]

Times every operation of the models on one thread through the evaluator (the median of several
runs of the whole model, so that caches are as cold as in a real run), and finds the constants
that make the sum of squared logarithms of predicted / measured smallest.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np
import torch
from xdsl.context import Context

from ramiel.analysis.static_cost import PRICES, Work
from ramiel.backend.pytorch.evaluator import Evaluator
from ramiel.backend.pytorch.work import work_of
from ramiel.dialects.onnx.types import numpy_dtype_of, static_shape_of
from ramiel.dialects.torch import CallOp, LayerOp, WeightOp
from ramiel.frontend.importer import import_model
from ramiel.tasks import main_function
from ramiel.transforms import PASS_NAMES, pass_factory

SMALLEST = 20.0
"""Operations under this many µs are left out: views and the like, all overhead."""


def timed_operations(path: Path, runs: int) -> list[tuple[Work, float]]:
    """The work and the median time, µs, of each operation of a model."""
    module = import_model(path)
    for name in PASS_NAMES[1 : PASS_NAMES.index("onnx-to-torch") + 1]:
        pass_factory(name)()().apply(Context(), module)
    function = main_function(module)
    evaluator = Evaluator()
    generator = torch.Generator().manual_seed(0)
    inputs = []
    for arg in function.body.block.args:
        shape, dtype = static_shape_of(arg.type), numpy_dtype_of(arg.type)
        assert shape is not None and dtype is not None, f"{path}: its inputs have open shapes"
        if dtype.kind == "f":
            inputs.append(torch.randn(shape, generator=generator))
        else:
            inputs.append(torch.randint(0, 2, shape, generator=generator).to(torch.int64))
    ops = [op for op in function.body.block.ops if isinstance(op, CallOp | LayerOp | WeightOp)]
    times: dict[object, list[float]] = {op: [] for op in ops}
    last_use = {v: op for op in ops for v in op.operands}
    for _ in range(runs + 1):
        env = dict(zip(function.body.block.args, inputs, strict=True))
        for op in ops:
            operands = [env[v] for v in op.operands]
            start = time.perf_counter()
            with torch.no_grad():
                results = evaluator.operation(op, operands)
            times[op].append(time.perf_counter() - start)
            env.update(zip(op.results, results, strict=True))
            del operands, results
            for value in set(op.operands):
                if last_use.get(value) is op:
                    env.pop(value, None)
    return [
        (work_of(op), statistics.median(times[op][1:]) * 1e6)
        for op in ops
        if not isinstance(op, WeightOp)
    ]


def fit(samples: list[tuple[Work, float]]) -> tuple[Work, np.ndarray]:
    """The prices and the errors, by least squares in log space."""
    features = np.array([astuple(work) for work, _ in samples])
    times = np.array([us for _, us in samples])
    logs = np.log(np.array(astuple(PRICES)))

    def errors(values: np.ndarray) -> np.ndarray:
        return np.log(features @ np.exp(values) / times)

    for _ in range(100):  # Gauss-Newton
        weights = features * np.exp(logs)
        jacobian = weights / weights.sum(axis=1, keepdims=True)
        logs = logs - 0.5 * np.linalg.lstsq(jacobian, errors(logs), rcond=None)[0]
    return Work(*np.exp(logs)), errors(logs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    samples: list[tuple[Work, float]] = []
    for model in options.models:
        found = timed_operations(model, options.runs)
        samples += [s for s in found if s[1] >= SMALLEST]
        print(
            f"{model.stem:20} {len(found):5} operations, {sum(t for _, t in found) / 1e3:8.1f} ms"
        )
    prices, errors = fit(samples)
    half, most = np.exp(np.quantile(np.abs(errors), [0.5, 0.9]))
    print(f"calls = {prices.calls:.1f} µs")
    for field in fields(Work)[1:]:
        print(f"{field.name} = 1 / {1 / getattr(prices, field.name):,.0f} µs")
    print(f"predicted / measured within {half:.2f}x for half, {most:.2f}x for 9 of 10")


if __name__ == "__main__":
    main()
