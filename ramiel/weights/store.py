"""Weights beside textual IR: .safetensors files, written whole or not at all.

A printed module names its weights; the module attribute `onnx.weights` names the file that holds
them, relative to the text. A parsed module gets their bytes back from it, mapped into memory and
loaded one by one on demand.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import cast

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr
from xdsl.ir import Attribute

from ramiel.dialects.onnx.attributes import Array, TensorRef, WeightAttr
from ramiel.dialects.onnx.weights import weights_of
from ramiel.dialects.text import text_of
from ramiel.errors import CompileError, shorten
from ramiel.frontend.model_file import TEXT_SUFFIXES
from ramiel.weights.packing import PACKED, pack, packed_type, unpack

WEIGHTS = "onnx.weights"
"""Module attribute: the file with the weights, relative to the text that names it."""


def save_arrays(
    path: Path, arrays: Mapping[str, Array], metadata: Mapping[str, str] | None = None
) -> None:
    """Writes arrays as a .safetensors file, which appears only when it is complete."""
    dense = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    types = {name: kind for name, array in dense.items() if (kind := packed_type(array))}
    extra = dict(metadata or {})
    if types:
        extra[PACKED] = json.dumps({n: [kind, dense[n].shape] for n, kind in types.items()})
        dense |= {name: pack(dense[name]) for name in types}
    with replacing(path) as temporary:
        try:
            save_file(dense, temporary, extra)
        except (SafetensorError, KeyError) as error:
            raise CompileError(f"cannot store the weights: {error}", file=str(path)) from error


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A temporary file beside `path` that takes its place if nothing goes wrong."""
    try:
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as handle:
            temporary = Path(handle.name)
    except OSError as error:
        reason = (error.strerror or "cannot be written").lower()
        raise CompileError(f"cannot be written: {reason}", file=str(path)) from error
    try:
        yield temporary
        # mkstemp makes files that only their owner may read.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        reason = (error.strerror or "cannot be written").lower()
        raise CompileError(f"cannot be written: {reason}", file=str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def save_weights(module: ModuleOp, path: Path, relative_to: Path) -> None:
    """Writes the bytes of all weights of a module, and names the file in the module."""
    arrays = {
        name: weight.array()
        for name, weight in weights_of(module).items()
        if weight.data.load is not None
    }
    if not arrays:
        return
    save_arrays(path, arrays)
    module.attributes[WEIGHTS] = StringAttr(os.path.relpath(path, relative_to))


def bind_weights(module: ModuleOp, folder: Path, given: Path | None = None) -> Path | None:
    """Gives the weights of a parsed module their bytes; returns the file that has them.

    It is `given`, or what the module names, which must lie in `folder`. Without either, the
    weights remain names. Raises CompileError if the file cannot be read or lies outside.
    """
    named = text_of(module.attributes.get(WEIGHTS))
    path = given
    if path is None and named is not None:
        path = folder / named
        if not lies_in(folder, path):
            raise CompileError(
                f'the weights file "{shorten(named)}" lies outside of the folder of the IR; '
                "name it with --weights to use it all the same"
            )
    if path is None:
        return None
    is_model = path.suffix in (".onnx", *TEXT_SUFFIXES)
    store = _onnx_store(path) if is_model else _safetensors_store(path)
    for op in module.walk():
        for key, value in op.properties.items():
            op.properties[key] = _bound(value, store, op.results[0].type if op.results else None)
    return path


def lies_in(folder: Path, path: Path) -> bool:
    """Whether a path leads to a place in a folder, symbolic links followed."""
    return path.resolve().is_relative_to(folder.resolve())


def _bound(value: Attribute, store: Mapping[str, TensorRef], type: Attribute | None) -> Attribute:
    if isinstance(value, WeightAttr):
        found = store.get(value.data.name)
        if found is None:
            return value
        return WeightAttr(TensorRef(found.name, found.load, value.data.type or type))
    if isinstance(value, DictionaryAttr):
        return DictionaryAttr({k: _bound(v, store, None) for k, v in value.data.items()})
    if isinstance(value, ArrayAttr):  # the attributes of a function's arguments
        return ArrayAttr([_bound(v, store, None) for v in cast("ArrayAttr[Attribute]", value)])
    return value


def _safetensors_store(path: Path) -> dict[str, TensorRef]:
    try:
        file = safe_open(path, framework="numpy")
        names = cast("list[str]", list(file.keys()))
        packed = json.loads((file.metadata() or {}).get(PACKED, "{}"))
    except FileNotFoundError as error:
        raise CompileError("the weights file is missing", file=str(path)) from error
    except (SafetensorError, OSError, ValueError) as error:
        raise CompileError("is not a safetensors file", file=str(path)) from error
    return {
        name: TensorRef(name, partial(_load, file.get_tensor, name, packed.get(name)))
        for name in names
    }


def _load(get_tensor: object, name: str, form: object) -> Array:
    assert callable(get_tensor)
    array = cast(Array, get_tensor(name))
    if form is None:
        return array
    try:
        kind, shape = cast("tuple[str, list[int]]", form)
        return unpack(array, kind, shape)
    except (KeyError, TypeError, ValueError) as error:
        raise CompileError(f"the weight {shorten(name)!r} is malformed") from error


def _onnx_store(path: Path) -> dict[str, TensorRef]:
    """A model's tensors, by the names that its import gives them."""
    from ramiel.frontend.importer import import_model

    return {name: weight.data for name, weight in weights_of(import_model(path)).items()}


__all__ = [
    "WEIGHTS",
    "bind_weights",
    "lies_in",
    "replacing",
    "save_arrays",
    "save_weights",
]
