"""The simulated gain of schedules over intra-op threads on more cores than the machine has.

    python benchmarks/more_cores.py MODEL.onnx ... [--seconds 10] [--out FILE]

Costs are measured (`--profile`) on up to as many threads as there are cores, with the best kernel
for each number of threads; those on more threads follow by Amdahl's law
(ramiel/execution/measured_costs.py). Hand-overs and switches are measured too. No program is
measured. benchmarks/performance_page.py puts the results into its page.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from machine import machine
from papers import SIMULATED, graph_of

from ramiel.analysis.critical_path import bound
from ramiel.analysis.simulate import simulate
from ramiel.analysis.task_graph import TaskGraph
from ramiel.schedule.choose import choose_automatically
from ramiel.schedule.place import intra_op, serial
from ramiel.schedule.refine import refine

OUT = Path(__file__).parent / "results" / "more_cores.json"


def latencies(graph: TaskGraph, workers: int, seconds: float) -> dict[str, float]:
    """The simulated µs of each schedule, and the bound."""
    chosen = choose_automatically(graph, workers, thorough=True).placement
    ways = {
        "serial": serial(graph),
        "intra-op": intra_op(graph, workers),
        "auto": chosen,
        "refine": refine(graph, chosen, seconds),
    }
    found = {name: simulate(graph, placement).makespan for name, placement in ways.items()}
    return {**found, "bound": bound(graph, workers)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0, help="for which refine may search")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    models: dict[str, dict[str, dict[str, float]]] = {}
    for model in options.models:
        graph = graph_of(model)
        models[model.stem] = {str(p): latencies(graph, p, options.seconds) for p in SIMULATED}
        for workers, row in models[model.stem].items():
            gain = row["intra-op"] / row["refine"]
            print(f"{model.stem:14} {workers:>2} workers: {gain:.2f} times intra-op")
    document = {"machine": machine(), "seconds": options.seconds, "models": models}
    options.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
