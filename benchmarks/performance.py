"""Ramiel against other runtimes on this machine, in turns.

    python benchmarks/performance.py MODEL.onnx ... [--batch 1] [--dtype f32] [--rounds 20]
        [--seconds 0.4] [--threads 2] [--eaten 0] [--avx2] [--contestants ramiel,ort] [--out FILE]

One model at a time: each contestant is a process (see benchmarks/contestants.py), all are made
ready one after the other, and then each runs a short burst in every round, so that a slow spell of
the machine affects all of them. Only one computes at any time; the order changes with every round.
Outputs are compared with those of ONNX Runtime, sample by sample, and a contestant with wrong
outputs is excluded. `--eaten N` takes N cores away: as many other programs compute all the time,
while contestants are made ready as well. `--avx2` limits all of them to AVX2.

The results of a model, batch and dtype are one sitting: a new one replaces the old one as a whole,
since only contestants that ran together can be compared. Other sittings are kept.
benchmarks/performance_page.py writes docs/performance.md from them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from avx2 import limited
from contestants import CONTESTANTS, Arrays, load
from machine import eaten, machine
from rich.console import Console
from rich.table import Table

SCRIPT = Path(__file__).parent / "contestants.py"
OUT = Path(__file__).parent / "results" / "performance.json"
WRONG = 1e-2
"""Relative to the largest value of an output, f32."""
PAUSE_S = 0.1
"""Pause after a burst: the threads of a runtime spin for a while before they sleep."""
BURST_LIMIT_S = 300.0

USUAL = {
    "f32": "eager-1 eager compile ort openvino ramiel ramiel-torch ramiel-intra-op ramiel-serial",
    "bf16": "ort openvino openvino-bf16 compile-bf16 ramiel ramiel-bf16",
}
"""The contestants, by dtype."""
OF_BATCHES = "eager compile ort openvino ramiel ramiel-torch ramiel-whole"


class Gone(Exception):
    """A contestant's process ended, or had to be killed."""


class Racer:
    """A contestant's process."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
    ) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                text=True,
                bufsize=1,
                start_new_session=True,  # so that its children can be killed with it
            )

    def answer(self, limit: float) -> dict[str, Any]:
        """Its next line. Raises Gone if there is none within `limit` seconds."""
        assert self.process.stdout is not None
        late = threading.Event()

        def stop() -> None:
            late.set()
            self.kill()

        timer = threading.Timer(limit, stop)
        timer.start()
        try:
            line = self.process.stdout.readline()
        finally:
            timer.cancel()
        if line and not late.is_set():
            return json.loads(line)
        self.kill()
        if late.is_set():
            raise Gone(f"not ready within {limit:.0f} s")
        lines = self._log.read_text(errors="replace").strip().splitlines() or ["no message"]
        raise Gone(f"ended with {self.process.wait()}: {lines[-1][:300]}")

    def burst(self, seconds: float) -> list[float]:
        """Milliseconds of each run."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # then there is no answer
            self.process.stdin.write(f"run {seconds}\n")
            self.process.stdin.flush()
        return self.answer(BURST_LIMIT_S)["ms"]

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def cpu_s(self) -> float:
        """Processor seconds of its threads."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def differences(got: Arrays, expected: Arrays) -> tuple[float, float]:
    """The largest difference, and the largest one over the largest value of its output.
    Infinite if shapes differ, or only one of two elements is a number."""
    largest = relative = 0.0
    if [a.shape for a in got] != [e.shape for e in expected]:
        return float("inf"), float("inf")
    for array, wanted in zip(got, expected, strict=True):
        if wanted.size == 0:
            continue
        a, e = array.astype(np.float64), wanted.astype(np.float64)
        if not np.array_equal(np.isfinite(a), np.isfinite(e)):
            return float("inf"), float("inf")
        a, e = np.nan_to_num(a), np.nan_to_num(e)
        difference = float(np.abs(a - e).max())
        scale = float(np.abs(e).max())
        largest = max(largest, difference)
        relative = max(relative, difference / scale if scale else difference)
    return largest, relative


def cpu_times() -> tuple[float, float]:
    """Processor seconds of all processes, and those that the hypervisor stole."""
    path = Path("/proc/stat")
    if not path.exists():
        return 0.0, 0.0
    user, nice, system, _, _, irq, soft, steal, *_ = (
        int(field) / os.sysconf("SC_CLK_TCK")
        for field in path.read_text().split("\n")[0].split()[1:]
    )
    return user + nice + system + irq + soft, steal


class Race:
    """The contestants for a model and a batch, with their results."""

    def __init__(self, model: Path, names: Sequence[str], options: argparse.Namespace) -> None:
        self.model = model
        self.names = names
        self.options = options
        self.rows: dict[str, dict[str, Any]] = {}
        self.racers: list[Racer] = []
        self.disturbance: dict[str, float] = {}
        self.environment: Mapping[str, str] = os.environ

    def hold(self) -> None:
        with (
            tempfile.TemporaryDirectory(prefix="ramiel-race-") as folder,
            eaten(self.options.eaten),
        ):
            try:
                self._prepare(Path(folder))
                self._rounds()
            finally:
                for racer in self.racers:
                    racer.kill()

    def _start(self, name: str, folder: Path) -> Racer:
        options = self.options
        command = [sys.executable, str(SCRIPT), name, str(self.model), "--folder", str(folder)]
        command += ["--threads", str(options.threads), "--batch", str(options.batch)]
        racer = Racer(name, command, folder, self.environment)
        self.racers.append(racer)
        return racer

    def _prepare(self, folder: Path) -> None:
        """Makes the contestants ready, one after the other."""
        if self.options.avx2:
            self.environment = limited(folder / "packages")
        first = self._start("prepare", folder)
        first.answer(self.options.compile_limit)
        first.process.wait()
        self.racers.clear()
        expected = load(folder / "expected.npz")
        for name in self.names:
            racer = self._start(name, folder)
            row: dict[str, Any]
            try:
                row = racer.answer(self.options.compile_limit)
            except Gone as reason:
                row = {"absent": str(reason)}
            if "absent" not in row:
                largest, relative = differences(load(folder / f"{name}.npz"), expected)
                row |= {"max_abs": _json(largest), "max_rel": _json(relative)}
                limit = float("inf") if CONTESTANTS[name].bf16 else WRONG
                if not relative < limit:
                    row["wrong"] = True
                    print(f"WRONG: {name} on {self.model.stem} is off by {relative:.2g} of the")
                    print("       largest value; its times are not taken", flush=True)
            self.rows[name] = row
            if row.keys() & {"absent", "wrong"}:
                self._drop(racer)
            note = row.get("absent") or f"ready in {row['ready_s']:.1f} s"
            print(f"{self.model.stem}, {name}: {note}", flush=True)
        time.sleep(PAUSE_S)

    def _drop(self, racer: Racer) -> None:
        racer.kill()
        self.racers.remove(racer)

    def _rounds(self) -> None:
        times: dict[str, list[list[float]]] = {racer.name: [] for racer in self.racers}
        own = self._own_cpu()
        busy, stolen = cpu_times()
        start = time.perf_counter()
        for i in range(self.options.rounds):
            turn = i % max(len(self.racers), 1)
            order = self.racers[turn:] + self.racers[:turn]
            for racer in order if i % 2 == 0 else order[::-1]:
                try:
                    times[racer.name].append(racer.burst(self.options.seconds))
                except Gone as reason:
                    self.rows[racer.name] = {"absent": str(reason)}
                    self._drop(racer)
                time.sleep(PAUSE_S)
        wall = time.perf_counter() - start
        now, taken = cpu_times()
        others = max(0.0, now - busy - (self._own_cpu() - own))
        others = max(0.0, others - self.options.eaten * wall)
        self.disturbance = {
            "others_cores": round(others / wall, 3),
            "stolen_cores": round((taken - stolen) / wall, 3),
        }
        for racer in self.racers:
            self.rows[racer.name] |= summary(times[racer.name])

    def _own_cpu(self) -> float:
        return time.process_time() + sum(racer.cpu_s() for racer in self.racers)


def _json(value: float) -> float | str:
    """JSON has no infinity."""
    return value if np.isfinite(value) else str(value)


def summary(bursts: list[list[float]]) -> dict[str, Any]:
    """Each round's median, the median of these, and their quartiles."""
    medians = [statistics.median(burst) for burst in bursts]
    low, middle, high = statistics.quantiles(medians, n=4, method="inclusive")
    return {
        "ms": round(middle, 4),
        "quartiles_ms": [round(low, 4), round(high, 4)],
        "least_ms": round(min(map(min, bursts)), 4),
        "runs": sum(map(len, bursts)),
        "rounds_ms": [round(median, 4) for median in medians],
    }


def versions() -> dict[str, object]:
    found: dict[str, object] = {}
    for package in ("onnxruntime", "openvino", "ramiel"):
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def write(path: Path, document: dict[str, Any]) -> None:
    """Atomic: earlier results survive an interruption."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(document, indent=1) + "\n")
    partial.replace(path)


def shown(title: str, rows: dict[str, dict[str, Any]]) -> Table:
    table = Table("contestant", "ms", "quartiles", "off by", "ready, s", title=title)
    for name, row in rows.items():
        if "ms" in row:
            low, high = row["quartiles_ms"]
            cells = [f"{row['ms']:.2f}", f"{low:.2f} to {high:.2f}"]
            table.add_row(name, *cells, f"{row['max_rel']:.1g}", f"{row['ready_s']:.1f}")
        else:
            table.add_row(name, "WRONG" if "wrong" in row else "absent", row.get("absent", ""))
    return table


def contestants(options: argparse.Namespace) -> list[str]:
    usual = USUAL[options.dtype]
    if options.dtype == "f32" and options.batch > 1:
        usual = OF_BATCHES
    names = options.contestants.split(",") if options.contestants else usual.split()
    if unknown := set(names) - CONTESTANTS.keys():
        raise SystemExit(f"no contestant {', '.join(unknown)}; there are {', '.join(CONTESTANTS)}")
    return list(dict.fromkeys(names))


def main() -> None:
    about = "\n".join(f"  {name:20} {c.about}" for name, c in CONTESTANTS.items())
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"contestants:\n{about}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.4, help="length of a burst")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--eaten", type=int, default=0, help="cores that others compute on")
    parser.add_argument("--avx2", action="store_true", help="no contestant uses more than AVX2")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--dtype", choices=USUAL, default="f32", help="of the usual contestants")
    parser.add_argument("--contestants", help="instead of the usual ones: a,b,c")
    parser.add_argument("--compile-limit", type=float, default=600.0, help="s to be ready in")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("quartiles need two rounds")
    names = contestants(options)
    for model in options.models:
        document: dict[str, Any] = {"models": {}}
        if options.out.exists():
            document = json.loads(options.out.read_text())
        race = Race(model, names, options)
        race.hold()
        section = {
            "batch": options.batch,
            "dtype": options.dtype,
            "threads": options.threads,
            "eaten": options.eaten,
            "avx2": options.avx2,
            "rounds": options.rounds,
            "seconds": options.seconds,
            "machine": {**machine(), **versions()},
            **race.disturbance,
            "contestants": race.rows,
        }
        sections = document["models"].setdefault(model.stem, {})
        sections[f"batch {options.batch}, {options.dtype}"] = section
        write(options.out, document)
        title = f"{model.stem}, batch {options.batch}, {options.dtype}"
        Console(width=120).print(shown(title, race.rows))


if __name__ == "__main__":
    main()
