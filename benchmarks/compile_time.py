"""Compile time: of models, in a fresh process each, and of synthetic graphs by stage.

    python benchmarks/compile_time.py [MODEL.onnx ...] [--sizes 12500,25000,50000,100000] [--json F]

For models it is the wall time of `ramiel compile`, imports and writing included. For synthetic
graphs it is the processor time of each stage, which other programs on the machine hardly affect,
with the time an operation, and the growth: the exponent between sizes, where 1 is linear.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from synthetic import layered_model

from ramiel.compiler import Options, compile_model


def model_seconds(model: Path, rounds: int) -> float:
    """Median wall seconds of `ramiel compile`."""
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "ramiel.tools.cli", "compile", str(model.resolve())]
        for _ in range(rounds):
            start = time.perf_counter()
            subprocess.run(
                [*command, "-o", f"{folder}/out.py"], check=True, stdout=subprocess.DEVNULL
            )
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def stage_seconds(operations: int) -> dict[str, float]:
    """Seconds of each stage for a synthetic model."""
    model = layered_model(operations)
    stages: dict[str, float] = defaultdict(float)
    last = time.process_time()

    def on_stage(stage: str, module: object) -> None:
        nonlocal last
        now = time.process_time()
        stages[stage] += now - last
        last = now

    compile_model(model, Options(workers=2, schedule="linear"), on_stage)
    stages["verify and print"] = time.process_time() - last
    return dict(stages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--sizes", default="12500,25000,50000,100000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result: dict[str, Any] = {"models": {}, "synthetic": {}}
    for model in options.models:
        seconds = model_seconds(model, options.rounds)
        result["models"][model.stem] = round(seconds, 2)
        print(f"{model.stem:24} {seconds:6.2f} s")
    sizes = [int(s) for s in options.sizes.split(",")]
    table = {size: stage_seconds(size) for size in sizes}
    for stage in table[sizes[0]]:
        print(f"{stage:28}" + "".join(f"{table[s][stage]:9.2f}" for s in sizes))
    totals = [sum(table[s].values()) for s in sizes]
    print(f"{'total, s':28}" + "".join(f"{t:9.2f}" for t in totals))
    each = (1000 * t / size for size, t in zip(sizes, totals, strict=True))
    print(f"{'for an operation, ms':28}" + "".join(f"{t:9.3f}" for t in each))
    exponents = [
        math.log(b / a) / math.log(n / m)
        for (a, b), (m, n) in zip(pairwise(totals), pairwise(sizes), strict=True)
    ]
    print(f"{'growth (1 is linear)':28}{'':9}" + "".join(f"{e:9.2f}" for e in exponents))
    result["synthetic"] = {str(s): round(t, 2) for s, t in zip(sizes, totals, strict=True)}
    result["largest"] = {stage: round(t, 2) for stage, t in table[sizes[-1]].items()}
    result["growth"] = [round(e, 2) for e in exponents]
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
