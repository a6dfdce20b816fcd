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

    def tensor(self, value: Any, batched: bool = False) -> Tensor:
        """The tensor for an argument: itself, or an array, a number or nested lists converted.

        With `batched`, the first dimension may be any number of samples. Raises ValueError if its
        dtype, rank or a static dimension is not the declared one, and TypeError if it is nothing
        a tensor can be made of. Only numbers and lists take on the declared dtype; tensors and
        arrays must have it.
        """
        tensor = value if isinstance(value, Tensor) else self._convert(value)
        shape = tensor.shape
        # The first test is for speed: it settles all but the dynamic shapes.
        declared = (None, *self.shape[1:]) if batched else self.shape
        if tensor.dtype == self.dtype and (shape == declared or _fits(shape, declared)):
            return tensor
        expected = _tensor_type(self.dtype, declared)
        given = _tensor_type(tensor.dtype, shape)
        raise ValueError(f'input "{self.name}": expected {expected}, got {given}')

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


def _fits(shape: Sequence[int], declared: Sequence[int | None]) -> bool:
    return len(shape) == len(declared) and all(
        dim is None or dim == given for dim, given in zip(declared, shape, strict=True)
    )


_ALIGNMENT = 64
"""Bytes. torch's own memory begins at multiples of it, and matrix products round otherwise where
memory does not: a sample is to give the same bits in a batch as alone."""


def samples_of(inputs: Sequence[Input], tensors: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
    """The samples of a batch, each with a first dimension of 1: views of the inputs, or copies
    where a view would not be aligned.

    Raises ValueError if there is no sample, or the inputs do not have the same number of them.
    """
    first = tensors[0].shape[0] if tensors else 0
    for declared, tensor in zip(inputs, tensors, strict=True):
        if tensor.shape[0] != first:
            raise ValueError(
                f'input "{declared.name}" has {tensor.shape[0]} samples, '
                f'"{inputs[0].name}" has {first}'
            )
    if first == 0:
        raise ValueError("a batch needs at least one sample")
    return list(zip(*(map(_aligned, tensor.split(1)) for tensor in tensors), strict=True))


def _aligned(tensor: Tensor) -> Tensor:
    return tensor if tensor.data_ptr() % _ALIGNMENT == 0 else tensor.clone()


def bind(
    model: str,
    inputs: Sequence[Input],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    batched: bool = False,
) -> list[Tensor]:
    """The tensors for the inputs, in their order, from the arguments of a call.

    A keyword is an input's Python name or its ONNX name. Raises TypeError if the arguments are
    too many, or one is unknown, missing or given twice, and what Input.tensor() raises.
    """
    if not kwargs and len(args) == len(inputs):
        pairs = zip(inputs, args, strict=True)
        return [declared.tensor(value, batched) for declared, value in pairs]

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
    return [declared.tensor(values[declared.name], batched) for declared in inputs]
