"""The declared inputs of a program, and how the arguments of a call are bound to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


def _tensor_type(dtype: torch.dtype, shape: Sequence[int | None]) -> str:
    """As the messages print it: `float32[?, 3, 224, 224]`."""
    dims = ", ".join("?" if dim is None else str(dim) for dim in shape)
    return f"{str(dtype).removeprefix('torch.')}[{dims}]"


@dataclass(frozen=True, slots=True)
class Input:
    """A declared input: its Python name, its type, and its ONNX name where that differs.

    A dimension is None where it is dynamic.
    """

    name: str
    dtype: torch.dtype
    shape: tuple[int | None, ...]
    onnx_name: str | None = None

    def __str__(self) -> str:
        return f"{self.name}: {_tensor_type(self.dtype, self.shape)}"

    def tensor(self, value: Any) -> Tensor:
        """The tensor for an argument: itself, or an array, a number or nested lists converted.

        Raises ValueError if its dtype, rank or a static dimension is not the declared one, and
        TypeError if it is nothing a tensor can be made of. Only numbers and lists take on the
        declared dtype; tensors and arrays must have it.
        """
        tensor = value if isinstance(value, Tensor) else self._convert(value)
        shape = tensor.shape
        # The first test is for speed: it settles all but the dynamic shapes.
        if tensor.dtype == self.dtype and (shape == self.shape or self._fits(shape)):
            return tensor
        expected = _tensor_type(self.dtype, self.shape)
        given = _tensor_type(tensor.dtype, shape)
        raise ValueError(f'input "{self.name}": expected {expected}, got {given}')

    def _fits(self, shape: Sequence[int]) -> bool:
        return len(shape) == len(self.shape) and all(
            declared is None or declared == given
            for declared, given in zip(self.shape, shape, strict=True)
        )

    def _convert(self, value: Any) -> Tensor:
        try:
            if not hasattr(value, "__array_interface__"):
                return torch.tensor(value, dtype=self.dtype)
            # torch shares an array's memory, and refuses what it cannot share.
            if not value.flags.writeable or min(value.strides, default=0) < 0:
                value = value.copy()
            return torch.as_tensor(value)
        except (TypeError, ValueError, RuntimeError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            expected = _tensor_type(self.dtype, self.shape)
            message = f"expected {expected}, got {type(value).__name__}: {error}"
            raise kind(f'input "{self.name}": {message}') from error


def bind(
    model: str, inputs: Sequence[Input], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> list[Tensor]:
    """The tensors for the inputs, in their order, from the arguments of a call.

    A keyword is an input's Python name or its ONNX name. Raises TypeError if the arguments are
    too many, or one is unknown, missing or given twice, and what Input.tensor() raises.
    """
    if not kwargs and len(args) == len(inputs):
        return [declared.tensor(value) for declared, value in zip(inputs, args, strict=True)]

    if len(args) > len(inputs):
        names = ", ".join(declared.name for declared in inputs)
        takes = f"takes {len(inputs)} input{'' if len(inputs) == 1 else 's'} ({names})"
        raise TypeError(f"{model} {takes}, got {len(args)}")
    # A Python name wins over the same name of another input in the ONNX model.
    keywords = {declared.onnx_name: declared.name for declared in inputs}
    keywords |= {declared.name: declared.name for declared in inputs}
    values = {declared.name: value for declared, value in zip(inputs, args, strict=False)}
    for keyword, value in kwargs.items():
        name = keywords.get(keyword)
        if name is None:
            raise TypeError(f'{model} has no input "{keyword}"')
        if name in values:
            raise TypeError(f'{model} got input "{name}" twice')
        values[name] = value
    for declared in inputs:
        if declared.name not in values:
            raise TypeError(f'{model} is missing input "{declared.name}"')
    return [declared.tensor(values[declared.name]) for declared in inputs]
