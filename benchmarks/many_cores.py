"""Schedules, ONNX Runtime and OpenVINO on 4, 8 and 16 cores of one machine, in turns.

    python benchmarks/many_cores.py MODEL.onnx ... [--cores 16,8,4] [--seconds 360] [--out FILE]

Give the models first where branches matter most: when the time is over, the rest is left out and
named. Each number of cores is a process of its own, bound to so many cores. The contestants take
turns, a burst each, with a pause in between as their threads spin for a while. A form whose outputs
differ from ONNX Runtime's is excluded. Needs onnxruntime; OpenVINO takes part if it is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SCHEDULES = ("intra-op", "linear", "list", "dsc", "auto")
PAUSE_S = 0.05
BURST_S = 0.15
WRONG = 1e-2
"""Relative to the largest value of an output."""


def measure(model: Path, cores: int, seconds: float) -> dict[str, Any]:
    """ms of each contestant, and what `ramiel` expects and says of its programs."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    import numpy as np
    import onnxruntime

    import ramiel
    from ramiel.runtime.measure import random_inputs
    from ramiel.runtime.program import as_tuple

    start = time.monotonic()
    programs = {name: ramiel.compile(model, workers=cores, schedule=name) for name in SCHEDULES}
    inputs = random_inputs(programs["auto"].inputs, {}, 0)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores
    session = onnxruntime.InferenceSession(str(model), options)
    feeds = {i.name: x.numpy() for i, x in zip(session.get_inputs(), inputs, strict=True)}
    expected: Any = session.run(None, feeds)
    runs: dict[str, Callable[[], object]] = {"ONNX Runtime": lambda: session.run(None, feeds)}
    facts: dict[str, Any] = {}
    for name, program in programs.items():
        outputs = [as_tuple(program(*inputs)) for _ in range(3)][-1]
        errors = [
            float(np.abs(got.numpy() - want).max() / max(np.abs(want).max(), 1e-9))
            for got, want in zip(outputs, expected, strict=True)
        ]
        report = program.report
        facts[name] = {
            "schedule": report.schedule,
            "expected_ms": report.parallel_us / 1e3,
            "bound_ms": report.bound_us / 1e3,
            "replay": program.capture_status(*inputs),
            "error": max(errors),
        }
        if max(errors) < WRONG:
            runs[name] = lambda p=program: p(*inputs)
    try:
        import openvino

        core = openvino.Core()
        how = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": cores}
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--cores", default="16,8,4")
    parser.add_argument("--seconds", type=float, default=360.0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    counts = [int(count) for count in options.cores.split(",")]
    if options.one is not None:
        print(json.dumps(measure(options.models[0], counts[0], options.one)))
        return
    available = len(os.sched_getaffinity(0))
    counts = [count for count in counts if count <= available] or [available]
    end = time.monotonic() + options.seconds
    left = [(count, model) for model in options.models for count in counts]
    results: dict[str, dict[str, Any]] = {str(count): {} for count in counts}
    while left:
        count, model = left.pop(0)
        share = (end - time.monotonic()) / (len(left) + 1)
        if share < 1:
            print(f"left out, as the time is over: {model.stem} on {count} cores")
            continue
        command = [sys.executable, __file__, str(model), "--cores", str(count)]
        run = subprocess.run(
            [*command, "--one", str(share)], capture_output=True, text=True, check=False
        )
        if run.returncode:
            print(f"{model.stem} on {count} cores: {run.stderr.strip().splitlines()[-1]}")
            continue
        results[str(count)][model.stem] = json.loads(run.stdout.splitlines()[-1])
        print(f"{model.stem} on {count} cores: {results[str(count)][model.stem]['ms']}", flush=True)
    for count, found in results.items():
        print(f"\nms on {count} cores, as simulated in parentheses\n\n{table(found)}")
    if options.out:
        options.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
