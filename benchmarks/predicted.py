"""How near the simulated times of schedules are to those that their programs take.

    python benchmarks/predicted.py MODEL.onnx ... [--threads 2] [--batch 1] [--rounds 8]
        [--seconds 0.2] [--static] [--schedules serial,intra-op,auto]
        [--out benchmarks/results/predicted.json]

The operations' costs are measured (`--profile`), or with --static computed from the machine's
prices (docs/costs.md); then the programs of all schedules run in turns,
a burst each. A run that is disturbed takes longer, so the lower quartile of all runs is compared.
A machine may be slower by a tenth from one minute to the next, between the profile and the runs as
well; the program of one thread, whose time is a sum of costs, says by how much it was. The last
column sets the others in relation to it. `bound` is the time below which no schedule can be. What
`auto` chose has to be at least as fast as the better of `serial` and `intra-op`.

Programs on one thread each, as many as there are cores, side by side, hand nothing over and wait
for nothing; if they take longer than one alone, as they share caches, memory and power, so does the
work of every schedule, and the bound is that much higher.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from machine import machine
from rich.console import Console
from rich.table import Table
from turns import in_turns, side_by_side

import ramiel
from ramiel.programs.tune import lower_quartile
from ramiel.runtime.measure import random_inputs

OUT = Path(__file__).parent / "results" / "predicted.json"
ALONE, BESIDE = "serial", "side by side"
SCHEDULES = (ALONE, "intra-op", "linear", "list", "refine", "ios", "auto")
OF_BATCHES = (ALONE, "intra-op", "hyper", "refine", "auto")


def compared(
    model: Path,
    schedules: Sequence[str],
    threads: int,
    batch: int,
    rounds: int,
    seconds: float,
    profile: bool,
) -> tuple[dict[str, dict[str, float]], float]:
    """For each schedule, in ms: what was predicted, the median and the lower quartile of what was
    measured, and the bound. And the lower quartile of programs on one thread side by side."""
    programs = {
        name: ramiel.compile(model, workers=threads, batch=batch, schedule=name, profile=profile)
        for name in schedules
    }
    inputs = random_inputs(programs[ALONE].inputs, {}, 0, batch=batch)
    alone = partial(programs[ALONE], *inputs)
    with ThreadPoolExecutor(threads) as pool:
        calls: dict[str, Callable[..., object]] = {**programs}
        calls[BESIDE] = lambda *_: side_by_side(pool, [alone] * threads)
        runs = in_turns(calls, inputs, rounds, seconds)
    found: dict[str, dict[str, float]] = {}
    for name, program in programs.items():
        found[name] = {
            "predicted": program.report.parallel_us / 1e3,
            "median": statistics.median(runs[name]),
            "quartile": lower_quartile(runs[name]),
            "bound": program.report.bound_us / 1e3,
        }
        program.close()
    return found, lower_quartile(runs[BESIDE])


def show(title: str, found: dict[str, dict[str, float]], beside: float) -> None:
    table = Table(
        "", "predicted, ms", "median", "lower quartile", "off", "off, by serial", title=title
    )
    drift = found[ALONE]["quartile"] / found[ALONE]["predicted"]
    for name, row in found.items():
        off = row["quartile"] / row["predicted"]
        values = (row["predicted"], row["median"], row["quartile"], off, off / drift)
        table.add_row(name, *(f"{value:.2f}" for value in values))
    Console().print(table)
    least = min(row["quartile"] for row in found.values())
    bound = min(row["bound"] for row in found.values())  # that of one thread is higher
    plain = min(found[name]["quartile"] for name in (ALONE, "intra-op"))
    longer = beside / found[ALONE]["quartile"]
    print(f"bound {bound:.2f} ms, {bound / least:.2f} of the best;", end=" ")
    print(f"side by side {longer:.2f} times as long, {bound * longer / least:.2f}", end="; ")
    print(f"auto takes {found['auto']['quartile'] / plain:.3f} of serial or intra-op")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=0.2, help="length of a burst")
    parser.add_argument("--schedules", help="serial, intra-op and auto at least; by default all")
    parser.add_argument("--static", action="store_true", help="without a profile")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    schedules = (args.schedules or ",".join(SCHEDULES if args.batch == 1 else OF_BATCHES)).split(
        ","
    )
    if not {ALONE, "intra-op", "auto"} <= set(schedules):
        parser.error("--schedules: serial, intra-op and auto are compared with each other")
    document: dict[str, Any] = json.loads(args.out.read_text()) if args.out.exists() else {}
    for model in args.models:
        title = model.stem + (f", batch {args.batch}" if args.batch > 1 else "")
        title += ", static" if args.static else ""
        given = (args.threads, args.batch, args.rounds, args.seconds)
        found, beside = compared(model, schedules, *given, profile=not args.static)
        show(title, found, beside)
        facts = {"machine": machine(), "threads": args.threads, "side by side": beside}
        document[title] = {**facts, "schedules": found}
        args.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
