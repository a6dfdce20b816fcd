"""Tensors in JSON and in binary."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ramiel.runtime import Strings, strings
from ramiel.serving.signature import DATATYPES
from ramiel.serving.tensors import from_binary, from_json, to_binary, to_json

NUMBERS = {name: dtype for name, dtype in DATATYPES.items() if isinstance(dtype, torch.dtype)}


def bits_of(tensor: Tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


@pytest.mark.parametrize("datatype", NUMBERS)
@settings(deadline=None, derandomize=True, max_examples=30)
@given(data=st.data())
def test_numbers_come_back_as_they_were(datatype: str, data: st.DataObject) -> None:
    dtype = NUMBERS[datatype]
    shape = data.draw(st.lists(st.integers(0, 3), max_size=3))
    size = math.prod(shape) * dtype.itemsize
    raw = bytearray(data.draw(st.binary(min_size=size, max_size=size)))
    if dtype is torch.bool:
        raw = bytearray(byte & 1 for byte in raw)
    tensor = from_binary(memoryview(raw), dtype, shape)
    assert tensor.dtype == dtype and list(tensor.shape) == shape
    assert to_binary(tensor) == raw
    again = from_json(to_json(tensor), dtype, shape)
    assert again.dtype == dtype and again.shape == tensor.shape
    same = (
        torch.isnan(tensor)
        if dtype.is_floating_point
        else torch.zeros_like(tensor, dtype=torch.bool)
    )
    # A NaN is a NaN in JSON, whichever it was.
    assert bits_of(again.where(~same, 0)) == bits_of(tensor.where(~same, 0))


@settings(deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(["", "a", "é€", "😀\0", "\n" * 300]), max_size=6))
def test_strings_come_back_as_they_were(words: list[str]) -> None:
    tensor = strings(words, [len(words)])
    for again in (
        from_binary(memoryview(to_binary(tensor)), str, [len(words)]),
        from_json(to_json(tensor), str, [len(words)]),
    ):
        assert isinstance(again, Strings) and again.tolist() == words


def test_a_byte_that_is_neither_true_nor_false_is_true() -> None:
    tensor = from_binary(memoryview(bytearray([0, 1, 2, 255])), torch.bool, [4])
    assert bits_of(tensor) == bytes([0, 1, 1, 1])


def test_nested_lists() -> None:
    tensor = from_json([[1, 2, 3], [4, 5, 6]], torch.int64, [2, 3])
    assert tensor.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_every_integer_of_a_type() -> None:
    assert from_json([1, 2**64 - 1], torch.uint64, [2]).tolist() == [1, 2**64 - 1]


@pytest.mark.parametrize(
    ("data", "datatype", "reason"),
    [
        ([1.5], "INT32", "whole numbers, not float"),
        ([True], "INT32", "whole numbers, not bool"),
        ([1], "BOOL", "true and false, not int"),
        (["1"], "FP32", "numbers, not str"),
        ([None], "FP32", "numbers, not NoneType"),
        ([{}], "FP32", "numbers, not dict"),
        ([1], "BYTES", "strings, not int"),
        (["\ud800"], "BYTES", "half of a surrogate pair"),
        ([300], "UINT8", "out of range"),
        ([-1], "UINT64", "out of range"),
        ([1e300], "FP32", "out of range"),
        ([10**400], "FP64", "out of range"),
        ([1, 2], "FP32", "2 elements for the shape [1]"),
        ([[1], 2], "FP32", "differ in depth"),
        (7, "FP32", "must be a list"),
        (None, "FP32", "must be a list"),
    ],
)
def test_wrong_json(data: Any, datatype: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        from_json(data, DATATYPES[datatype], [1])
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("data", "datatype", "reason"),
    [
        (b"123", "FP32", "3 bytes of data; the shape [1] needs 4"),
        (b"\x01\0\0", "BYTES", "cut short"),
        (b"\x02\0\0\0a", "BYTES", "cut short"),
        (b"\xff\xff\xff\xff", "BYTES", "cut short"),
        (b"\x01\0\0\0\xff", "BYTES", "not UTF-8"),
        (b"\0\0\0\0" * 2, "BYTES", "2 elements"),
    ],
)
def test_wrong_bytes(data: bytes, datatype: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        from_binary(memoryview(bytearray(data)), DATATYPES[datatype], [1])
    assert reason in str(caught.value)
