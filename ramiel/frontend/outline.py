"""Reads a model's file without its large initializers, which stay there until they are needed.

Protobuf's parser copies every tensor, which for a model of hundreds of MB takes longer than the
rest of its import. Here fields are skipped by their lengths, and each large initializer becomes
external data in ONNX's own form, at a location that stands for the model's own file.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from io import BufferedReader
from typing import NamedTuple

import onnx
from google.protobuf.message import DecodeError

from ramiel.frontend.data_file import OpenFile

OWN_FILE = "\0"
"""The location of data that is in the model's own file; no file has that name."""
LARGE = 4096
"""Bytes from which on an initializer stays in the file."""

_GRAPH = onnx.ModelProto.GRAPH_FIELD_NUMBER
_INITIALIZER = onnx.GraphProto.INITIALIZER_FIELD_NUMBER
_RAW_DATA = onnx.TensorProto.RAW_DATA_FIELD_NUMBER
_OUTSIDE = (
    onnx.TensorProto.DATA_LOCATION_FIELD_NUMBER,
    onnx.TensorProto.EXTERNAL_DATA_FIELD_NUMBER,
)


class ModelFile(OpenFile):
    """A model's file, of which tensors are read when they are needed."""

    def message(self) -> bytes:
        """The model's message, with references to this file in place of large initializers; all of
        the file if it is no message."""
        with self.opened() as file:
            try:
                return _rewritten(_Parts(file), 0, self.length, _GRAPH, _graph)
            except DecodeError:
                file.seek(0)
                return file.read()


class _Parts:
    """The bytes of a file by their positions, fewer than asked for where it ends."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file

    def __getitem__(self, part: slice) -> bytes:
        self._file.seek(part.start)
        return self._file.read(part.stop - part.start)


class _Field(NamedTuple):
    """Where a field of a message is: its tag from `start`, its content up to `end`."""

    number: int
    start: int
    content: int
    end: int


def _graph(data: _Parts, start: int, end: int) -> bytes:
    return _rewritten(data, start, end, _INITIALIZER, _initializer)


def _initializer(data: _Parts, start: int, end: int) -> bytes | None:
    fields = [*_fields(data, start, end)]
    raw = [f for f in fields if f.number == _RAW_DATA and f.end - f.content >= LARGE]
    if len(raw) != 1 or any(f.number in _OUTSIDE for f in fields):
        return None
    where = {"location": OWN_FILE, "offset": raw[0].content, "length": raw[0].end - raw[0].content}
    reference = onnx.TensorProto(
        data_location=onnx.TensorProto.EXTERNAL,
        external_data=[
            onnx.StringStringEntryProto(key=key, value=str(value)) for key, value in where.items()
        ],
    )
    # Messages that follow each other are merged.
    parts = (data[start : raw[0].start], data[raw[0].end : end], reference.SerializeToString())
    return b"".join(parts)


def _rewritten(
    data: _Parts,
    start: int,
    end: int,
    number: int,
    rewrite: Callable[[_Parts, int, int], bytes | None],
) -> bytes:
    """A message in which others, the fields of a number, are rewritten: those of which `rewrite`
    gives another. Raises DecodeError."""
    parts = list[bytes]()
    for field in _fields(data, start, end):
        if field.number == number and (new := rewrite(data, field.content, field.end)) is not None:
            tag = _varint(number << 3 | _DELIMITED) + _varint(len(new))
            parts += [data[start : field.start], tag, new]
            start = field.end
    return b"".join([*parts, data[start:end]])


_FIXED = {1: 8, 5: 4}
"""Bytes of fields by wire type (https://protobuf.dev/programming-guides/encoding)."""
_INTEGER, _DELIMITED = 0, 2


def _fields(data: _Parts, start: int, end: int) -> Generator[_Field]:
    """The fields of a message that are delimited by their length. Raises DecodeError."""
    while start < end:
        key, content = _read_varint(data, start)
        wire_type = key & 7
        if wire_type == _INTEGER:
            _, after = _read_varint(data, content)
        elif wire_type == _DELIMITED:
            length, content = _read_varint(data, content)
            after = content + length
        elif wire_type in _FIXED:
            after = content + _FIXED[wire_type]
        else:
            raise DecodeError
        if after > end:
            raise DecodeError
        if wire_type == _DELIMITED:
            yield _Field(key >> 3, start, content, after)
        start = after


def _read_varint(data: _Parts, at: int) -> tuple[int, int]:
    """An integer, and where it ends."""
    value = 0
    for i, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return value, at + i + 1
    raise DecodeError


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
