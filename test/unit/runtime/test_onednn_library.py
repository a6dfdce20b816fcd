"""Finding oneDNN: whatever the library is that is found, programs run, and it is said why."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ramiel.runtime import Conv2d, Linear, Weights
from ramiel.runtime.kernels import onednn_library
from ramiel.runtime.kernels.onednn_library import VARIABLE, library, why_not

there = library()
needs_onednn = pytest.mark.skipif(there is None, reason=why_not() or "it is there")
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")

ANSWERS = (library, why_not, onednn_library._find)


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What was found is forgotten before and after."""
    monkeypatch.delenv(VARIABLE, raising=False)
    for answer in ANSWERS:
        answer.cache_clear()
    yield
    for answer in ANSWERS:
        answer.cache_clear()


def computes() -> bool:
    """Whether layers compute what they should."""
    image, weight, matrix = torch.randn(1, 4, 9, 9), torch.randn(4, 4, 3, 3), torch.randn(5, 9)
    weights = Weights.from_tensors({"c.weight": weight, "m.weight": matrix})
    y = Linear(weights, "m")(Conv2d(weights, "c", padding=1, activation="relu")(image))
    expected = torch.conv2d(image, weight, padding=1).relu() @ matrix.T
    return torch.allclose(y, expected, rtol=1e-4, atol=1e-4)


def reason(path: str | Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Why a library is not used. Everything is computed without it."""
    monkeypatch.setenv(VARIABLE, str(path))
    assert library() is None and computes()
    why = why_not()
    assert why and "\n" not in why
    return why


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reason("off", monkeypatch) == "RAMIEL_ONEDNN is 'off'"


@needs_onednn
def test_the_environment_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable is none; the name of a file is enough."""
    assert there is not None
    for value in ("", there.path):
        monkeypatch.setenv(VARIABLE, value)
        for answer in ANSWERS:
            answer.cache_clear()
        found = library()
        assert found is not None and found.version.startswith("3.") and not why_not()
        assert found.path == there.path and library() is found and computes()


def test_none_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(onednn_library, "_places", lambda: [str(tmp_path / "libdnnl.so.3")])
    assert library() is None and computes()
    assert why_not() == "no oneDNN library was found: pip install onednn-cpu-gomp"


@needs_onednn
def test_the_next_place_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    good = there and there.path
    assert good
    bad = tmp_path / "libdnnl.so.3"
    bad.write_text("no library")
    monkeypatch.setattr(onednn_library, "_places", lambda: [str(bad), good])
    found = library()
    assert found is not None and found.path == good


def test_a_missing_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    why = reason(tmp_path / "none.so", monkeypatch)
    assert why.startswith(f"{tmp_path}/none.so is not oneDNN 3.x: ")


@pytest.mark.parametrize("content", [b"", b"no library\n", b"\x7fELF", bytes(range(256))])
def test_a_file_that_is_no_library(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "libdnnl.so.3"
    path.write_bytes(content)
    assert reason(path, monkeypatch).startswith(f"{path} is not oneDNN 3.x: ")


def test_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert reason(tmp_path, monkeypatch).startswith(f"{tmp_path} is not oneDNN 3.x: ")


OTHERS = sorted((Path(torch.__file__).parent / "lib").glob("libgomp*"))


@pytest.mark.parametrize("path", OTHERS, ids=lambda p: p.name)
def test_another_library(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    assert "undefined symbol: dnnl_" in reason(path, monkeypatch)


# --- libraries that pretend --------------------------------------------------------------

Build = Callable[..., Path]


@pytest.fixture
def built(tmp_path: Path) -> Build:
    """Compiles a library with all functions of oneDNN. Each returns 0, but for the `bodies`."""

    def build(major: int = 3, runtime: int = 2, more: str = "", **bodies: str) -> Path:
        prototypes = onednn_library._PROTOTYPES
        functions = [f"int {name}() {{ {bodies.get(name, 'return 0;')} }}" for name in prototypes]
        functions += [
            "void *dnnl_primitive_desc_query_md() { return 0; }",
            "unsigned long dnnl_memory_desc_get_size() { return 0; }",
            "int dnnl_memory_desc_equal() { return 0; }",
            "struct { int major, minor, patch; const char *hash; unsigned cpu, gpu; } version = "
            f'{{ {major}, 1, 4, "", {runtime}, 0 }};',
            "void *dnnl_version() { return &version; }",
        ]
        source, path = tmp_path / "fake.c", tmp_path / "libdnnl.so.3"
        headers = "#include <signal.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
        source.write_text(headers + "\n".join((*functions, more)))
        subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-o", path, source], check=True)
        return path

    return build


@needs_gcc
@pytest.mark.parametrize(("major", "runtime"), [(2, 2), (4, 2), (3, 1), (3, 4)])
def test_another_version(
    monkeypatch: pytest.MonkeyPatch, built: Build, major: int, runtime: int
) -> None:
    path = built(major, runtime)
    why = reason(path, monkeypatch)
    assert why == f"{path} is oneDNN {major}.1.4; 3.x is needed, built with OpenMP"


@needs_gcc
@pytest.mark.parametrize(
    ("function", "body", "message"),
    [
        ("dnnl_primitive_execute", "return 0;", "computes a wrong product"),
        ("dnnl_engine_create", "return 3;", "dnnl_engine_create: status 3"),
        ("dnnl_primitive_create", "return 3;", "dnnl_primitive_create: status 3"),
        ("dnnl_primitive_execute", "return 1;", "dnnl_primitive_execute: status 1"),
        ("dnnl_primitive_execute", "raise(SIGSEGV); return 0;", "it ended the process (-11)"),
        ("dnnl_memory_create", "abort();", "it ended the process (-6)"),
        ("dnnl_stream_create", "exit(0);", "it ended the process (0)"),
        ("dnnl_stream_create", 'fputs("\\xff\\n oops \\n\\n", stderr); exit(1);', "oops"),
    ],
)
def test_a_library_that_fails(
    monkeypatch: pytest.MonkeyPatch, built: Build, function: str, body: str, message: str
) -> None:
    path = built(**{function: body})
    why = reason(path, monkeypatch)
    assert why.startswith(str(path)) and why.endswith(message)


@needs_gcc
def test_a_library_that_ends_the_process_when_it_is_loaded(
    monkeypatch: pytest.MonkeyPatch, built: Build
) -> None:
    path = built(more="__attribute__((constructor)) static void ends(void) { exit(0); }")
    assert reason(path, monkeypatch).endswith("it ended the process (0)")


@needs_gcc
def test_a_library_that_hangs(monkeypatch: pytest.MonkeyPatch, built: Build) -> None:
    patient: Callable[..., Any] = subprocess.run

    def run(command: list[str], **options: Any) -> Any:
        return patient(command, **{**options, "timeout": 0.5})

    path = built(dnnl_engine_create="for (;;) ;")
    monkeypatch.setattr(onednn_library.subprocess, "run", run)
    assert reason(path, monkeypatch) == f"{path} could not be tried: TimeoutExpired"


PROGRAM = """
import torch
from onnx import parser
import ramiel
from ramiel.runtime.kernels.onednn_library import library, why_not
model = parser.parse_model('''<ir_version: 8, opset_import: ["" : 17]>
g (float[1, 2, 8, 8] x) => (float[1, 4, 4, 4] y) {
  shape = Constant <value_ints = [4, 2, 3, 3]> ()
  w = ConstantOfShape <value = float[1] {0.5}> (shape)
  c = Conv <pads = [1, 1, 1, 1]> (x, w)
  y = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (c)
}''')
x = torch.ones(1, 2, 8, 8)
y = torch.conv2d(x, torch.full((4, 2, 3, 3), 0.5), padding=1)
with ramiel.compile(model, workers=1) as program:
    assert torch.equal(program(x), torch.max_pool2d(y, 2))
assert library() is None
print(why_not())
"""


@needs_gcc
def test_programs_run_where_the_library_crashes(built: Build) -> None:
    """In a process of its own, which it does not take down."""
    path = built(dnnl_primitive_desc_query="raise(SIGSEGV);", dnnl_engine_create="raise(SIGSEGV);")
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, VARIABLE: str(path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"{path} does not work: it ended the process (-11)\n"
