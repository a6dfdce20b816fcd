"""Writes docs/papers.md and its pictures from papers.json and gpu.json in benchmarks/results/.

    python benchmarks/papers_page.py

Needs matplotlib (`pip install -e '.[bench]'`). Only tables and pictures are generated, between
`<!-- NAME -->` and `<!-- /NAME -->`; the text around them is written by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "papers.md"
PICTURES = ROOT / "docs" / "papers"
RESULTS = ROOT / "benchmarks" / "results"

Model = dict[str, Any]
Models = dict[str, Model]

IOS_PAPER = {
    "inception_v3": (6.51, 4.62, 5.39, 4.11, 4.03),
    "randwire": (8.49, 6.27, 8.54, 6.02, 6.02),
    "nasnet": (22.95, 16.78, 22.94, 16.04, 16.04),
    "squeezenet": (0.86, 0.98, 0.74, 0.82, 0.73),
}
"""ms of IOS's schedules on a V100 at batch 1: the README of mit-han-lab/inter-operator-scheduler,
commit 91963c0 of 2021-04-06, the table of 4.2.1."""
TENSORRT = {"inception_v3": 5.21, "randwire": 8.33, "nasnet": 24.66, "squeezenet": 0.80}
"""ms of TensorRT 7 there: the table of 4.2.2."""
OPARA = {"googlenet": (3.698, 1.971, 1.161)}
"""ms of PyTorch's calls, of a CUDA graph and of Opara, on a GPU that is not named: the example's
output in the README of OparaSys/Opara, commit 308aaaf of 2023-06-29, which asks for PyTorch 2.0."""
IOS_COLUMNS = ("sequential", "greedy", "merge", "parallel", "both")

WAYS = ("linear, not folded", "linear", "linear, cloned", "intra-op", "ios", "auto", "refine")
SCHEDULERS = ("linear, not merged", "linear", "dsc", "greedy", "list", "ios", "refine")
NARROW = ("list, one thread an operation", "refine, one thread an operation")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def ratio(row: dict[str, Any]) -> str:
    """A measured speed-up: the median, and the quartiles."""
    low, middle, high = row["speedup"]
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def papers_models(models: Models) -> Models:
    """Those of the paper on linear clustering."""
    return {name: model for name, model in models.items() if "measured" in model}


def graphs(models: Models) -> str:
    rows = []
    for name, model in models.items():
        graph = model["graph"]
        work, path = graph["work_us"] / 1e3, graph["critical_path_us"] / 1e3
        rows.append(
            [
                name,
                graph["tasks"],
                *(f"{work:.1f}", f"{path:.1f}", f"{work / path:.2f}"),
                *(graph["clusters"], graph["merged"], f"{graph['clustering_s'] * 1e3:.1f}"),
            ]
        )
    head = ["model", "nodes", "work, ms", "critical path, ms", "potential parallelism"]
    return table([*head, "clusters", "merged", "clustering, ms"], rows)


def measured(models: Models) -> str:
    rows = [
        [name, f"{m['measured']['serial']['us'] / 1e3:.1f}"]
        + [ratio(m["measured"][way]) for way in WAYS]
        for name, m in papers_models(models).items()
    ]
    means = [
        geometric_mean(m["measured"][way]["speedup"][1] for m in papers_models(models).values())
        for way in WAYS
    ]
    rows.append(["geometric mean", "", *(f"**{mean:.2f}**" for mean in means)])
    return table(["model", "serial, ms", *WAYS], rows)


def predicted(models: Models) -> str:
    """How far the simulation is from the run, as predicted over measured."""
    ways = ("serial", *WAYS)
    rows = []
    for name, m in papers_models(models).items():
        row = m["measured"]
        rows.append([name, *(f"{row[w]['parallel_us'] / row[w]['us']:.3f}" for w in ways)])
    return table(["model", *ways], rows)


def simulated(models: Models) -> str:
    rows = []
    for workers in next(iter(papers_models(models).values()))["simulated"]:
        for name, model in papers_models(models).items():
            part = model["simulated"][workers]
            serial = part["serial"]["us"]
            shown = ["intra-op", *SCHEDULERS, *NARROW]
            row = [f"{serial / part[way]['us']:.2f}" for way in shown]
            rows.append([workers, name, *row, f"{serial / part['bounds']['lower_bound']:.2f}"])
    return table(["P", "model", "intra-op", *SCHEDULERS, *NARROW, "no schedule above"], rows)


def gap(models: Models) -> str:
    """Makespans over the lower bound: geometric means over the models."""
    rows = []
    chosen = papers_models(models).values()
    for workers in next(iter(chosen))["simulated"]:
        parts = [model["simulated"][workers] for model in chosen]

        def mean(way: str, bound: str, parts: Sequence[Any] = parts) -> str:
            return f"{geometric_mean(p[way]['us'] / p['bounds'][bound] for p in parts):.3f}"

        row = [mean(way, "lower_bound") for way in ("intra-op", *SCHEDULERS)]
        row += [mean(way, "narrow_lower_bound") for way in NARROW]
        simple = [p["refine"]["us"] / p["bounds"]["bound"] for p in parts]
        rows.append([workers, *row, f"{geometric_mean(simple):.3f}"])
    head = ["P", "intra-op", *SCHEDULERS, *NARROW, "refine over max(critical path, work / P)"]
    return table(head, rows)


def batches(models: Models) -> str:
    rows = []
    for name, model in papers_models(models).items():
        for batch, row in model["batches"].items():
            simulated_at = [
                f"{model['simulated'][p]['batches'][batch]['switched']:.2f}"
                for p in model["simulated"]
            ]
            ways = [ratio(row[way]) for way in ("hyper", "switched", "auto")]
            rows.append([name, batch, *ways, row["auto"]["schedule"], *simulated_at])
    counts = next(iter(papers_models(models).values()))["simulated"]
    head = ["model", "batch", "hyper", "switched", "auto", "auto chose"]
    return table(head + [f"switched, P = {p}, simulated" for p in counts], rows)


def compile_times(models: Models) -> str:
    rows = []
    for name, m in papers_models(models).items():
        row = m["measured"]
        compared = [f"{row[w]['compile_s']:.2f}" for w in ("linear", "auto", "ios")]
        times = [f"{row[w]['us'] / 1e3:.1f}" for w in ("linear", "auto", "ios")]
        rows.append([name, *compared, *times])
    head = ["model", "compile s: linear", "auto", "ios", "run ms: linear", "auto", "ios"]
    return table(head, rows)


def ios_measured(models: Models) -> str:
    rows = []
    for name, theirs in IOS_PAPER.items():
        row = models[name]["ios_measured"]
        first = row["sequential"]["us"]
        ours = [f"{row[c]['us'] / 1e3:.1f} ({first / row[c]['us']:.2f})" for c in IOS_COLUMNS]
        search = f"{row['both']['search_s']:.2f}"
        rows.append([name, "measured, P = 2", *ours, search])
        for workers, part in models[name]["ios_simulated"].items():
            first = part["sequential"]["us"]
            columns = [
                f"{part[c]['us'] / 1e3:.1f} ({first / part[c]['us']:.2f})" if c in part else ""
                for c in IOS_COLUMNS
            ]
            where = f"simulated, P = {workers}"
            rows.append([name, where, *columns, f"{part['parallel']['search_s']:.2f}"])
        paper = [f"{ms:.2f} ({theirs[0] / ms:.2f})" for ms in theirs]
        rows.append([name, "its authors, V100", *paper, ""])
    return table(["model", "", *IOS_COLUMNS, "search, s"], rows)


def ios_pruning(models: Models) -> str:
    rows = []
    for name in IOS_PAPER:
        part = models[name]["ios_simulated"]["4"]["pruning"]
        for pruning, row in part.items():
            cut = f"{row['cut_blocks']} cut" if row["cut_blocks"] else "exact"
            rows.append(
                [
                    name,
                    pruning,
                    f"{row['latency_us'] / 1000.0:.2f}",
                    row["states"],
                    row["transitions"],
                    f"{row['search_s']:.2f}",
                    cut,
                ]
            )
    head = ["model", "pruning", "latency, ms", "states", "transitions", "search, s", "blocks"]
    return table(head, rows)


def machine(document: dict[str, Any]) -> str:
    of = document["machine"]
    return (
        f"{of['cpu']}, {of['cores']} cores, Python {of['python']}, PyTorch {of['torch']}; "
        "f32, batch 1 if no other is named."
    )


def draw(name: str, paint: Callable[[Any], None], width: float = 9.0, height: float = 3.4) -> None:
    plt.rcParams["svg.hashsalt"] = "ramiel"  # the same picture for the same numbers
    figure, axes = plt.subplots(figsize=(width, height))
    paint(axes)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(PICTURES / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)


def bars(axes: Any, names: Sequence[str], series: dict[str, list[float]], label: str) -> None:
    """Groups of bars, one for each name."""
    width = 0.8 / len(series)
    for i, (title, values) in enumerate(series.items()):
        places = [j + (i - (len(series) - 1) / 2) * width for j in range(len(names))]
        axes.bar(places, values, width, label=title)
    axes.set_xticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.axhline(1.0, color="0.3", linewidth=0.8)
    axes.set_ylabel(label)
    axes.legend(ncols=4, frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 1.22))


def pictures(models: Models) -> None:
    PICTURES.mkdir(exist_ok=True)
    chosen = papers_models(models)
    names = list(chosen)

    def batch1(axes: Any) -> None:
        rows = {
            way: [m["measured"][way]["speedup"][1] for m in chosen.values()]
            for way in ("linear", "intra-op", "auto", "refine")
        }
        bars(axes, names, rows, "speed-up, measured, P = 2")

    def hyper(axes: Any) -> None:
        rows = {
            f"{way}, batch {batch}": [
                m["batches"][batch][way]["speedup"][1] for m in chosen.values()
            ]
            for batch in ("2", "4")
            for way in ("hyper", "switched")
        }
        bars(axes, names, rows, "throughput over serial, measured")

    def scaling(axes: Any) -> None:
        counts = list(next(iter(chosen.values()))["simulated"])
        for way in ("intra-op", "linear", "dsc", "list", "ios", "refine"):
            means = [
                geometric_mean(
                    m["simulated"][p]["serial"]["us"] / m["simulated"][p][way]["us"]
                    for m in chosen.values()
                )
                for p in counts
            ]
            axes.plot(range(len(counts)), means, marker="o", label=way)
        limits = [
            geometric_mean(
                m["simulated"][p]["serial"]["us"] / m["simulated"][p]["bounds"]["lower_bound"]
                for m in chosen.values()
            )
            for p in counts
        ]
        axes.plot(range(len(counts)), limits, "k--", linewidth=0.8, label="no schedule above")
        axes.set_xticks(range(len(counts)), [f"P = {p}" for p in counts])
        axes.set_ylabel("speed-up, simulated, geometric mean")
        axes.legend(frameon=False, fontsize=8)

    def pruning(axes: Any) -> None:
        for name in IOS_PAPER:
            part = models[name]["ios_simulated"]["4"]["pruning"]
            best = min(row["latency_us"] for row in part.values())
            points = sorted((r["search_s"], r["latency_us"] / best, n) for n, r in part.items())
            seconds, latencies, labels = zip(*points, strict=True)
            axes.plot(seconds, latencies, marker="o", linestyle=":", label=name)
            axes.annotate(labels[-1], (seconds[-1], latencies[-1]), fontsize=7)
        axes.set_xscale("log")
        axes.set_xlabel("search, s")
        axes.set_ylabel("latency over the best, simulated, P = 4")
        axes.legend(frameon=False, fontsize=8)

    draw("batch1", batch1)
    draw("batches", hyper)
    draw("scaling", scaling, 6.0, 3.8)
    draw("pruning", pruning, 6.0, 3.8)


STREAMS = {
    "plain graph": "one stream, ms",
    "one stream": "our kernels",
    "opara": "Opara's rule",
    "ios": "IOS",
    "linear": "linear",
    "auto": "auto",
    "as called": "as called",
    "torch.compile reduce-overhead": "torch.compile",
}
"""The ways of gpu.py, and their columns: the first in ms, others as speed-ups over it."""


def streams(found: dict[str, Any]) -> str:
    """CUDA graphs as IOS's and Opara's tables have them, and IOS's speed-ups."""
    times: dict[str, dict[str, float]] = {}
    for row in found["rows"]:
        if row["way"] in STREAMS and "failed" not in row:
            times.setdefault(row["model"], {})[row["way"]] = row.get("replay", row.get("call"))
    ways = [way for way in STREAMS if any(way in row for row in times.values())]
    base, *others = ways
    rows: list[list[object]] = []
    for model, row in times.items():
        if base in row:
            ratios = [f"{row[base] / row[way]:.2f}" if way in row else "–" for way in others]
            paper = IOS_PAPER.get(model)
            ios = f"{paper[0] / paper[-1]:.2f}" if paper else "–"
            rows.append([model, f"{row[base]:.3f}", *ratios, ios])
    head = ["model", *(STREAMS[way] for way in ways), "IOS by its authors, V100"]
    facts = ", ".join(f"{key} {value}" for key, value in found["environment"].items())
    return f"{table(head, rows)}\n\n{facts}"


def published(found: dict[str, Any], trial: dict[str, Any]) -> str:
    """What IOS's and Opara's authors have published, beside ours."""
    ios = "IOS, V100, 2021-04"
    rows: list[tuple[str, str, float | None, float, float]] = [
        *((m, ios, row[0], TENSORRT[m], row[-1]) for m, row in IOS_PAPER.items()),
        *((m, "Opara, GPU not named, 2023-06", *row) for m, row in OPARA.items()),
    ]
    times: dict[str, dict[str, float]] = {}
    for row in found["rows"]:
        if "failed" not in row:
            times.setdefault(row["model"], {})[row["way"]] = row.get("replay", row.get("call"))
    facts = found["environment"]
    ours = f"ours, {facts['device'].split()[1]}, {facts['date']}"
    for model, row in times.items():
        if "plain graph" in row and "auto" in row:
            rows.append((model, ours, row.get("eager"), row["plain graph"], row["auto"]))
    name = f"our trial, {trial['environment']['device']}"
    rows += [(r["model"], name, r["eager"], r["one stream"], r["streams"]) for r in trial["rows"]]
    lines = [
        [
            *(model, who, "–" if eager is None else f"{eager:.2f}", f"{base:.3f}", f"{ms:.3f}"),
            *("–" if eager is None else f"{eager / ms:.2f}", f"{base / ms:.2f}"),
        ]
        for model, who, eager, base, ms in sorted(rows, key=lambda row: row[0])
    ]
    head = ["model", "by whom, device, date", "one by one, ms", "one graph or TensorRT, ms"]
    head += ["streams, ms", "over one by one", "over one graph or TensorRT"]
    return table(head, lines)


TABLES: dict[str, Callable[[Models], str]] = {
    "graphs": graphs,
    "measured": measured,
    "predicted": predicted,
    "simulated": simulated,
    "gap": gap,
    "batches": batches,
    "compile-times": compile_times,
    "ios": ios_measured,
    "pruning": ios_pruning,
}


def main() -> None:
    document = json.loads((RESULTS / "papers.json").read_text())
    models: Models = document["models"]
    gpu = json.loads((RESULTS / "gpu.json").read_text())
    parts = {name: make(models) for name, make in TABLES.items()} | {
        "machine": machine(document),
        "streams": streams(gpu),
        "published": published(gpu, json.loads((RESULTS / "gpu_trial.json").read_text())),
    }
    text = PAGE.read_text()
    for name, content in parts.items():
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text, count = pattern.subn(lambda m, c=content: f"{m[1]}{c}\n{m[2]}", text)
        assert count == 1, f"docs/papers.md has no place for {name}"
    PAGE.write_text(text)
    pictures(models)


if __name__ == "__main__":
    main()
