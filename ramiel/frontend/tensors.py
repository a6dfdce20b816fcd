"""Tensors of a model as lazily loaded references to embedded or external data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute

from ramiel.dialects.onnx.attributes import Array, TensorRef
from ramiel.dialects.onnx.types import BY_PROTO, ElementType
from ramiel.errors import CompileError, shorten
from ramiel.frontend.data_file import DataFile
from ramiel.frontend.outline import OWN_FILE

_PACKED = ("int4", "int2", "4e2m1")
"""How the names of types end of which several elements are in a byte."""


@dataclass(frozen=True)
class Outside:
    """Where a model's data lies that is not in its message."""

    folder: Path | None = None
    """That of external files."""
    own: DataFile | None = None
    """The model's own file, if tensors were left in it."""
    files: dict[Path, DataFile] = field(default_factory=dict[Path, DataFile], compare=False)
    """The external files that have been found so far."""


def tensor_ref(
    tensor: onnx.TensorProto, name: str, outside: Outside
) -> tuple[TensorRef, TensorType[Attribute]]:
    """A tensor's reference and type. External data must lie in its folder.

    Raises CompileError for an unknown type, and for external data that is missing, too short
    or outside the folder. Nothing is loaded yet.
    """
    row = BY_PROTO.get(tensor.data_type)
    if row is None:
        raise CompileError(f'tensor "{shorten(name)}" has the unknown type {tensor.data_type}')
    shape = tuple(tensor.dims)
    if any(d < 0 for d in shape):
        raise CompileError(f'tensor "{shorten(name)}" has a negative dimension')
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        load = _external(tensor, name, row, shape, outside)
    else:
        load = partial(_embedded, tensor, name, row, shape)
    return TensorRef(name, load), TensorType(row.ir, shape)


def dense_of_sparse(sparse: onnx.SparseTensorProto, outside: Outside) -> Array:
    """The dense array of a sparse tensor, whose indices are linear or one row per value."""
    values = _array(sparse.values, outside)
    indices = _array(sparse.indices, outside).astype(np.int64)
    shape = tuple(sparse.dims)
    title = f'sparse tensor "{shorten(sparse.values.name)}"'
    # Indices are [count] or [count, rank].
    rank = 1 if indices.ndim == 1 else len(shape)
    count = values.size
    fits = values.ndim == 1 and indices.shape in ((count,), (count, rank))
    if not fits or min(shape, default=0) < 0 or (indices < 0).any():
        raise CompileError(f"{title} is malformed")
    try:
        full = np.zeros(shape, values.dtype)
        if indices.ndim == 1:
            full.reshape(-1)[indices] = values
        else:
            full[tuple(indices.T)] = values
    except (IndexError, ValueError) as error:
        raise CompileError(f"{title} is malformed") from error
    except MemoryError as error:
        raise CompileError(f"{title} is too large") from error
    return full


def _array(tensor: onnx.TensorProto, outside: Outside) -> Array:
    ref, _ = tensor_ref(tensor, tensor.name, outside)
    assert ref.load is not None
    return ref.load()


def _embedded(
    tensor: onnx.TensorProto, name: str, row: ElementType, shape: tuple[int, ...]
) -> Array:
    try:
        array = _text(tensor) if row.onnx == "string" else numpy_helper.to_array(tensor)
    except (ValueError, TypeError) as error:
        raise CompileError(f'tensor "{shorten(name)}" is malformed: {error}') from error
    if array.shape != shape:
        raise CompileError(f'tensor "{shorten(name)}" is malformed: its data does not fill {shape}')
    return array.astype(row.numpy, copy=False)


def _text(tensor: onnx.TensorProto) -> Array:
    """A tensor of strings. ONNX's helper uses numpy's fixed-width strings, which drop trailing
    NULs."""
    array = np.empty(len(tensor.string_data), np.object_)
    array[:] = [word.decode() for word in tensor.string_data]
    return array.reshape(tuple(tensor.dims))


def _external(
    tensor: onnx.TensorProto,
    name: str,
    row: ElementType,
    shape: tuple[int, ...],
    outside: Outside,
) -> Callable[[], Array]:
    entries = {e.key: e.value for e in tensor.external_data}
    title = f'tensor "{shorten(name)}"'
    location = entries.get("location", "")
    if outside.folder is None:
        raise CompileError(f"{title} is in an external file; give the model's path, not its bytes")
    own = outside.own if location == OWN_FILE else None
    file = own or _file(outside, _inside(outside.folder, location, title), title)
    dtype = row.numpy
    if dtype.kind == "O":
        raise CompileError(f"{title}: no external data of type {row.onnx}")
    try:
        offset, given = int(entries.get("offset", 0)), int(entries.get("length", -1))
    except ValueError as error:
        raise CompileError(f"{title}: malformed offset or length") from error
    length = given if row.onnx.endswith(_PACKED) and given >= 0 else prod(shape) * dtype.itemsize
    if offset < 0 or (given >= 0 and given != length) or offset + length > file.length:
        if own is not None:
            raise CompileError(f"{title} is malformed: its data does not fill {shape}")
        name = shorten(file.path.name)
        raise CompileError(f"{title}: {name} does not hold its {length} bytes at {offset}")

    def load() -> Array:
        if not length:
            return np.empty(shape, dtype)
        data = file.read(offset, length)
        if data.size == prod(shape) * dtype.itemsize and not row.onnx.endswith(_PACKED):
            return data.view(dtype.newbyteorder("<")).reshape(shape)
        copy = onnx.TensorProto(data_type=tensor.data_type, dims=shape, raw_data=data.tobytes())
        return _embedded(copy, name, row, shape)

    return load


def _file(outside: Outside, path: Path, title: str) -> DataFile:
    try:
        return outside.files.get(path) or outside.files.setdefault(path, DataFile(path))
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise CompileError(f"{title}: {shorten(path.name)} cannot be read: {reason}") from error


def _inside(folder: Path, location: str, title: str) -> Path:
    """The file at a relative location in a folder; symbolic links must not lead out of it."""
    root = folder.resolve()
    try:
        path = (root / location).resolve()
    except (OSError, ValueError) as error:
        raise CompileError(f"{title}: malformed external location") from error
    if not location or Path(location).is_absolute() or not path.is_relative_to(root):
        raise CompileError(
            f'{title}: its external file "{shorten(location)}" is outside the model\'s folder'
        )
    if not path.is_file():
        raise CompileError(f'{title}: its external file "{shorten(location)}" is missing')
    return path
