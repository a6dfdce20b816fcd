"""A process with a program in it ends as any of Python's does, and does not abort."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from process_ends import ENDS

TIMES = 3
SCRIPT = Path(__file__).parents[1] / "support" / "process_ends.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.parametrize("kind", ["never closed", "exit while called", "interrupt"])
def test_processes(kind: str) -> None:
    ended = run("--here", kind)
    assert ended.returncode == ENDS[kind][1], ended.stderr


@pytest.mark.parametrize(("program", "times"), [("--fresh", 1), (None, TIMES)])
def test_forked_children(program: str | None, times: int) -> None:
    """Of a process that has only imported Ramiel, which end as any process does, and of one that
    has compiled the program."""
    ended = run("--times", str(times), *filter(None, [program]))
    wanted = [f"{kind}: {{{code}: {times}}}" for kind, (_, code) in ENDS.items()]
    assert ended.stdout.splitlines() == wanted, ended.stderr
    assert ended.returncode == 0
