"""Writes the tables of docs/performance.md, and its picture, from benchmarks/results.

    python benchmarks/performance_page.py [RESULTS.json] [--page docs/performance.md]

Needs matplotlib (`pip install -e '.[bench]'`). Only the text between `<!-- NAME -->` and
`<!-- /NAME -->` is generated; the rest is written by hand.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from papers_page import bars
from performance_tables import OTHERS, TABLES, Document, columns, round_ratios, single, spread

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "performance.json"
PAGE = ROOT / "docs" / "performance.md"


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
    page.write_text(filled(page.read_text(), document))
    if single(document):
        picture(document, page.parent / "performance" / "latency.svg")


if __name__ == "__main__":
    main()
