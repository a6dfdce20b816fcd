"""Arrays of low-bit types and of strings as bytes, as .safetensors files hold them.

A file's metadata lists them, `ramiel.packed`: {name: [ONNX's type, shape]}. The runtime reads them
as tensors, this module as arrays.
"""

from __future__ import annotations

import json
from math import prod
from typing import cast

import ml_dtypes
import numpy as np
import numpy.typing as npt

from ramiel.dialects.onnx.attributes import Array
from ramiel.dialects.onnx.types import BY_NUMPY, BY_ONNX

PACKED = "ramiel.packed"

_Bytes = npt.NDArray[np.uint8]

_BITS = {"int2": 2, "uint2": 2, "int4": 4, "uint4": 4, "float4e2m1": 4}
_WHOLE = frozenset(
    "float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz float8e8m0 float6e2m3 float6e3m2".split()
)
"""Types of one byte an element; those of six bits are stored as float8e4m3fn."""


def packed_type(array: Array) -> str | None:
    """ONNX's name of an array's type if it has to be packed."""
    row = BY_NUMPY.get(array.dtype)
    if row is None:
        return None
    return row.onnx if row.onnx in _BITS or row.onnx in _WHOLE or row.onnx == "string" else None


def pack(array: Array) -> _Bytes:
    """The elements in bytes, lowest bits first; strings as a list in JSON."""
    name = packed_type(array)
    assert name is not None
    if name == "string":
        return np.frombuffer(json.dumps(array.reshape(-1).tolist()).encode(), np.uint8)
    if name not in _BITS:
        if name.startswith("float6"):
            array = array.astype(np.float32).astype(ml_dtypes.float8_e4m3fn)
        return np.ascontiguousarray(array).view(np.uint8)
    bits = _BITS[name]
    count = 8 // bits
    values = np.ascontiguousarray(array).reshape(-1).view(np.uint8) & np.uint8((1 << bits) - 1)
    rows = np.pad(values, (0, -values.size % count)).reshape(-1, count)
    shifted = rows << np.arange(0, 8, bits, dtype=np.uint8)
    return cast(_Bytes, np.bitwise_or.reduce(shifted, axis=1))


def unpack(data: Array, name: str, shape: list[int]) -> Array:
    """The array of a type and a shape, from packed bytes."""
    dtype = BY_ONNX[name].numpy
    if name == "string":
        return np.array(json.loads(data.tobytes()), dtype).reshape(shape)
    if name not in _BITS:
        if name.startswith("float6"):
            return data.view(ml_dtypes.float8_e4m3fn).astype(np.float32).astype(dtype)
        return data.view(dtype).reshape(shape)
    bits = _BITS[name]
    column = cast(_Bytes, data).reshape(-1, 1)
    values = (column >> np.arange(0, 8, bits, dtype=np.uint8)) & np.uint8((1 << bits) - 1)
    values = values.reshape(-1)[: prod(shape)].reshape(shape)
    if name.startswith("float"):
        return values.view(dtype)
    sign = 0 if name.startswith("u") else 1 << (bits - 1)
    return ((values.astype(np.int8) ^ sign) - sign).astype(dtype)
