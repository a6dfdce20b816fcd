"""Parallel against serial: the same program, in turns, for several models.

    python benchmarks/speedup.py MODEL.onnx ... [--workers 2] [--runs 30] [--json FILE]

The two are run in turns in one process, so that a slow spell of the machine hits both; what is
reported is the median of the ratios of neighbouring runs and their quartiles, beside what the
simulation said. Each model has a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from machine import machine
from rich.console import Console
from rich.table import Table


def bench(model: Path, workers: int, runs: int) -> dict[str, object]:
    command = [sys.executable, "-m", "ramiel.tools.cli", "bench", str(model), "--json"]
    command += ["--workers", str(workers), "--schedule", "linear", "--runs", str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    table = Table(
        "model", "clusters", "merged", "serial ms", "parallel ms", "speed-up", "expected", "bound"
    )
    results = []
    for model in options.models:
        r = bench(model, options.workers, options.runs)
        results.append(r)
        report = r["report"]
        low, high = r["speedup_quartiles"]
        table.add_row(
            model.stem,
            str(report["clusters_before_merge"]),
            str(report["clusters"]),
            f"{r['serial_ms']:.1f}",
            f"{r['parallel_ms']:.1f}",
            f"{r['speedup']:.2f} ({low:.2f} to {high:.2f})",
            f"{report['serial_us'] / report['parallel_us']:.2f}",
            f"{report['serial_us'] / report['bound_us']:.2f}",
        )
    Console(width=110).print(table)
    if options.json:
        document = {"machine": machine(), "workers": options.workers, "results": results}
        options.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
