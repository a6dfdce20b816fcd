"""Programs of two ranks on loopback: what was simulated, and what is measured.

    python benchmarks/ranks.py MODEL.onnx ... --link 20Gbit,60us [--schedule linear] [--times 5]
        [--out FILE]

Each model is compiled for two ranks of one worker, with costs that are measured just before, as a
machine's speed differs from minute to minute, and so a few times. It is run by torchrun on this
machine; rank 0 checks its results against the serial form, bit for bit, and times both in turns, a
burst each: costs are those of calls that follow each other, too, and lower quartiles, as
disturbances only make runs longer. The ranks share memory, unless RAMIEL_SHARED_MEMORY=0 has gloo
connect them, or `--rate 1gbit` a link between two namespaces (shaped.py); --link is that of
`torchrun ... -m ramiel.runtime.distributed.links` in the same way.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import shaped
from opened import opened

from ramiel.compiler import compile_model, program_of
from ramiel.pipelines import Options
from ramiel.programs.files import write_program
from ramiel.programs.tune import lower_quartile
from ramiel.runtime.distributed.neighbours import VARIABLE
from ramiel.runtime.measure import interleaved, random_inputs, same_bits
from ramiel.tools.options import link_of

LIMIT_S = 300
ROUNDS, BURST = 12, 20
"""Bursts of each form, and calls of a burst."""
TOLD = "timed: "


def predicted(
    model: Path, schedule: str, link: str, folder: Path, rate: str | None
) -> dict[str, Any]:
    """A model's program of two ranks, what is simulated of it, and what it takes."""
    options = Options(
        workers=1,
        schedule=schedule,
        executor="distributed",
        ranks=2,
        link=link_of(link),
        profile=True,
    )
    made = compile_model(model, options)
    program = program_of(made.module)
    path = folder / f"{model.stem.replace('-', '_')}.py"
    write_program(made.emitted, path)
    return {
        "model": model.stem,
        "schedule": made.report.schedule,
        "messages": len(program.crossings),
        "simulated": made.report.parallel_us / 1e3,
        "serial_simulated": made.report.serial_us / 1e3,
        **told_by(program.ranks, Path(__file__), path, rate),
    }


def told_by(ranks: int, script: Path, program: Path, rate: str | None) -> dict[str, Any]:
    """What a script tells that so many ranks run with `--program`, on a link of some rate."""
    command = [str(script), "--program", str(program)]
    if rate is not None and ranks == shaped.RANKS:
        text = shaped.run(rate, [sys.executable, *command])[0]
    else:
        start = ["-m", "torch.distributed.run", "--nnodes", "1", "--nproc-per-node", str(ranks)]
        done = subprocess.run(
            [sys.executable, *start, *command], capture_output=True, text=True, timeout=LIMIT_S
        )
        assert done.returncode == 0, done.stdout + done.stderr
        text = done.stdout
    (told,) = [line for line in text.splitlines() if line.startswith(TOLD)]
    return json.loads(told.removeprefix(TOLD))


def run(path: Path) -> None:
    """Time a program, or serve it on a rank other than 0."""
    with opened(path) as program:
        if program.connect():
            program.serve()
            return
        inputs = random_inputs(program.inputs, {}, 0)
        serial = getattr(program, "serial")  # noqa: B009
        assert same_bits(program(*inputs), serial(*inputs))
        forms = [partial(form, *inputs) for form in (program, serial)]
        times = interleaved(forms, ROUNDS, burst=BURST)
    told = {
        name + of: how(seconds) * 1e3
        for name, seconds in zip(("measured", "serial"), times, strict=True)
        for of, how in (("", lower_quartile), ("_median", statistics.median))
    }
    print(TOLD + json.dumps(told))


def way_of(rate: str | None) -> str:
    """What connects ranks."""
    if rate is not None:
        return f"a link of {rate}"
    return "gloo" if os.environ.get(VARIABLE) == "0" else "shared memory"


def typical(tries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The try whose measured time is nearest to the median of all in relation to what was
    simulated, and that relation for all, of the program and of its serial form."""
    off = [row["measured"] / row["simulated"] for row in tries]
    serial_off = [row["serial"] / row["serial_simulated"] for row in tries]
    middle = statistics.median(off)
    nearest = min(range(len(tries)), key=lambda i: abs(off[i] - middle))
    return {**tries[nearest], "off": off, "serial_off": serial_off}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--link", default="10Gbit,30us")
    parser.add_argument("--schedule", default="linear")
    parser.add_argument("--rate", help="of a link between namespaces, as tc takes it: 1gbit")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--program", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.program is not None:
        run(options.program)
        return
    rows: list[dict[str, Any]] = []
    for model in options.models:
        tries: list[dict[str, Any]] = []
        for _ in range(options.times):
            with tempfile.TemporaryDirectory() as folder:
                os.environ["RAMIEL_CACHE_DIR"] = folder
                found = predicted(model, options.schedule, options.link, Path(folder), options.rate)
                tries.append(found)
            print(tries[-1], flush=True)
        rows.append(typical(tries))
    if options.out is not None:
        way = way_of(options.rate)
        document = {"link": options.link, "way": way, "programs": rows}
        options.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
