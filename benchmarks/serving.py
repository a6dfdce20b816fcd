"""A server under load, beside the bare model.

    python benchmarks/serving.py MODEL.onnx ... [--clients 1,4,16,64] [--seconds 4] [--rounds 3]
        [--out FILE] [-- options of ramiel serve]

For each number of clients, that many send one request after the other, from a process of their own
on the same machine (serving_load.py). In turns with that, and with the same options, the bare model
is called in a loop, and streams, in a process without a server (serving_bare.py). A row has medians
of the rounds, and the server's memory before and after. Rows are added to those of FILE, and
replace those of the same model, options and clients. serving_page.py prints them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from machine import machine

HERE = Path(__file__).parent
OUT = HERE / "results" / "serving.json"
WARM_S = 1.0
"""Seconds of load before it is measured: what is captured, and memory that is kept."""
Measured = dict[str, Any]
"""What a process says of its requests."""


@contextmanager
def bare(model: Path, options: Sequence[str]) -> Generator[Callable[[str, float], Measured]]:
    """What computes requests without a server: by calls or as a stream, for some seconds."""
    command = [sys.executable, str(HERE / "serving_bare.py"), str(model), *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        while (line := process.stdout.readline()) != "ready\n":
            if not line:
                raise SystemExit("the bare model failed")

        def measured(way: str, seconds: float) -> Measured:
            assert process.stdin is not None and process.stdout is not None
            print(way, seconds, file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        yield measured


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


def metric(port: int, name: str) -> float:
    """A metric of the server's process."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    (line,) = (line for line in lines if line.startswith(f"process_{name} "))
    return float(line.split()[1])


def under_load(port: int, clients: int, seconds: float) -> Measured:
    """What the clients have found, and the seconds of a core that the server took."""
    before = metric(port, "cpu_seconds_total")
    found = load(port, clients, seconds)
    return {**found, "server_cpu": metric(port, "cpu_seconds_total") - before}


def row(
    port: int, alone: Callable[[str, float], Measured], clients: int, seconds: float, rounds: int
) -> dict[str, Any]:
    """What was found in rounds of the bare model and of the server, each of them in turn."""
    load(port, clients, WARM_S)
    before = metric(port, "resident_memory_bytes")
    found = [
        (alone("call", seconds), alone("stream", seconds), under_load(port, clients, seconds))
        for _ in range(rounds)
    ]
    after = metric(port, "resident_memory_bytes")
    calls, streams, loads = zip(*found, strict=True)
    # One client does not wait for others, so its requests are no stream.
    best = [calls] if clients == 1 else [calls, streams]
    parts = [
        rate(served) / max(map(rate, of_round))
        for served, *of_round in zip(loads, *best, strict=True)
    ]
    times = [taken for served in loads for taken in served["times"]]
    return {
        "seconds": seconds * rounds,
        "requests": len(times),
        "errors": sum(served["errors"] for served in loads),
        "different": sum(served["different"] for served in loads),
        "requests_per_s": statistics.median(map(rate, loads)),
        "bare_call_per_s": statistics.median(map(rate, calls)),
        "bare_stream_per_s": statistics.median(map(rate, streams)),
        "of_bare": statistics.median(parts),
        "of_bare_rounds": parts,
        "p50_ms": statistics.median(times) * 1e3,
        "p99_ms": statistics.quantiles(times, n=100, method="inclusive")[98] * 1e3,
        "bare_cpu_ms": statistics.median(map(cpu_ms, calls if clients == 1 else streams)),
        "server_cpu_ms": statistics.median(cpu_ms(served, "server_cpu") for served in loads),
        "clients_cpu_ms": statistics.median(map(cpu_ms, loads)),
        "memory_before_mb": before / 1e6,
        "memory_after_mb": after / 1e6,
    }


def rate(measured: Measured) -> float:
    """Requests a second."""
    return measured["requests"] / measured["wall"]


def cpu_ms(measured: Measured, name: str = "cpu") -> float:
    """Milliseconds of a core for a request."""
    return measured[name] / measured["requests"] * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--clients", default="1,4,16,64")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT)
    ours, _, options = " ".join(sys.argv[1:]).partition(" -- ")
    given, options = parser.parse_args(ours.split()), options.split()
    rows = json.loads(given.out.read_text())["rows"] if given.out.exists() else []
    for model in given.models:
        with bare(model, options) as alone, server(model, options) as port:
            for clients in map(int, given.clients.split(",")):
                key = {"model": model.stem, "options": " ".join(options), "clients": clients}
                found = {**key, **row(port, alone, clients, given.seconds, given.rounds)}
                print(json.dumps(found), flush=True)
                rows = [*(r for r in rows if not key.items() <= r.items()), found]
                document = {"machine": machine(), "rows": rows}
                given.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
