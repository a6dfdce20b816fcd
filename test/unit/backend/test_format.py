"""The printer's layout is ruff's, and names from any text are names."""

from __future__ import annotations

import ast
import keyword
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ramiel.runtime
from ramiel.backend.pytorch.format import INDENT, Bracket, Expression, Operation, quoted, statement
from ramiel.dialects.torch.callees import BINARY_OPERATORS, LAYERS
from ramiel.runtime import Program
from ramiel.torch_level.names import LONGEST, PROGRAM_NAMES, Names, class_name, identifier
from ramiel.transforms.torch_assign_names import ROOM

STATEMENTS = 3000


class Writer:
    """Random statements of the shapes that emitted programs have."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def name(self) -> str:
        length = self.random.choice([1, 3, 8, 20, LONGEST])
        return "v" + "".join(self.random.choices("abcdefgh_", k=length - 1)).rstrip("_")

    def names(self, most: int) -> list[str]:
        return [self.name() for _ in range(self.random.randint(1, most))]

    def number(self) -> str:
        return self.random.choice(["0", "1", "-1", "128", "0.5", "1e-05", 'float("-inf")', "True"])

    def literal_list(self) -> Bracket:
        return Bracket("", [self.number() for _ in range(self.random.randint(1, 9))], "[", "]")

    def call(self) -> Expression:
        items: list[Expression] = [*self.names(3)]
        if self.random.random() < 0.4:
            items.append(self.literal_list())
        for key in self.random.sample(["dim", "padding", "count_include_pad", "dtype"], 2):
            items.append(f"{key}={self.number()}")
        head = self.random.choice(["torch.where", "F.max_pool2d", "ops.reduce", self.name()])
        return Bracket(head, items)

    def list_call(self) -> Expression:
        inner = Bracket("", self.names(6), "[", "]")
        return Bracket("torch.cat", [inner, f"dim={self.number()}"])

    def keyword_list_call(self) -> Expression:
        sizes = Bracket("", [self.number() for _ in range(4)], "[", "]", prefix="size=")
        return Bracket("F.interpolate", [self.name(), sizes, 'mode="bilinear"'])

    def method(self) -> Expression:
        return Bracket(f"{self.name()}.reshape", [self.number() for _ in range(4)])

    def operation(self) -> Expression:
        operator = self.random.choice([o for o in BINARY_OPERATORS.values() if o != "**"])
        return Operation(operator, [self.name(), self.random.choice([self.name(), "0.5"])])

    def power(self) -> Expression:
        return Operation("**", [self.name(), self.random.choice(["2", "0.5", self.name()])])

    def subscript(self) -> Expression:
        cuts = [self.random.choice([":", "0:8", "-3:-1:2", "4", "None"]) for _ in range(3)]
        return Bracket(self.name(), cuts, "[", "]")

    def channel(self) -> Expression:
        return Bracket(f"ch.{self.name()}.recv", [])

    def statement(self) -> list[str]:
        makers: list[Callable[[], Expression]] = [
            self.call,
            self.list_call,
            self.keyword_list_call,
            self.method,
            self.operation,
            self.power,
            self.subscript,
            self.channel,
        ]
        expression = self.random.choice(makers)()
        return statement(self.target(expression), expression, INDENT * 2)

    def target(self, expression: Expression) -> str:
        """One name, or those of a call of a function that returns several tensors."""
        if isinstance(expression, Bracket) and expression.head.startswith(("torch.", "ops.")):
            count = self.random.randint(1, 3)
            return ", ".join(self.name()[: ROOM // count].rstrip("_") for _ in range(count))
        return self.name()


def formatted(source: str, path: Path) -> str:
    """The source as ruff formats it by default."""
    path.write_text(source)
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--quiet", str(path)]
    subprocess.run(command, check=True)
    return path.read_text()


def test_statements_are_laid_out_as_ruff_does(tmp_path: Path):
    writer = Writer(seed=7)
    written = [writer.statement() for _ in range(STATEMENTS)]
    lines = [line for s in written for line in s]
    source = "\n".join(["class C:", "    def f():", *lines, ""])
    ast.parse(source)
    assert formatted(source, tmp_path / "program.py").splitlines() == source.splitlines()
    # The comparison is worth something only if many statements need several lines.
    assert sum(len(s) > 1 for s in written) > STATEMENTS / 10


def test_declarations_are_laid_out_as_ruff_does(tmp_path: Path):
    writer = Writer(seed=8)
    lines: list[str] = ["class C:"]
    for count in range(12):
        names = [quoted(n) for n in (writer.names(count) if count else [])]
        lines += statement("outputs", Bracket("", names), INDENT) if names else []
        inputs = [
            Bracket("Input", [n, "torch.float32", Bracket("", ["1", "3", "None"])]) for n in names
        ]
        lines += statement("inputs", Bracket("", inputs), INDENT) if inputs else []
    source = "\n".join([*lines, ""])
    assert formatted(source, tmp_path / "program.py").splitlines() == source.splitlines()


@settings(deadline=None, derandomize=True)
@given(st.text())
def test_a_quoted_text_is_a_literal_of_it(text: str):
    literal = quoted(text)
    assert ast.literal_eval(literal) == text
    assert literal.isascii() and literal.isprintable()


def test_quoted_texts_are_as_ruff_writes_them(tmp_path: Path):
    texts = ["", "a", "it's", 'say "x"', "both ' and \"", "\\", "line\nbreak", "größe", "\0", "🙂"]
    source = "".join(f"x = {quoted(t)}\n" for t in texts)
    assert formatted(source, tmp_path / "literals.py") == source


@settings(deadline=None, derandomize=True)
@given(st.text(), st.sampled_from(["", "relu", "layer_normalization"]))
def test_any_text_gives_an_identifier(text: str, suffix: str):
    name = identifier(text, "value", suffix)
    assert name.isidentifier() and name.isascii() and name == name.lower()
    assert not keyword.iskeyword(name) and name not in PROGRAM_NAMES
    assert len(name) <= LONGEST + 1
    assert not name.startswith("_")


@settings(deadline=None, derandomize=True)
@given(st.text())
def test_any_text_gives_a_class_name(text: str):
    name = class_name(text)
    assert name.isidentifier() and name.isascii() and not keyword.iskeyword(name)
    assert name[0].isupper()
    assert name not in imported_names()


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.lists(st.sampled_from(["a", "a_2", "a_3", "b", "b_2_2", "a_2_2"]), max_size=30))
def test_names_are_distinct(wishes: list[str]):
    names = Names()
    given_names = [names.unique(w) for w in wishes]
    assert len(set(given_names)) == len(wishes)
    assert all(n == w or n.startswith(f"{w}_") for n, w in zip(given_names, wishes, strict=True))


def imported_names() -> set[str]:
    """What the imports of an emitted program bind."""
    runtime = {"Channels", "Input", "Program", "Weights", "main", "one_thread", "ops", *LAYERS}
    return runtime | {"torch", "F", "Tensor"}


def test_program_names_cover_the_base_class_and_the_imports():
    public = {n for n in dir(Program) if not n.startswith("_")}
    # Made by __init__, and so not in dir() of the class.
    public |= {n for n in vars(torch.nn.Module()) if not n.startswith("_")}
    lower = {n for n in public | imported_names() if n == n.lower()}
    assert lower <= PROGRAM_NAMES, sorted(lower - PROGRAM_NAMES)
    assert imported_names() - {"torch", "F", "Tensor", "ops"} <= set(dir(ramiel.runtime))
