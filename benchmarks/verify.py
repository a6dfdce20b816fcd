"""Checks models thoroughly: every schedule against ONNX Runtime, and parallel against serial
bit for bit in 200 calls from one thread and in 200 from four at once.

    python benchmarks/verify.py MODEL.onnx ... [--inputs models.json] [--schedules linear,auto]

`--inputs` is a list of {"file", "inputs": [{"name", "shape"}], ...} that gives the shapes of
models with open dimensions; integers are bytes there ("int:LO,HI").
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ramiel.pipelines import OF_ANY_MODEL


def arguments(model: Path, specs: list[dict[str, Any]]) -> list[str]:
    spec = next((s for s in specs if Path(str(s["file"])).name == model.name), None)
    extra: list[str] = []
    for given in spec["inputs"] if spec else ():
        extra += ["--shape", f"{given['name']}={'x'.join(map(str, given['shape']))}"]
        if str(given["gen"]).startswith("int:"):
            extra += ["--integers", given["gen"].removeprefix("int:")]
    return extra


def check(model: Path, options: Sequence[str]) -> bool:
    """Whether a model passes; prints the last lines of `ramiel check`."""
    command = [sys.executable, "-m", "ramiel.tools.cli", "check", str(model), "--workers", "2"]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    last = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    print(f"{model.stem:32} {' '.join(options)[:60]:60} {'; '.join(last[-2:])}", flush=True)
    return done.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--inputs", type=Path)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--schedules", default=",".join(OF_ANY_MODEL))
    options = parser.parse_args()
    specs = json.loads(options.inputs.read_text()) if options.inputs else []
    calls = options.calls
    rounds = (["--calls", str(calls)], ["--calls", str(-(-calls // 4)), "--threads", "4"])
    passed = [
        check(model, ["--schedule", schedule, *round, *arguments(model, specs)])
        for model in options.models
        for schedule in options.schedules.split(",")
        for round in rounds
    ]
    print(f"{sum(passed)} of {len(passed)} passed")
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
