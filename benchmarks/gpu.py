"""Schedules on the streams of a GPU against one stream, each captured as one CUDA graph.

    python benchmarks/gpu.py prepare OUT [MODEL.onnx ...]   # anywhere: compiles for a GPU
    python benchmarks/gpu.py run OUT [--json FILE]          # on a machine with a GPU
    python benchmarks/gpu.py run MODEL.onnx ...             # both, on a machine with a GPU

`prepare` writes OUT/MODEL/SCHEDULE.py for each schedule, and the shapes of the weights, not the
weights: those are random, which times do not depend on. It adds `experts`, 16 experts with a gate,
which is made here, and OUT/MODEL-f16, which computes in float16, for the models that have a goal in
it. `run` needs PyTorch, numpy and safetensors only, unless it has to compile; it also takes
PROGRAM.py, which has its weights beside it.

Each model runs in a process of its own with a time limit, and each number is printed and written
when it is known; all of it takes at most five minutes, compiling aside. Last comes a line for each
promise (gpu_verdicts.py), which holds, fails, or was not measured; the exit code is 1 if one fails.
Convolutions in float32 use TF32, PyTorch's default, which has 11 bits of mantissa; with --no-tf32
they have 24. Times are medians, in ms, by CUDA events: of `replay`, the graph alone; of `call`,
with the copies of inputs and outputs. Memory is what the allocator reserves.

- eager: `serial` as PyTorch's plain calls, one by one
- plain graph: the same calls on one stream as a graph, to which speed-ups are relative
- one stream: `serial` with our kernels, as a graph
- each schedule, as a graph of streams, however fast one stream is
- as called: `auto` as users get it, the faster of its graph and that of one stream
- without TF32: the error of `auto` alone
- torch.compile reduce-overhead: of the plain calls, after all others, while there is time left
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gpu_model import do_without_safetensors, one
from gpu_prepare import SCHEDULES, SHAPES, folder_name, prepare
from gpu_verdicts import table, trial, verdicts

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def run(given: Sequence[Path], options: argparse.Namespace) -> int:
    """Measures and prints all; the exit code."""
    rows: list[dict[str, Any]] = []
    about = environment(options.tf32)
    print(about, flush=True)
    chosen = by_goals(targets(given, options))
    deadline = time.monotonic() + options.total
    for compiled in (False, True)[: 1 + options.compile]:
        for target in chosen:
            left = deadline - time.monotonic()
            if left < 5:
                print(f"{target.stem}: no time left", flush=True)
                continue
            for row in measured(target, options, min(left, options.limit), compiled):
                rows.append({"model": target.stem, **row})
                print(f"{target.stem:14} {row}", flush=True)
                if options.json is not None:
                    document = {"environment": about, "rows": rows}
                    text = json.dumps(document, indent=1) + "\n"
                    options.json.write_text(text, encoding="utf-8")
    found = list(verdicts(rows, about))
    print("\n".join([*table(rows), "", *map(str, found)]), flush=True)
    return int(any(verdict.holds is False for verdict in found))


def by_goals(chosen: Iterator[Path]) -> list[Path]:
    """Models that have a goal first, in its order: time may not suffice for all."""
    order = list(trial())
    rank = {name: place for place, name in enumerate(order)}
    return sorted(chosen, key=lambda path: rank.get(path.stem, len(order)))


def prepared(out: Path, models: Sequence[Path], options: argparse.Namespace) -> list[Path]:
    """The folders of the programs of models and of experts, those with a goal in float16 too."""
    made: list[Path] = []
    every = [*models, "experts"]
    for dtype in options.dtypes.split(","):
        wanted = [
            model
            for model in every
            if dtype == "f32" or options.all or folder_name(Path(model).stem, dtype) in trial()
        ]
        made += prepare(out, wanted, options.schedules.split(","), options.device, dtype)
    return made


def targets(given: Sequence[Path], options: argparse.Namespace) -> Iterator[Path]:
    """Folders and programs; models are compiled first."""
    if models := [path for path in given if path.suffix == ".onnx"]:
        yield from prepared(Path(options.work) / "compiled", models, options)
    for path in given:
        if path.suffix == ".py" or (path / SHAPES).exists():
            yield path
        elif path.suffix != ".onnx":
            yield from sorted(p for p in path.iterdir() if (p / SHAPES).exists())


def measured(
    target: Path, options: argparse.Namespace, limit: float, compiled: bool
) -> Iterator[dict[str, Any]]:
    """The rows of one model, as they come; its process ends after `limit` seconds."""
    command = [sys.executable, __file__, "one", str(target), "--seconds", str(options.seconds)]
    command += ["--no-tf32"] * (not options.tf32) + ["--compile"] * compiled
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    timer = threading.Timer(limit, process.kill)
    timer.start()
    assert process.stdout is not None
    rest: list[str] = []
    try:
        for line in process.stdout:
            if line.startswith("{"):
                yield json.loads(line)
            else:
                rest.append(line)
    finally:
        timer.cancel()
    code = process.wait()
    if code < 0:  # no promise was broken: too little was measured
        print(f"{target.stem}: ended after {limit:.0f} s", flush=True)
    elif code:
        yield {"way": "process", "failed": f"exit code {code}"}
        print("".join(rest[-30:]), flush=True)


def environment(tf32: bool) -> dict[str, object]:
    import torch

    do_without_safetensors()
    from ramiel.runtime.errors import DeviceUnavailable
    from ramiel.runtime.streams.device import device_of_programs

    try:
        device = device_of_programs()
    except DeviceUnavailable as error:
        raise SystemExit(str(error)) from None
    on_cuda = device.torch_device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name() if on_cuda else device.name,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if on_cuda else None,
        "tf32": "in convolutions" if tf32 else "off",
        "has_times": device.has_times,
        "date": time.strftime("%Y-%m-%d"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("prepare", help="compile models for a GPU")
    making.add_argument("out", type=Path)
    making.add_argument("models", type=Path, nargs="*")
    running = commands.add_parser("run", help="measure")
    running.add_argument("given", type=Path, nargs="+")
    running.add_argument("--json", type=Path)
    running.add_argument("--limit", type=float, default=50, help="seconds for each model")
    running.add_argument("--total", type=float, default=290, help="seconds for all models")
    running.add_argument("--no-compile", dest="compile", action="store_false")
    running.add_argument("--work", default="out", help="where models are compiled")
    for parts, device in ((making, "cuda:h100"), (running, "cuda")):
        parts.add_argument("--device", default=device, help="whose costs are assumed")
        parts.add_argument("--schedules", default=",".join(SCHEDULES))
        parts.add_argument("--dtypes", default="f32,f16", help="of f32, f16, bf16")
        parts.add_argument("--all", action="store_true", help="every model in every type")
    single = commands.add_parser("one", help="measure one model, in this process")
    single.add_argument("folder", type=Path)
    for parts in (running, single):
        parts.add_argument("--seconds", type=float, default=0.25, help="of each measurement")
        parts.add_argument("--no-tf32", dest="tf32", action="store_false")
    single.add_argument("--compile", action="store_true", help="torch.compile alone")
    options = parser.parse_args()
    if options.command == "prepare":
        prepared(options.out, options.models, options)
    elif options.command == "one":
        one(options.folder, options.seconds, options.tf32, options.compile)
    else:
        raise SystemExit(run(options.given, options))


if __name__ == "__main__":
    main()
