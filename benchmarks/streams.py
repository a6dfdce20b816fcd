"""Streams of requests by each way to compute them, in turns, beside what was predicted.

    python benchmarks/streams.py MODEL.onnx ... [--workers 2] [--rounds 7] [--seconds 2]
        [--executors threads,processes] [--out FILE]

For each model, the first way is serial calls that follow each other; the others are whole requests
on each core, pipeline stages, batches of two as hyperclusters, and what --objective throughput
chooses. In every round each way streams for some seconds, in an order that changes. Its throughput,
and the latencies of its requests, from when one is taken to its result, are those of all rounds;
ratios are between the ways of one round. Each result is compared with serial's, bit for bit. Where
the kernel gives a thread's core away often, other programs disturb, and the round is made again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from machine import machine

from ramiel.analysis.streaming import Streaming as Simulated
from ramiel.analysis.streaming import steady
from ramiel.api import CompiledProgram
from ramiel.compiler import Compilation
from ramiel.cores import cores
from ramiel.pipelines import Options
from ramiel.programs.build import build
from ramiel.programs.loaded import load
from ramiel.runtime import Streaming
from ramiel.runtime.disturbance import Watch, forget
from ramiel.runtime.measure import random_inputs, same_bits
from ramiel.runtime.outputs import as_tuple
from ramiel.runtime.replay.native import native, why_not
from ramiel.torch_level.placements import read_placement
from ramiel.torch_level.tasks import main_function

OUT = Path(__file__).parent / "results" / "streams.json"
REQUESTS = 8
"""Different requests, which streams take in turns."""
PATIENCE = 3
"""How many times as many rounds are made at most until enough were undisturbed."""
WARM = 4
"""Requests before those that are timed, in each burst."""


class Contestant(NamedTuple):
    """A program, how it streams, and what was predicted: µs."""

    program: CompiledProgram
    streaming: Streaming
    interval: float
    latency: float


class Burst(NamedTuple):
    """What was measured: the seconds for each request, and each one's latency."""

    interval: float
    latencies: list[float]


def contestants(model: Path, workers: int, executor: str) -> dict[str, Contestant]:
    """The ways to stream, by name."""
    wanted: Mapping[str, Mapping[str, Any]] = {
        "one-thread": {"schedule": "serial"},
        "pipeline": {"schedule": "pipeline"},
        "batches": {"schedule": "hyper", "batch": workers},
        "chosen": {"objective": "throughput"},
    }
    made = {
        name: build(model, Options(workers=workers, executor=executor, probe=True, **options))
        for name, options in wanted.items()
    }
    programs = {name: load(compilation) for name, compilation in made.items()}
    alone, whole = Streaming("serial", 1, 1), Streaming("serial", workers, workers + 1)
    batches = Streaming("batches", workers, 2 * workers)
    return {
        "serial": _contestant(made["one-thread"], programs["one-thread"], alone),
        "whole requests": _contestant(made["one-thread"], programs["one-thread"], whole),
        "pipeline": _contestant(made["pipeline"], programs["pipeline"]),
        "hyperclusters": _contestant(made["batches"], programs["batches"], batches),
        "chosen": _contestant(made["chosen"], programs["chosen"]),
    }


def _contestant(
    compilation: Compilation, program: CompiledProgram, streaming: Streaming | None = None
) -> Contestant:
    """One with the program's own way, or another."""
    streaming = streaming or program.streaming
    placed = read_placement(main_function(compilation.module))
    found = steady(placed.graph, placed.placement, Simulated(*map(_given, streaming)), placed.batch)
    return Contestant(program, streaming, found.interval, found.latency)


def _given(value: Any) -> Any:
    assert value is not None
    return value


def burst(
    way: Contestant, requests: Sequence[Any], expected: Sequence[Any], seconds: float
) -> Burst:
    """Streams for some seconds. SystemExit for a result that differs from serial's."""
    taken: list[float] = []
    done: list[float] = []
    in_flight = way.streaming.limits()[1]
    end = time.perf_counter() + seconds

    def given() -> Iterator[Any]:
        while len(taken) < in_flight + 2 * WARM or time.perf_counter() < end:
            taken.append(time.perf_counter())
            yield requests[(len(taken) - 1) % REQUESTS]

    type(way.program).streaming = way.streaming
    for result in way.program.stream(given()):
        done.append(time.perf_counter())
        want = expected[(len(done) - 1) % REQUESTS]
        if not all(map(same_bits, as_tuple(result), want)):
            raise SystemExit(f"a result of {way.streaming} differs from serial's")
    # Neither while the first fill the stages, nor while the last empty them.
    full = slice(WARM, len(done) - in_flight)
    interval = (done[full][-1] - done[full][0]) / (len(done[full]) - 1)
    return Burst(interval, [b - a for a, b in zip(taken[full], done[full], strict=True)])


def compare(
    model: Path, workers: int, executor: str, rounds: int, seconds: float
) -> dict[str, Any]:
    """The measurements of one model."""
    ways = contestants(model, workers, executor)
    serial = ways["serial"].program
    requests = [tuple(random_inputs(serial.inputs, {}, seed)) for seed in range(REQUESTS)]
    expected = {
        name: [as_tuple(way.program.serial(*request)) for request in requests]
        for name, way in ways.items()
    }
    bursts: dict[str, list[Burst]] = {name: [] for name in ways}
    disturbed = 0
    for name, way in ways.items():  # captures
        burst(way, requests, expected[name], 0.0)
        burst(way, requests, expected[name], 0.0)
    for turn in range(PATIENCE * rounds):
        if len(bursts["serial"]) == rounds:
            break
        names = list(ways)[turn % len(ways) :] + list(ways)[: turn % len(ways)]
        forget()
        watch = Watch()
        found = {n: burst(ways[n], requests, expected[n], seconds) for n in names}
        left = PATIENCE * rounds - turn
        if left > rounds - len(bursts["serial"]) and not watch.is_quiet():
            disturbed += 1
            continue
        for name, one in found.items():
            bursts[name].append(one)
    for way in ways.values():
        way.program.close()
    return {
        "executor": executor,
        "disturbed_rounds": disturbed,
        "ways": {name: _row(ways[name], bursts[name], bursts["serial"]) for name in ways},
    }


def _row(way: Contestant, bursts: Sequence[Burst], serial: Sequence[Burst]) -> dict[str, Any]:
    latencies = [latency for one in bursts for latency in one.latencies]
    ratios = [b.interval / a.interval for a, b in zip(bursts, serial, strict=True)]
    return {
        "way": way.streaming.way,
        "at_a_time": way.streaming.at_a_time,
        "in_flight": way.streaming.in_flight,
        "requests": len(latencies),
        "requests_per_s": statistics.median(1 / one.interval for one in bursts),
        "predicted_requests_per_s": 1e6 / way.interval,
        "of_serial": statistics.median(ratios),
        "of_serial_from_to": [min(ratios), max(ratios)],
        "latency_ms": statistics.median(latencies) * 1e3,
        "latency_p99_ms": statistics.quantiles(latencies, n=100, method="inclusive")[98] * 1e3,
        "predicted_latency_ms": way.latency / 1e3,
    }


def show(model: str, found: Mapping[str, Any]) -> None:
    print(f"\n{model}, {found['executor']}; {found['disturbed_rounds']} rounds were disturbed")
    print(
        f"{'':16}{'requests/s':>11}{'predicted':>11}{'of serial':>20}"
        f"{'median ms':>11}{'p99':>8}{'predicted':>11}"
    )
    for name, row in found["ways"].items():
        low, high = row["of_serial_from_to"]
        print(
            f"{name:16}{row['requests_per_s']:11.1f}{row['predicted_requests_per_s']:11.1f}"
            f"{row['of_serial']:8.2f} ({low:.2f}-{high:.2f})"
            f"{row['latency_ms']:11.1f}{row['latency_p99_ms']:8.1f}"
            f"{row['predicted_latency_ms']:11.1f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--workers", type=int, default=min(2, cores()))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--executors", default="threads")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    if native() is None:
        raise SystemExit(why_not())
    sittings: list[dict[str, Any]] = []
    for model in options.models:
        for executor in options.executors.split(","):
            found = compare(model, options.workers, executor, options.rounds, options.seconds)
            show(model.stem, found)
            sittings.append({"model": model.stem, **found})
    document = {"machine": machine(), "workers": options.workers, "sittings": sittings}
    options.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
