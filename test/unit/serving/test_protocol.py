"""Requests of the protocol, and what is wrong with them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ramiel.serving.protocol import RequestError, parse
from ramiel.serving.signature import Signature, TensorType

SIGNATURE = Signature(
    (
        TensorType("x", "FP32", (-1, 2), "x_"),
        TensorType("bias", "INT64", (), "bias", is_optional=True),
    ),
    (TensorType("y", "FP32", (-1, 2)), TensorType("z", "FP32", ())),
)
X = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}
PARSED = parse(memoryview(bytearray(json.dumps({"inputs": [X]}).encode())), None, SIGNATURE)


def refused(body: bytes, header: str | None = None) -> str:
    with pytest.raises(RequestError) as caught:
        parse(memoryview(bytearray(body)), header, SIGNATURE)
    assert caught.value.status == 400
    assert "\n" not in caught.value.reason
    return caught.value.reason


def test_a_request() -> None:
    assert PARSED.id is None and PARSED.timeout_s is None
    assert PARSED.inputs["x_"].tolist() == [[1.0, 2.0]]
    assert [(w.place, w.is_binary) for w in PARSED.wanted] == [(0, False), (1, False)]


def test_what_a_request_may_say() -> None:
    bias = {"name": "bias", "datatype": "INT64", "shape": [], "data": [3]}
    binary = {"name": "y", "parameters": {"binary_data": False}}
    document = {
        "id": "a",
        "inputs": [bias, X],
        "outputs": [{"name": "z"}, binary],
        "parameters": {"binary_data_output": True, "timeout": 1500, "of another": 1},
    }
    parsed = parse(memoryview(bytearray(json.dumps(document).encode())), None, SIGNATURE)
    assert parsed.id == "a" and parsed.timeout_s == 0.0015
    assert parsed.inputs["bias"].item() == 3
    assert [(w.place, w.is_binary) for w in parsed.wanted] == [(1, True), (0, False)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "X"}, 'has no input "X"; it has "x", "bias"'),
        ({"name": None}, "has no input null"),
        ({"datatype": "FP64"}, 'input "x": FP32 expected, not "FP64"'),
        ({"datatype": 7}, 'input "x": FP32 expected, not 7'),
        ({"shape": [1, 3]}, 'input "x": shape [-1, 2] expected, not [1, 3]'),
        ({"shape": [2]}, "shape [-1, 2] expected, not [2]"),
        ({"shape": [-1, 2]}, "must be a list of sizes"),
        ({"shape": [True, 2]}, "must be a list of sizes"),
        ({"shape": [2**40, 2]}, "must be a list of sizes"),
        ({"shape": None}, "must be a list of sizes"),
        ({"shape": [3, 2]}, "2 elements for the shape [3, 2]"),
        ({"parameters": 1}, '"parameters" must be a JSON object'),
        ({"parameters": {"shared_memory_region": "a"}}, '"shared_memory_region" is not supported'),
        ({"parameters": {"binary_data_size": 8}}, "JSON data and binary data"),
    ],
)
def test_wrong_inputs(changes: dict[str, Any], reason: str) -> None:
    assert reason in refused(json.dumps({"inputs": [X | changes]}).encode())


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "the request must be a JSON object"),
        ({}, '"inputs" must be a list'),
        ({"inputs": [1]}, 'each of "inputs" must be a JSON object'),
        ({"inputs": []}, 'input "x" is missing'),
        ({"inputs": [X, X]}, 'input "x" is given twice'),
        ({"inputs": [X], "id": 7}, '"id" must be a string'),
        ({"inputs": [X], "outputs": 7}, '"outputs" must be a list'),
        ({"inputs": [X], "outputs": [{"name": "x"}]}, 'has no output "x"; it has "y", "z"'),
        (
            {"inputs": [X], "outputs": [{"name": "y", "parameters": {"classification": 3}}]},
            '"classification" is not supported',
        ),
        ({"inputs": [X], "parameters": {"timeout": "1"}}, "whole number of µs"),
    ],
)
def test_wrong_documents(document: Any, reason: str) -> None:
    assert reason in refused(json.dumps(document).encode())


@pytest.mark.parametrize(
    "body", [b"", b"garbage", b"\xff\xfe\x00", b"[" * 100_000, b"9" * 10_000, b'{"inputs": [']
)
def test_what_is_not_json(body: bytes) -> None:
    assert "the request is not JSON" in refused(body)


@pytest.mark.parametrize("header", ["-1", "1e3", "9999", "", "9" * 5000, "²"])
def test_wrong_lengths_of_the_json(header: str) -> None:
    assert "Inference-Header-Content-Length" in refused(b"{}", header)


@pytest.mark.parametrize(
    ("size", "data", "reason"),
    [
        (8, b"1234567", "8 bytes of 7 that follow"),
        (8, b"123456789", "1 bytes follow the last binary input"),
        (4, b"1234", "4 bytes of data; the shape [1, 2] needs 8"),
        (-1, b"", "-1 bytes of 0"),
        ("8", b"12345678", '"8" bytes of 8'),
    ],
)
def test_wrong_sizes_of_binary_data(size: Any, data: bytes, reason: str) -> None:
    item = {**X, "parameters": {"binary_data_size": size}}
    del item["data"]
    header = json.dumps({"inputs": [item]}).encode()
    assert reason in refused(header + data, str(len(header)))


text = st.sampled_from(["", "a", "7", "é€", "\0", "FP32", "BYTES"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner),
    max_leaves=5,
)
parts = st.sampled_from(["name", "datatype", "shape", "data", "parameters"])


@settings(deadline=None, derandomize=True)
@given(st.dictionaries(parts, anything), st.binary(max_size=9))
def test_no_input_is_a_fault_of_the_server(changes: dict[str, Any], data: bytes) -> None:
    header = json.dumps({"inputs": [X | changes]}).encode()
    try:
        parse(memoryview(bytearray(header + data)), str(len(header)), SIGNATURE)
    except RequestError as error:
        assert error.status == 400
