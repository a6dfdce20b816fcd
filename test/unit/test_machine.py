"""Machines have names by which people can tell their costs apart."""

from __future__ import annotations

import subprocess
import sys

from ramiel.execution.machine import cpu_model, machine_fingerprint

X86 = "processor : 0\nvendor_id : AuthenticAMD\ncpu family : 26\nmodel : 2\nmodel name : AMD EPYC\n"
ARM = "processor : 0\nFeatures : fp asimd sve\nCPU implementer : 0x41\nCPU part : 0xd40\n"


def test_machines_have_readable_names() -> None:
    assert cpu_model(f"{X86}flags : avx2 fpu\n\n{X86}\n") == "AMD EPYC (AuthenticAMD 26 2 avx2)"
    assert cpu_model(ARM).endswith(" (0x41 0xd40 sve)")
    assert cpu_model("") and "(" not in cpu_model("")
    assert machine_fingerprint("onednn 3.2").endswith(", kernels onednn 3.2")
    assert "Python 3." in machine_fingerprint() and "\n" not in machine_fingerprint()


def test_the_name_of_the_machine_needs_no_torch() -> None:
    use = "import sys, ramiel.execution.machine as m; m.machine_fingerprint(); "
    code = use + "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
