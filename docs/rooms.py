"""The rooms of the code as a table and as a picture: python docs/rooms.py

The table, docs/rooms.toml, is printed in docs/extending.md, and the actual imports are drawn in
docs/rooms.svg. A test fails if the two files are not up to date.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Mapping
from graphlib import TopologicalSorter
from html import escape
from pathlib import Path
from typing import NamedTuple

import grimp

from ramiel.analysis.task_graph import TaskGraph
from ramiel.tools.layered import NODE_HEIGHT, NODE_WIDTH, draw

HERE = Path(__file__).parent
PAGE, PICTURE = HERE / "extending.md", HERE / "rooms.svg"
MARGIN = 12


class Room(NamedTuple):
    """A row of the table."""

    holds: str
    imports: frozenset[str] = frozenset()
    libraries: frozenset[str] = frozenset()


def table() -> dict[str, Room]:
    rows = tomllib.loads((HERE / "rooms.toml").read_text(encoding="utf-8"))
    return {
        name: Room(
            row["holds"], frozenset(row.get("imports", ())), frozenset(row.get("libraries", ()))
        )
        for name, row in rows.items()
    }


def room_of(module: str, rooms: Mapping[str, Room]) -> str:
    """The room of one of our modules: the longest name that is a prefix of its own."""
    inner = module.partition(".")[2]
    parts = [name for name in rooms if f"{inner}.".startswith(f"{name}.")]
    return max(parts, key=len, default="ramiel")


def imported(rooms: Mapping[str, Room]) -> dict[str, tuple[set[str], set[str]]]:
    """The rooms and the libraries that each room imports, anywhere in its functions too."""
    graph = grimp.build_graph(
        "ramiel",
        include_external_packages=True,
        exclude_type_checking_imports=True,
        cache_dir=None,
    )
    found: dict[str, tuple[set[str], set[str]]] = {name: (set(), set()) for name in rooms}
    for module in sorted(graph.modules):
        if module.partition(".")[0] != "ramiel":
            continue
        here = room_of(module, rooms)
        for other in graph.find_modules_directly_imported_by(module):
            if other.partition(".")[0] != "ramiel":
                if other not in sys.stdlib_module_names:
                    found[here][1].add(other)
            elif (there := room_of(other, rooms)) != here:
                found[here][0].add(there)
    return found


def printed(rooms: Mapping[str, Room]) -> str:
    """The table in Markdown."""
    lines = ["| room | what it holds | may import | libraries |", "|---|---|---|---|"]
    for name, room in rooms.items():
        columns = (
            name,
            room.holds,
            ", ".join(sorted(room.imports)),
            ", ".join(sorted(room.libraries)),
        )
        lines.append(f"| {' | '.join(columns)} |")
    return "\n".join(lines)


def drawn(edges: Mapping[str, set[str]]) -> str:
    """The picture: an arrow for each import between rooms that no longer path implies."""
    order = [*reversed([*TopologicalSorter(edges).static_order()])]
    number = {name: i for i, name in enumerate(order)}
    reach: dict[str, set[str]] = {}
    for name in reversed(order):
        reach[name] = edges[name].union(*(reach[other] for other in edges[name]))
    arrows = [
        (number[name], number[other])
        for name in order
        for other in edges[name]
        if not any(other in reach[between] for between in edges[name])
    ]
    drawing = draw(TaskGraph((1.0,) * len(order), tuple(sorted(arrows))))
    lines: list[str] = []
    for route in drawing.routes:
        points = " ".join(f"{x + MARGIN:.0f},{y + MARGIN:.0f}" for x, y in route)
        lines.append(f'<polyline points="{points}" marker-end="url(#tip)"/>')
    for name, (x, y) in zip(order, drawing.nodes, strict=True):
        left, top = x - NODE_WIDTH / 2 + MARGIN, y - NODE_HEIGHT / 2 + MARGIN
        lines.append(
            f'<rect x="{left:.0f}" y="{top:.0f}" width="{NODE_WIDTH:.0f}" '
            f'height="{NODE_HEIGHT:.0f}" rx="4"/>'
            f'<text x="{x + MARGIN:.0f}" y="{y + MARGIN + 4:.0f}">{escape(name)}</text>'
        )
    width, height = drawing.width + 2 * MARGIN, drawing.height + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}">\n'
        "<style>rect { fill: #eef3fa; stroke: #5b7ba8 } polyline { fill: none; stroke: #999 } "
        "text { font: 13px sans-serif; text-anchor: middle; fill: #222 }</style>\n"
        f'<rect width="{width:.0f}" height="{height:.0f}" style="fill: white; stroke: none"/>\n'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#999"/></marker></defs>\n'
        + "\n".join(lines)
        + "\n</svg>\n"
    )


def page(rooms: Mapping[str, Room]) -> str:
    """docs/extending.md with the current table."""
    text = PAGE.read_text(encoding="utf-8")
    new = f"<!-- rooms -->\n{printed(rooms)}\n<!-- /rooms -->"
    return re.sub(r"<!-- rooms -->.*<!-- /rooms -->", lambda _: new, text, flags=re.DOTALL)


def main() -> None:
    rooms = table()
    PAGE.write_text(page(rooms), encoding="utf-8")
    edges = {name: there for name, (there, _) in imported(rooms).items()}
    PICTURE.write_text(drawn(edges), encoding="utf-8")


if __name__ == "__main__":
    main()
