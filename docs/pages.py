"""Puts the documentation's sources together: `python docs/pages.py build/docs/source`.

Pages keep their places in the repository, so that a link works there and in the documentation
alike; docs/index.md becomes the first page. The reference is written from the code.
"""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from textwrap import dedent
from typing import Any

from xdsl.ir import Dialect, Operation
from xdsl.irdl import IRDLOperation, OpDef
from xdsl.passes import ModulePass

from ramiel.dialects.onnx.schemas import operator_names
from ramiel.pipelines import SCHEDULES
from ramiel.tools.universe import RAMIEL_UNIVERSE

ROOT = Path(__file__).parent.parent
AT_ROOT = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
LEVELS = {
    "onnx": "the model's operators",
    "torch": "PyTorch's calls and layers",
    "cluster": "costs, schedules, workers",
}


def fenced(text: str, language: str = "text") -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"


def split_docstring(docstring: str) -> tuple[str, str]:
    """Prose, and the IR that it shows: from the first paragraph of IR to the last."""
    paragraphs = cleandoc(docstring).split("\n\n")
    shows = [i for i, text in enumerate(paragraphs) if _is_ir(text)]
    if not shows:
        return "\n\n".join(paragraphs), ""
    first, last = shows[0], shows[-1] + 1
    prose = paragraphs[:first] + paragraphs[last:]
    return "\n\n".join(prose), dedent("\n\n".join(paragraphs[first:last]))


def _is_ir(paragraph: str) -> bool:
    start = paragraph.lstrip()
    return start.startswith(("%", "//", "func.", "cluster.", "torch.", "onnx.", "module "))


def passes() -> str:
    """Every pass: what it does, its options, IR before and after, where its test is."""
    parts = [
        "# Passes\n\nIn the order in which compilation may run them. `ramiel passes` lists them, "
        "`ramiel-opt FILE -p a,b{x=1}` runs them. The test of each has more examples.\n"
    ]
    for level, holds in LEVELS.items():
        parts.append(f"## {level}: {holds}\n")
        for name, factory in RAMIEL_UNIVERSE.all_passes.items():
            if name.startswith(f"{level}-"):
                parts.append(_pass(name, factory()))
    return "\n".join(parts)


def _pass(name: str, made: type[ModulePass]) -> str:
    prose, ir = split_docstring(made.__doc__ or "")
    text = f"### {name}\n\n{prose}\n\n"
    if ir:
        text += fenced(ir)
    options = [f for f in dataclasses.fields(made) if f.init and f.name != "name"]
    if options:
        told = ", ".join(f"`{f.name.replace('_', '-')}` (`{_type(f)}`)" for f in options)
        text += f"\nOptions: {told}.\n"
    test = Path("test/transforms") / f"{name.replace('-', '_')}.mlir"
    if (ROOT / test).exists():
        text += f"\nTest: `{test}`.\n"
    used = [schedule for schedule, names in SCHEDULES.items() if name in names]
    if used and len(used) < len(SCHEDULES):
        text += f"\nSchedules: {', '.join(f'`{u}`' for u in used)}.\n"
    return text


def _type(option: Any) -> str:
    told = option.type if isinstance(option.type, str) else option.type.__name__
    default = option.default
    return told if default is dataclasses.MISSING else f"{told} = {default!r}"


def dialects() -> str:
    """The operations of the dialects, from their definitions; ONNX's by name."""
    parts = ["# Dialects\n\nWhat each level of the IR consists of, from the definitions.\n"]
    for name, make in RAMIEL_UNIVERSE.all_dialects.items():
        dialect = make()
        parts.append(
            f"## {name}\n\n{cleandoc(import_module(f'ramiel.dialects.{name}').__doc__ or '')}\n"
        )
        parts += [_operation(op) for op in _declared(name, dialect)]
        attributes = [a for a in dialect.attributes if a.__doc__]
        if attributes:
            parts.append(f"### Attributes and types of {name}\n")
            parts += [f"- `{a.name}`: {_one_line(a.__doc__ or '')}" for a in attributes]
            parts.append("")
        if name == "onnx":
            names = ", ".join(f"`onnx.{op}`" for op in operator_names())
            parts.append(f"### Operators of onnx\n\nFrom ONNX's schemas: {names}.\n")
    return "\n".join(parts)


def _declared(name: str, dialect: Dialect) -> Iterable[type[Operation]]:
    """The operations that are not made from ONNX's schemas."""
    made = set(operator_names()) if name == "onnx" else set[str]()
    return [op for op in dialect.operations if op.name.partition(".")[2] not in made]


def _operation(op: type[Operation]) -> str:
    prose, ir = split_docstring(op.__doc__ or "")
    text = f"### {op.name}\n\n{prose}\n\n" + (fenced(ir) + "\n" if ir else "")
    if not issubclass(op, IRDLOperation):
        return text
    definition: OpDef = op.get_irdl_definition()
    rows = {
        "operands": [name for name, _ in definition.operands],
        "results": [name for name, _ in definition.results],
        "attributes": [*definition.properties, *definition.attributes],
        "regions": [name for name, _ in definition.regions],
        "traits": [type(trait).__name__ for trait in definition.traits.traits],
    }
    told = [
        f"{kind}: {', '.join(f'`{n}`' for n in names)}" for kind, names in rows.items() if names
    ]
    return text + (f"{'; '.join(told).capitalize()}.\n" if told else "")


def _one_line(docstring: str) -> str:
    return " ".join(cleandoc(docstring).split("\n\n")[0].split())


def commands() -> str:
    """The commands, as typer and argparse describe them."""
    told = _printed("typer", "ramiel.tools.cli", "utils", "docs", "--name", "ramiel")
    title, _, rest = told.partition("\n")
    assert title == "# `ramiel`", title
    opt = fenced(_printed("ramiel.tools.opt", "--help"))
    return (
        f"# Commands\n\n## `ramiel`\n{rest.replace('**Usage**', 'Usage')}\n## `ramiel-opt`\n\n{opt}"
    )


def _printed(module: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], check=True, capture_output=True, text=True
    ).stdout


REFERENCE = {"passes": passes, "dialects": dialects, "commands": commands}


def main(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ROOT / "docs", target / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    for name in AT_ROOT:
        shutil.copy(ROOT / name, target / name)
    (target / "docs" / "index.md").rename(target / "index.md")
    for name, write in REFERENCE.items():
        (target / "docs" / "reference" / f"{name}.md").write_text(write(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
