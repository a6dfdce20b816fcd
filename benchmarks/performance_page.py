"""Writes docs/performance.md and its picture from benchmarks/results/performance.json.

    python benchmarks/performance_page.py [RESULTS.json] [--page docs/performance.md]

Needs matplotlib (`pip install -e '.[bench]'`). Only the text between `<!-- NAME -->` and
`<!-- /NAME -->` is generated; the rest is written by hand. A new page starts as TEXT.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from statistics import geometric_mean, quantiles
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from contestants import CONTESTANTS
from papers_page import bars, table

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "performance.json"
OTHERS = ("more_cores", "many_cores", "gpu", "default", "avx2", "predicted")
"""Results of other benchmarks, in files of these names beside performance.json."""
PAGE = ROOT / "docs" / "performance.md"

Document = dict[str, Any]
Row = dict[str, Any]
Section = dict[str, Any]

NONE = "–"
QUIET = 0.05
"""Cores used by others above which the page says so."""

TEXT = """\
# Performance

Ramiel's programs against other runtimes: the same machine, the same number of threads, the same
inputs. `benchmarks/performance.py` measures and says how, `benchmarks/contestants.py` has the
contestants, and `benchmarks/performance_page.py` writes the tables.

Contestants are processes that run in turns, a short burst in each round, one at a time. A latency
is the median of the rounds' medians. A ratio is the median of the ratios within the rounds, with
its quartiles in brackets; above 1, Ramiel is faster. Every contestant's outputs are compared with
ONNX Runtime's, of one sample at a time, and contestants that are off by more than a hundredth of
the largest value (f32) are excluded.

<!-- machine -->
<!-- /machine -->

<!-- contestants -->
<!-- /contestants -->

## Latency, one sample, f32

<!-- latency -->
<!-- /latency -->

![Speed over PyTorch in one thread](performance/latency.svg)

## Ramiel against each contestant

<!-- ratios -->
<!-- /ratios -->

## How close schedules come to the bound

With the costs of operations measured one by one, no schedule takes less than the bound. "Reached"
is the bound over the measured time. Operations may be faster in the program than alone, so it can
exceed 1.

<!-- bound -->
<!-- /bound -->

## Without options

What `ramiel compile` makes without a profile and without `--tune`, at the prices that it measures
once on a machine.

<!-- default -->
<!-- /default -->

## With AVX2 only

The same, with all contestants limited to AVX2 on a processor that has more: `DNNL_MAX_CPU_ISA` and
`ONEDNN_MAX_CPU_ISA` are `AVX2`, `ATEN_CPU_CAPABILITY` is `avx2`.

<!-- avx2 -->
<!-- /avx2 -->

## Predicted and measured

`benchmarks/predicted.py`: the lower quartile of what a schedule's program takes over its simulated
time, by serial's (how much slower the machine was than when it was profiled), and over the bound.

<!-- predicted -->
<!-- /predicted -->

## More cores, simulated

Not measured: simulated from the times of operations on one and two threads, extrapolated by
Amdahl's law. Each cell is the speed-up of the best schedule found over running one operation after
the other on all cores, or over one core.

<!-- cores -->
<!-- /cores -->

## Sixteen cores, measured

`benchmarks/many_cores.py`, batch 1, f32, in turns; simulated times in brackets.

<!-- many-cores -->
<!-- /many-cores -->

## Streams of a GPU

`benchmarks/gpu.py`, batch 1: CUDA graphs of one stream and of several, and the speed-up over plain
calls on one stream.

<!-- gpu -->
<!-- /gpu -->

## Batches

Throughput over that of ONNX Runtime at the same batch, f32.

<!-- batches -->
<!-- /batches -->

## bf16

<!-- bf16 -->
<!-- /bf16 -->

## Differences from ONNX Runtime's outputs

The largest difference over the largest value of the output.

<!-- differences -->
<!-- /differences -->

## Time to be ready

Seconds from the model's file to the first outputs, with warm or cold caches as they were.

<!-- ready -->
<!-- /ready -->

## Excluded contestants

<!-- absent -->
<!-- /absent -->
"""


# --- the results -------------------------------------------------------------------------


def sections(document: Document, dtype: str, batch: int | None = None) -> dict[str, list[Section]]:
    """By model, in the order of the batches."""
    found: dict[str, list[Section]] = {}
    for model, parts in document["models"].items():
        fitting = [p for p in parts.values() if p["dtype"] == dtype and batch in (None, p["batch"])]
        if fitting:
            found[model] = sorted(fitting, key=lambda p: p["batch"])
    return found


def single(document: Document, dtype: str = "f32") -> dict[str, Section]:
    """The sections of one sample, by model."""
    return {model: parts[0] for model, parts in sections(document, dtype, 1).items()}


def timed(section: Section) -> dict[str, Row]:
    """The contestants that have times."""
    return {name: row for name, row in section["contestants"].items() if "ms" in row}


def columns(parts: Iterable[Section], with_times: bool = True) -> list[str]:
    """The contestants of any of the sections, in the order of CONTESTANTS."""
    rows = [timed(p) if with_times else p["contestants"] for p in parts]
    return [name for name in CONTESTANTS if any(name in row for row in rows)]


def round_ratios(section: Section, slow: str, fast: str) -> list[float] | None:
    """How many times as fast the second is, in each round."""
    rows = timed(section)
    if slow not in rows or fast not in rows:
        return None
    pairs = zip(rows[slow]["rounds_ms"], rows[fast]["rounds_ms"], strict=True)
    return [a / b for a, b in pairs]


def spread(ratios: list[float] | None) -> tuple[float, float, float] | None:
    """Quartiles: low, median, high."""
    if ratios is None:
        return None
    low, middle, high = quantiles(ratios, n=4, method="inclusive")
    return low, middle, high


def shown(ratio: tuple[float, float, float] | None) -> str:
    return NONE if ratio is None else f"{ratio[1]:.2f} ({ratio[0]:.2f} to {ratio[2]:.2f})"


def mean(ratios: Sequence[tuple[float, float, float] | None]) -> str:
    """The geometric mean of medians, with their number if some are missing."""
    medians = [ratio[1] for ratio in ratios if ratio is not None]
    if not medians:
        return NONE
    some = f" ({len(medians)} models)" if len(medians) < len(ratios) else ""
    return f"**{geometric_mean(medians):.2f}**{some}"


def milliseconds(row: Row | None) -> str:
    if row is None or "ms" not in row:
        return "wrong" if row is not None and "wrong" in row else NONE
    return f"{row['ms']:.2f}" if row["ms"] < 10 else f"{row['ms']:.1f}"


# --- the tables --------------------------------------------------------------------------


def machines(document: Document) -> str:
    lines: dict[str, None] = {}
    every = [section for parts in document["models"].values() for section in parts.values()]
    for section in every:
        of = section["machine"]
        known = ("torch", "onnxruntime", "openvino", "ramiel")
        packages = ", ".join(f"{name} {of[name]}" for name in known if name in of)
        line = f"{of['cpu']}, {of['cores']} cores, Python {of['python']}, {packages}; "
        lines[f"{line}{section['threads']} threads."] = None
    rounds = sorted({section["rounds"] for section in every})
    span = dict.fromkeys((rounds[0], rounds[-1]))
    lines[f"Rounds in a sitting: {' to '.join(map(str, span))}."] = None
    noisy = max(section["others_cores"] + section["stolen_cores"] for section in every)
    if noisy > QUIET:
        lines[
            f"The machine was not quiet: in the worst sitting others used {noisy:.2f} cores, and "
            "the numbers are preliminary."
        ] = None
    return "\n\n".join(lines)


def about(document: Document) -> str:
    names = columns((s for m in document["models"].values() for s in m.values()), False)
    return "\n".join(f"- `{name}`: {CONTESTANTS[name].about}" for name in names)


def latency(document: Document) -> str:
    models = single(document)
    names = columns(models.values())
    rows = [
        [model, *(milliseconds(section["contestants"].get(name)) for name in names)]
        for model, section in models.items()
    ]
    return table(["ms", *names], rows)


def ratios(document: Document) -> str:
    models = single(document)
    names = [name for name in columns(models.values()) if name != "ramiel"]
    cells = {
        model: [spread(round_ratios(section, name, "ramiel")) for name in names]
        for model, section in models.items()
    }
    rows = [[model, *map(shown, row)] for model, row in cells.items()]
    rows.append(["geometric mean", *(mean(row) for row in zip(*cells.values(), strict=True))])
    return table(["ramiel against", *names], rows)


def bound(document: Document) -> str:
    rows: list[list[object]] = []
    reached: list[float] = []
    for model, section in single(document).items():
        row = timed(section).get("ramiel")
        if row is None:
            continue
        report = row["facts"]["report"]
        predicted = [report[k] / 1e3 for k in ("serial_us", "parallel_us", "bound_us")]
        reached.append(predicted[2] / row["ms"])
        figures = [*(f"{ms:.2f}" for ms in predicted), f"{row['ms']:.2f}", f"{reached[-1]:.2f}"]
        rows.append([model, report["schedule"], *figures])
    if reached:
        rows.append(["geometric mean", *[""] * 5, f"**{geometric_mean(reached):.2f}**"])
    head = ["model", "schedule", "ms: serial, predicted", "parallel, predicted", "bound"]
    return table([*head, "measured", "reached"], rows)


def apart(name: str, document: Document) -> str:
    """Times of a file of its own, and each form of Ramiel's against the peers."""
    models = single(document.get(name) or {"models": {}})
    if not models:
        return "Not measured."
    names = columns(models.values())
    pairs = [(p, n) for n in names if n.startswith("ramiel") for p in ("ort", "openvino")]
    cells = {
        model: [spread(round_ratios(section, *pair)) for pair in pairs]
        for model, section in models.items()
    }
    rows = [
        [model, *(milliseconds(section["contestants"].get(name)) for name in names)]
        + [shown(cell) for cell in cells[model]]
        for model, section in models.items()
    ]
    means = [mean(row) for row in zip(*cells.values(), strict=True)]
    rows.append(["geometric mean", *[""] * len(names), *means])
    return table(["ms", *names, *(f"{ours} against {peer}" for peer, ours in pairs)], rows)


def predicted(document: Document) -> str:
    """Lower quartiles of measured times over predicted ones, in relation to serial's."""
    found = document.get("predicted", {})
    if not found:
        return "Not measured."
    names = list(dict.fromkeys(n for run in found.values() for n in run["schedules"]))
    rows: list[list[object]] = []
    for title, run in found.items():
        schedules = run["schedules"]
        off = {n: row["quartile"] / row["predicted"] for n, row in schedules.items()}
        least = min(row["quartile"] for row in schedules.values())
        bound = min(row["bound"] for row in schedules.values())
        drift = off.pop("serial")
        cells = [f"{off[n] / drift:.2f}" if n in off else NONE for n in names if n != "serial"]
        rows.append([title, f"{drift:.2f}", *cells, f"{bound / least:.2f}"])
    heads = ["measured over predicted", "serial", *(n for n in names if n != "serial")]
    return table([*heads, "bound over the best"], rows)


def batches(document: Document) -> str:
    parts = [
        (model, section)
        for model, found in sections(document, "f32").items()
        for section in found
        if section["batch"] > 1
    ]
    names = [name for name in columns(section for _, section in parts) if name != "ort"]
    rows: list[list[object]] = []
    by_batch: dict[int, list[list[tuple[float, float, float] | None]]] = {}
    for model, section in parts:
        cells = [spread(round_ratios(section, "ort", name)) for name in names]
        by_batch.setdefault(section["batch"], []).append(cells)
        ort = milliseconds(section["contestants"].get("ort"))
        rows.append([model, section["batch"], ort, *map(shown, cells)])
    for batch, found in sorted(by_batch.items()):
        means = [mean(row) for row in zip(*found, strict=True)]
        rows.append(["geometric mean", batch, "", *means])
    return table(["model", "batch", "ort, ms", *names], rows) if rows else "Not measured."


def cores(document: Document) -> str:
    models: dict[str, dict[str, Row]] = document.get("more_cores", {}).get("models", {})
    if not models:
        return "Not simulated."
    counts = [p for p in next(iter(models.values())) if int(p) > 2]

    def gains(p: str, over: str) -> list[float]:
        return [found[p][over] / found[p]["refine"] for found in models.values()]

    columns_ = [gains(p, over) for p in counts for over in ("intra-op", "serial")]
    rows: list[list[object]] = [
        [model, *(f"{column[i]:.2f}" for column in columns_)] for i, model in enumerate(models)
    ]
    rows.append(["geometric mean", *(f"**{geometric_mean(column):.2f}**" for column in columns_)])
    heads = [f"{p} cores, over {over}" for p in counts for over in ("intra-op", "one core")]
    return table(["", *heads], rows)


def many_cores(document: Document) -> str:
    """Measured ms of each contestant of many_cores.py; what Ramiel simulated in brackets."""
    found = document.get("many_cores", {})
    parts: list[str] = []
    for count, models in found.get("cores", {}).items():
        names = list(dict.fromkeys(name for model in models.values() for name in model["ms"]))
        rows: list[list[object]] = []
        for model, measured in models.items():
            ms, facts = measured["ms"], measured["facts"]
            cells = [f"{ms[name]:.2f}" if name in ms else NONE for name in names]
            for i, name in enumerate(names):
                if name in facts:
                    cells[i] += f" ({facts[name]['expected_ms']:.2f})"
            rows.append([model, *cells, f"{min(f['bound_ms'] for f in facts.values()):.2f}"])
        parts.append(table([f"ms, {count} cores", *names, "bound"], rows))
    facts = found.get("machine", {})
    return "\n\n".join([*parts, ", ".join(f"{k} {v}" for k, v in facts.items())])


def gpu(document: Document) -> str:
    """Measured ms of each graph of gpu.py, and how much faster than plain calls on one stream."""
    found = document.get("gpu", {})
    models: dict[str, dict[str, float]] = {}
    for row in found.get("rows", []):
        if "replay" in row:
            models.setdefault(row["model"], {})[row["way"]] = row["replay"]
    ways = list(dict.fromkeys(way for ms in models.values() for way in ms))
    base = "plain graph"
    rows: list[list[object]] = [
        [
            model,
            *(f"{ms[w]:.3f} ({ms[base] / ms[w]:.2f}x)" if w in ms else NONE for w in ways),
        ]
        for model, ms in models.items()
        if base in ms
    ]
    facts = ", ".join(f"{k} {v}" for k, v in found.get("environment", {}).items())
    return f"{table(['ms', *ways], rows)}\n\n{facts}"


def bf16(document: Document) -> str:
    models = single(document, "bf16")
    if not models:
        return "Not measured."
    names = columns(models.values())
    pairs = [
        ("openvino-bf16", "ramiel-bf16"),
        ("compile-bf16", "ramiel-bf16"),
        ("ramiel", "ramiel-bf16"),
    ]
    cells = {
        model: [spread(round_ratios(section, *pair)) for pair in pairs]
        for model, section in models.items()
    }
    rows = [
        [model, *(milliseconds(section["contestants"].get(n)) for n in names)]
        + [shown(cell) for cell in cells[model]]
        for model, section in models.items()
    ]
    means = [mean(row) for row in zip(*cells.values(), strict=True)]
    rows.append(["geometric mean", *[""] * len(names), *means])
    against = [f"ramiel-bf16 against {slow}" for slow, _ in pairs]
    return table(["ms", *names, *against], rows)


def figure(document: Document, show: Callable[[Row], str]) -> str:
    """A table of something about each contestant of each sitting."""
    parts = [
        (f"{model}, {sitting}", section)
        for model, found in document["models"].items()
        for sitting, section in found.items()
    ]
    names = columns((section for _, section in parts), False)
    rows = [
        [title, *(show(section["contestants"].get(name, {})) for name in names)]
        for title, section in parts
    ]
    return table(["", *names], rows)


def differences(document: Document) -> str:
    return figure(
        document, lambda row: f"{float(row['max_rel']):.0e}" if "max_rel" in row else NONE
    )


def ready(document: Document) -> str:
    return figure(document, lambda row: f"{row['ready_s']:.1f}" if "ready_s" in row else NONE)


def absent(document: Document) -> str:
    lines = [
        f"- {model}, {sitting}, `{name}`: {row.get('absent') or 'its outputs are wrong'}"
        for model, found in document["models"].items()
        for sitting, section in found.items()
        for name, row in section["contestants"].items()
        if "ms" not in row
    ]
    return "\n".join(lines) or "All took part everywhere."


TABLES: dict[str, Callable[[Document], str]] = {
    "machine": machines,
    "contestants": about,
    "latency": latency,
    "ratios": ratios,
    "bound": bound,
    "default": partial(apart, "default"),
    "avx2": partial(apart, "avx2"),
    "predicted": predicted,
    "cores": cores,
    "many-cores": many_cores,
    "gpu": gpu,
    "batches": batches,
    "bf16": bf16,
    "differences": differences,
    "ready": ready,
    "absent": absent,
}


def filled(text: str, document: Document) -> str:
    """A page with the document's tables in their places."""
    for name, make in TABLES.items():
        content = make(document)
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text, count = pattern.subn(lambda m, c=content: f"{m[1]}{c}\n{m[2]}", text)
        assert count == 1, f"the page has no place for {name}"
    return text


def picture(document: Document, path: Path) -> None:
    """Speed over PyTorch in one thread."""
    models = single(document)
    names = [name for name in columns(models.values()) if name != "eager-1"]
    series: dict[str, list[float]] = {}
    for name in names:
        found = (spread(round_ratios(section, "eager-1", name)) for section in models.values())
        series[name] = [ratio[1] if ratio else 0.0 for ratio in found]
    plt.rcParams["svg.hashsalt"] = "ramiel"  # the same picture for the same numbers
    drawing, axes = plt.subplots(figsize=(9.0, 3.8))
    bars(axes, list(models), series, "speed over PyTorch in one thread")
    axes.spines[["top", "right"]].set_visible(False)
    drawing.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(path, metadata={"Date": None})
    plt.close(drawing)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="?", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    document: Document = json.loads(options.results.read_text())
    for name in OTHERS:
        path = RESULTS.with_name(f"{name}.json")
        document[name] = json.loads(path.read_text()) if path.exists() else {}
    page: Path = options.page
    text = page.read_text() if page.exists() else TEXT
    page.write_text(filled(text, document))
    if single(document):
        picture(document, page.parent / "performance" / "latency.svg")


if __name__ == "__main__":
    main()
