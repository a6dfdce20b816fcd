"""Checks models the long way: against ONNX Runtime, and parallel against serial bit for bit in
200 calls from one thread and in 200 from four at once.

    python benchmarks/verify.py MODEL.onnx ... [--inputs models.json]

`--inputs` is a list of {"file", "inputs": [{"name", "shape"}], ...} that says the shapes of
models which leave dimensions open; integers are bytes there ("int:LO,HI").
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROUNDS = (["--calls", "200"], ["--calls", "50", "--threads", "4"])


def arguments(model: Path, specs: list[dict[str, object]]) -> list[str]:
    spec = next((s for s in specs if Path(str(s["file"])).name == model.name), None)
    extra: list[str] = []
    for given in spec["inputs"] if spec else ():
        extra += ["--shape", f"{given['name']}={'x'.join(map(str, given['shape']))}"]
        if str(given["gen"]).startswith("int:"):
            extra += ["--integers", given["gen"].removeprefix("int:")]
    return extra


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--inputs", type=Path)
    options = parser.parse_args()
    specs = json.loads(options.inputs.read_text()) if options.inputs else []
    failed = 0
    for model in options.models:
        for round in ROUNDS:
            command = [sys.executable, "-m", "ramiel.tools.cli", "check", str(model), *round]
            command += ["--workers", "2", "--schedule", "linear", *arguments(model, specs)]
            done = subprocess.run(command, capture_output=True, text=True)
            last = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
            print(f"{model.stem:32} {' '.join(round):24} {'; '.join(last[-2:])}", flush=True)
            failed += done.returncode != 0
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
