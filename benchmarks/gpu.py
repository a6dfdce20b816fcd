"""Schedules on the streams of a GPU against one stream, each captured as one CUDA graph.

    python benchmarks/gpu.py prepare OUT [MODEL.onnx ...]   # anywhere: compiles for a GPU
    python benchmarks/gpu.py run OUT [--json FILE]          # on a machine with a GPU

`prepare` writes OUT/MODEL/SCHEDULE.py for each schedule, and the shapes of the weights, not the
weights: those are random, which times do not depend on. It adds `experts`, 16 experts with a gate,
which is made here. `run` also takes MODEL.onnx, which it compiles, and PROGRAM.py, which has its
weights beside it. `run` needs PyTorch, numpy and safetensors only, unless it has to compile.

Each model runs in a process of its own with a time limit, and each number is printed and written
when it is known; all of it takes at most five minutes. float32 is computed without TF32, so with 24
bits of mantissa; with --tf32 convolutions use TF32, which has 11 and is PyTorch's default. `prepare
--dtype f16` makes programs that compute in float16, in folders MODEL-f16. Times are medians, in ms,
by CUDA events: of `replay`, the graph alone; of `call`, with the copies of inputs and outputs.
Memory is what the allocator reserves.

- eager: `serial` as PyTorch's plain calls, one by one
- plain graph: the same calls on one stream as a graph, to which speed-ups are relative
- one stream: `serial` with our kernels, as a graph
- each schedule, as a graph of streams, however fast one stream is
- as called: `auto` as users get it, the faster of its graph and that of one stream
- torch.compile reduce-overhead: of the plain calls, after all others, while there is time left
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

SCHEDULES = ("auto", "linear", "list", "opara", "ios")
SHAPES = "weights.json"
BASE, COMPILED, CALLED = "plain graph", "torch.compile reduce-overhead", "as called"
TOLERANCE, TOLERANCE_OF_LESS = 1e-3, 3e-2
"""For float32, and for TF32 and float16."""
EXPERTS, DEPTH, WIDTH = 16, 3, 512


# --- prepare ---


def experts() -> Any:
    """A mixture of experts without a choice: all of them run, and a gate weighs their results."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    nodes: list[Any] = []
    weights: list[Any] = []

    def weight(name: str, *shape: int) -> str:
        values = rng.standard_normal(shape) / np.sqrt(shape[-1])
        weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], name=f"/{output}", **attributes))
        return output

    gate = node("Gemm", ["x", weight("gate.weight", WIDTH, EXPERTS)], "gate")
    gate = node("Softmax", [gate], "gates", axis=1)
    sizes = numpy_helper.from_array(np.ones(EXPERTS, np.int64), "sizes")
    parts = [f"gate_{i}" for i in range(EXPERTS)]
    nodes.append(helper.make_node("Split", [gate, "sizes"], parts, name="/split", axis=1))
    total = ""
    for i, part in enumerate(parts):
        y = "x"
        for layer in range(DEPTH):
            name = f"expert{i}_{layer}"
            given = [y, weight(f"{name}.weight", WIDTH, WIDTH), weight(f"{name}.bias", WIDTH)]
            y = node("Relu", [node("Gemm", given, f"{name}_gemm")], f"{name}_relu")
        y = node("Mul", [y, part], f"weighted{i}")
        total = node("Add", [total, y], f"sum{i}") if total else y
    values = {
        n: helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, WIDTH]) for n in ("x", total)
    }
    graph = helper.make_graph(nodes, "experts", [values["x"]], [values[total]], [*weights, sizes])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def prepare(
    out: Path, models: Sequence[Path], schedules: Sequence[str], device: str, dtype: str = "f32"
) -> None:
    from ramiel.compiler import compile_model
    from ramiel.pipelines import Options

    sources: dict[str, Any] = {path.stem: path for path in models} | {"experts": experts()}
    for name, source in sources.items():
        folder = out / (name if dtype == "f32" else f"{name}-{dtype}")
        folder.mkdir(parents=True, exist_ok=True)
        for schedule in schedules:
            start = time.perf_counter()
            made = compile_model(
                source, Options(schedule=schedule, device=device, dtype=dtype)
            ).emitted
            (folder / f"{schedule}.py").write_text(made.source, encoding="utf-8")
            arrays = {key: weight.array() for key, weight in made.weights.items()}
            shapes = {key: (list(a.shape), a.dtype.name) for key, a in arrays.items()}
            known = folder / SHAPES
            before = json.loads(known.read_text()) if known.exists() else {}
            known.write_text(json.dumps(before | shapes))
            print(f"{name} {schedule}: {time.perf_counter() - start:.1f} s", flush=True)


# --- one model, in a process of its own ---


def say(**row: object) -> None:
    print(json.dumps(row), flush=True)


@contextmanager
def plain_kernels() -> Generator[None]:
    """Layers make PyTorch's plain calls."""
    from ramiel.runtime.layers import _Prepared as Prepared  # pyright: ignore[reportPrivateUsage]

    own = Prepared._on_cuda  # pyright: ignore[reportPrivateUsage]
    Prepared._on_cuda = lambda self, x, other: self._plainly(x, other)  # pyright: ignore
    try:
        yield
    finally:
        Prepared._on_cuda = own  # pyright: ignore


def classes(folder: Path) -> Iterator[tuple[str, Any]]:
    """The program of each schedule."""
    for path in sorted(folder.glob("*.py")) if folder.is_dir() else [folder]:
        spec = importlib.util.spec_from_file_location(f"program_{path.stem}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        found = re.search(r"^class (\w+)\(StreamProgram\):", path.read_text(), re.MULTILINE)
        if found is None:
            raise SystemExit(f"{path} is not a program for CUDA")
        yield path.stem, getattr(module, found[1])


def weights_of(folder: Path, device: Any) -> Any:
    """The weights beside a program, or random ones of the shapes that are known."""
    import torch

    from ramiel.runtime import Weights

    if not folder.is_dir():
        return Weights.open(folder.with_suffix(".safetensors"))
    generator = torch.Generator(device).manual_seed(0)
    tensors: dict[str, torch.Tensor] = {}
    for name, (shape, dtype) in json.loads((folder / SHAPES).read_text()).items():
        kind = getattr(torch, dtype)
        if kind.is_floating_point:
            fan = max(1, int(torch.Size(shape[1:]).numel()))
            values = torch.randn(shape, generator=generator, device=device) * (1.0 / fan) ** 0.5
            values = values * (0.1 if len(shape) < 2 else 1.4)
            if name.endswith(".running_var"):
                values = values.abs() + 0.5
            tensors[name] = values.to(kind)
        else:
            tensors[name] = torch.zeros(shape, dtype=kind, device=device)
    return Weights.from_tensors(tensors)


def median_ms(device: Any, run: Callable[[], object], seconds: float) -> float:
    """ms of a run on a program's device."""
    for _ in range(3):
        run()
    device.synchronize()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        started, ended = device.timer(), device.timer()
        started.record(device.current())
        run()
        ended.record(device.current())
        device.synchronize()
        times.append(started.elapsed_time(ended))
    return statistics.median(times)


def do_without_safetensors() -> None:
    """Random weights need no file: where the package is missing, its names are enough."""
    if importlib.util.find_spec("safetensors") is None:
        whole, part = types.ModuleType("safetensors"), types.ModuleType("safetensors.torch")
        vars(whole).update(SafetensorError=OSError, safe_open=None)
        vars(part).update(save_file=None)
        sys.modules |= {"safetensors": whole, "safetensors.torch": part}


def one(folder: Path, seconds: float, tf32: bool, compiled: bool) -> None:
    """All ways but torch.compile, or with `compiled` that alone."""
    import torch

    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    torch.set_grad_enabled(False)
    do_without_safetensors()
    from ramiel.runtime.streams.device import device_of_programs

    where = device_of_programs().torch_device
    weights = weights_of(folder, where)
    programs = dict(classes(folder))
    first = next(iter(programs.values()))(weights)
    from ramiel.runtime.measure import random_inputs

    inputs = [x.to(where) for x in random_inputs(first.inputs, {}, 0)]
    first.captures = first.compares = False
    device = first._target
    if compiled:
        with_compile(first, inputs, seconds)
        return
    tolerance = TOLERANCE_OF_LESS if tf32 or folder.stem.endswith("-f16") else TOLERANCE
    held = sum(x.nbytes for x in first.buffers()) / 1e6

    def tensors(result: Any) -> list[torch.Tensor]:
        return list(result) if isinstance(result, tuple) else [result]

    with plain_kernels():
        expected = [y.clone() for y in tensors(first.serial(*inputs))]
        say(way="eager", call=median_ms(device, lambda: first.serial(*inputs), seconds))
        base(first, inputs, seconds)
    first.close()

    def measure(way: str, model: Any, serial: bool) -> None:
        device = model._target
        gc.collect()
        device.synchronize()
        torch.cuda.empty_cache()
        before = torch.cuda.memory_reserved()
        start = time.perf_counter()
        form = model.serial if serial else model
        got = tensors(form(*inputs))
        plan = model.plan(*inputs, serial=serial)
        seconds_to_capture = time.perf_counter() - start
        got = tensors(form(*inputs))
        device.synchronize()
        scale = [float(y.abs().max()) or 1.0 for y in expected]
        error = max(
            float((a - b).abs().max()) / s for a, b, s in zip(got, expected, scale, strict=True)
        )
        # All of the calls' results must be the same: a race would show as one that is not.
        again = [tensors(form(*inputs)) for _ in range(20)]
        device.synchronize()
        differing = sum(
            not torch.equal(a, b) for run in again for a, b in zip(run, got, strict=True)
        )
        torch.cuda.empty_cache()
        memory = (torch.cuda.memory_reserved() - before) / 1e6
        say(
            way=way,
            replay=median_ms(device, plan.replay, seconds),
            call=median_ms(device, lambda: form(*inputs), seconds),
            error=error,
            differing=differing,
            streams=plan.form.streams,
            told=plan.told,
            reserved_mb=round(memory, 1),
            weights_mb=round(held, 1),
            capture_s=round(seconds_to_capture, 2),
            **predicted(type(model)),
        )
        if not error <= tolerance:
            say(way=way, failed=f"differs from the plain calls by {error:.2e}")

    done = False
    for schedule, program in programs.items():
        try:
            model = program(weights)
            model.compares = False
            if not done:
                measure("one stream", model, True)
                done = True
                model.close()
                model = program(weights)
                model.compares = False
            measure(schedule, model, False)
            model.close()
            del model
            if schedule == SCHEDULES[0]:
                model = program(weights)
                measure(CALLED, model, False)
                model.close()
                del model
        except Exception as error:
            say(way=schedule, failed=f"{type(error).__name__}: {error}"[:500])


def base(model: Any, inputs: Sequence[Any], seconds: float) -> None:
    """The plain calls on one stream as a graph, and the streams with plain calls."""
    for way, serial in ((BASE, True), ("plain calls on streams", False)):
        try:
            plan = model.plan(*inputs, serial=serial)
            say(way=way, replay=median_ms(model._target, plan.replay, seconds))
        except Exception as error:
            say(way=way, failed=f"{type(error).__name__}: {error}"[:500])


def predicted(program: Any) -> dict[str, str]:
    """What the program's header expects."""
    found = re.search(r"parallel ([\d.]+) ms", sys.modules[program.__module__].__doc__ or "")
    return {} if found is None else {"expected_ms": found[1]}


def with_compile(model: Any, inputs: Sequence[Any], seconds: float) -> None:
    """torch.compile of the plain calls, in channels_last where they are, as it chooses itself."""
    import inspect

    import torch

    try:
        serial = inspect.unwrap(type(model).serial)
        with plain_kernels():
            run = torch.compile(lambda *x: serial(model, *x), mode="reduce-overhead")
            start = time.perf_counter()
            for _ in range(4):
                run(*inputs)
            model.synchronize()
            spent = time.perf_counter() - start
            say(
                way=COMPILED,
                call=median_ms(model._target, lambda: run(*inputs), seconds),
                capture_s=round(spent, 1),
            )
    except Exception as error:
        say(way=COMPILED, failed=f"{type(error).__name__}: {error}"[:300])


# --- all models ---


def run(given: Sequence[Path], options: argparse.Namespace) -> None:
    rows: list[dict[str, Any]] = []
    about = environment(options.tf32)
    print(about, flush=True)
    deadline = time.monotonic() + options.total
    chosen = list(targets(given, options))
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
    print("\n".join([*table(rows), *promises(rows)]), flush=True)


def targets(given: Sequence[Path], options: argparse.Namespace) -> Iterator[Path]:
    """Folders and programs; a model is compiled first."""
    for path in given:
        if path.suffix == ".onnx":
            out = Path(options.work) / "compiled"
            prepare(out, [path], options.schedules.split(","), "cuda")
            yield out / path.stem
        elif path.suffix == ".py" or (path / SHAPES).exists():
            yield path
        else:
            yield from sorted(p for p in path.iterdir() if (p / SHAPES).exists())


def measured(
    target: Path, options: argparse.Namespace, limit: float, compiled: bool
) -> Iterator[dict[str, Any]]:
    """The rows of one model, as they come; its process ends after `limit` seconds."""
    command = [sys.executable, __file__, "one", str(target), "--seconds", str(options.seconds)]
    command += ["--tf32"] * options.tf32 + ["--compile"] * compiled
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
    if process.wait():
        late = " (time limit)" if process.returncode < 0 else ""
        yield {"way": "process", "failed": f"exit code {process.returncode}{late}"}
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
        "date": time.strftime("%Y-%m-%d"),
    }


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each model: replay times in ms, and the speed-up over the plain graph."""
    ways = list(dict.fromkeys(row["way"] for row in rows if "failed" not in row))
    yield "| model | " + " | ".join(ways) + " |"
    yield "|---" * (len(ways) + 1) + "|"
    for model, times in _times_by_model(rows).items():
        cells = [_cell(times.get(way), times.get(BASE)) for way in ways]
        yield f"| {model} | " + " | ".join(cells) + " |"


def promises(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What the table should show: speed-ups in the geometric mean, and what does not hold."""
    for way in (BASE, "one stream", COMPILED):
        ratios = {
            model: found[way] / found[CALLED]
            for model, found in _times_by_model(rows).items()
            if way in found and CALLED in found
        }
        if ratios:
            mean = statistics.geometric_mean(ratios.values())
            yield f"as called, {mean:.2f} times as fast as {way} in the geometric mean"
        yield from (
            f"  {model}: {r:.2f} times as fast only" for model, r in ratios.items() if r < 1
        )
    for model in dict.fromkeys(row["model"] for row in rows):
        taken = {
            row["way"]: row["reserved_mb"] + row["weights_mb"]
            for row in rows
            if row["model"] == model and "weights_mb" in row
        }
        if CALLED in taken and taken.get("one stream"):
            ratio = taken[CALLED] / taken["one stream"]
            yield f"{model}: {ratio:.2f} times the memory of one stream, weights included"


def _times_by_model(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        if "failed" not in row:
            found.setdefault(row["model"], {})[row["way"]] = row.get("replay", row.get("call"))
    return found


def _cell(time: float | None, base: float | None) -> str:
    if time is None:
        return ""
    return f"{time:.3f}" if not base else f"{time:.3f} ({base / time:.2f}x)"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("prepare", help="compile models for a GPU")
    making.add_argument("out", type=Path)
    making.add_argument("models", type=Path, nargs="*")
    making.add_argument("--device", default="cuda:h100")
    making.add_argument("--dtype", default="f32", help="f32, f16 or bf16")
    running = commands.add_parser("run", help="measure")
    running.add_argument("given", type=Path, nargs="+")
    running.add_argument("--json", type=Path)
    running.add_argument("--limit", type=float, default=50, help="seconds for each model")
    running.add_argument("--total", type=float, default=290, help="seconds for all models")
    running.add_argument("--no-compile", dest="compile", action="store_false")
    running.add_argument("--work", default="out", help="where models are compiled")
    for parts in (making, running):
        parts.add_argument("--schedules", default=",".join(SCHEDULES))
    single = commands.add_parser("one", help="measure one model, in this process")
    single.add_argument("folder", type=Path)
    for parts in (running, single):
        parts.add_argument("--seconds", type=float, default=0.25, help="of each measurement")
        parts.add_argument("--tf32", action="store_true")
    single.add_argument("--compile", action="store_true", help="torch.compile alone")
    options = parser.parse_args()
    if options.command == "prepare":
        prepare(
            options.out, options.models, options.schedules.split(","), options.device, options.dtype
        )
    elif options.command == "one":
        one(options.folder, options.seconds, options.tf32, options.compile)
    else:
        run(options.given, options)


if __name__ == "__main__":
    main()
