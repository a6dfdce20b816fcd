"""A program in a container that has few cores, beside the best setting by hand.

    python benchmarks/containers.py MODEL.onnx ... [--rounds 7] [--seconds 1.0]
        [--out benchmarks/results/containers.json]

In a cgroup with a quota of half a core and of one core, and with affinity to one core, a program
is compiled without options, and others with RAMIEL_NUM_THREADS set to 1 and 2; they take turns, a
burst each. A quota stops a process for a part of each period, so what counts is the mean of a
burst. Needs the right to make a cgroup (version 1 or 2) for processors.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from machine import machine
from rich.console import Console
from rich.table import Table

OUT = Path(__file__).parent / "results" / "containers.json"
ROOT = Path("/sys/fs/cgroup")
PERIOD = 100_000
"""µs."""
DEFAULT = "default"
SETTINGS: Mapping[str, Mapping[str, str]] = {
    DEFAULT: {},
    "1 thread": {"RAMIEL_NUM_THREADS": "1"},
    "2 threads": {"RAMIEL_NUM_THREADS": "2"},
}

_CONTESTANT = """
import os, sys, time
groups, core, model = sys.argv[1:]
if groups:
    with open(groups, "w") as file:
        file.write(str(os.getpid()))
if core:
    os.sched_setaffinity(0, {int(core)})
import ramiel
from ramiel.runtime.measure import random_inputs
program = ramiel.compile(model)
inputs = random_inputs(program.inputs, {}, 0)
for _ in range(4):
    program(*inputs)
print("ready", flush=True)
for line in sys.stdin:
    calls, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < float(line) or not calls:
        program(*inputs)
        calls += 1
    print((time.perf_counter() - start) / calls * 1e3, flush=True)
"""


@contextmanager
def quota(cores: float) -> Generator[Path]:
    """The file by which a process joins a new cgroup that may use so many cores."""
    first = (ROOT / "cpu").is_dir()
    group = (ROOT / "cpu" if first else ROOT) / f"ramiel-{os.getpid()}"
    group.mkdir()
    try:
        limit = str(int(cores * PERIOD))
        if first:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD))
            (group / "cpu.cfs_quota_us").write_text(limit)
        else:
            (group / "cpu.max").write_text(f"{limit} {PERIOD}")
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


class Contestant:
    """A process with a program, which runs bursts."""

    def __init__(self, model: Path, setting: Mapping[str, str], group: str, core: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CONTESTANT, group, core, str(model)],
            env={**os.environ, **setting},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def burst(self, seconds: float) -> float:
        """ms of a call, in the mean."""
        assert self._process.stdin is not None
        print(seconds, file=self._process.stdin, flush=True)
        return float(self._answer())

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


def compared(
    model: Path, group: str, core: str, rounds: int, seconds: float
) -> dict[str, list[float]]:
    """ms of each setting in each round."""
    with ExitStack() as stack:
        contestants: dict[str, Contestant] = {}
        for name, setting in SETTINGS.items():
            contestants[name] = Contestant(model, setting, group, core)
            stack.callback(contestants[name].end)
        taken: dict[str, list[float]] = {name: [] for name in contestants}
        for turn in range(rounds):
            for name in list(contestants)[:: -1 if turn % 2 else 1]:
                taken[name].append(contestants[name].burst(seconds))
    return taken


def over_best(taken: Mapping[str, Sequence[float]]) -> float:
    """The default's time over that of the best setting by hand: the median of the rounds."""
    by_hand = min((n for n in taken if n != DEFAULT), key=lambda n: statistics.median(taken[n]))
    pairs = zip(taken[DEFAULT], taken[by_hand], strict=True)
    return statistics.median(ours / best for ours, best in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a burst")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    document: dict[str, Any] = {"machine": machine(), "models": {}}
    if options.out.exists():
        document["models"] = json.loads(options.out.read_text())["models"]
    how = (options.rounds, options.seconds)
    for model in options.models:
        rows: dict[str, dict[str, list[float]]] = {}
        for cores in (0.5, 1.0):
            with quota(cores) as group:
                rows[f"a quota of {cores:g}"] = compared(model, str(group), "", *how)
        core = str(min(os.sched_getaffinity(0)))
        rows["affinity to one"] = compared(model, "", core, *how)
        document["models"][model.stem] = rows
        options.out.write_text(json.dumps(document, indent=1) + "\n")
        table = Table("", *SETTINGS, "default over the best by hand", title=model.stem)
        for name, taken in rows.items():
            medians = (f"{statistics.median(taken[n]):.1f}" for n in SETTINGS)
            table.add_row(name, *medians, f"{over_best(taken):.2f}")
        Console().print(table)


if __name__ == "__main__":
    main()
