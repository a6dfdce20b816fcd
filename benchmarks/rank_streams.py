"""Streams of requests on two ranks on loopback, beside serial calls that follow each other.

    python benchmarks/rank_streams.py MODEL.onnx ... --link 20Gbit,60us [--out FILE]

Each model is compiled for two ranks of one worker: as a pipeline, in batches of two, and as
--objective throughput chooses, with costs that are measured just before. Programs are run by
torchrun on this machine. Rank 0 checks each result against the serial form, bit for bit, and
streams and calls the serial form in turns, for a second each. The ranks share memory, unless
RAMIEL_SHARED_MEMORY=0 has gloo connect them, or `--rate 1gbit` a link between two namespaces
(shaped.py).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from opened import opened
from ranks import TOLD, told_by, way_of

from ramiel.analysis.streaming import steady
from ramiel.compiler import compile_model, program_of
from ramiel.pipelines import Options
from ramiel.programs.files import write_program
from ramiel.runtime import Program
from ramiel.runtime.measure import random_inputs, same_bits
from ramiel.runtime.outputs import as_tuple
from ramiel.tools.options import link_of
from ramiel.torch_level.placements import read_placement, read_streaming
from ramiel.torch_level.tasks import main_function

WAYS: Mapping[str, Mapping[str, Any]] = {
    "pipeline": {"schedule": "pipeline"},
    "batches": {"batch": 2},
    "chosen": {"objective": "throughput"},
}
ROUNDS, SECONDS = 9, 1.0
"""Bursts of each form, and how long one takes."""
REQUESTS = 4
"""Different requests, which are taken in turns."""


def compared(model: Path, way: str, link: str, folder: Path, rate: str | None) -> dict[str, Any]:
    """A model's program that streams in a way: what is predicted, and what is measured."""
    options = Options(workers=1, executor="distributed", ranks=2, link=link_of(link), profile=True)
    made = compile_model(model, replace(options, **WAYS[way]))
    program, function = program_of(made.module), main_function(made.module)
    placed, streaming = read_placement(function), read_streaming(function)
    assert streaming is not None
    found = steady(placed.graph, placed.placement, streaming, placed.batch)
    path = folder / f"{model.stem.replace('-', '_')}_{way}.py"
    write_program(made.emitted, path)
    return {
        "model": model.stem,
        "stream": way,
        "way": streaming.way,
        "at_a_time": streaming.at_a_time,
        "in_flight": streaming.in_flight,
        "ranks": program.ranks,
        "messages": len(program.crossings),
        "predicted": found.interval / 1e3,
        "predicted_latency": found.latency / 1e3,
        **told_by(program.ranks, Path(__file__), path, rate),
    }


def run(path: Path) -> None:
    """Time a program, or serve it on a rank other than 0."""
    with opened(path) as program:
        if program.connect():
            program.serve()
            return
        requests = [tuple(random_inputs(program.inputs, {}, seed)) for seed in range(REQUESTS)]
        serial = getattr(program, "serial")  # noqa: B009
        expected = [as_tuple(serial(*request)) for request in requests]
        for _ in range(2):  # captures
            _burst(program, requests, expected, 0.0)
        rows = [
            (_burst(program, requests, expected, SECONDS), _serial_ms(serial, requests))
            for _ in range(ROUNDS)
        ]
    told = {
        "measured": statistics.median(interval for (interval, _), _ in rows),
        "latency": statistics.median(latency for (_, latency), _ in rows),
        "serial": statistics.median(ms for _, ms in rows),
        "of_serial": sorted(ms / interval for (interval, _), ms in rows),
    }
    print(TOLD + json.dumps(told))


def _burst(
    program: Program, requests: list[Any], expected: list[Any], seconds: float
) -> tuple[float, float]:
    """Streams for so long: ms from result to result, and of a request, while the stream is full."""
    in_flight = program.streaming.limits()[1]
    taken, done = list[float](), list[float]()
    end = time.perf_counter() + seconds

    def given() -> Iterator[Any]:
        while len(taken) < 4 * in_flight or time.perf_counter() < end:
            taken.append(time.perf_counter())
            yield requests[(len(taken) - 1) % REQUESTS]

    for number, result in enumerate(program.stream(given())):
        done.append(time.perf_counter())
        assert all(map(same_bits, as_tuple(result), expected[number % REQUESTS])), number
    full = slice(in_flight, len(done) - in_flight)
    interval = (done[full][-1] - done[full][0]) / (len(done[full]) - 1)
    latencies = [b - a for a, b in zip(taken[full], done[full], strict=True)]
    return interval * 1e3, statistics.median(latencies) * 1e3


def _serial_ms(serial: Any, requests: list[Any]) -> float:
    """ms of a serial call."""
    begin, calls = time.perf_counter(), 0
    while time.perf_counter() < begin + SECONDS:
        serial(*requests[calls % REQUESTS])
        calls += 1
    return (time.perf_counter() - begin) / calls * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--link", default="10Gbit,30us")
    parser.add_argument("--rate", help="of a link between namespaces, as tc takes it: 1gbit")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--program", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.program is not None:
        run(options.program)
        return
    rows: list[dict[str, Any]] = []
    for model in options.models:
        for way in options.ways.split(","):
            with tempfile.TemporaryDirectory() as folder:
                os.environ["RAMIEL_CACHE_DIR"] = folder
                found = compared(model, way, options.link, Path(folder), options.rate)
                rows.append(found)
            print(rows[-1], flush=True)
    if options.out is not None:
        document = {"link": options.link, "way": way_of(options.rate), "streams": rows}
        options.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
