"""The commands of Ramiel, each in a process of its own, or in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from unittest import mock


def run(*args: object, cwd: Path, tool: str = "cli") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"ramiel.tools.{tool}", *map(str, args)]
    environment = {**os.environ, "COLUMNS": "120"}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120
    )


def run_here(*args: object) -> int:
    """The exit code of a command of `ramiel` in this process, where a test can put in its own
    functions. Its files are those of the current folder."""
    from ramiel.tools.cli import main

    with mock.patch.object(sys, "argv", ["ramiel", *map(str, args)]):
        try:
            main()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
