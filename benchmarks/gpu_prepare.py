"""Programs for benchmarks/gpu.py, compiled anywhere."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SCHEDULES = ("auto", "linear", "list", "opara", "ios")
SHAPES = "weights.json"
EXPERTS, DEPTH, WIDTH = 16, 3, 512


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


def folder_name(model: str, dtype: str) -> str:
    """The folder of a model's programs, which is its name in tables, too."""
    return model if dtype == "f32" else f"{model}-{dtype}"


def prepare(
    out: Path,
    models: Sequence[Path | str],
    schedules: Sequence[str],
    device: str = "cuda",
    dtype: str = "f32",
) -> list[Path]:
    """Writes OUT/MODEL/SCHEDULE.py for models, of which "experts" is made here, and the shapes of
    their weights; the folders."""
    from ramiel.compiler import compile_model
    from ramiel.pipelines import Options

    folders: list[Path] = []
    for model in models:
        name = model.stem if isinstance(model, Path) else model
        source = model if isinstance(model, Path) else experts()
        folder = out / folder_name(name, dtype)
        folder.mkdir(parents=True, exist_ok=True)
        folders.append(folder)
        shapes: dict[str, tuple[list[int], str]] = {}
        for schedule in schedules:
            start = time.perf_counter()
            options = Options(schedule=schedule, device=device, dtype=dtype)
            made = compile_model(source, options).emitted
            (folder / f"{schedule}.py").write_text(made.source, encoding="utf-8")
            arrays = {key: weight.array() for key, weight in made.weights.items()}
            shapes |= {key: (list(a.shape), a.dtype.name) for key, a in arrays.items()}
            spent = time.perf_counter() - start
            print(f"{folder.name} {schedule}: {spent:.1f} s", flush=True)
        known = folder / SHAPES
        before = json.loads(known.read_text()) if known.exists() else {}
        known.write_text(json.dumps(before | shapes))
    return folders
