"""The commands of Ramiel, in this process, or each in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from unittest import mock

WIDTH = {"COLUMNS": "120"}


def run(*args: object, cwd: Path, tool: str = "cli") -> subprocess.CompletedProcess[str]:
    """A command in this process: one of its own would import PyTorch, for longer than it then runs.
    Raises what the command does not catch."""
    return called(import_module(f"ramiel.tools.{tool}").main, *args, cwd=cwd)


def run_alone(
    *args: object, cwd: Path, tool: str = "cli", stdin: int = subprocess.DEVNULL
) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, as users run it."""
    return subprocess.run(
        [sys.executable, "-m", f"ramiel.tools.{tool}", *map(str, args)],
        cwd=cwd,
        env={**os.environ, **WIDTH},
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=120,
    )


def called(main: Callable[[], None], *args: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The main function of a script, called in this process with arguments."""
    stdout, stderr = StringIO(), StringIO()
    with (
        chdir(cwd),
        mock.patch.dict(os.environ, WIDTH),
        redirect_stdout(stdout),
        redirect_stderr(stderr),
    ):
        code = _code(main, *args)
    return subprocess.CompletedProcess(
        [*map(str, args)], code, stdout.getvalue(), stderr.getvalue()
    )


def run_here(*args: object) -> int:
    """The exit code of a command of `ramiel` in this process. Its files are those of the current
    folder, and it prints to the streams of the test."""
    return _code(import_module("ramiel.tools.cli").main, *args)


def _code(main: Callable[[], None], *args: object) -> int:
    with mock.patch.object(sys, "argv", [main.__module__, *map(str, args)]):
        try:
            main()
        except SystemExit as end:
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
            return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
