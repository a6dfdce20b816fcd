"""One contestant of benchmarks/performance.py, in a process of its own.

    python benchmarks/contestants.py NAME MODEL.onnx [--threads 2] [--batch 1] [--folder DIR]

It loads the model, warms up, writes the outputs to DIR/NAME.npz and reports on stdout, in one line
of JSON: {"ready_s": .., "facts": {..}}, or {"absent": reason}. For each line `run SECONDS` on stdin
it then runs for that long, at least three times, and answers {"ms": [..]}. In between it waits for
input and computes nothing. DIR is shared by the contestants of one race: it holds the inputs, the
expected outputs, and the model of a batch.

All other settings are each runtime's defaults for this number of threads. Ramiel sets how OpenMP's
threads wait and what glibc keeps, for its own programs: contestants called `-tuned` get the same.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import inspect
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from graph_module import graph_module
from onnx import numpy_helper

Arrays = Sequence[np.ndarray[Any, Any]]

SEED = 0
FEWEST = 3
"""Runs in a burst."""
WARM_S = 0.05
"""Runs before a burst, untimed: the caches hold other contestants' data."""


class Absent(Exception):
    """A contestant cannot take part; the message says why."""


class Setting(NamedTuple):
    """The inputs of a contestant."""

    original: Path
    """The model of one sample."""
    model: Path
    """The model of the whole batch."""
    threads: int
    batch: int
    inputs: Arrays


class Ready(NamedTuple):
    run: Callable[[], Any]
    arrays: Callable[[Any], Arrays]
    """The outputs of a run."""
    facts: Mapping[str, object] = {}


@dataclass(frozen=True)
class Contestant:
    about: str
    make: Callable[[Setting], Ready]
    imports: Sequence[str]
    """In this order: imported before torch, Ramiel sets how OpenMP waits."""
    bf16: bool = False
    """Whether the outputs need less than f32's accuracy."""


# --- the model ---------------------------------------------------------------------------


def batched(model: onnx.ModelProto, batch: int) -> onnx.ModelProto:
    """A model of one sample as one of a batch: the first dimension of the inputs and of the
    constant shapes is the batch. Its results have to be checked."""
    graph = model.graph
    constants = {t.name: partial(numpy_helper.to_array, t) for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            (attribute,) = node.attribute
            make = partial(np.array, attribute.ints, np.int64)
            if attribute.name == "value":
                make = partial(numpy_helper.to_array, attribute.t)
            constants[node.output[0]] = make
    for value in graph.input:
        if value.name not in constants and value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_value = batch
    for value in graph.output:
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
    graph.ClearField("value_info")
    for i, node in enumerate(graph.node):
        place = {"Reshape": 1, "Expand": 1, "Resize": 3}.get(node.op_type)
        if place is None or len(node.input) <= place or node.input[place] not in constants:
            continue
        shape = constants[node.input[place]]()
        if shape.ndim == 1 and shape.size > 1 and shape[0] == 1:
            name = f"{node.input[place]}/batch{i}"  # other nodes may use the same constant
            own = np.array([batch, *shape[1:]], shape.dtype)
            graph.initializer.append(numpy_helper.from_array(own, name))
            node.input[place] = name
    return model


def prepare(model: Path, batch: int, folder: Path) -> None:
    """Writes the model of the batch, seeded inputs, and onnxruntime's outputs for them, sample by
    sample with the original model."""
    import onnxruntime as ort

    if batch > 1:
        onnx.save(batched(onnx.load(model), batch), folder / "model.onnx")
    session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(SEED)
    inputs: list[np.ndarray[Any, Any]] = []
    for declared in session.get_inputs():
        shape = [d if isinstance(d, int) else 1 for d in declared.shape]
        shape = [batch, *shape[1:]] if batch > 1 else shape
        if "float" in declared.type or "double" in declared.type:
            dtype = {"tensor(float16)": np.float16, "tensor(double)": np.float64}
            values = random.standard_normal(shape)
            inputs.append(values.astype(dtype.get(declared.type, np.float32)))
        else:  # ids, masks, token types: 0 and 1 are in range for all of them
            kind = declared.type.removeprefix("tensor(").removesuffix(")")
            inputs.append(random.integers(0, 2, shape).astype(kind))
    names = [i.name for i in session.get_inputs()]
    outputs: Any
    if batch == 1:
        outputs = session.run(None, dict(zip(names, inputs, strict=True)))
    else:
        samples: list[Any] = [
            session.run(None, {n: a[i : i + 1] for n, a in zip(names, inputs, strict=True)})
            for i in range(batch)
        ]
        outputs = [np.concatenate(rows) for rows in zip(*samples, strict=True)]
    save(folder / "expected.npz", outputs)
    save(folder / "inputs.npz", inputs)


def save(path: Path, arrays: Arrays) -> None:
    np.savez(path, *arrays)


def load(path: Path) -> Arrays:
    with np.load(path) as file:
        return [file[f"arr_{i}"] for i in range(len(file.files))]


# --- PyTorch -----------------------------------------------------------------------------


def pytorch(
    setting: Setting,
    threads: int | None = None,
    compiled: bool = False,
    autocast: bool = False,
    tuned: bool = False,
    channels_last: bool = False,
) -> Ready:
    import torch

    torch.set_num_threads(threads or setting.threads)
    if tuned:
        from ramiel.runtime.memory import keep_memory

        keep_memory()
    module: Callable[..., Any] = (graph := graph_module(setting.model))
    inputs = [torch.from_numpy(a) for a in setting.inputs]
    if channels_last:
        for parameter in graph.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        inputs = [
            x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x for x in inputs
        ]
    if compiled:
        import torch._inductor.config as inductor

        inductor.freezing = True  # weights are constants and may be laid out differently
        module = torch.compile(graph)

    @torch.inference_mode()
    def run() -> Any:
        if not autocast:
            return module(*inputs)
        with torch.autocast("cpu", torch.bfloat16):
            return module(*inputs)

    return Ready(run, _of_tensors, {"calls": sum(n.op != "get_attr" for n in graph.graph.nodes)})


def _of_tensors(outputs: Any) -> Arrays:
    rows = outputs if isinstance(outputs, tuple) else (outputs,)
    return [t.float().numpy() if t.is_floating_point() else t.numpy() for t in rows]


# --- others ------------------------------------------------------------------------------


def onnxruntime(setting: Setting) -> Ready:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = setting.threads
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(str(setting.model), options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    feeds = dict(zip(names, setting.inputs, strict=True))
    return Ready(partial(session.run, None, feeds), list)


def openvino(setting: Setting, precision: str) -> Ready:
    import openvino as ov

    core = ov.Core()
    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": setting.threads,
    }
    compiled = core.compile_model(core.read_model(setting.model), "CPU", options)
    request = compiled.create_infer_request()
    feeds: Any = dict(enumerate(setting.inputs))

    def arrays(results: Any) -> Arrays:
        return [np.array(results[output]) for output in compiled.outputs]

    run = partial(request.infer, feeds, share_inputs=True, share_outputs=True)
    known = ("INFERENCE_PRECISION_HINT", "INFERENCE_NUM_THREADS", "NUM_STREAMS")
    facts = {k.lower(): str(compiled.get_property(k)) for k in known}
    return Ready(run, arrays, facts)


# --- Ramiel ------------------------------------------------------------------------------


def ramiel_program(setting: Setting, whole: bool = False, **options: Any) -> Ready:
    """With `whole`, the batch is one sample of the model of the batch."""
    import torch

    import ramiel

    known = inspect.signature(ramiel.compile).parameters
    if unknown := [name for name in options if name not in known]:
        raise Absent(f"ramiel.compile has no option {', '.join(unknown)}")
    batch = 1 if whole else setting.batch
    how: dict[str, Any] = {"workers": setting.threads, "batch": batch, "profile": True, **options}
    program = ramiel.compile(setting.model if whole else setting.original, **how)
    inputs = [torch.from_numpy(a) for a in setting.inputs]
    facts = {"report": asdict(program.report)}
    return Ready(partial(program, *inputs), _of_tensors, facts)


PYTORCH = ("torch", "ramiel.compiler")
"""Torch first, so that Ramiel does not configure OpenMP."""
TUNED = ("ramiel", "torch", "ramiel.compiler")
RAMIEL = ("ramiel", "ramiel.api")

CONTESTANTS: Mapping[str, Contestant] = {
    "eager-1": Contestant("PyTorch, eager, one thread", partial(pytorch, threads=1), PYTORCH),
    "eager": Contestant("PyTorch, eager", pytorch, PYTORCH),
    "eager-tuned": Contestant(
        "eager, with Ramiel's OpenMP and memory settings", partial(pytorch, tuned=True), TUNED
    ),
    "eager-channels-last": Contestant(
        "eager, with channels last", partial(pytorch, channels_last=True), PYTORCH
    ),
    "compile": Contestant(
        "torch.compile, weights frozen", partial(pytorch, compiled=True), PYTORCH
    ),
    "compile-tuned": Contestant(
        "compile, with Ramiel's OpenMP and memory settings",
        partial(pytorch, compiled=True, tuned=True),
        TUNED,
    ),
    "compile-bf16": Contestant(
        "compile, under autocast to bf16",
        partial(pytorch, compiled=True, autocast=True),
        PYTORCH,
        bf16=True,
    ),
    "ort": Contestant("ONNX Runtime, all optimizations", onnxruntime, ("onnxruntime",)),
    "openvino": Contestant(
        "OpenVINO for latency, f32", partial(openvino, precision="f32"), ("openvino",)
    ),
    "openvino-bf16": Contestant(
        "OpenVINO for latency, bf16", partial(openvino, precision="bf16"), ("openvino",), bf16=True
    ),
    "ramiel": Contestant("Ramiel, with --tune", partial(ramiel_program, tune=True), RAMIEL),
    "ramiel-default": Contestant(
        "Ramiel, without options", partial(ramiel_program, profile=False), RAMIEL
    ),
    "ramiel-torch": Contestant(
        "ramiel, with PyTorch's own kernels only",
        partial(ramiel_program, provider="torch"),
        RAMIEL,
    ),
    "ramiel-bf16": Contestant(
        "ramiel, bf16", partial(ramiel_program, dtype="bf16"), RAMIEL, bf16=True
    ),
    "ramiel-whole": Contestant(
        "ramiel, the batch as one sample", partial(ramiel_program, whole=True), RAMIEL
    ),
    "ramiel-intra-op": Contestant(
        "ramiel, one operator at a time on all threads",
        partial(ramiel_program, whole=True, schedule="intra-op"),
        RAMIEL,
    ),
    "ramiel-serial": Contestant(
        "ramiel, one thread",
        partial(ramiel_program, whole=True, schedule="serial"),
        RAMIEL,
    ),
}


# --- the process -------------------------------------------------------------------------


def burst(run: Callable[[], object], seconds: float) -> list[float]:
    """Milliseconds of each run."""
    start = time.perf_counter()
    run()
    while time.perf_counter() - start < WARM_S:
        run()
    times: list[float] = []
    while len(times) < FEWEST or sum(times) < seconds * 1e3:
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def make_ready(contestant: Contestant, setting: Setting, outputs: Path) -> tuple[Ready, float]:
    """The contestant, warm, and the seconds from the model's file to the first outputs."""
    for name in contestant.imports:
        importlib.import_module(name)
    start = time.perf_counter()
    ready = contestant.make(setting)
    first = ready.run()
    taken = time.perf_counter() - start
    save(outputs, ready.arrays(first))
    for _ in range(FEWEST):
        ready.run()
    gc.collect()
    gc.freeze()
    return ready, taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[*CONTESTANTS, "prepare"])
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()

    # Answers go to the original stdout, and libraries' output to stderr.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**values: object) -> None:
        print(json.dumps(values), file=answers)

    folder: Path = options.folder or Path(tempfile.mkdtemp())
    if not (folder / "inputs.npz").exists():
        prepare(options.model, options.batch, folder)
    if options.name == "prepare":
        answer(folder=str(folder))
        return
    contestant = CONTESTANTS[options.name]
    if options.name == "eager-1":
        options.threads = 1
    if not options.name.startswith("ramiel"):
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    model: Path = options.model if options.batch == 1 else folder / "model.onnx"
    inputs = load(folder / "inputs.npz")
    setting = Setting(options.model, model, options.threads, options.batch, inputs)
    try:
        ready, taken = make_ready(contestant, setting, folder / f"{options.name}.npz")
    except Absent as reason:
        answer(absent=str(reason))
        return
    except Exception as error:
        text = str(error).strip().splitlines() or [""]
        answer(absent=f"{type(error).__name__}: {text[0][:300]}")
        raise
    answer(ready_s=taken, facts=ready.facts)
    for line in sys.stdin:
        command, _, seconds = line.strip().partition(" ")
        if command != "run":
            break
        answer(ms=burst(ready.run, float(seconds)))


if __name__ == "__main__":
    main()
