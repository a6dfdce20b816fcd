"""Tensors as the Open Inference Protocol carries them: in JSON, and in binary."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from ramiel.runtime import Strings, strings
from ramiel.serving.signature import Dtype

ALIGNMENT = 64
"""Of the memory of tensors, in bytes: a line of cache, which is what PyTorch's have."""
_LENGTH = struct.Struct("<I")
"""Before each element of BYTES."""
_INTEGERS = frozenset([int])
_NUMBERS = frozenset([int, float])


def from_json(data: Any, dtype: Dtype, shape: Sequence[int]) -> Tensor:
    """The tensor of a list of elements, flat or nested.

    Raises ValueError if its elements are not of that type, or too many or too few.
    """
    flat = _flat(data)
    if len(flat) != math.prod(shape):
        raise ValueError(f"{len(flat)} elements for the shape {list(shape)}")
    kinds = set(map(type, flat))
    if dtype is str:
        _check(kinds, frozenset([str]), "strings")
        if not all(map(_is_unicode, flat)):
            raise ValueError("an element has half of a surrogate pair")
        return strings(flat, shape)
    assert isinstance(dtype, torch.dtype)
    if dtype is torch.bool:
        _check(kinds, frozenset([bool]), "true and false")
    elif dtype.is_floating_point:
        _check(kinds, _NUMBERS, "numbers")
    else:
        _check(kinds, _INTEGERS, "whole numbers")
    try:
        if dtype is torch.bfloat16:  # numpy has no such type
            return torch.from_numpy(np.array(flat, np.float32)).to(dtype).reshape(tuple(shape))
        with np.errstate(over="raise"):
            array = np.array(flat, str(dtype).removeprefix("torch."))
    except (OverflowError, FloatingPointError):
        raise ValueError("an element is out of range") from None
    return torch.from_numpy(array).reshape(tuple(shape))


def _check(kinds: set[type], allowed: frozenset[type], told: str) -> None:
    if not kinds <= allowed:
        names = ", ".join(sorted(kind.__name__ for kind in kinds - allowed))
        raise ValueError(f"its elements must be {told}, not {names}")


def _is_unicode(word: str) -> bool:
    return word.isascii() or not any("\ud800" <= c <= "\udfff" for c in word)


def _flat(data: Any) -> list[Any]:
    """The elements of nested lists, all of which are as deep."""
    if not isinstance(data, list):
        raise ValueError("its data must be a list")
    level = cast("list[Any]", data)
    while level and isinstance(level[0], list):
        if not all(isinstance(item, list) for item in level):
            raise ValueError("its lists differ in depth")
        level = list(chain.from_iterable(level))
    return level


def from_binary(data: memoryview, dtype: Dtype, shape: Sequence[int]) -> Tensor:
    """The tensor of its elements in row-major order and little-endian, on that memory if it is
    aligned. Raises ValueError if they are too many, too few or malformed."""
    count = math.prod(shape)
    if dtype is str:
        return strings(_words(data, count), shape)
    assert isinstance(dtype, torch.dtype)
    if len(data) != count * dtype.itemsize:
        raise ValueError(
            f"{len(data)} bytes of data; the shape {list(shape)} needs {count * dtype.itemsize}"
        )
    if count == 0:
        return torch.empty(tuple(shape), dtype=dtype)
    if dtype is torch.bool:
        return (torch.frombuffer(data, dtype=torch.uint8) != 0).reshape(tuple(shape))
    tensor = torch.frombuffer(data, dtype=dtype)
    tensor = tensor.clone() if tensor.data_ptr() % ALIGNMENT else tensor
    return tensor.reshape(tuple(shape))


def _words(data: memoryview, count: int) -> list[str]:
    """So many strings, each after its length."""
    words: list[str] = []
    place = 0
    while place < len(data):
        if place + _LENGTH.size > len(data):
            raise ValueError("its last element is cut short")
        start = place + _LENGTH.size
        place = start + _LENGTH.unpack_from(data, place)[0]
        if place > len(data):
            raise ValueError("its last element is cut short")
        try:
            words.append(str(data[start:place], "utf-8"))
        except UnicodeDecodeError:
            raise ValueError(f"its element {len(words)} is not UTF-8") from None
    if len(words) != count:
        raise ValueError(f"{len(words)} elements of data; the shape needs {count}")
    return words


def to_json(tensor: Tensor) -> list[Any]:
    """The elements as a flat list."""
    if isinstance(tensor, Strings):
        return list(tensor.flat())
    return tensor.reshape(-1).tolist()


def to_binary(tensor: Tensor) -> bytes | memoryview:
    """The elements in row-major order and little-endian, where they are if they are so there;
    strings each after its length."""
    if isinstance(tensor, Strings):
        return b"".join(_counted(word.encode() for word in tensor.flat()))
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data


def _counted(words: Iterable[bytes]) -> Iterable[bytes]:
    for word in words:
        yield _LENGTH.pack(len(word))
        yield word
