"""The commands of Ramiel, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run(*args: object, cwd: Path, tool: str = "cli") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"ramiel.tools.{tool}", *map(str, args)]
    environment = {**os.environ, "COLUMNS": "120"}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120
    )
