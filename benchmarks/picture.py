"""Draws the simulated schedule of a model as a Gantt chart.

    python benchmarks/picture.py MODEL.onnx OUT.svg [--workers 2] [--since MS] [--until MS]

Needs matplotlib (`pip install -e '.[bench]'`). A bar is an operation, its colour its linear
cluster; an arrow is a value that crosses workers.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from xdsl.dialects.builtin import IntegerAttr

from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import simulate
from ramiel.compiler import Options, compile_model
from ramiel.dialects.cluster import ProgramOp
from ramiel.dialects.cluster.attributes import CLUSTER
from ramiel.dialects.torch import Task
from ramiel.torch_level.tasks import main_function, tasks_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--since", type=float, default=0.0, help="ms")
    parser.add_argument("--until", type=float, help="ms")
    options = parser.parse_args()
    module = compile_model(options.model, Options(options.workers, "linear")).module
    tasks = tasks_of(main_function(module))
    number = {op.python_names[0]: i for i, op in enumerate(tasks.ops)}
    program = next(op for op in module.ops if isinstance(op, ProgramOp))
    placement = Placement(
        tuple(
            tuple(
                number[op.python_names[0]] for op in worker.body.block.ops if isinstance(op, Task)
            )
            for worker in program.workers
        )
    )
    timeline = simulate(tasks.graph, placement)
    worker_of = placement.leaders(len(tasks.ops))
    colours = plt.get_cmap("tab20").colors

    plt.rcParams["svg.hashsalt"] = "ramiel"  # the same picture for the same schedule
    figure, axes = plt.subplots(figsize=(10, 0.9 + 0.7 * len(program.workers)))
    for i, op in enumerate(tasks.ops):
        cluster = op.attributes[CLUSTER]
        assert isinstance(cluster, IntegerAttr)
        start, end = timeline.start[i] / 1e3, timeline.finish[i] / 1e3
        axes.barh(
            worker_of[i],
            end - start,
            0.55,
            start,
            color=colours[cluster.value.data % len(colours)],
            edgecolor="white",
            linewidth=0.4,
        )
    for producer, consumer in tasks.graph.edges:
        a, b = worker_of[producer], worker_of[consumer]
        if a != b:
            axes.annotate(
                "",
                (timeline.start[consumer] / 1e3, b + (0.28 if a > b else -0.28)),
                (timeline.finish[producer] / 1e3, a + (0.28 if b > a else -0.28)),
                arrowprops={"arrowstyle": "-|>", "linewidth": 0.6, "color": "0.35"},
            )
    axes.set_xlim(options.since, options.until or timeline.makespan / 1e3)
    axes.set_yticks(
        range(len(program.workers)), [f"worker {k}" for k in range(len(program.workers))]
    )
    axes.invert_yaxis()
    axes.set_xlabel("ms, simulated")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(options.out, metadata={"Date": None})


if __name__ == "__main__":
    main()
