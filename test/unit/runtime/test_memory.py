"""Memory that stays with the process: who asks for it, and who may refuse."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="thresholds are glibc's")

MANY = 40_000
"""Page faults: half of those of memory that is mapped anew each time. Some come with any heap."""

FAULTS = """
import ctypes, resource, torch
from ramiel.runtime import memory
ctypes.CDLL(None).mallopt(-3, 128 << 10)  # M_MMAP_THRESHOLD, which glibc would move by itself
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        [torch.zeros(4 << 20, dtype=torch.uint8) for _ in range(16)]  # of 1024 pages each
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
"""


def faults_after(*steps: str, **settings: str) -> list[int]:
    """The page faults of 5 times 16 blocks of 1024 pages, each time freed together, after each of
    some steps that one process takes."""
    code = "".join([FAULTS, *(f"\n{step}\nfaults()\nprint(faults())" for step in steps)])
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | settings, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.splitlines()]


@GLIBC
def test_memory_is_kept_until_it_is_given_back() -> None:
    before, kept = faults_after("", "assert memory.keep_memory()")
    # In a process whose heap has not grown in between, where freed blocks would be found.
    [given_back] = faults_after("memory.keep_memory(); memory.give_back()")
    assert kept < MANY < min(before, given_back)


@GLIBC
def test_the_environment_prevents_it() -> None:
    [kept] = faults_after("assert not memory.keep_memory()", RAMIEL_KEEP_MEMORY="0")
    assert kept > MANY


MANY_SHAPES = """
import ramiel, torch
from onnx import parser
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 >> 20
model = parser.parse_model('''<ir_version: 8, opset_import: ["" : 17]>
g (float[n, 8, 24, 24] x) => (y) {
  first = Constant <value_ints = [16, 8, 3, 3]> ()
  v = ConstantOfShape <value = float[1] {0.01}> (first)
  shape = Constant <value_ints = [16, 16, 3, 3]> ()
  w = ConstantOfShape <value = float[1] {0.01}> (shape)
  a = Conv <pads = [1, 1, 1, 1]> (x, v)
  b = Relu (a)
  c = Conv <pads = [1, 1, 1, 1]> (b, w)
  d = Sigmoid (c)
  e = Conv <pads = [1, 1, 1, 1]> (d, w)
  f = Conv <pads = [1, 1, 1, 1]> (a, w)
  y = Add (e, f)
}''')
with ramiel.compile(model, workers=2, schedule="linear") as program:
    for size in range(1, 6):
        program(torch.ones(size, 8, 24, 24))
    before = resident()
    for call in range(250):
        program(torch.ones(1 + call % 50, 8, 24, 24))
    print(resident() - before)
"""


@GLIBC
def test_many_shapes_do_not_scatter_it() -> None:
    command = [sys.executable, "-c", MANY_SHAPES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 250  # MiB, of which 128 are not given back


@GLIBC
def test_programs_keep_it() -> None:
    before = """
import ramiel
from onnx import parser
model = parser.parse_model('<ir_version: 8, opset_import: ["" : 17]>'
                           'g (float[4] x) => (float[4] y) { y = Relu (x) }')
ramiel.compile(model, workers=1).serial(torch.ones(4))
"""
    [kept] = faults_after(before)
    assert kept < MANY


def test_other_libraries_have_no_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    from ramiel.runtime import memory

    monkeypatch.setattr(memory, "_glibc", lambda: None)
    memory.keep_memory.cache_clear()
    try:
        assert not memory.keep_memory()
        memory.give_back()
    finally:
        memory.keep_memory.cache_clear()
