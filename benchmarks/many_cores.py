"""Schedules, ONNX Runtime and OpenVINO on 4, 8 and 16 cores of one machine, in turns.

    python benchmarks/many_cores.py MODEL.onnx ... [--cores 16,8,4] [--seconds 360] [--out FILE]

Give the models first where branches matter most: when the time is over, the rest is left out and
named. First the operations of all models are profiled, one model at a time, then all programs are
compiled, many at a time, and then they are measured: each model and number of cores in a process of
its own, bound to so many cores. There the contestants take turns, a burst each, with a pause in
between as their threads spin for a while. A form whose outputs differ from ONNX Runtime's is
excluded. Needs onnxruntime; OpenVINO takes part if it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from machine import machine

import ramiel
from ramiel.runtime import Program, Weights
from ramiel.runtime.measure import random_inputs
from ramiel.runtime.outputs import as_tuple

SCHEDULES = ("intra-op", "linear", "list", "dsc", "refine", "auto")
PAUSE_S = 0.05
BURST_S = 0.15
WRONG = 1e-2
"""Relative to the largest value of an output."""
MEASURING = 0.6
"""The share of the time that is for measuring."""


def name_of(model: Path, cores: int, schedule: str) -> str:
    return f"{model.stem}_{cores}_{schedule.replace('-', '_')}"


def compile_to(folder: Path, model: Path, cores: int, schedule: str) -> None:
    """A program in a file, and what is expected of it in another."""
    program = ramiel.compile(model, workers=cores, schedule=schedule, profile=True)
    path = folder / f"{name_of(model, cores, schedule)}.py"
    program.save(path)
    facts = {
        "schedule": program.report.schedule,
        "expected_ms": program.report.parallel_us / 1e3,
        "bound_ms": program.report.bound_us / 1e3,
    }
    path.with_suffix(".json").write_text(json.dumps(facts))


def load(path: Path) -> Program:
    """The program of a file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kinds = (kind for kind in vars(module).values() if inspect.isclass(kind))
    kind: Any = next(kind for kind in kinds if kind.__module__ == path.stem)
    return kind(Weights.open(path.with_suffix(".safetensors")))


def measure(folder: Path, model: Path, cores: int, seconds: float) -> dict[str, Any]:
    """ms of each contestant, and what `ramiel` expects and says of its programs."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    start = time.monotonic()
    facts: dict[str, Any] = {}
    programs: dict[str, Program] = {}
    for schedule in SCHEDULES:
        name = name_of(model, cores, schedule)
        if (folder / f"{name}.json").exists():
            facts[schedule] = json.loads((folder / f"{name}.json").read_text())
            programs[schedule] = load(folder / f"{name}.py")
    inputs = random_inputs(programs["auto"].inputs, {}, 0)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores
    session = onnxruntime.InferenceSession(str(model), options)
    feeds = {i.name: x.numpy() for i, x in zip(session.get_inputs(), inputs, strict=True)}
    expected: Any = session.run(None, feeds)
    runs: dict[str, Callable[[], object]] = {"ONNX Runtime": lambda: session.run(None, feeds)}
    for name, program in programs.items():
        outputs = [as_tuple(program(*inputs)) for _ in range(3)][-1]
        errors = [
            float(np.abs(got.numpy() - want).max() / max(np.abs(want).max(), 1e-9))
            for got, want in zip(outputs, expected, strict=True)
        ]
        facts[name] |= {"replay": program.capture_status(*inputs), "error": max(errors)}
        if max(errors) < WRONG:
            runs[name] = lambda p=program: p(*inputs)
    try:
        import openvino

        core = openvino.Core()
        how = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": cores}
        how["INFERENCE_PRECISION_HINT"] = "f32"
        request = core.compile_model(str(model), "CPU", how).create_infer_request()
        given = {i: x.numpy() for i, x in enumerate(inputs)}
        runs["OpenVINO"] = lambda: request.infer(given, share_inputs=True, share_outputs=True)
    except ImportError:
        pass
    times: dict[str, list[float]] = {name: [] for name in runs}
    while time.monotonic() - start < seconds or not times["ONNX Runtime"]:
        for name, run in runs.items():
            time.sleep(PAUSE_S)
            run()
            count, begin = 0, time.perf_counter()
            while count == 0 or time.perf_counter() - begin < BURST_S:
                run()
                count += 1
            times[name].append((time.perf_counter() - begin) / count * 1e3)
    return {"ms": {name: statistics.median(t) for name, t in times.items()}, "facts": facts}


def table(results: dict[str, dict[str, Any]]) -> str:
    """The results of one number of cores, as Markdown."""
    columns = ["ONNX Runtime", "OpenVINO", *SCHEDULES]
    lines = [
        "| model | " + " | ".join(columns) + " | best over ONNX Runtime | bound |",
        "|---" * (len(columns) + 3) + "|",
    ]
    for model, found in results.items():
        ms = found["ms"]
        cells = [f"{ms[c]:.2f}" if c in ms else "" for c in columns]
        for i, name in enumerate(columns):
            if name in found["facts"] and cells[i]:
                cells[i] += f" ({found['facts'][name]['expected_ms']:.2f})"
        best = min((ms[s] for s in SCHEDULES if s in ms), default=float("nan"))
        ratio, bound = ms["ONNX Runtime"] / best, found["facts"]["auto"]["bound_ms"]
        lines.append(f"| {model} | {' | '.join(cells)} | {ratio:.2f} | {bound:.2f} |")
    return "\n".join(lines)


def compile_all(
    folder: Path, models: Iterable[Path], counts: list[int], end: float
) -> list[tuple[Path, int]]:
    """The models and numbers of cores whose programs are there. The costs of operations on all
    numbers of threads are measured while the first program of a model is compiled."""
    spawn = multiprocessing.get_context("spawn")
    profiled: list[Path] = []
    for model in models:
        if time.monotonic() > end:
            print(f"left out, as the time is over: {model.stem}")
            continue
        start = time.monotonic()
        with ProcessPoolExecutor(1, spawn) as pool:
            pool.submit(compile_to, folder, model, max(counts), "intra-op").result()
        profiled.append(model)
        print(f"profiled {model.stem} in {time.monotonic() - start:.1f} s", flush=True)
    start = time.monotonic()
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), spawn) as pool:
        jobs = {
            (model, cores, schedule): pool.submit(compile_to, folder, model, cores, schedule)
            for cores, model, schedule in product(counts, profiled, SCHEDULES)
        }
        for (model, cores, schedule), job in jobs.items():
            if error := job.exception():
                print(f"{model.stem}, {schedule} on {cores} cores: {error}")
    print(f"compiled {len(jobs)} programs in {time.monotonic() - start:.1f} s", flush=True)
    return [(model, cores) for model in profiled for cores in counts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--cores", default="16,8,4")
    parser.add_argument("--seconds", type=float, default=360.0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    counts = [int(count) for count in options.cores.split(",")]
    if options.one is not None:
        found = measure(options.one, options.models[0], counts[0], options.seconds)
        print(json.dumps(found))
        return
    available = len(os.sched_getaffinity(0))
    counts = [count for count in counts if count <= available] or [available]
    end = time.monotonic() + options.seconds
    results: dict[str, dict[str, Any]] = {str(count): {} for count in counts}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        enough = end - options.seconds * MEASURING
        left = compile_all(folder, options.models, counts, enough)
        while left:
            model, count = left.pop(0)
            share = (end - time.monotonic()) / (len(left) + 1)
            if share < 1:
                print(f"left out, as the time is over: {model.stem} on {count} cores")
                continue
            command = [sys.executable, __file__, str(model), "--cores", str(count)]
            run = subprocess.run(
                [*command, "--one", name, "--seconds", str(share)],
                capture_output=True,
                text=True,
                check=False,
            )
            if run.returncode:
                print(f"{model.stem} on {count} cores: {run.stderr.strip().splitlines()[-1]}")
                continue
            results[str(count)][model.stem] = json.loads(run.stdout.splitlines()[-1])
            ms = results[str(count)][model.stem]["ms"]
            print(f"{model.stem} on {count} cores: {ms}", flush=True)
    for count, found in results.items():
        print(f"\nms on {count} cores, as simulated in parentheses\n\n{table(found)}")
    if options.out:
        document = {"machine": machine(), "cores": results}
        options.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
