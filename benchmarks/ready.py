"""Time to be ready: seconds from a model's file to the first outputs.

    python benchmarks/ready.py MODEL.onnx ... [--rounds 3] [--out benchmarks/results/ready.json]

Each figure is of a process of its own, and the median of some rounds, in which the contestants
take turns:

    ort       ONNX Runtime: a session, and its first run
    api       ramiel.compile(), and the first call
    command   `ramiel compile`, and in another process a program's import and first call
    again     that import and call alone: what each later process takes

The import of torch or onnxruntime is not counted, that of ramiel is. `first` is `command` on a
machine that has compiled nothing so far, and is probed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from machine import machine
from rich.console import Console
from rich.table import Table

OUT = Path(__file__).parent / "results" / "ready.json"
LATER_S = 1.5
"""How much later than ONNX Runtime we want to be ready, at most."""

_ORT = """
import numpy as np, onnxruntime, sys, time
start = time.perf_counter()
session = onnxruntime.InferenceSession(sys.argv[1])
kinds = {"tensor(float)": np.float32, "tensor(int64)": np.int64}
zeros = lambda i: np.zeros([d if isinstance(d, int) else 1 for d in i.shape], kinds[i.type])
session.run(None, {i.name: zeros(i) for i in session.get_inputs()})
"""
_API = """
import torch, sys, time
start = time.perf_counter()
import ramiel
from ramiel.runtime.measure import random_inputs
model = ramiel.compile(sys.argv[1])
model(*random_inputs(model.inputs, {}, 0))
"""
_PROGRAM = """
import torch, sys, time
start = time.perf_counter()
from pathlib import Path
path = Path(sys.argv[1])
sys.path.insert(0, str(path.parent))
import program
from ramiel.runtime.measure import random_inputs
(made,) = [c for c in program.Program.__subclasses__() if c.__module__ == "program"]
model = made(program.Weights.open(path))
model(*random_inputs(model.inputs, {}, 0))
"""
_END = "print(time.perf_counter() - start, flush=True)"


def printed(code: str, argument: Path) -> float:
    """The seconds that a process prints, which runs some code on a file."""
    command = [sys.executable, "-c", code + _END, str(argument)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def compiled(model: Path, folder: Path, cache: str | None = None) -> float:
    """Seconds of the process that writes program.py to a folder."""
    environment = {**os.environ, **({"RAMIEL_CACHE_DIR": cache} if cache else {})}
    command = [sys.executable, "-m", "ramiel.tools.cli", "compile", str(model)]
    start = time.perf_counter()
    subprocess.run(
        [*command, "-o", str(folder / "program.py")],
        check=True,
        stdout=subprocess.DEVNULL,
        env=environment,
    )
    return time.perf_counter() - start


def compared(model: Path, rounds: int) -> dict[str, float]:
    """Seconds of each contestant."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        weights = folder / "program.safetensors"
        with tempfile.TemporaryDirectory() as cache:
            first = compiled(model, folder, cache)
        first += printed(_PROGRAM, weights)

        def command() -> float:
            return compiled(model, folder) + printed(_PROGRAM, weights)

        contestants: Mapping[str, Callable[[], float]] = {
            "ort": lambda: printed(_ORT, model),
            "api": lambda: printed(_API, model),
            "command": command,
            "again": lambda: printed(_PROGRAM, weights),
        }
        taken: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(rounds):
            for name, contestant in contestants.items():
                taken[name].append(contestant())
    return {name: statistics.median(times) for name, times in taken.items()} | {"first": first}


def show(models: Mapping[str, dict[str, float]]) -> None:
    names = list(next(iter(models.values())))
    table = Table("s", *names, "api - ort")
    for model, row in models.items():
        late = row["api"] - row["ort"]
        table.add_row(model, *(f"{row[name]:.2f}" for name in names), f"{late:+.2f}")
    Console().print(table)
    late = [model for model, row in models.items() if row["api"] > row["ort"] + LATER_S]
    print(f"later than ONNX Runtime by more than {LATER_S} s: {', '.join(late) or 'none'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    document: dict[str, Any] = {"machine": machine(), "models": {}}
    if options.out.exists():
        document["models"] = json.loads(options.out.read_text())["models"]
    for model in options.models:
        document["models"][model.stem] = compared(model.resolve(), options.rounds)
        options.out.write_text(json.dumps(document, indent=1) + "\n")
    show(document["models"])


if __name__ == "__main__":
    main()
