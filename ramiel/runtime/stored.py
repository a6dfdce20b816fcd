"""Tensors that a .safetensors file holds packed or quantised.

Metadata, JSON and optional:
- `ramiel.packed`: {stored name: [type, shape]}, for types of at most eight bits, stored as bytes
  (see ramiel.runtime.low_bit), and for strings, stored as a JSON list.
- `ramiel.quantized`: {name: [axis, block, dtype]}: the tensor is
  (name - name.zero_point) * name.scale, computed when it is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import torch
from torch import Tensor

from ramiel.runtime.low_bit import BITS, FLOATS, unpack
from ramiel.runtime.ops.quantization import dequantize
from ramiel.runtime.strings import strings

PACKED = "ramiel.packed"
QUANTIZED = "ramiel.quantized"

_PACKED_TYPES = {*BITS, *FLOATS, "float8e8m0", "string"}
_DTYPES = {"float32", "float16", "bfloat16", "float64"}


class Stored:
    """The tensors of a file, by name."""

    def __init__(
        self, names: Iterable[str], load: Callable[[str], Tensor], metadata: Mapping[str, str]
    ) -> None:
        """ValueError if the metadata is malformed."""
        self._names = list(names)
        self._load = load
        self._packed: dict[str, tuple[str, list[int]]] = json_object(metadata, PACKED, _is_packed)
        self._quantized: dict[str, tuple[int, int, str]] = json_object(
            metadata, QUANTIZED, _is_quantized
        )

    def names(self) -> list[str]:
        """Without scales and zero points, which are parts of others."""
        parts = {f"{name}.{part}" for name in self._quantized for part in ("scale", "zero_point")}
        return [name for name in self._names if name not in parts]

    def load(self, name: str) -> Tensor:
        if name not in self._quantized:
            return self._part(name)
        axis, block, dtype = self._quantized[name]
        zero = f"{name}.zero_point"
        zero_point = self._part(zero) if zero in self._names else 0
        scale = self._part(f"{name}.scale")
        return dequantize(
            self._part(name), scale, zero_point, axis, block, getattr(torch, dtype)
        ).contiguous()

    def _part(self, name: str) -> Tensor:
        tensor = self._load(name)
        if name not in self._packed:
            return tensor
        type, shape = self._packed[name]
        try:
            if type == "string":
                return strings(json.loads(bytes(tensor.tolist())), shape)
            return unpack(tensor, type, shape)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ValueError(f'"{name}" is not {type}{shape}: {error}') from error


def is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_packed(value: Any) -> bool:
    match value:
        case [str() as type, list() as shape]:
            sizes = cast("list[Any]", shape)
            return type in _PACKED_TYPES and all(is_integer(d) and d >= 0 for d in sizes)
        case _:
            return False


def _is_quantized(value: Any) -> bool:
    match value:
        case [axis, block, dtype]:
            return is_integer(axis) and is_integer(block) and block >= 0 and dtype in _DTYPES
        case _:
            return False


def json_object(
    metadata: Mapping[str, str], key: str, is_valid: Callable[[Any], bool]
) -> dict[str, Any]:
    """The JSON object under a metadata key, or {}. ValueError if it is malformed."""
    try:
        value = json.loads(metadata.get(key, "{}"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'metadata "{key}" is not JSON: {error}') from error
    if not isinstance(value, dict) or not all(map(is_valid, cast(Any, value).values())):
        raise ValueError(f'metadata "{key}" is malformed')
    return cast("dict[str, Any]", value)
