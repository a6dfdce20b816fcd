"""torch.compile(model, backend="ramiel") on models of torchvision, timm and transformers.

    python benchmarks/compiled_models.py [MODEL ...] [--again] [--time] [--rounds 8]
        [--seconds 0.3] [--threads 2] [--limit 140] [--out FILE]

Each model of compiled_zoo.py, or those that are named, is compared with eager PyTorch at batch 1,
in a process of its own (compiled_model.py). With --time, eager PyTorch, Inductor with frozen
weights and Ramiel are made ready, a process each, and then run in turns. A model that has its
result is skipped unless --again is given, and the file is written after each model: the run can be
ended and continued. benchmarks/compiled_page.py writes docs/torch_compile.md from it.

Needs torchvision, timm and transformers. Nothing is downloaded: weights are random.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from compiled_model import WAYS
from compiled_zoo import ENTRIES
from machine import machine
from performance import PAUSE_S, Gone, Racer

SCRIPT = Path(__file__).parent / "compiled_model.py"
OUT = Path(__file__).parent / "results" / "compiled_models.json"
OURS = "ramiel"
LIBRARIES = ("torchvision", "timm", "transformers")


def race(model: str, names: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    """What the ways of computing a model report, and their times if asked for."""
    rows: dict[str, Any] = {}
    racers: dict[str, Racer] = {}
    with tempfile.TemporaryDirectory(prefix="ramiel-race-") as folder:
        try:
            for name in names:
                command = [sys.executable, str(SCRIPT), model, name]
                command += ["--threads", str(options.threads)]
                racer = racers[name] = Racer(name, command, Path(folder), os.environ)
                try:
                    rows[name] = racer.answer(options.limit)
                except Gone as reason:
                    rows[name] = {"absent": str(reason)}
                if "absent" in rows[name]:
                    racers.pop(name).kill()
                print(f"{model}, {name}: {told(rows[name])}", flush=True)
            if options.time:
                rounds = timed(racers, options.rounds, options.seconds)
                for name, times in rounds.items():
                    rows[name]["rounds_ms"] = times
        finally:
            for racer in racers.values():
                racer.kill()
    return rows


def timed(racers: dict[str, Racer], rounds: int, seconds: float) -> dict[str, list[float]]:
    """The median ms of each round; the order changes with every round."""
    times: dict[str, list[float]] = {name: [] for name in racers}
    order = list(racers)
    for i in range(rounds):
        turn = i % max(len(order), 1)
        turned = order[turn:] + order[:turn]
        for name in turned[:: -1 if i % 2 else 1]:
            runs = sorted(racers[name].burst(seconds))
            times[name].append(round(runs[len(runs) // 2], 4))
            time.sleep(PAUSE_S)
    return times


def told(row: dict[str, Any]) -> str:
    if "absent" in row:
        return row["absent"]
    found = row["facts"]
    parts = f", {found['programs']} of {found['graphs']} graphs" if found else ""
    why = "".join(f"; {reason}" for reason in found.get("reasons", []))
    return f"off by {row['relative']:.1e}, ready in {row['ready_s']:.1f} s{parts}{why}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--again", action="store_true", help="models that have a result, too")
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=float, default=140.0, help="seconds to be ready")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    for name in options.models:
        if name not in ENTRIES:
            parser.error(f"there is no model {name!r}; there are {', '.join(ENTRIES)}")
    out: Path = options.out
    document: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    part = document.setdefault("timed" if options.time else "compared", {})
    for name in options.models or ENTRIES:
        if name in part and not options.again:
            continue
        rows = race(name, list(WAYS) if options.time else [OURS], options)
        versions = {library: version(library) for library in LIBRARIES}
        part[name] = {"machine": machine() | versions, "threads": options.threads, "ways": rows}
        out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
