"""Requests and responses of the Open Inference Protocol, with the binary tensor data extension."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from torch import Tensor

from ramiel.errors import shorten
from ramiel.serving.signature import Signature, TensorType
from ramiel.serving.tensors import ALIGNMENT, from_binary, from_json, to_binary, to_json

HEADER_LENGTH = "Inference-Header-Content-Length"
"""The HTTP header with the length of the JSON before binary data."""
UNSUPPORTED = frozenset(["classification", "shared_memory_region"])
"""Parameters of extensions that would change what a response means."""


class RequestError(Exception):
    """A request that gets an error: an HTTP status and one line that says why."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.reason, self.headers = status, " ".join(reason.split()), headers
        super().__init__(self.reason)


@dataclass(frozen=True)
class Wanted:
    """An output that a response is to have."""

    place: int
    """Among the program's outputs."""
    is_binary: bool


@dataclass(frozen=True)
class InferRequest:
    """A request for inference, checked against the model's signature."""

    id: str | None
    inputs: dict[str, Tensor]
    """By their Python names, without those that it leaves to their defaults."""
    wanted: tuple[Wanted, ...]
    timeout_s: float | None
    """How long the client waits for it, if it has said so."""


class Body:
    """The body of a request, of so many bytes, which is written to where its tensors will lie: its
    binary data is aligned to ALIGNMENT if `header` says where that begins."""

    def __init__(self, size: int, header: str | None) -> None:
        start = int(header[:18]) if header is not None and _is_number(header[:18]) else 0
        memory = np.empty(size + ALIGNMENT, np.uint8)
        place = -(memory.ctypes.data + start) % ALIGNMENT
        self.memory = memory.data[place : place + size]
        self._filled = 0

    def add(self, data: bytes) -> None:
        """Writes what has come next."""
        self.memory[self._filled : self._filled + len(data)] = data
        self._filled += len(data)


def parse(body: memoryview, header: str | None, signature: Signature) -> InferRequest:
    """The request in a body, of which `header` is the length of the JSON if binary data follows.

    Raises RequestError, of status 400.
    """
    try:
        return _parsed(body, header, signature)
    except ValueError as error:
        raise RequestError(400, str(error)) from error


def _parsed(body: memoryview, header: str | None, signature: Signature) -> InferRequest:
    length = len(body) if header is None else _number(header, len(body))
    document = _object(_json(bytes(body[:length])), "the request")
    binary = _Binary(body[length:])
    parameters = _parameters(document)
    given: dict[str, Tensor] = {}
    for item in _objects(document, "inputs"):
        declared = _declared(item, signature.inputs, "input")
        if declared.keyword in given:
            raise ValueError(f"{_told(declared)} is given twice")
        given[declared.keyword] = _input(item, declared, binary)
    if binary.left:
        raise ValueError(f"{binary.left} bytes follow the last binary input")
    for declared in signature.inputs:
        if declared.keyword not in given and not declared.is_optional:
            raise ValueError(f"{_told(declared)} is missing")
    id = document.get("id")
    if not isinstance(id, str | None):
        raise ValueError('"id" must be a string')
    wanted = _wanted(document, signature, parameters.get("binary_data_output") is True)
    return InferRequest(id, given, wanted, _timeout(parameters))


def _is_number(header: str) -> bool:
    return header.isascii() and header.isdecimal()


def _number(header: str, most: int) -> int:
    if not _is_number(header) or len(header) > 18 or int(header) > most:
        raise ValueError(f"{HEADER_LENGTH} {shorten(header, 40)}: the body has {most} bytes")
    return int(header)


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("the request is not JSON: it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"the request is not JSON: {error}") from error


def _object(value: Any, told: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{told} must be a JSON object")
    return cast("dict[str, Any]", value)


def _objects(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    items = document.get(name)
    if not isinstance(items, list):
        raise ValueError(f'"{name}" must be a list')
    return [_object(item, f'each of "{name}"') for item in cast("list[Any]", items)]


def _parameters(item: Mapping[str, Any]) -> dict[str, Any]:
    parameters = _object(item.get("parameters", {}), '"parameters"')
    if unsupported := UNSUPPORTED.intersection(parameters):
        raise ValueError(f'the parameter "{min(unsupported)}" is not supported')
    return parameters


def _declared(item: Mapping[str, Any], types: Sequence[TensorType], what: str) -> TensorType:
    name = item.get("name")
    for declared in types:
        if declared.name == name:
            return declared
    known = ", ".join(f'"{shorten(declared.name)}"' for declared in types[:10])
    raise ValueError(
        f"the model has no {what} {shorten(json.dumps(name))}; it has {known or 'none'}"
    )


def _told(declared: TensorType) -> str:
    return f'input "{shorten(declared.name)}"'


class _Binary:
    """The binary data after the JSON, which inputs take in their order."""

    def __init__(self, data: memoryview) -> None:
        self._data = data

    @property
    def left(self) -> int:
        return len(self._data)

    def take(self, size: Any) -> memoryview:
        if type(size) is not int or not 0 <= size <= len(self._data):
            raise ValueError(f"{shorten(json.dumps(size))} bytes of {len(self._data)} that follow")
        taken, self._data = self._data[:size], self._data[size:]
        return taken


def _input(item: Mapping[str, Any], declared: TensorType, binary: _Binary) -> Tensor:
    """The tensor of an input."""
    try:
        datatype = item.get("datatype")
        if datatype != declared.datatype:
            raise ValueError(f"{declared.datatype} expected, not {shorten(json.dumps(datatype))}")
        shape = item.get("shape")
        if not isinstance(shape, list) or not all(
            type(dim) is int and 0 <= dim < 2**31 for dim in cast("list[Any]", shape)
        ):
            raise ValueError("its shape must be a list of sizes")
        if not declared.fits(dims := cast("list[int]", shape)):
            raise ValueError(f"shape {list(declared.shape)} expected, not {dims[:10]}")
        parameters = _parameters(item)
        if "binary_data_size" not in parameters:
            return from_json(item.get("data"), declared.dtype, dims)
        if "data" in item:
            raise ValueError("it has JSON data and binary data")
        return from_binary(binary.take(parameters["binary_data_size"]), declared.dtype, dims)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{_told(declared)}: {error}") from error


def _wanted(document: Mapping[str, Any], signature: Signature, binary: bool) -> tuple[Wanted, ...]:
    """The outputs asked for; all if none are."""
    if not document.get("outputs"):
        return tuple(Wanted(place, binary) for place in range(len(signature.outputs)))
    wanted: list[Wanted] = []
    for item in _objects(document, "outputs"):
        declared = _declared(item, signature.outputs, "output")
        own = _parameters(item).get("binary_data", binary)
        wanted.append(Wanted(signature.outputs.index(declared), own is True))
    return tuple(wanted)


def _timeout(parameters: Mapping[str, Any]) -> float | None:
    """The seconds of the parameter `timeout`, in µs, in which 0 means none."""
    timeout = parameters.get("timeout", 0)
    if type(timeout) is not int or timeout < 0:
        raise ValueError('the parameter "timeout" must be a whole number of µs')
    return timeout / 1e6 or None


@dataclass(frozen=True)
class InferResponse:
    """The body of a response in parts, and the length of its JSON if binary data follows."""

    parts: Sequence[bytes | memoryview]
    header_length: int | None


def respond(
    request: InferRequest, name: str, version: str, signature: Signature, outputs: Sequence[Tensor]
) -> InferResponse:
    """The response with the outputs that a program has returned, in its order."""
    items: list[dict[str, Any]] = []
    chunks: list[bytes | memoryview] = []
    for wanted in request.wanted:
        declared, tensor = signature.outputs[wanted.place], outputs[wanted.place]
        item: dict[str, Any] = {**declared.as_json(), "shape": list(tensor.shape)}
        if wanted.is_binary:
            chunks.append(to_binary(tensor))
            item["parameters"] = {"binary_data_size": len(chunks[-1])}
        else:
            item["data"] = to_json(tensor)
        items.append(item)
    document: dict[str, Any] = {"model_name": name, "model_version": version, "outputs": items}
    if request.id is not None:
        document["id"] = request.id
    header = json.dumps(document, separators=(",", ":")).encode()
    return InferResponse([header, *chunks], len(header) if chunks else None)
