"""Simulates models on several machines, and writes docs/machines.md.

    python benchmarks/machines.py bert_base.onnx nasnet.onnx randwire.onnx
        [--ranks 4] [--workers 8] [--schedules auto ...] [--measured RESULTS.json ...]
        [--results benchmarks/results/machines.json] [--page docs/machines.md]

Costs come from the shapes, at nominal prices, so the tables are the same on each machine. What is
simulated replaces that of the same machines, model and schedule in the results, of which the tables
are made. `--measured` adds what hand_over.py, ranks.py and rank_streams.py have measured.
Only the text between `<!-- NAME -->` and `<!-- /NAME -->` is generated.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from ramiel.compiler import compile_model, program_of
from ramiel.pipelines import Options

ROOT = Path(__file__).parent.parent
LINKS = {
    "1 Gbit/s, 50 µs": (50.0, 125.0),
    "10 Gbit/s, 30 µs": (30.0, 1250.0),
    "100 Gbit/s, 5 µs": (5.0, 12500.0),
    "the same, without workers": (5.0, 12500.0, 0.0, 1e9),
}
"""Latency, µs, and bytes a µs; and what a message takes of workers if it is not as usual: nothing
where network adapters read and write what workers compute."""
SCHEDULES = ("auto", "linear", "dsc", "list", "greedy", "ios")


class Simulated(NamedTuple):
    ms: float
    serial_ms: float
    ranks: int
    messages: int
    seconds: float
    """How long the compilation took."""


def simulated(
    model: Path, schedule: str, workers: int, ranks: int, link: tuple[float, ...] | None
) -> Simulated:
    options = Options(
        workers=workers, schedule=schedule, executor="distributed", ranks=ranks, link=link
    )
    begin = perf_counter()
    made = compile_model(model, options)
    seconds = perf_counter() - begin
    program, report = program_of(made.module), made.report
    return Simulated(
        report.parallel_us / 1e3,
        report.serial_us / 1e3,
        program.ranks,
        len(program.crossings),
        round(seconds, 1),
    )


def row(model: Path, schedule: str, workers: int, ranks: int) -> dict[str, Any]:
    """On one machine, and on several with each link."""
    found = {"": simulated(model, schedule, workers, 1, None)}
    for name, link in LINKS.items():
        found[name] = simulated(model, schedule, workers, ranks, link)
    return {name: one._asdict() for name, one in found.items()}


def table(rows: dict[str, dict[str, Any]], workers: int, ranks: int) -> str:
    """One row for each model and schedule, one column for each link."""
    slowest = max(one["seconds"] for found in rows.values() for one in found.values())
    lines = [
        f"ms for one sample, simulated, on {ranks} machines of {workers} cores; in brackets the "
        "machines that the schedule uses, and its messages. The longest of these "
        f"compilations took {slowest:.0f} s.",
        "",
        "| model | schedule | one core | one machine | " + " | ".join(LINKS) + " |",
        "|---" * (4 + len(LINKS)) + "|",
    ]
    for name in sorted(rows, key=_position):
        alone = rows[name][""]
        cells = [f"{alone['serial_ms']:.2f}", f"{alone['ms']:.2f}"]
        for link in LINKS:
            found = rows[name][link]
            how = f" ({found['ranks']}, {found['messages']})" if found["ranks"] > 1 else " (1)"
            cells.append(f"{found['ms']:.2f}{how}")
        lines.append(f"| {' | '.join([*name.split(), *cells])} |")
    return "\n".join(lines)


def _position(name: str) -> tuple[str, int]:
    model, schedule = name.split()
    return model, SCHEDULES.index(schedule)


def hand_overs(document: dict[str, Any]) -> str:
    lines = [
        f"Two ranks on one machine by {document['way']}, which measures as "
        f"`--link {document['link']}`:",
        "",
        "| bytes | isend and irecv, µs | hand-over, µs | ratio |",
        "|---|---|---|---|",
    ]
    for row in document["rows"]:
        bare, ours = row["bare_us"], row["hand_over_us"]
        lines.append(f"| {row['bytes']:.0f} | {bare:.1f} | {ours:.1f} | {ours / bare:.2f} |")
    return "\n".join(lines)


def programs(document: dict[str, Any]) -> str:
    tries = sorted({len(row["off"]) for row in document["programs"]})
    lines = [
        f"Two ranks with a worker each on one machine, by {document['way']}, simulated with "
        f"`--link {document['link']}` and costs measured just before, in bursts: lower quartiles, "
        "as costs are, and in brackets medians, ms. Measured over simulated is the median of "
        f"{' or '.join(map(str, tries))} tries, of which one is shown, with the least and "
        "the most:",
        "",
        "| model | schedule | messages | simulated | measured | off | serial, simulated "
        "| measured | off |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in document["programs"]:
        cells = [row["model"], row["schedule"], str(row["messages"])]
        for predicted, took, off in (
            ("simulated", "measured", "off"),
            ("serial_simulated", "serial", "serial_off"),
        ):
            cells.append(f"{row[predicted]:.2f}")
            cells.append(f"{row[took]:.2f} ({row[f'{took}_median']:.2f})")
            least, most = min(row[off]), max(row[off])
            cells.append(f"{statistics.median(row[off]):.2f} ({least:.2f} to {most:.2f})")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def streams(document: dict[str, Any]) -> str:
    lines = [
        f"Streams on two ranks with a worker each on one machine, by {document['way']}, simulated "
        f"with `--link {document['link']}` and costs measured just before: ms from one result to "
        "the next, and of a request from when it is taken. Times serial: medians of bursts in "
        "turns, with the least and the most:",
        "",
        "| model | stream | messages | simulated | measured | latency | serial | times serial |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in document["streams"]:
        how = f"{row['way']}, {row['at_a_time']} at a time"
        chosen = "chosen: " if row["stream"] == "chosen" else ""
        cells = [row["model"], chosen + how, str(row["messages"])]
        cells += [f"{row[of]:.2f}" for of in ("predicted", "measured", "latency", "serial")]
        off = row["of_serial"]
        cells.append(f"{statistics.median(off):.2f} ({min(off):.2f} to {max(off):.2f})")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--ranks", type=int, default=4)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--schedules", nargs="*", default=SCHEDULES, choices=SCHEDULES)
    parser.add_argument("--measured", nargs="*", type=Path, default=[])
    parser.add_argument(
        "--results", type=Path, default=ROOT / "benchmarks" / "results" / "machines.json"
    )
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "machines.md")
    options = parser.parse_args()
    results: dict[str, Any] = json.loads(options.results.read_text())
    parts: dict[str, str] = {}
    rows = results.setdefault(f"{options.ranks} x {options.workers}", {})
    for model in options.models:
        for schedule in options.schedules:
            found = row(model, schedule, options.workers, options.ranks)
            rows[f"{model.stem} {schedule}"] = found
            print(model.stem, schedule, found, flush=True)
            options.results.write_text(json.dumps(results, indent=1) + "\n")
    if rows:
        name = f"simulated-{options.ranks * options.workers}"
        parts[name] = table(rows, options.workers, options.ranks)
    for path in options.measured:
        document: dict[str, Any] = json.loads(path.read_text())
        way = str(document["way"]).replace(" ", "-")
        parts |= {f"hand-overs-{way}": hand_overs(document)} if "rows" in document else {}
        parts |= {f"programs-{way}": programs(document)} if "programs" in document else {}
        parts |= {f"streams-{way}": streams(document)} if "streams" in document else {}
    text = options.page.read_text()
    for name, content in parts.items():
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text, count = pattern.subn(lambda m, c=content: f"{m[1]}{c}\n{m[2]}", text)
        assert count == 1, f"the page has no place for {name}"
    options.page.write_text(text)


if __name__ == "__main__":
    main()
