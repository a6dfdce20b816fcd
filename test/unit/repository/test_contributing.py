"""CONTRIBUTING.md is followed to the letter, in a copy: its files, its changes, its commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = next(p for p in Path(__file__).parents if (p / "pyproject.toml").exists())
COPIED = ("ramiel", "dialects", "test", "pyproject.toml", "lit.cfg.py")
SECTIONS = ("An operator", "An operator of PyTorch", "A pass", "A scheduler", "A kernel")

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"`([\w/]+\.\w+)`")


def sections() -> dict[str, str]:
    _, *parts = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("\n## ")
    return {title: text for title, _, text in (part.partition("\n") for part in parts)}


def applied(text: str, diff: str) -> str:
    """The text with a change made to it, at the one place where its lines stand."""
    lines = diff.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    assert text.count(before) == 1, before
    return text.replace(before, after)


def follow(section: str, root: Path) -> list[str]:
    """Writes a section's files and makes its changes; returns its commands.

    A block is for the file that is the last to be named before it, and new if there is no such.
    """
    commands: list[str] = []
    path = root
    end = 0
    for block in FENCE.finditer(section):
        kind, text = block.groups()
        named = PATH.findall(section[end : block.start()])
        path, end = root / named[-1] if named else path, block.end()
        if kind == "sh":
            commands += text.splitlines()
        elif kind == "diff":
            path.write_text(applied(path.read_text(encoding="utf-8"), text), encoding="utf-8")
        else:
            assert not path.exists(), f"{path} is there already"
            path.write_text(text, encoding="utf-8")
    return commands


def run(command: str, root: Path) -> str:
    tools = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": tools, "PYTHONPATH": str(root)}
    done = subprocess.run(
        command, shell=True, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[str]]]:
    """A copy of the repository with all examples in it, and the commands of each section."""
    root = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, root / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(source, root / name)
    text = sections()
    return root, {title: follow(text[title], root) for title in SECTIONS}


@pytest.mark.parametrize("title", SECTIONS)
def test_examples_pass_their_tests(title: str, followed: tuple[Path, dict[str, list[str]]]) -> None:
    root, commands = followed
    assert commands[title]
    for command in commands[title]:
        run(command, root)


def test_examples_are_formatted(followed: tuple[Path, dict[str, list[str]]]) -> None:
    root, _ = followed
    run("ruff check && ruff format --check", root)


PROGRAM = """
import numpy as np
import torch
from onnx import parser

import ramiel
from ramiel.runtime import Conv2d, Weights

model = parser.parse_model('''
<ir_version: 8, opset_import: ["" : 23]>
g (float[600, 600] a, float[600, 600] b, float[1, 64, 64, 64] x, float[64] w) => (p, q, y) {
  p = MatMul (a, b)
  q = MatMul (b, a)
  n = RMSNormalization (x, w)
  s = Sigmoid (n)
  r = Relu (s)
  y = Exp (r)
}''')
rng = np.random.default_rng(1)
a, b, x, w = (
    rng.uniform(-1, 1, shape).astype(np.float32)
    for shape in ((600, 600), (600, 600), (1, 64, 64, 64), (64,))
)
normal = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + 1e-5)
with ramiel.compile(model, workers=2, schedule="turns") as program:
    assert "relu" not in program.source
    assert "ops.simplified_layer_norm" in program.source
    assert "worker_1" in program.source
    for got, serial, want in zip(
        program(a, b, x, w),
        program.serial(a, b, x, w),
        (a @ b, b @ a, np.exp(1 / (1 + np.exp(-normal * w)))),
        strict=True,
    ):
        assert np.array_equal(got, serial)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)

weights = Weights.from_tensors({"c.weight": torch.randn(8, 4, 3, 3), "c.bias": torch.randn(8)})
image = torch.randn(1, 4, 5, 5)
layer, plain = (Conv2d(weights, "c", kernel=name) for name in ("unfold", "plain"))
torch.testing.assert_close(layer(image), plain(image))
assert layer.kernel_for(tuple(image.shape), None, torch.get_num_threads()) == "unfold"
"""


def test_a_model_uses_all_of_them(followed: tuple[Path, dict[str, list[str]]]) -> None:
    """The operator is computed, the pass and the schedule run, the layer has the kernel."""
    root, _ = followed
    script = root / "program.py"
    script.write_text(PROGRAM, encoding="utf-8")
    run(f"python {script}", root)
    script.unlink()
