"""Machines have names by which people can tell their costs apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ramiel.execution.machine import cpu_features, cpu_model, machine_fingerprint

X86 = "processor : 0\nvendor_id : AuthenticAMD\ncpu family : 26\nmodel : 2\nmodel name : AMD EPYC\n"
ARM = "processor : 0\nFeatures : fp asimd sve\nCPU implementer : 0x41\nCPU part : 0xd40\n"


def test_machines_have_readable_names() -> None:
    assert cpu_model(f"{X86}flags : avx2 fpu\n\n{X86}\n") == "AMD EPYC (AuthenticAMD 26 2 avx2)"
    assert cpu_model(ARM).endswith(" (0x41 0xd40 sve)")
    assert cpu_model("") and "(" not in cpu_model("")
    assert machine_fingerprint("onednn 3.2").endswith(", kernels onednn 3.2")
    assert "Python 3." in machine_fingerprint() and "\n" not in machine_fingerprint()


def test_features_are_those_that_linux_lists(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"{X86}flags\t: avx2 avx512_bf16\nbugs\t: spectre_v1\n\n{X86}flags : avx2\n")
    assert cpu_features(cpuinfo) == {"avx2", "avx512_bf16"}
    cpuinfo.write_bytes(ARM.encode() + b"Hardware : \xff\n")
    assert cpu_features(cpuinfo) == {"fp", "asimd", "sve"}
    assert cpu_features(tmp_path / "missing") == frozenset()


def test_the_name_of_the_machine_needs_no_torch() -> None:
    use = "import sys, ramiel.execution.machine as m; m.machine_fingerprint(); "
    code = use + "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
