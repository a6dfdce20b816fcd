"""Types and arguments of PyTorch's graphs in the IR."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from xdsl.ir import Attribute, SSAValue

from ramiel.dialects.onnx.types import ELEMENT_TYPES, tensor_type
from ramiel.dialects.torch.dtypes import DTYPES
from ramiel.dialects.torch.literals import Dtype

_ELEMENTS: dict[torch.dtype, Attribute] = {
    getattr(torch, row.numpy.name): row.ir
    for row in ELEMENT_TYPES
    if row.numpy.name in DTYPES and hasattr(torch, row.numpy.name)
}


class Unsupported(Exception):
    """A graph has something that a program does not; the message says what."""


def why_not(tensor: Tensor) -> str | None:
    """Why a program cannot take or make a tensor; None if it can."""
    if tensor.device.type != "cpu":
        return f"a tensor is on {tensor.device}, and programs compiled here are for the CPU"
    if tensor.layout is not torch.strided:
        return f"a tensor has the layout {tensor.layout}"
    if tensor.dtype not in _ELEMENTS:
        return f"a tensor is of {tensor.dtype}"
    return None


def type_of(tensor: Tensor) -> Attribute:
    """The type of a tensor. Raises Unsupported if a program cannot have it."""
    if (reason := why_not(tensor)) is not None:
        raise Unsupported(reason)
    return tensor_type(_ELEMENTS[tensor.dtype], list(tensor.shape))


def argument_of(value: Any, tensor: Callable[[Any], SSAValue | None]) -> object:
    """An argument of an operator as the dialect has it: `tensor` gives the values of tensors.

    Raises Unsupported for one that has no literal.
    """
    found = tensor(value)
    if found is not None:
        return found
    match value:
        case None | bool() | int() | float() | str():
            return value
        case torch.dtype() if value in _ELEMENTS:
            return Dtype(str(value).removeprefix("torch."))
        case list() | tuple():
            return [argument_of(item, tensor) for item in cast("Sequence[Any]", value)]
        case _:
            raise Unsupported(f"an operator takes {value!r}")
