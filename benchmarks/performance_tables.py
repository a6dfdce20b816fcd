"""The tables of docs/performance.md, from the results of benchmarks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from statistics import geometric_mean, median, quantiles
from typing import Any

from containers import SETTINGS, over_best
from contestants import CONTESTANTS
from papers_page import table

Document = dict[str, Any]
"""What benchmarks/performance.py writes, and by their names what is in the files of OTHERS."""
Row = dict[str, Any]
Section = dict[str, Any]

OTHERS = (
    "more_cores",
    "many_cores",
    "gpu",
    "default",
    "eaten",
    "avx2",
    "predicted",
    "disturbed",
    "streams",
    "ready",
    "containers",
)
"""Results of other benchmarks, in files of these names beside performance.json."""
READY = ("ort", "api", "command", "again", "first")
"""The contestants of benchmarks/ready.py."""
NONE = "–"
QUIET = 0.05
"""Cores used by others above which the page says so."""


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


def told(machine: dict[str, Any]) -> str:
    """A machine in words."""
    known = ("torch", "onnxruntime", "openvino", "ramiel")
    packages = ", ".join(f"{name} {machine[name]}" for name in known if name in machine)
    return f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, {packages}"


def machines(document: Document) -> str:
    lines: dict[str, None] = {}
    every = [section for parts in document["models"].values() for section in parts.values()]
    for section in every:
        of = section["machine"]
        lines[f"{told(of)}; {section['threads']} threads."] = None
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
    heads = ["ms", *names, *(f"{ours} against {peer}" for peer, ours in pairs)]
    return f"{table(heads, rows)}\n\n{machines(document[name])}"


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
        plain = min(schedules[n]["quartile"] for n in ("serial", "intra-op"))
        auto = f"{schedules['auto']['quartile'] / plain:.2f}" if "auto" in schedules else NONE
        beside = run["side by side"] / schedules["serial"]["quartile"]
        reached = [f"{factor * bound / least:.2f}" for factor in (1.0, beside)]
        rows.append([title, f"{drift:.2f}", *cells, reached[0], f"{beside:.2f}", reached[1], auto])
    heads = ["measured over predicted", "serial", *(n for n in names if n != "serial")]
    heads += ["bound over the best", "side by side over alone", "that bound over the best"]
    return table([*heads, "auto over serial or intra-op"], rows)


def disturbed(document: Document) -> str:
    """What --tune chose while a core was eaten, over the fastest program."""
    rows: list[list[object]] = []
    for model, run in document.get("disturbed", {}).items():
        least = min(run["ms"].values())
        over = {name: ms / least for name, ms in run["ms"].items()}
        counts = Counter(one["chosen"] for one in run["tries"])
        chosen = sorted((over[name], name, count) for name, count in counts.items())
        told = ", ".join(f"{count} times {name} ({ratio:.2f})" for ratio, name, count in chosen)
        fastest = min(over, key=lambda name: over[name])
        quiet = f"{run['quiet']} ({over[run['quiet']]:.2f})"
        rows.append([model, f"{fastest}, {least:.2f} ms", quiet, told, f"{chosen[-1][0]:.2f}"])
    heads = ["model", "fastest", "chosen with nothing else running", "while disturbed", "worst"]
    return table(heads, rows) if rows else "Not measured."


def streams(document: Document) -> str:
    """Throughput of each way to compute requests that follow each other, and their latency."""
    sittings = document.get("streams", {}).get("sittings", [])
    names = list(dict.fromkeys(n for sitting in sittings for n in sitting["ways"]))
    rows = [
        [f"{sitting['model']}, {sitting['executor']}"]
        + [streamed(sitting["ways"][n]) if n in sitting["ways"] else NONE for n in names]
        for sitting in sittings
    ]
    return table(["requests/s, of serial; ms", *names], rows) if rows else "Not measured."


def streamed(row: Row) -> str:
    return f"{row['requests_per_s']:.1f}, {row['of_serial']:.2f}x; {row['latency_ms']:.1f}"


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


def containers(document: Document) -> str:
    """Medians of each setting, and the default's over the best by hand."""
    run = document.get("containers", {})
    rows: list[list[object]] = []
    for model, limits in run.get("models", {}).items():
        for limit, taken in limits.items():
            times = (f"{median(taken[name]):.1f}" for name in SETTINGS)
            rows.append([f"{model}, {limit}", *times, f"{over_best(taken):.2f}"])
    if not rows:
        return "Not measured."
    heads = ["ms", *SETTINGS, "default over the best by hand"]
    return f"{table(heads, rows)}\n\n{told(run['machine'])}."


def ready(document: Document) -> str:
    """Seconds to the first outputs."""
    run = document.get("ready", {})
    rows = [
        [model, *(f"{row[name]:.2f}" for name in READY)]
        for model, row in run.get("models", {}).items()
    ]
    if not rows:
        return "Not measured."
    return f"{table(['s', *READY], rows)}\n\n{told(run['machine'])}."


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
    "eaten": partial(apart, "eaten"),
    "disturbed": disturbed,
    "avx2": partial(apart, "avx2"),
    "predicted": predicted,
    "cores": cores,
    "many-cores": many_cores,
    "gpu": gpu,
    "streams": streams,
    "batches": batches,
    "bf16": bf16,
    "differences": differences,
    "containers": containers,
    "ready": ready,
    "absent": absent,
}
