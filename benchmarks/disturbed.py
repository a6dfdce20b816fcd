"""What `--tune` chooses while another program eats a core at random times.

    python benchmarks/disturbed.py MODEL.onnx ... [--tries 10] [--threads 2] [--rounds 10]
        [--seconds 0.2] [--out benchmarks/results/disturbed.json]

Each try measures the operations and the programs anew, disturbed. Then, with nothing else running,
the programs that were chosen, the one of a quiet try, and those of the usual schedules run in
turns, and each choice is compared with the fastest: lower quartiles of all runs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

from machine import AT_RANDOM, eaten, machine
from predicted import SCHEDULES
from rich.console import Console
from rich.table import Table
from turns import in_turns

import ramiel
from ramiel.api import CompiledProgram
from ramiel.programs.tune import statements
from ramiel.runtime.measure import random_inputs

OUT = Path(__file__).parent / "results" / "disturbed.json"


@contextlib.contextmanager
def nothing_known() -> Generator[None]:
    """No costs of earlier measurements, and the machine's prices measured anew."""
    before = os.environ.get("RAMIEL_CACHE_DIR")
    with tempfile.TemporaryDirectory(prefix="ramiel-costs-") as folder:
        os.environ["RAMIEL_CACHE_DIR"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["RAMIEL_CACHE_DIR"]
            else:
                os.environ["RAMIEL_CACHE_DIR"] = before


def compared(model: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The choices, and ms of each distinct program when nothing else runs."""
    programs: dict[str, CompiledProgram] = {}
    names: dict[str, str] = {}

    def known(program: CompiledProgram, name: str) -> str:
        """The name of this program, which is the given one if it is a new program."""
        of = names.setdefault(statements(program.source), name)
        programs.setdefault(of, program)
        return of

    with nothing_known():
        for name in SCHEDULES:
            how: dict[str, Any] = {"schedule": name, "profile": True}
            known(ramiel.compile(model, workers=options.threads, **how), name)
        quiet = known(ramiel.compile(model, workers=options.threads, tune=True), "quiet choice")
    tries: list[dict[str, str]] = []
    for number in range(options.tries):
        with nothing_known(), eaten(1, AT_RANDOM):
            chosen = ramiel.compile(model, workers=options.threads, tune=True)
        name = known(chosen, f"{chosen.report.schedule} of try {number + 1}")
        tries.append({"chosen": name, "measured": chosen.report.tuned})
        print(f"{model.stem}, try {number + 1}: {name}", flush=True)
    inputs = random_inputs(programs[quiet].inputs, {}, 0)
    runs = in_turns(programs, inputs, options.rounds, options.seconds)
    ms = {name: statistics.quantiles(taken, n=4)[0] for name, taken in runs.items()}
    for program in programs.values():
        program.close()
    return {"ms": ms, "quiet": quiet, "tries": tries}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--tries", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=0.2, help="of each burst")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    for model in options.models:
        found: dict[str, Any] = compared(model, options)
        found |= {"threads": options.threads, "machine": machine()}
        known: dict[str, Any] = json.loads(options.out.read_text()) if options.out.exists() else {}
        options.out.write_text(json.dumps(known | {model.stem: found}, indent=1) + "\n")
        least = min(found["ms"].values())
        table = Table("program", "ms", "over the fastest", "chosen", title=model.stem)
        for name, ms in sorted(found["ms"].items(), key=lambda pair: pair[1]):
            times = sum(one["chosen"] == name for one in found["tries"])
            table.add_row(name, f"{ms:.2f}", f"{ms / least:.3f}", str(times) if times else "")
        Console().print(table)


if __name__ == "__main__":
    main()
