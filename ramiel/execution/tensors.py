"""Arrays of numpy as tensors of torch, and back, without a copy where that is possible."""

from __future__ import annotations

from typing import Any, cast

import ml_dtypes
import numpy as np
import torch
from torch import Tensor
from xdsl.ir import Attribute

from ramiel.dialects.onnx.attributes import Array
from ramiel.dialects.onnx.types import OptionalType, SequenceType, numpy_dtype_of
from ramiel.dialects.torch.dtypes import HELD_IN
from ramiel.runtime.strings import Strings, strings

_BY_BITS = {
    torch.bfloat16: torch.int16,
    torch.float8_e4m3fn: torch.uint8,
    torch.float8_e4m3fnuz: torch.uint8,
    torch.float8_e5m2: torch.uint8,
    torch.float8_e5m2fnuz: torch.uint8,
    torch.float8_e8m0fnu: torch.uint8,
}
"""Types of torch that numpy has through ml_dtypes, under the same name, and the integer type that
carries their bits from one to the other."""


def tensor_of(array: Array) -> Tensor:
    """The tensor that holds an array. Raises TypeError for elements that no tensor holds."""
    if array.dtype.kind in "OSU":
        return strings(array.reshape(-1).tolist(), array.shape)
    held_in = HELD_IN.get(array.dtype.name)
    if held_in is not None:
        array = array.astype(np.float32).astype(_numpy_dtype(held_in))
    torch_dtype = getattr(torch, array.dtype.name, None)
    if torch_dtype in _BY_BITS:
        carrier = _BY_BITS[torch_dtype]
        bits = array.view(_numpy_dtype(str(carrier).removeprefix("torch.")))
        return torch.from_numpy(_writable(bits)).view(torch_dtype)
    return torch.from_numpy(_writable(array))


def array_of_tensor(tensor: Tensor, type: Attribute | None = None) -> Array:
    """The array that a tensor holds, of `type` if that is one that torch has no tensors of."""
    if isinstance(tensor, Strings):
        return tensor.numpy()
    tensor = tensor.detach().cpu().contiguous()
    if tensor.dtype in _BY_BITS:
        bits = tensor.view(_BY_BITS[tensor.dtype]).numpy()
        array = bits.view(_numpy_dtype(str(tensor.dtype).removeprefix("torch.")))
    else:
        array = tensor.numpy()
    dtype = None if type is None else numpy_dtype_of(type)
    if dtype is not None and HELD_IN.get(dtype.name) == array.dtype.name:
        return array.astype(np.float32).astype(dtype)
    return array


def _numpy_dtype(name: str) -> np.dtype[np.generic]:
    return np.dtype(getattr(ml_dtypes, name, name))


def _writable(array: Array) -> Array:
    """The array, copied if it is read-only, such as mapped from a file: torch needs to write."""
    array = np.asarray(array, order="C")
    return array if array.flags.writeable else array.copy()


def value_of(value: Any, type: Attribute) -> Any:
    """A numpy value as a program takes it; lists and None are kept."""
    match type:
        case OptionalType() if value is not None:
            return value_of(value, type.element)
        case SequenceType() if value is not None:
            return [value_of(item, type.element) for item in value]
        case _:
            return value if value is None else tensor_of(np.asarray(value))


def array_of_value(value: Any, type: Attribute) -> Any:
    """A value that a program returns as numpy's."""
    if isinstance(value, list):
        element = type.element if isinstance(type, SequenceType | OptionalType) else type
        return [array_of_value(item, element) for item in cast("list[Any]", value)]
    if isinstance(type, OptionalType):
        type = type.element
    return array_of_tensor(value, type) if isinstance(value, Tensor) else value
