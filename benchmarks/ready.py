"""Time to be ready: seconds from a model's file to the first outputs.

    python benchmarks/ready.py MODEL.onnx ... [--rounds 3] [--out benchmarks/results/ready.json]

Each figure is of a process of its own, and the median of some rounds, in which the contestants
take turns:

    ort       ONNX Runtime: a session, and its first run
    api       ramiel.compile(), and the first call
    command   `ramiel compile`, and in another process the program's import and first call
    again     that import and call alone: what each later process takes

The import of torch or onnxruntime is not counted, that of ramiel is, whose bytecode is there as in
an installed package. `first` is `command` on a
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
_COMPILE = """
import torch, sys, time
start = time.perf_counter()
from ramiel.tools.cli import app
app(["compile", sys.argv[1], "-o", sys.argv[2]], standalone_mode=False)
"""
_BYTECODE = """
import torch, time
start = time.perf_counter()
import ramiel, ramiel.tools.cli, ramiel.programs.loaded
"""
_END = "print(time.perf_counter() - start, flush=True)"


def seconds(code: str, *arguments: Path, **environment: str) -> float:
    """What a process prints at last, which runs some code."""
    command = [sys.executable, "-c", code + _END, *map(str, arguments)]
    given = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", **environment}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=given)
    return float(done.stdout.splitlines()[-1])


def compared(model: Path, rounds: int) -> dict[str, float]:
    """Seconds of each contestant."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        weights = folder / "program.safetensors"
        source = folder / "program.py"
        with tempfile.TemporaryDirectory() as cache:
            first = seconds(_COMPILE, model, source, RAMIEL_CACHE_DIR=cache)
        first += seconds(_PROGRAM, weights)

        def command() -> float:
            return seconds(_COMPILE, model, source) + seconds(_PROGRAM, weights)

        contestants: Mapping[str, Callable[[], float]] = {
            "ort": lambda: seconds(_ORT, model),
            "api": lambda: seconds(_API, model),
            "command": command,
            "again": lambda: seconds(_PROGRAM, weights),
        }
        taken: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(rounds):
            for name, contestant in contestants.items():
                taken[name].append(contestant())
    return {name: statistics.median(times) for name, times in taken.items()} | {"first": first}


def show(models: Mapping[str, dict[str, float]]) -> None:
    names = list(next(iter(models.values())))
    table = Table("s", *names)
    for model, row in models.items():
        table.add_row(model, *(f"{row[name]:.2f}" for name in names))
    Console().print(table)
    for name in ("api", "command", "again"):
        late = [model for model, row in models.items() if row[name] > row["ort"] + LATER_S]
        print(
            f"{name}: later than ONNX Runtime by more than {LATER_S} s: {', '.join(late) or 'none'}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    document: dict[str, Any] = {"machine": machine(), "models": {}}
    if options.out.exists():
        document["models"] = json.loads(options.out.read_text())["models"]
    seconds(_BYTECODE)
    for model in options.models:
        document["models"][model.stem] = compared(model.resolve(), options.rounds)
        options.out.write_text(json.dumps(document, indent=1) + "\n")
    show(document["models"])


if __name__ == "__main__":
    main()
