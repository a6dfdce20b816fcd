"""Writes the tables of docs/torch_compile.md from benchmarks/results/compiled_models.json.

    python benchmarks/compiled_page.py [--page docs/torch_compile.md]

Only the text between `<!-- NAME -->` and `<!-- /NAME -->` is generated.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from compiled_models import LIBRARIES, OURS, OUT
from compiled_zoo import ENTRIES
from papers_page import table
from performance_tables import NONE, shown, spread

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "torch_compile.md"
EQUAL = 1e-4
"""The largest difference from eager PyTorch, relative to the largest value of a result."""

Document = dict[str, Any]


def compared(document: Document) -> dict[str, dict[str, Any]]:
    """What Ramiel's process reported, by model, in the order of the zoo."""
    found = document.get("compared", {})
    return {name: found[name]["ways"][OURS] for name in ENTRIES if name in found}


def is_equal(row: Mapping[str, Any]) -> bool:
    return "absent" not in row and row["relative"] < EQUAL


def summary(document: Document) -> str:
    rows = compared(document)
    known = {name: row for name, row in rows.items() if "absent" not in row}
    whole = sum(row["facts"]["graphs"] == row["facts"]["programs"] == 1 for row in known.values())
    parts = sum(row["facts"]["graphs"] == row["facts"]["programs"] > 1 for row in known.values())
    libraries = ", ".join(
        f"{sum(ENTRIES[name].library == library for name in rows)} of {library}"
        for library in LIBRARIES
    )
    return (
        f"{len(rows)} models ({libraries}): {sum(map(is_equal, rows.values()))} are equal to eager "
        f"PyTorch within {EQUAL:.0e} of the largest value of each result. As one program: {whole}; "
        f"as several: {parts}; in PyTorch, a part or the whole: {len(rows) - whole - parts}.\n\n"
        f"{machines(document, 'compared')}"
    )


def machines(document: Document, part: str) -> str:
    lines = {
        f"{of['cpu']}, {found['threads']} threads, Python {of['python']}, "
        + ", ".join(f"{name} {of[name]}" for name in ("torch", *LIBRARIES))
        for found in document.get(part, {}).values()
        for of in [found["machine"]]
    }
    return "; ".join(sorted(lines)) + "."


def models(document: Document) -> str:
    rows: list[list[object]] = []
    for name, row in compared(document).items():
        entry = ENTRIES[name]
        title = [name if name == entry.maker else f"{name}: {entry.maker}", entry.library]
        if "absent" in row:
            rows.append([*title, "–", "–", "–", row["absent"], ""])
            continue
        facts = row["facts"]
        off = f"{row['relative']:.1e}" if is_equal(row) else f"**{row['relative']:.1e}**"
        graphs = f"{facts['programs']} of {facts['graphs']}"
        as_they_are = ", ".join(f"{op} ({n})" for op, n in facts["unknown"].items())
        reasons = "; ".join(facts["reasons"])
        rows.append([*title, off, graphs, f"{row['ready_s']:.1f}", reasons, as_they_are])
    head = ["model", "library", "off by", "programs of graphs", "ready, s", "in PyTorch, and why"]
    return table([*head, "operators that run as they are"], rows)


def speed(document: Document) -> str:
    """Medians of rounds; ratios are those of the same round."""
    families: dict[str, list[float]] = {}
    rows: list[list[object]] = []
    for name in ENTRIES:
        if name not in document.get("timed", {}):
            continue
        ways = document["timed"][name]["ways"]
        rounds = {way: row["rounds_ms"] for way, row in ways.items() if "rounds_ms" in row}
        cells = [ms(rounds.get(way)) for way in ("eager", "inductor", OURS)]
        ratios = {way: over(rounds, way) for way in ("eager", "inductor")}
        family = ENTRIES[name].family
        if ratios["inductor"] is not None:
            families.setdefault(family, []).append(ratios["inductor"][1])
        rows.append([family, name, *cells, shown(ratios["eager"]), shown(ratios["inductor"])])
    if not families:
        return "Not measured."
    mean = geometric_mean(geometric_mean(found) for found in families.values())
    rows.append([f"geometric mean of {len(families)} families", *[""] * 5, f"**{mean:.2f}**"])
    head = ["family", "model", "eager, ms", "Inductor, frozen, ms", "Ramiel, ms"]
    head += ["against eager", "against Inductor"]
    return f"{table(head, rows)}\n\n{machines(document, 'timed')}"


def ms(times: list[float] | None) -> str:
    if times is None:
        return NONE
    found = spread(times)
    return NONE if found is None else f"{found[1]:.2f}"


def over(rounds: Mapping[str, list[float]], way: str) -> tuple[float, float, float] | None:
    """How many times as fast as `way` Ramiel is: quartiles of the rounds."""
    if way not in rounds or OURS not in rounds:
        return None
    return spread([a / b for a, b in zip(rounds[way], rounds[OURS], strict=True)])


TABLES: Mapping[str, Callable[[Document], str]] = {
    "summary": summary,
    "models": models,
    "speed": speed,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, default=PAGE)
    page: Path = parser.parse_args().page
    document: Document = json.loads(OUT.read_text())
    text = page.read_text()
    for name, make in TABLES.items():
        content = make(document)
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text, count = pattern.subn(lambda m, c=content: f"{m[1]}{c}\n{m[2]}", text)
        assert count == 1, f"the page has no place for {name}"
    page.write_text(text)


if __name__ == "__main__":
    main()
