"""The declared inputs of a program, and how the arguments of a call are bound to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ramiel.runtime.strings import strings

Dtype = torch.dtype | type[str]
Dim = int | str | None


def _tensor_type(dtype: Dtype | None, shape: Sequence[Dim] | None) -> str:
    """As messages print it: `float32[batch, 3, ?, ?]`, or `str[...]` for any rank."""
    element = "any type" if dtype is None else "str" if dtype is str else str(dtype)
    dims = ["..."] if shape is None else ["?" if dim is None else str(dim) for dim in shape]
    return f"{element.removeprefix('torch.')}[{', '.join(dims)}]"


@dataclass(frozen=True, slots=True)
class Input:
    """A declared input: its Python name, its type, and its ONNX name where that differs.

    A dimension is None if it may have any size, and a name if it must equal all others of that
    name. The dtype of strings is str. A dtype or shape of None accepts any.

    The input may also be a `list` of such tensors, an `optional` one (which may be None), an
    `optional list`, or a `dict`, whose values are of any type.

    `default` is the value if a call omits the input: in the class, the name of a weight, and in
    the program, its tensor (see with_defaults()).
    """

    name: str
    dtype: Dtype | None
    shape: tuple[Dim, ...] | None
    onnx_name: str | None = None
    kind: str = "tensor"
    default: str | Tensor | None = field(default=None, compare=False)
    named: tuple[tuple[str, int], ...] = field(init=False, repr=False, compare=False)
    """The names of dimensions and their places."""

    def __post_init__(self) -> None:
        dims = enumerate(self.shape or () if self.kind == "tensor" else ())
        named = tuple((dim, i) for i, dim in dims if isinstance(dim, str))
        object.__setattr__(self, "named", named)

    def __str__(self) -> str:
        kind = "" if self.kind == "tensor" else f"{self.kind} of "
        default = "" if self.default is None else " = ..."
        return f"{self.name}: {kind}{_tensor_type(self.dtype, self.shape)}{default}"

    def value(self, given: Any, batched: bool = False) -> Any:
        """The value for an argument. Raises what tensor() raises, and TypeError if a list or dict
        is declared and the argument is not one."""
        if self.kind == "tensor":
            return self.tensor(given, batched)
        return self._made_of(given, self.kind.split())

    def _made_of(self, given: Any, kinds: Sequence[str]) -> Any:
        if not kinds:
            return self.tensor(given)
        kind, *inner = kinds
        if kind == "optional":
            return None if given is None else self._made_of(given, inner)
        expected: tuple[type, ...] = (dict,) if kind == "dict" else (list, tuple)
        if not isinstance(given, expected):
            raise TypeError(f'input "{self.name}": expected a {kind}, got {type(given).__name__}')
        if kind == "dict":
            return cast("dict[Any, Any]", given)
        return [self._made_of(item, inner) for item in cast("Sequence[Any]", given)]

    def tensor(self, value: Any, batched: bool = False) -> Tensor:
        """The tensor for an argument: itself, or an array, a number or nested lists converted.

        With `batched`, the first dimension may be any number of samples. Raises ValueError if its
        dtype, rank or a static dimension is not the declared one, and TypeError if no tensor can
        be made of it. Only numbers and lists take on the declared dtype; tensors and
        arrays must have it.
        """
        tensor = value if isinstance(value, Tensor) else self._convert(value)
        if tensor.is_meta:
            raise ValueError(f'input "{self.name}": a tensor on the device meta has no values')
        shape = tensor.shape
        # The first test is for speed: it decides all but the dynamic shapes.
        declared = (None, *(self.shape or ())[1:]) if batched else self.shape
        if tensor.dtype == self.dtype and (shape == declared or _fits(shape, declared)):
            return tensor
        if self.dtype is None and _fits(shape, declared):
            return tensor
        expected = _tensor_type(self.dtype, declared)
        given = _tensor_type(tensor.dtype, shape)
        raise ValueError(f'input "{self.name}": expected {expected}, got {given}')

    def _convert(self, value: Any) -> Tensor:
        is_array = hasattr(value, "__array_interface__") or hasattr(value, "__array__")
        try:
            if self.dtype is str:
                return strings(np.asarray(value).tolist() if is_array else value)
            if is_array:
                return _shared(np.asarray(value))
            if hasattr(value, "__dlpack__"):
                return torch.from_dlpack(value)
            return _made(value, cast("torch.dtype | None", self.dtype))
        except Exception as error:  # anything that the value's methods raise
            kind = ValueError if isinstance(error, ValueError | RuntimeError) else TypeError
            expected = _tensor_type(self.dtype, self.shape)
            message = f"expected {expected}, got {type(value).__name__}: {error}"
            raise kind(f'input "{self.name}": {message}') from error


def _shared(array: NDArray[Any]) -> Tensor:
    """The tensor of an array, sharing its memory where torch can: not if it is read-only, of
    foreign byte order, or has strides that are negative or no multiple of the item size."""
    dtype, size = array.dtype, array.itemsize
    steps = all(stride >= 0 and stride % size == 0 for stride in array.strides)
    if not (steps and dtype.isnative and array.flags.writeable):
        array = np.array(array, dtype.newbyteorder("="), order="C")
    if dtype.isbuiltin == 2 and isinstance(getattr(torch, dtype.name, None), torch.dtype):
        # ml_dtypes' bfloat16 and the like, which are not numpy's own types
        return torch.as_tensor(array.view(f"i{size}")).view(getattr(torch, dtype.name))
    return torch.as_tensor(array)


def _made(value: Any, dtype: torch.dtype | None) -> Tensor:
    """The tensor of a number, of nested lists, or of anything else that numpy converts."""
    try:
        return torch.tensor(value, dtype=dtype)
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        array = np.asarray(value)  # such as lists of tensors, or a buffer of two dimensions
        if array.dtype.kind not in "biufc":
            raise
        return _shared(array).to(dtype)


def _fits(shape: Sequence[int], declared: Sequence[Dim] | None) -> bool:
    if declared is None:
        return True
    return len(shape) == len(declared) and all(
        dim == given or not isinstance(dim, int) for dim, given in zip(declared, shape, strict=True)
    )


def with_defaults(inputs: Sequence[Input], weights: Mapping[str, Tensor]) -> tuple[Input, ...]:
    """The inputs with the tensors of their defaults. KeyError if one is not a weight."""
    return tuple(
        replace(i, default=weights[i.default]) if isinstance(i.default, str) else i for i in inputs
    )


def check_names(inputs: Sequence[Input], values: Sequence[Any]) -> None:
    """Raises ValueError if dimensions of one name differ in size."""
    sizes: dict[str, tuple[int, str]] = {}
    for declared, value in zip(inputs, values, strict=True):
        for name, place in declared.named:
            size = value.shape[place]
            other, where = sizes.setdefault(name, (size, declared.name))
            if other != size:
                raise ValueError(
                    f'dimension "{name}" is {other} in input "{where}" '
                    f'and {size} in input "{declared.name}"'
                )


_ALIGNMENT = 64
"""Bytes. torch allocates at multiples of it, and matrix products of unaligned memory round
differently: a sample must give the same bits in a batch as alone."""


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
) -> list[Any]:
    """The values for the inputs, in their order, from the arguments of a call.

    A keyword is an input's Python name or its ONNX name; an omitted input is its default. Raises
    TypeError if the arguments are too many, or one is unknown, missing or given twice, and what
    Input.value() and check_names() raise.
    """
    if kwargs or len(args) != len(inputs):
        args = _in_order(model, inputs, args, kwargs)
    pairs = zip(inputs, args, strict=True)
    values = [declared.value(value, batched) for declared, value in pairs]
    check_names(inputs, values)
    return values


def _in_order(
    model: str, inputs: Sequence[Input], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> list[Any]:
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
        if declared.name not in values and declared.default is not None:
            values[declared.name] = declared.default
        if declared.name not in values:
            raise TypeError(f'{model} is missing input "{declared.name}"')
    return [values[declared.name] for declared in inputs]
