"""A model without a server: what benchmarks/serving.py runs as a process of its own.

    python benchmarks/serving_bare.py MODEL.onnx [options of ramiel serve]

Compiles the model and waits. For each line `call SECONDS` or `stream SECONDS` it computes the same
request again and again for so long, and prints JSON: how many requests that were, the seconds, and
those of a core. `call` waits for each result, `stream` has several under way.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from ramiel.api import CompiledProgram
from ramiel.programs.build import build
from ramiel.programs.loaded import load
from ramiel.runtime.measure import random_inputs
from ramiel.tools.options import compiling

Computed = Callable[[Iterator[Any]], Iterator[Any]]
"""The results of requests."""


@compiling()
def main(model: Path, options: Any) -> None:
    program = load(build(model, options))
    inputs = tuple(random_inputs(program.inputs, {}, 0))
    ways: dict[str, Computed] = {
        "call": lambda requests: (program(*request) for request in requests),
        "stream": program.stream,
    }
    for way in ways.values():
        measured(way, inputs, program, 0.5)
    print("ready", flush=True)
    for line in sys.stdin:
        way, seconds = line.split()
        print(json.dumps(measured(ways[way], inputs, program, float(seconds))), flush=True)
    program.close()


def measured(way: Computed, inputs: Any, program: CompiledProgram, seconds: float) -> Any:
    def requests() -> Iterator[Any]:
        while time.perf_counter() - begun < seconds:
            yield inputs

    cpu, begun = time.process_time(), time.perf_counter()
    count = sum(program.batch for _ in way(requests()))
    wall = time.perf_counter() - begun
    return {"requests": count, "wall": wall, "cpu": time.process_time() - cpu}


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
