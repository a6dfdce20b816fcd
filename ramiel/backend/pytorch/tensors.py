"""Arrays of numpy as tensors of torch, and back, without a copy where that is possible."""

from __future__ import annotations

from typing import Any, cast

import ml_dtypes
import numpy as np
import torch
from torch import Tensor
from xdsl.ir import Attribute

from ramiel.dialects.onnx.attributes import Array
from ramiel.dialects.onnx.types import OptionalType, SequenceType
from ramiel.runtime.strings import Strings, strings


def tensor_of(array: Array) -> Tensor:
    """Raises TypeError for an element type that torch does not have."""
    if array.dtype.kind in "OSU":
        return strings(array.reshape(-1).tolist(), array.shape)
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(_writable(array.view(np.int16))).view(torch.bfloat16)
    return torch.from_numpy(_writable(array))


def array_of_tensor(tensor: Tensor) -> Array:
    if isinstance(tensor, Strings):
        return np.array(tensor.flat(), np.object_).reshape(tensor.shape)
    tensor = tensor.detach().cpu().contiguous()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def _writable(array: Array) -> Array:
    """torch wants memory that it may write; what is mapped from a file is copied."""
    array = np.asarray(array, order="C")
    return array if array.flags.writeable else array.copy()


def value_of(value: Any, type: Attribute) -> Any:
    """What a program takes for a value of numpy's: lists and None stay what they are."""
    match type:
        case OptionalType() if value is not None:
            return value_of(value, type.element)
        case SequenceType() if value is not None:
            return [value_of(item, type.element) for item in value]
        case _:
            return value if value is None else tensor_of(np.asarray(value))


def array_of_value(value: Any, type: Attribute) -> Any:
    """The value of numpy's for what a program returns."""
    if isinstance(value, list):
        element = type.element if isinstance(type, SequenceType | OptionalType) else type
        return [array_of_value(item, element) for item in cast("list[Any]", value)]
    return array_of_tensor(value) if isinstance(value, Tensor) else value
