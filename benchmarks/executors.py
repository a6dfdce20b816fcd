"""Every executor against the serial form, bit for bit, in many calls.

    python benchmarks/executors.py MODEL.onnx ... [--calls 1000] [--seconds 60]
        [--executors threads,processes,distributed] [--schedule linear] [--inputs models.json]
        [--out FILE]

Each model is compiled for two workers, of which `distributed` has one on each of two ranks that
torchrun starts on this machine, or on one if the schedule needs no more. The program is called with
inputs that take turns, until it was called so often or so long; a row says how often it was, and
how many calls differ from serial. Rows of other models in FILE stay. The exit code is 1 if a call
differs, or a program fails. `--inputs` is as that of verify.py.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from machine import machine
from opened import opened
from verify import arguments

from ramiel.compiler import compile_model, program_of
from ramiel.errors import CompileError
from ramiel.pipelines import EXECUTORS, Options
from ramiel.programs.files import write_program
from ramiel.runtime.measure import parse_shapes, random_inputs, same_bits
from ramiel.runtime.outputs import as_tuple

INPUTS = 4
"""Different inputs, which the calls take in turns."""
FAST = (1.0, 1e5, 0.0, 1e9)
"""A link that schedules cross wherever that may help, so that much is sent."""
TOLD = "called: "


def written(
    model: Path, executor: str, options: argparse.Namespace, folder: Path
) -> tuple[Path, int]:
    """The program of a model, and its ranks. CompileError."""
    distributed = executor == "distributed"
    shapes = parse_shapes(given_of(model, options)["shape"])
    made = compile_model(
        model,
        Options(
            workers=1 if distributed else 2,
            ranks=2 if distributed else 1,
            executor=executor,
            schedule=options.schedule,
            shapes=shapes,
            link=FAST if distributed else None,
        ),
    )
    path = folder / f"{model.stem.replace('-', '_')}_{executor}.py"
    write_program(made.emitted, path)
    return path, program_of(made.module).ranks


def given_of(model: Path, options: argparse.Namespace) -> dict[str, list[str]]:
    """What --shape and --integers are for a model."""
    specs = json.loads(options.inputs.read_text()) if options.inputs else []
    given, words = {"shape": [], "integers": []}, arguments(model, specs)
    for name, value in zip(words[::2], words[1::2], strict=True):
        given[name.removeprefix("--")].append(value)
    return given


def row_of(model: Path, executor: str, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """What a program did: how many calls, how many of which differ; or why it failed."""
    row: dict[str, Any] = {"model": model.stem, "executor": executor, "calls": 0}
    try:
        path, ranks = written(model, executor, options, folder)
    except CompileError as error:
        return row | {"failure": str(error)}
    command = [sys.executable]
    if executor == "distributed":
        command += ["-m", "torch.distributed.run", "--nnodes", "1", "--nproc-per-node", str(ranks)]
    command += [__file__, "--program", str(path), "--calls", str(options.calls)]
    command += ["--seconds", str(options.seconds)]
    for name, values in given_of(model, options).items():
        for value in values:
            command += [f"--{name}", value]
    done = subprocess.run(command, capture_output=True, text=True)
    told = [line for line in done.stdout.splitlines() if line.startswith(TOLD)]
    if done.returncode or len(told) != 1:
        return row | {"failure": f"exit code {done.returncode}: {done.stderr[:2000]}"}
    return row | json.loads(told[0].removeprefix(TOLD))


def run(options: argparse.Namespace) -> None:
    """Call a program, or serve it on a rank other than 0."""
    with opened(options.program) as program:
        if program.connect():
            program.serve()
            return
        shapes = parse_shapes(options.shape)
        low, high = map(int, options.integers.split(","))
        given = [random_inputs(program.inputs, shapes, seed, (low, high)) for seed in range(INPUTS)]
        serial = getattr(program, "serial")  # noqa: B009
        expected = [as_tuple(serial(*inputs)) for inputs in given]
        calls = differing = 0
        begin = time.monotonic()
        while calls < options.calls and (calls < 4 or time.monotonic() - begin < options.seconds):
            got = as_tuple(program(*given[calls % INPUTS]))
            differing += not all(map(same_bits, got, expected[calls % INPUTS]))
            calls += 1
        told = {
            "calls": calls,
            "differing": differing,
            "capture": program.capture_status(*given[0]),
            "workers": len(program._workers),
        }
    print(TOLD + json.dumps(told))


def shown(row: dict[str, Any]) -> str:
    told = row.get("failure") or (
        f"{row['calls']:5} calls, {row['differing']} differ, {row['workers']} workers, "
        f"{row['capture']}"
    )
    return f"{row['model']:24} {row['executor']:12} {told}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--executors", default=",".join(EXECUTORS))
    parser.add_argument("--schedule", default="linear")
    parser.add_argument("--inputs", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--program", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--shape", action="append", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--integers", default="0,2", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.program:
        run(options)
        return
    rows = compare(options.models, options)
    if options.out is not None:
        earlier = json.loads(options.out.read_text())["rows"] if options.out.exists() else []
        again = {(row["model"], row["executor"]) for row in rows}
        kept = [row for row in earlier if (row["model"], row["executor"]) not in again]
        document = {"machine": machine(), "schedule": options.schedule, "rows": [*kept, *rows]}
        options.out.write_text(json.dumps(document, indent=1) + "\n")
    wrong = [row for row in rows if row.get("failure") or row["differing"]]
    raise SystemExit(bool(wrong))


def compare(models: Sequence[Path], options: argparse.Namespace) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for model in models:
        for executor in options.executors.split(","):
            with tempfile.TemporaryDirectory() as folder:
                rows.append(row_of(model, executor, options, Path(folder)))
            print(shown(rows[-1]), flush=True)
    return rows


if __name__ == "__main__":
    main()
