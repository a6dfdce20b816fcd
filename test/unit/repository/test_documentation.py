"""What README.md and docs/ tell people to run does run, and names what there is.

Blocks of `sh`, and lines after `$`, are commands; blocks of `python` are programs. Those of a page
run in its order and in one folder. Pages with `file_format: mystnb` are run by `make docs`.
"""

from __future__ import annotations

import ast
import re
import runpy
import shlex
import subprocess
import textwrap
import tomllib
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
import typer
from commands import called, run
from small_models import branches

from ramiel.runtime import Program, Weights
from ramiel.tools import cli
from ramiel.transforms import PASS_NAMES
from ramiel.version import __version__

ROOT = next(p for p in Path(__file__).parents if (p / "pyproject.toml").exists())
TOURS = [p for p in ROOT.glob("docs/*.md") if "file_format: mystnb" in p.read_text("utf-8")[:40]]
PAGES = [ROOT / "README.md", *sorted({*ROOT.glob("docs/**/*.md")} - {*TOURS})]
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^[ >]*(?:```|~~~)(.*)$", re.MULTILINE)
DIRECTIVE = re.compile(r"\{[\w-]+\}.*")
SPAN = re.compile(r"`(ramiel(?:-opt)? [^`]+)`")
SCRIPT = re.compile(r"`(?:\w+=\S+ )?python (\w+/\S+\.py)\b[^`]*`")
TARGET = re.compile(r"`make ([\w-]+)[^`]*`")
OPTION = re.compile(r"(?<![\w-])--?[a-z][\w-]*")


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def commands_in(kind: str, text: str) -> list[str]:
    """The commands of a block, without comments; after `$` if it also shows what is printed."""
    if kind == "sh":
        lines = text.splitlines()
    else:
        lines = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
    return [line.partition("  #")[0].strip() for line in lines]


def emitted(tree: ast.Module) -> bool:
    """Whether a block is a part of an emitted program."""
    (first, *others) = tree.body
    return not others and isinstance(first, ast.FunctionDef | ast.AsyncFunctionDef)


def run_program(script: Path) -> None:
    runpy.run_path(str(script), run_name="__main__")


def execute(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(command)
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        monkeypatch.setenv(name, value)
    match words:
        case ["make", *targets]:  # what it would do
            done = subprocess.run(
                ["make", "-n", *targets], cwd=ROOT, capture_output=True, text=True
            )
        case ["pip", "install", package]:
            name, _, extra = package.removesuffix("]").partition("[")
            extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
            assert name == "ramiel" and extra in extras["project"]["optional-dependencies"]
            return
        case ["ramiel", "serve", *arguments]:  # it would not end
            group: Any = typer.main.get_command(cli.app)
            group.commands["serve"].make_context("serve", arguments)
            return
        case ["ramiel" | "ramiel-opt" as tool, *arguments]:
            done = run(*arguments, cwd=folder, tool="opt" if tool == "ramiel-opt" else "cli")
        case ["taskset", "-c", _, *rest] if rest[0] == "python":
            return execute(shlex.join(rest), folder, monkeypatch)
        case ["python", script]:  # by default it would measure for a second
            done = called(partial(run_program, folder / script), "--runs", 2, cwd=folder)
        case ["torchrun", *arguments]:  # its machines are not here
            parsed = import_module("torch.distributed.run").get_args_parser().parse_args(arguments)
            assert (folder / parsed.training_script).exists()
            return
        case _:
            pytest.fail(f"nobody knows how to test this command: {command}")
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the models that the pages speak of."""
    for name in ("model.onnx", "googlenet.onnx"):
        onnx.save(branches(), tmp_path / name)
    monkeypatch.setenv("RAMIEL_PROBE", "0")
    monkeypatch.setenv("RAMIEL_STREAMS", "stand-in")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def with_blocks(page: Path) -> bool:
    return any(kind in ("sh", "python") or commands_in(kind, text) for kind, text in blocks(page))


@pytest.mark.parametrize("page", list(filter(with_blocks, PAGES)), ids=lambda p: p.name)
def test_commands_and_programs_run(
    page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = torch.rand(1, 8, 16, 16)
    names: dict[str, Any] = {
        "x": image,
        "images": [image, image],
        "samples": torch.rand(6, 8, 16, 16),
        "onnxruntime": import_module("onnxruntime"),
    }
    for kind, text in blocks(page):
        for command in commands_in(kind, text):
            with monkeypatch.context() as patch:
                execute(command, folder, patch)
        if kind == "python":
            tree = ast.parse(textwrap.dedent(text))
            # test_torch_compile.py runs what needs the package's entry point.
            if not emitted(tree) and "torch.compile" not in text:
                exec(compile(tree, f"{page.name}", "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_no_block_is_overlooked(page: Path) -> None:
    """Each is of a kind that is run, shows text, or is a program that only its machines (a test of
    its own) or a package that is not here (tritonclient) can run."""
    known = {"sh", "python", "", "text", *(["py"] if page.stem in ("machines", "serving") else [])}
    kinds = FENCE.findall(page.read_text(encoding="utf-8"))[::2]
    assert kinds == [kind for kind, _ in blocks(page)]
    assert {kind for kind in kinds if not DIRECTIVE.fullmatch(kind)} <= known
    for kind, text in blocks(page):
        if kind == "py":
            ast.parse(text)


def test_the_programs_of_ranks_use_what_there_is() -> None:
    """test_distributed.py has such programs; here, that these names are theirs."""
    text = dict(blocks(ROOT / "docs" / "machines.md"))["py"]
    for thing in ast.walk(ast.parse(text)):
        if isinstance(thing, ast.Attribute) and isinstance(thing.value, ast.Name):
            owner = {"model": Program, "Weights": Weights}[thing.value.id]
            assert hasattr(owner, thing.attr), thing.attr


def options_of() -> dict[str, set[str]]:
    """The options of each command of `ramiel`."""
    group: Any = typer.main.get_command(cli.app)
    found: dict[str, set[str]] = {}
    for name, command in group.commands.items():
        parts = {
            name: command,
            **{f"{name} {k}": v for k, v in getattr(command, "commands", {}).items()},
        }
        for title, part in parts.items():
            found[title] = {o for p in part.params for o in (*p.opts, *p.secondary_opts)}
    return found


@pytest.mark.parametrize("page", [*TOURS, *PAGES, ROOT / "CHANGELOG.md"], ids=lambda p: p.name)
def test_what_is_named_exists(page: Path) -> None:
    """Commands, options and passes within the text."""
    known = options_of()
    for span in SPAN.findall(page.read_text(encoding="utf-8")):
        tool, name, *_ = re.split(r"[\s\[]+", span)
        if tool == "ramiel":
            assert name in known, span
            unknown = set(OPTION.findall(span)) - known[name]
            assert not unknown, f"{span}: {unknown}"
        else:
            passes = re.findall(r"-p ([a-z]+-[\w,-]+)", span)
            assert {name for p in passes for name in p.split(",")} <= set(PASS_NAMES), span
    text = page.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all((ROOT / script).exists() for script in SCRIPT.findall(text))
    assert all(f"\n{target}:" in makefile for target in TARGET.findall(text))


def test_the_changelog_has_the_version() -> None:
    first = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first is not None and first[1] == __version__


def test_pages_are_reachable() -> None:
    """Every page of docs/ is in a table of contents of the first page."""
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^/(docs/\S+)$", text, re.MULTILINE))
    pages = {p.relative_to(ROOT).with_suffix("").as_posix() for p in ROOT.glob("docs/**/*.md")}
    assert pages - {"docs/index"} <= listed
    written = {f"docs/reference/{name}" for name in ("passes", "dialects", "commands")}
    assert listed - pages == written


def test_the_reference_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pass shows IR before and after, and every operation of the dialects is there."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    pages = import_module("pages")
    _, *sections = pages.passes().split("\n### ")
    assert sorted(section.split()[0] for section in sections) == sorted(PASS_NAMES)
    for section in sections:
        assert "```text\n" in section and "becomes" in section, section
    dialects = pages.dialects()
    for module in ("torch", "cluster"):
        dialect = getattr(import_module(f"ramiel.dialects.{module}"), f"{module}_dialect")()
        assert all(f"\n### {op.name}\n" in dialects for op in dialect.operations)
