"""An environment in which programs find a processor with AVX2 and no more.

oneDNN, OpenVINO, MKL and PyTorch let themselves be told so. Other code asks the processor, and then
whether the system saves the registers (`xgetbv`, Intel's manual, volume 1, section 13.3): copies of
the packages with such code are told that those of AVX-512 are not saved.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

TOLD = {
    "DNNL_MAX_CPU_ISA": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
}
ASKING = "onnxruntime", "ramiel"
"""The packages with code that asks the processor."""
ASKED = bytes.fromhex("31c9 0f01d0")
"""xor ecx, ecx; xgetbv."""
ANSWER = bytes.fromhex("b807000000")
"""mov eax, 7: the registers of x87, SSE and AVX are saved."""


def limited(folder: Path) -> Mapping[str, str]:
    """The environment of a Python process; copies of packages go to the folder.

    Raises RuntimeError if the code of a package that is installed does not ask as expected.
    """
    for package in ASKING:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            _limit(Path(spec.submodule_search_locations[0]), folder / package)
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    return {**os.environ, **TOLD, "PYTHONPATH": path}


def _limit(package: Path, copy: Path) -> None:
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    changed = 0
    for library in copy.rglob("*.so*"):
        code = library.read_bytes()
        changed += code.count(ASKED)
        library.write_bytes(code.replace(ASKED, ANSWER))
    if not changed:
        raise RuntimeError(f"{package.name} does not ask the processor as expected")
