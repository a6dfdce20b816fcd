"""A compiled program as files: NAME.py and, beside it, NAME.safetensors."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from ramiel.backend.pytorch.printer import Emitted
from ramiel.dialects.onnx.attributes import Array, WeightAttr
from ramiel.errors import CompileError
from ramiel.weights.store import replacing, save_arrays

_IMPORTED = frozenset(["torch", "ramiel", "numpy", "safetensors"])
"""The packages that a program imports, directly or not, besides the standard library."""


def write_program(emitted: Emitted, path: Path) -> Path:
    """Writes source and weights; returns the path of the weights.

    Each file appears only when it is complete. Raises CompileError if one cannot be written, or if
    the program could not run under its name.
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
    arrays, quantized = _stored(names)
    metadata = {
        "ramiel.nodes": json.dumps(emitted.nodes),
        "ramiel.aliases": json.dumps(aliases),
    }
    if quantized:
        metadata["ramiel.quantized"] = json.dumps(quantized)
    save_arrays(weights_path, arrays, metadata)
    with replacing(path) as temporary:
        temporary.write_text(emitted.source, encoding="utf-8")
    return weights_path


def _stored(
    weights: Mapping[str, WeightAttr],
) -> tuple[dict[str, Array], dict[str, tuple[int, int, str]]]:
    """The arrays to store, and how to read the quantised ones.

    A quantised weight is stored as its parts, which ramiel.runtime.stored combines.
    """
    arrays: dict[str, Array] = {}
    quantized: dict[str, tuple[int, int, str]] = {}
    for name, weight in weights.items():
        parts = weight.data.quantized
        if parts is None:
            arrays[name] = weight.array()
            continue
        arrays[name] = parts.values()
        arrays[f"{name}.scale"] = parts.scale()
        if parts.zero_point is not None:
            arrays[f"{name}.zero_point"] = parts.zero_point()
        quantized[name] = (parts.axis, parts.block, parts.dtype.name)
    return arrays, quantized


def tied(weights: Mapping[str, WeightAttr]) -> tuple[dict[str, WeightAttr], dict[str, str]]:
    """The weights, each tensor under one name, and aliases for the other names."""
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
