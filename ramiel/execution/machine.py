"""This machine: its name, under which measured costs are kept, and its CPU's features."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from ramiel.cores import cores

CPUINFO = Path("/proc/cpuinfo")
"""Where Linux describes the processors."""

# Lines of /proc/cpuinfo that identify a processor: x86's, then ARM's. The numbers are needed as
# hypervisors give several generations one name.
_CPU_FIELDS = (
    "vendor_id",
    "cpu family",
    "model",
    "stepping",
    "CPU implementer",
    "CPU part",
    "CPU variant",
)
LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")
"""Variables that keep kernels from using all of a CPU's vector units: oneDNN's, and PyTorch's."""
_VECTOR_UNITS = ("amx_tile", "avx512f", "avx2", "sve", "asimd")
"""The widest vector unit that a kernel may use, first. A hypervisor may hide some of them."""


def machine_fingerprint(kernels: str = "torch") -> str:
    """The machine and the libraries that costs are measured with, as a readable line.

    `AMD EPYC (AuthenticAMD 26 2 1 avx512f), 2 core(s), Python 3.11.2, torch 2.13.0, kernels torch`.
    Costs of machines of one fingerprint are interchangeable. `kernels` names the library that runs
    the operations, with its version if it is not PyTorch. Limits of the vector units are added as
    `, AVX2 only`. Does not import torch.
    """
    limits = {os.environ[name].upper() for name in LIMITS if os.environ.get(name)}
    return (
        f"{cpu_model(_text_of(CPUINFO))}, {cores()} core(s), Python {platform.python_version()}, "
        f"torch {version('torch')}, kernels {kernels}"
        + "".join(f", {limit} only" for limit in sorted(limits))
    )


def cpu_features(cpuinfo: Path = CPUINFO) -> frozenset[str]:
    """The CPU's features by Linux's names (`avx2`); empty on other systems."""
    lines = (line.partition(":") for line in _text_of(cpuinfo).splitlines())
    return frozenset(
        word
        for key, _, words in lines
        if key.strip().lower() in ("flags", "features")
        for word in words.split()
    )


def _text_of(cpuinfo: Path) -> str:
    """The text of a file; "" on a system that has none."""
    try:
        return cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def cpu_model(cpuinfo: str) -> str:
    """The first processor of /proc/cpuinfo, or if its text is empty, what Python reports."""
    lines = cpuinfo.strip().split("\n\n")[0].splitlines()
    pairs = (line.partition(":")[::2] for line in lines)
    fields = {name.strip(): value.strip() for name, value in pairs}
    name = fields.get("model name") or platform.processor() or platform.machine()
    units = (fields.get("flags") or fields.get("Features") or "").split()
    details = [fields[f] for f in _CPU_FIELDS if f in fields]
    details += [u for u in _VECTOR_UNITS if u in units][:1]
    return f"{name} ({' '.join(details)})" if details else name
