"""What a machine is called where its measured costs are kept."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

from ramiel.execution.cores import cores

# What tells processors apart: x86's lines in /proc/cpuinfo, then ARM's. The numbers are needed as
# hypervisors call several generations by one name.
_CPU_FIELDS = (
    "vendor_id",
    "cpu family",
    "model",
    "stepping",
    "CPU implementer",
    "CPU part",
    "CPU variant",
)
_VECTOR_UNITS = ("amx_tile", "avx512f", "avx2", "sve", "asimd")
"""The widest vector unit that a kernel may use, first. A hypervisor may hide some of them."""


def machine_fingerprint(kernels: str = "torch") -> str:
    """The machine and the libraries that costs are measured with, as a line for people.

    `AMD EPYC (AuthenticAMD 26 2 1 avx512f), 2 core(s), Python 3.11.2, torch 2.13.0, kernels torch`.
    Costs of machines of one fingerprint are interchangeable. `kernels` names what runs the
    operations, with its version if that is not PyTorch. Imports no torch.
    """
    try:
        described = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        described = ""
    return (
        f"{cpu_model(described)}, {cores()} core(s), Python {platform.python_version()}, "
        f"torch {version('torch')}, kernels {kernels}"
    )


def cpu_model(cpuinfo: str) -> str:
    """The first processor of /proc/cpuinfo, or what Python knows where its text is empty."""
    lines = cpuinfo.strip().split("\n\n")[0].splitlines()
    pairs = (line.partition(":")[::2] for line in lines)
    fields = {name.strip(): value.strip() for name, value in pairs}
    name = fields.get("model name") or platform.processor() or platform.machine()
    units = (fields.get("flags") or fields.get("Features") or "").split()
    details = [fields[f] for f in _CPU_FIELDS if f in fields]
    details += [u for u in _VECTOR_UNITS if u in units][:1]
    return f"{name} ({' '.join(details)})" if details else name
