"""The machine that a benchmark ran on, and what disturbs it."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
from collections.abc import Generator
from importlib.metadata import version
from pathlib import Path

ALWAYS = """
import os
parent = os.getppid()
while os.getppid() == parent:
    pass
"""
"""Computes until the process that has started it ends."""
AT_RANDOM = """
import os, random, time
parent = os.getppid()
while os.getppid() == parent:
    end = time.perf_counter() + random.expovariate(2.0)
    while time.perf_counter() < end:
        pass
    time.sleep(random.expovariate(2.0))
"""
"""The same, but sleeps for half a second, on the average, after each half."""


def machine() -> dict[str, object]:
    """The processor, the usable cores, and the versions of the software."""
    cpu = Path("/proc/cpuinfo")
    names = [line for line in cpu.read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": names[0].partition(":")[2].strip() if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        **{package: version(package) for package in ("torch", "onnx", "xdsl", "numpy")},
    }


@contextlib.contextmanager
def eaten(cores: int, how: str = ALWAYS) -> Generator[None]:
    """As many processes that compute meanwhile."""
    eaters = [subprocess.Popen([sys.executable, "-c", how]) for _ in range(cores)]
    try:
        yield
    finally:
        for eater in eaters:
            eater.kill()
            eater.wait()
