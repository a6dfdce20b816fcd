"""Writes the table of docs/serving.md from benchmarks/results/serving.json.

    python benchmarks/serving_page.py [RESULTS.json] [--page docs/serving.md]

Only the text between `<!-- load -->` and `<!-- /load -->` is generated.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
HEAD = (
    "model",
    "options",
    "clients",
    "requests/s",
    "bare: calls, stream",
    "of the bare model",
    "p50, p99 ms",
    "core ms: bare, server, clients",
    "seconds, requests",
    "memory MB",
)


def written(document: dict[str, Any]) -> str:
    """The table, and what all rows have in common."""
    of, rows = document["machine"], document["rows"]
    lines = [HEAD, ["---"] * len(HEAD), *map(_cells, rows)]
    wrong = sum(row["errors"] + row["different"] for row in rows)
    told = f"{of['cpu']}, {of['cores']} cores, Python {of['python']}, torch {of['torch']}."
    return "\n".join(
        [
            *(f"| {' | '.join(line)} |" for line in lines),
            "",
            f"{told} Of {sum(row['requests'] for row in rows)} requests, {wrong} got an error or "
            "another result than the first.",
        ]
    )


def _cells(row: dict[str, Any]) -> list[str]:
    low, high = min(row["of_bare_rounds"]), max(row["of_bare_rounds"])
    return [
        row["model"],
        f"`{row['options']}`" if row["options"] else "",
        str(row["clients"]),
        f"{row['requests_per_s']:.1f}",
        f"{row['bare_call_per_s']:.1f}, {row['bare_stream_per_s']:.1f}",
        f"{row['of_bare']:.2f} ({low:.2f} to {high:.2f})",
        f"{row['p50_ms']:.1f}, {row['p99_ms']:.1f}",
        f"{row['bare_cpu_ms']:.1f}, {row['server_cpu_ms']:.1f}, {row['clients_cpu_ms']:.1f}",
        f"{row['seconds']:g}, {row['requests']}",
        f"{row['memory_before_mb']:.0f} to {row['memory_after_mb']:.0f}",
    ]


def filled(page: str, document: dict[str, Any]) -> str:
    """A page with the table in its place."""
    pattern = re.compile(r"(<!-- load -->\n).*?(<!-- /load -->)", re.DOTALL)
    page, count = pattern.subn(lambda m: f"{m[1]}{written(document)}\n{m[2]}", page)
    assert count == 1, "the page has no place for the table"
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="?", type=Path)
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "serving.md")
    given = parser.parse_args()
    results = given.results or ROOT / "benchmarks" / "results" / "serving.json"
    given.page.write_text(filled(given.page.read_text(), json.loads(results.read_text())))


if __name__ == "__main__":
    main()
