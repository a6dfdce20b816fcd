"""Reads a model from a file, bytes or a ModelProto, and refuses what is none."""

from __future__ import annotations

import os
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import inliner, parser

from ramiel.dialects.onnx.schemas import NEWEST_OPSET, newest_opsets
from ramiel.errors import CompileError, shorten

TEXT_SUFFIXES = (".onnxtext", ".onnxtxt")

ModelSource = str | os.PathLike[str] | bytes | onnx.ModelProto


def read_model(source: ModelSource) -> tuple[onnx.ModelProto, Path | None]:
    """The model with its functions inlined, and the folder that its external data may use.

    Raises CompileError for what cannot be read or is no ONNX model.
    """
    if isinstance(source, onnx.ModelProto):
        model, folder = source, None
    elif isinstance(source, bytes):
        model, folder = _decode(source), None
    else:
        path = Path(source)
        model, folder = _read_file(path), path.parent
    _check(model)
    if model.functions:
        model = _inline_functions(model)
    return model, folder


def opset_of_model(model: onnx.ModelProto) -> int:
    """The ai.onnx opset of a model; the newest one if it imports other domains only."""
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            return entry.version
    return NEWEST_OPSET


def opsets_of_model(model: onnx.ModelProto) -> dict[str, int]:
    """The opsets of the other domains that a model imports and ONNX defines."""
    return {e.domain: e.version for e in model.opset_import if e.domain in newest_opsets()}


def _read_file(path: Path) -> onnx.ModelProto:
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CompileError(f"cannot be read: {reason.lower()}") from error
    if path.suffix not in TEXT_SUFFIXES or not data:
        return _decode(data)
    try:
        return parser.parse_model(data.decode())
    except UnicodeDecodeError as error:
        raise CompileError("is no ONNX text: it is not UTF-8") from error
    except parser.ParseError as error:
        reason = error.args[0] if error.args else ""
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise CompileError(f"is no ONNX text: {shorten(' '.join(text.split()), 300)}") from error


def _decode(data: bytes) -> onnx.ModelProto:
    if not data:
        raise CompileError("is empty, not an ONNX model")
    try:
        return onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise CompileError(
            "is not an ONNX model, or it is truncated (its protobuf cannot be decoded)"
        ) from error


def _check(model: onnx.ModelProto) -> None:
    # Any protobuf, and many a random file, decodes to a model without content.
    if not model.HasField("graph") or not (model.graph.node or model.graph.output):
        raise CompileError("is not an ONNX model (it has no graph)")
    if not model.graph.output:
        raise CompileError("has no outputs: there is nothing to compute")
    if model.ir_version < 3:
        raise CompileError(f"has IR version {model.ir_version}; supported are 3 and newer")
    if not model.opset_import:
        raise CompileError("is not an ONNX model (it imports no operator set)")
    newest = {"ai.onnx": NEWEST_OPSET, **newest_opsets()}
    for domain, opset in {"ai.onnx": opset_of_model(model), **opsets_of_model(model)}.items():
        if not 1 <= opset <= newest[domain]:
            raise CompileError(
                f"uses {domain} opset {opset}, but the installed onnx {onnx.__version__} knows 1 "
                f"to {newest[domain]}: install a newer onnx"
            )


def _inline_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    try:
        return inliner.inline_local_functions(model)
    except Exception as error:  # the C++ inliner raises whatever it likes
        raise CompileError(f"its functions cannot be expanded: {shorten(str(error))}") from error
