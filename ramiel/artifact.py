"""A compiled program as files: NAME.py and, beside it, NAME.safetensors."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from ramiel.backend.pytorch.printer import Emitted
from ramiel.dialects.onnx.attributes import WeightAttr
from ramiel.errors import CompileError
from ramiel.frontend.store import replacing, save_arrays

_IMPORTED = frozenset(["torch", "ramiel", "numpy", "safetensors"])
"""What a program imports, itself or through others, besides the standard library."""


def write_program(emitted: Emitted, path: Path) -> Path:
    """Writes source and weights; returns the path of the weights.

    Each file appears only when it is complete. Raises CompileError if one cannot be written, or
    for a name under which the program could not run.
    """
    if path.suffix != ".py":
        raise CompileError("a program is written to a .py file", file=str(path))
    if path.stem in sys.stdlib_module_names or path.stem in _IMPORTED:
        raise CompileError(
            f"a program of this name would hide Python's module {path.stem!r} when it runs: "
            "choose another name with -o",
            file=str(path),
        )
    weights_path = path.with_suffix(".safetensors")
    names, aliases = tied(emitted.weights)
    arrays = {name: weight.array() for name, weight in names.items()}
    metadata = {
        "ramiel.nodes": json.dumps(emitted.nodes),
        "ramiel.aliases": json.dumps(aliases),
    }
    save_arrays(weights_path, arrays, metadata)
    with replacing(path) as temporary:
        temporary.write_text(emitted.source, encoding="utf-8")
    return weights_path


def tied(weights: Mapping[str, WeightAttr]) -> tuple[dict[str, WeightAttr], dict[str, str]]:
    """The weights, each tensor under one name, and the other names of tensors used twice."""
    first: dict[str, str] = {}
    names: dict[str, WeightAttr] = {}
    aliases: dict[str, str] = {}
    for name, weight in weights.items():
        original = first.setdefault(weight.data.name, name)
        if original == name:
            names[name] = weight
        else:
            aliases[name] = original
    return names, aliases
