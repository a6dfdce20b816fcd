"""Repeats the papers' measurements on this machine, and simulates more workers.

    python benchmarks/papers.py MODEL.onnx ... [--seconds 20] [--part measured|simulated]

Each model has a process of its own, in which the programs to compare are run in turns, round by
round. Costs are measured (`--profile`); simulations of more workers than there are cores
extrapolate them by Amdahl's law. Results of models that are measured again are replaced.
benchmarks/papers_page.py writes docs/papers.md from them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from machine import machine

from ramiel.analysis.critical_path import bound, critical_path
from ramiel.analysis.lower_bound import lower_bound
from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import simulate
from ramiel.analysis.task_graph import TaskGraph
from ramiel.api import load
from ramiel.backend.pytorch.printer import print_program
from ramiel.compiler import Compilation, Report, compile_model, run_passes
from ramiel.dialects.cluster import ProgramOp
from ramiel.frontend.importer import import_model
from ramiel.pipelines import SIMPLIFY, Options, PassOptions, Pipeline, pipeline
from ramiel.runtime.measure import interleaved, random_inputs
from ramiel.runtime.program import Program
from ramiel.schedule.choose import choose_automatically
from ramiel.schedule.dsc import dsc_clusters
from ramiel.schedule.greedy import greedy_stages, sequential_stages
from ramiel.schedule.hyper import hyperclusters, replicate, whole_samples
from ramiel.schedule.ios import ios
from ramiel.schedule.linear import linear_clusters
from ramiel.schedule.list_scheduling import list_schedule
from ramiel.schedule.merge import merge_clusters
from ramiel.schedule.place import intra_op, place, serial
from ramiel.schedule.refine import refine
from ramiel.schedule.stages import StagePlan
from ramiel.torch_level.tasks import main_function, tasks_of

WORKERS = 2
SIMULATED = (2, 4, 8, 16)
BATCHES = (2, 4, 8)
ONLY_IOS = ("randwire",)
"""Models that are only in the IOS paper."""
IOS_MODELS = ("inception_v3", "randwire", "nasnet", "squeezenet")
REFINE_S = 20.0
STEPS = 5000
"""Limit of the search for the lower bound."""

SCHEDULES = ("serial", "intra-op", "linear", "ios", "auto", "refine")


def compile_without_folding(model: Path) -> Compilation:
    """Linear clustering of the exported graph, without folding or dead code elimination."""
    options = Options(WORKERS, "linear", profile=True)
    module = import_model(model)
    run_passes(module, [step for step in pipeline(options) if step[0] not in SIMPLIFY])
    program = next(op for op in module.ops if isinstance(op, ProgramOp))
    return Compilation(module, print_program(module), Report.of(program))


def compilations(model: Path) -> dict[str, Callable[[], Compilation]]:
    """The programs to compare at batch 1, by name."""
    ways: dict[str, Callable[[], Compilation]] = {
        name: partial(
            compile_model,
            model,
            Options(WORKERS, name, profile=True, refine_s=REFINE_S),
        )
        for name in SCHEDULES
    }
    ways["linear, not folded"] = partial(compile_without_folding, model)
    ways["linear, cloned"] = partial(
        compile_model, model, Options(WORKERS, "linear", profile=True, clone=True)
    )
    return ways


def quartiles(values: list[float]) -> list[float]:
    return statistics.quantiles(values, n=4)


def contest(
    forms: Mapping[str, Callable[[], object]], seconds: float
) -> dict[str, dict[str, object]]:
    """Medians in µs, and the quartiles of each round's ratio of the first form to each."""
    interleaved(list(forms.values()), 2)  # warm up
    start = time.perf_counter()
    interleaved(list(forms.values()), 1)
    rounds = max(7, min(60, int(seconds / (time.perf_counter() - start))))
    times = interleaved(list(forms.values()), rounds)
    first = times[0]
    return {
        name: {
            "us": statistics.median(row) * 1e6,
            "speedup": quartiles([a / b for a, b in zip(first, row, strict=True)]),
        }
        for name, row in zip(forms, times, strict=True)
    }


def measured(model: Path, seconds: float) -> dict[str, object]:
    """The programs of batch 1."""
    reports: dict[str, dict[str, object]] = {}
    programs: dict[str, Program] = {}
    for name, way in compilations(model).items():
        start = time.perf_counter()
        compilation = way()
        taken = time.perf_counter() - start
        reports[name] = {**asdict(compilation.report), "compile_s": taken}
        programs[name] = load(compilation)
    inputs = random_inputs(programs["serial"].inputs, {}, 0)
    forms = {name: partial(program, *inputs) for name, program in programs.items()}
    result = contest(forms, seconds)
    for program in programs.values():
        program.close()
    return {name: {**reports[name], **result[name]} for name in reports}


def measured_batches(model: Path, seconds: float) -> dict[str, object]:
    """Hyperclusters against the same samples in one thread, by batch."""
    result: dict[str, object] = {}
    for batch in BATCHES:
        ways = {
            "hyper": Options(WORKERS, "hyper", batch=batch, profile=True),
            "switched": Options(WORKERS, "hyper", batch=batch, switched=True, profile=True),
            "auto": Options(WORKERS, "auto", batch=batch, profile=True),
        }
        reports: dict[str, dict[str, object]] = {}
        programs: dict[str, Program] = {}
        for name, options in ways.items():
            compilation = compile_model(model, options)
            reports[name] = asdict(compilation.report)
            programs[name] = load(compilation)
        inputs = random_inputs(programs["hyper"].inputs, {}, 0, batch=batch)
        forms: dict[str, Callable[[], object]] = {
            "serial": partial(getattr(programs["hyper"], "serial"), *inputs)  # noqa: B009
        }
        forms |= {name: partial(program, *inputs) for name, program in programs.items()}
        row = contest(forms, seconds)
        result[str(batch)] = {name: {**reports.get(name, {}), **row[name]} for name in row}
        for program in programs.values():
            program.close()
    return result


def graph_of(model: Path) -> TaskGraph:
    """The task graph with measured costs, on up to as many threads as are simulated."""
    options = Options(max(SIMULATED), "serial", profile=True)
    module = import_model(model)
    steps = pipeline(options)
    names = [name for name, _ in steps]
    run_passes(module, steps[: names.index("cluster-costs") + 1])
    return tasks_of(main_function(module)).graph


def timed(make: Callable[[], Placement], graph: TaskGraph) -> dict[str, float]:
    start = time.perf_counter()
    placement = make()
    taken = time.perf_counter() - start
    return {"us": simulate(graph, placement).makespan, "search_s": taken}


def simulated(graph: TaskGraph, workers: int) -> dict[str, object]:
    """All schedulers for one sample, and for batches, on a number of workers."""
    clusters = linear_clusters(graph)
    merged = merge_clusters(graph, clusters)
    narrow = replace(graph, wide={})

    def refined(g: TaskGraph) -> Placement:
        start = choose_automatically(g, workers, thorough=True)
        return refine(g, start.placement, REFINE_S)

    ways: dict[str, tuple[TaskGraph, Callable[[], Placement]]] = {
        "serial": (graph, lambda: serial(graph)),
        "intra-op": (graph, lambda: intra_op(graph, workers)),
        "linear, not merged": (graph, lambda: place(graph, clusters, workers)),
        "linear": (graph, lambda: place(graph, merged, workers)),
        "dsc": (graph, lambda: place(graph, dsc_clusters(graph), workers)),
        "greedy": (graph, lambda: greedy_stages(graph, workers).placement(graph, workers)),
        "list, one thread an operation": (narrow, lambda: list_schedule(narrow, workers)),
        "refine, one thread an operation": (narrow, lambda: refined(narrow)),
        "list": (graph, lambda: list_schedule(graph, workers)),
        "ios": (graph, lambda: ios(graph, workers).placement(graph, workers)),
        "refine": (graph, lambda: refined(graph)),
    }
    result: dict[str, object] = {name: timed(make, g) for name, (g, make) in ways.items()}
    result["bounds"] = {
        "bound": bound(graph, workers),
        "lower_bound": lower_bound(graph, workers, steps=STEPS),
        "narrow_bound": bound(narrow, workers),
        "narrow_lower_bound": lower_bound(narrow, workers, steps=STEPS),
    }
    base = place(graph, merged, workers)
    batches: dict[str, object] = {}
    for batch in BATCHES:
        whole = replicate(narrow, batch)
        rows = {
            "hyper": hyperclusters(narrow, base, batch),
            "switched": hyperclusters(narrow, base, batch, switched=True),
            "whole samples": whole_samples(narrow, workers, batch),
        }
        batches[str(batch)] = {
            name: whole.work / simulate(whole, placement).makespan
            for name, placement in rows.items()
        }
    result["batches"] = batches
    return result


def ios_variants(graph: TaskGraph, workers: int) -> dict[str, object]:
    """The five columns of IOS's table, on one thread an operation, and its pruning."""
    narrow = replace(graph, wide={})

    def row(plan_of: Callable[[], StagePlan]) -> dict[str, object]:
        start = time.perf_counter()
        plan = plan_of()
        taken = time.perf_counter() - start
        placement = plan.placement(narrow, workers)
        reports = plan.reports
        return {
            "us": simulate(narrow, placement).makespan,
            "latency_us": plan.latency,
            "search_s": taken,
            "states": sum(r.states for r in reports),
            "transitions": sum(r.transitions for r in reports),
            "cut_blocks": sum(bool(r.fallback) for r in reports),
        }

    search = partial(ios, narrow, workers, wide=False, strategies="parallel")
    return {
        "sequential": row(lambda: sequential_stages(narrow)),
        "greedy": row(lambda: greedy_stages(narrow, workers)),
        "parallel": row(search),
        "pruning": {
            f"r={r}, s={s}": row(partial(search, r=r, s=s))
            for r, s in ((1, 3), (1, 8), (2, 3), (2, 8), (3, 3), (3, 8))
        },
    }


def measured_ios(model: Path, seconds: float) -> dict[str, object]:
    """The five columns of IOS's table, as programs."""
    ways: dict[str, Pipeline] = {
        "sequential": [("cluster-serial", {})],
        "greedy": [("cluster-greedy", {"workers": WORKERS})],
    }
    for strategies in ("merge", "parallel", "both"):
        options: PassOptions = {"workers": WORKERS, "strategies": strategies, "wide": False}
        ways[strategies] = [("cluster-ios", options), ("torch-merge-convolutions", {})]
    programs: dict[str, Program] = {}
    reports: dict[str, dict[str, object]] = {}
    for name, passes in ways.items():
        steps = pipeline(Options(WORKERS, "linear", profile=True))
        cut = [step[0] for step in steps].index("cluster-place")
        module = import_model(model)
        run_passes(module, steps[:cut])
        start = time.perf_counter()
        run_passes(module, passes)
        taken = time.perf_counter() - start
        run_passes(module, steps[cut + 1 :])
        program = next(op for op in module.ops if isinstance(op, ProgramOp))
        report = Report.of(program)
        reports[name] = {**asdict(report), "search_s": taken}
        programs[name] = load(Compilation(module, print_program(module), report))
    inputs = random_inputs(programs["sequential"].inputs, {}, 0)
    result = contest({n: partial(p, *inputs) for n, p in programs.items()}, seconds)
    for program in programs.values():
        program.close()
    return {name: {**reports[name], **result[name]} for name in reports}


def all_measured(model: Path, seconds: float) -> dict[str, object]:
    """The part that needs an idle machine."""
    result: dict[str, object] = {}
    if model.stem not in ONLY_IOS:
        result["measured"] = measured(model, seconds)
        result["batches"] = measured_batches(model, seconds / 2)
    if model.stem in IOS_MODELS:
        result["ios_measured"] = measured_ios(model, seconds)
    graph = graph_of(model)  # with costs for the simulations, which go to the cache
    start = time.perf_counter()
    clusters = linear_clusters(graph)
    merged = merge_clusters(graph, clusters)
    result["graph"] = {
        "tasks": len(graph),
        "work_us": graph.work,
        "critical_path_us": critical_path(graph)[0],
        "hand_over_us": graph.hand_over,
        "switch_us": graph.switch,
        "clustering_s": time.perf_counter() - start,
        "clusters": len(clusters),
        "merged": len(merged),
    }
    return result


def all_simulated(model: Path, seconds: float) -> dict[str, object]:
    """Simulations of more workers from the measured costs; `seconds` is not used."""
    del seconds
    graph = graph_of(model)
    result: dict[str, object] = {}
    if model.stem not in ONLY_IOS:
        result["simulated"] = {str(p): simulated(graph, p) for p in SIMULATED}
    if model.stem in IOS_MODELS:
        result["ios_simulated"] = {str(p): ios_variants(graph, p) for p in SIMULATED}
    return result


PARTS: dict[str, Callable[[Path, float], dict[str, object]]] = {
    "measured": all_measured,
    "simulated": all_simulated,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each contest")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/papers.json"))
    parser.add_argument("--part", choices=PARTS, help="only the measured or the simulated part")
    parser.add_argument("--print", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.print:
        (model,) = options.models
        print(json.dumps(PARTS[options.part](model, options.seconds)))
        return
    document: dict[str, Any] = {"models": {}}
    if options.out.exists():
        document = json.loads(options.out.read_text())
    for part in [options.part] if options.part else PARTS:
        for model in options.models:
            start = time.perf_counter()
            command = [sys.executable, __file__, str(model), "--print", "--part", part]
            done = subprocess.run(
                [*command, "--seconds", str(options.seconds)],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            document["models"].setdefault(model.stem, {}).update(json.loads(done.stdout))
            if part == "measured":
                document |= {"machine": machine(), "workers": WORKERS, "cores": os.cpu_count()}
            options.out.write_text(json.dumps(document, indent=1) + "\n")
            print(f"{model.stem}, {part}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
