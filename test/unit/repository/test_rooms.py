"""Who may import whom: the table of docs/rooms.toml is what the code does."""

from __future__ import annotations

import importlib.util
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import grimp
import pytest

SCRIPT = Path(__file__).parents[3] / "docs" / "rooms.py"


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("rooms", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rooms_import_what_the_table_says(script: Any) -> None:
    rooms = script.table()
    wanted = {name: (set(room.imports), set(room.libraries)) for name, room in rooms.items()}
    assert script.imported(rooms) == wanted


def test_rooms_stand_above_each_other(script: Any) -> None:
    """The table lists a room after those that it imports, so there is no circle of rooms."""
    rooms = script.table()
    TopologicalSorter({name: room.imports for name, room in rooms.items()}).prepare()
    seen: set[str] = set()
    for name, room in rooms.items():
        assert room.imports <= seen, name
        seen.add(name)


def test_each_module_lies_in_a_room(script: Any) -> None:
    rooms = script.table()
    graph = grimp.build_graph("ramiel", cache_dir=None)
    top = {module for module in graph.modules if script.room_of(module, rooms) == "ramiel"}
    assert top <= {"ramiel", "ramiel.backend"}


def test_no_two_modules_import_each_other() -> None:
    """Imports within functions count as well."""
    graph = grimp.build_graph("ramiel", exclude_type_checking_imports=True, cache_dir=None)
    edges = {m: graph.find_modules_directly_imported_by(m) for m in graph.modules}
    TopologicalSorter(edges).prepare()


def test_the_documentation_shows_the_table(script: Any) -> None:
    rooms = script.table()
    assert script.PAGE.read_text() == script.page(rooms)
    edges = {name: there for name, (there, _) in script.imported(rooms).items()}
    assert script.PICTURE.read_text() == script.drawn(edges)
