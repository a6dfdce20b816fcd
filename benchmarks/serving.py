"""A server under load, beside the bare model.

    python benchmarks/serving.py MODEL.onnx ... [--clients 1,4,16,64] [--seconds 10]
        [--out FILE] [-- options of ramiel serve]

For each number of clients, that many send one request after the other, from a process of their own
on the same machine (serving_load.py): requests a second, the median and the 99th percentile of the
time of a request, and the server's memory before and after. The bare model is called in a loop, and
streams, with the same options in a process without a server. Rows are added to those of FILE, and
replace those of the same model, options and clients.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from machine import machine

HERE = Path(__file__).parent
OUT = HERE / "results" / "serving.json"
BARE_S = 3.0
"""Seconds for each form of the bare model."""
WARM_S = 1.0
"""Seconds of load before it is measured: what is captured, and memory that is kept."""


def bare(model: Path, options: Sequence[str]) -> dict[str, float]:
    """Requests a second of the model without a server, in a process of its own."""
    code = f"import serving; serving.print_bare({str(model)!r}, {list(options)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=HERE, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def print_bare(model: str, options: Sequence[str]) -> None:
    """Prints what bare() returns."""
    import typer

    from ramiel.programs.build import build
    from ramiel.programs.loaded import load
    from ramiel.runtime.measure import random_inputs
    from ramiel.tools.options import compiling

    found: dict[str, float] = {}

    @compiling()
    def measure(options: Any) -> None:
        program = load(build(Path(model), options))
        inputs = tuple(random_inputs(program.inputs, {}, 0))

        def call(count: int) -> None:
            for _ in range(count):
                program(*inputs)

        def stream(count: int) -> None:
            for _ in program.stream([inputs] * count):
                pass

        found.update(call=_rate(call) * program.batch, stream=_rate(stream) * program.batch)
        program.close()

    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(measure)
    app([*options], standalone_mode=False)
    print(json.dumps(found))


def _rate(run: Callable[[int], None]) -> float:
    """How often a second something runs, of which `run` does so many."""
    run(4)
    count, begun = 0, time.perf_counter()
    while (taken := time.perf_counter() - begun) < BARE_S:
        run(10)
        count += 10
    return count / taken


@contextmanager
def server(model: Path, options: Sequence[str]) -> Generator[int]:
    """The port of a server of a model, called m."""
    command = [sys.executable, "-m", "ramiel.tools.cli", "serve", f"m={model}", "--port", "0"]
    with subprocess.Popen(
        [*command, "--no-access-log", *options], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in iter(process.stdout.readline, ""):
            if line.startswith("serving"):
                yield int(line.removesuffix("/v2\n").rpartition(":")[2])
                break
        process.terminate()
        if code := process.wait():
            raise SystemExit(f"the server ended with {code}")


def load(port: int, clients: int, seconds: float) -> dict[str, Any]:
    """What serving_load.py has found."""
    arguments = (port, "m", clients, seconds)
    command = [sys.executable, str(HERE / "serving_load.py"), *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def memory(port: int) -> float:
    """MB that the server occupies."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    (line,) = (line for line in lines if line.startswith("process_resident_memory_bytes"))
    return float(line.split()[1]) / 1e6


def row(port: int, clients: int, seconds: float, alone: dict[str, float]) -> dict[str, Any]:
    load(port, clients, WARM_S)
    before = memory(port)
    found = load(port, clients, seconds)
    times = found["seconds"]
    rate = len(times) / found["wall"]
    best = alone["call"] if clients == 1 else max(alone.values())
    return {
        "requests": len(times),
        "errors": found["errors"],
        "different": found["different"],
        "requests_per_s": rate,
        "bare_call_per_s": alone["call"],
        "bare_stream_per_s": alone["stream"],
        "of_bare": rate / best,
        "p50_ms": statistics.median(times) * 1e3,
        "p99_ms": statistics.quantiles(times, n=100, method="inclusive")[98] * 1e3,
        "memory_before_mb": before,
        "memory_after_mb": memory(port),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--clients", default="1,4,16,64")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--out", type=Path, default=OUT)
    ours, _, options = " ".join(sys.argv[1:]).partition(" -- ")
    given, options = parser.parse_args(ours.split()), options.split()
    rows = json.loads(given.out.read_text())["rows"] if given.out.exists() else []
    for model in given.models:
        alone = bare(model.resolve(), options)
        with server(model, options) as port:
            for clients in map(int, given.clients.split(",")):
                key = {"model": model.stem, "options": " ".join(options), "clients": clients}
                found = {**key, **row(port, clients, given.seconds, alone)}
                print(json.dumps(found), flush=True)
                rows = [*(r for r in rows if not key.items() <= r.items()), found]
                document = {"machine": machine(), "rows": rows}
                given.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
