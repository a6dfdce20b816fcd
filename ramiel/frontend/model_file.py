"""Reads and checks a model from a file, bytes or a ModelProto."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import parser

from ramiel.dialects.onnx.schemas import NEWEST_OPSET, newest_opsets
from ramiel.errors import CompileError, shorten
from ramiel.frontend.outline import ModelFile
from ramiel.frontend.tensors import Outside

TEXT_SUFFIXES = (".onnxtext", ".onnxtxt")

ModelSource = str | os.PathLike[str] | bytes | onnx.ModelProto


def read_model(source: ModelSource) -> tuple[onnx.ModelProto, Path | None]:
    """The model, and the folder in which its external data must lie (None if there is none).

    Raises CompileError if it cannot be read or is not a supported ONNX model.
    """
    if isinstance(source, onnx.ModelProto):
        model, folder = source, None
    elif isinstance(source, bytes):
        model, folder = _decode(source), None
    else:
        path = Path(source)
        with _reading():
            data = path.read_bytes()
        model, folder = _model(path, data), path.parent
    _check(model)
    return model, folder


def open_model(source: ModelSource) -> tuple[onnx.ModelProto, Outside]:
    """read_model() that leaves large initializers in the model's file, as external data."""
    if isinstance(source, str | os.PathLike) and (path := Path(source)).is_file():
        with _reading():
            file = ModelFile(path)
            data = file.message()
        model = _model(path, data)
        _check(model)
        return model, Outside(path.parent, own=file)
    model, folder = read_model(source)
    return model, Outside(folder)


def opsets_of_model(model: onnx.ModelProto) -> dict[str, int]:
    """The opsets that a model imports of the domains that ONNX defines; the newest opset of ai.onnx
    if it does not import that."""
    return {"": NEWEST_OPSET, **imported(model.opset_import)}


def imported(imports: Sequence[onnx.OperatorSetIdProto]) -> dict[str, int]:
    """The opsets among imports, by domain, of the domains that ONNX defines."""
    versions = {standard(e.domain): e.version for e in reversed(imports)}
    return {d: version for d, version in versions.items() if not d or d in newest_opsets()}


def standard(domain: str) -> str:
    """The canonical name of a domain: "" for ai.onnx."""
    return "" if domain == "ai.onnx" else domain


def check_opsets(opsets: Mapping[str, int], user: str) -> None:
    """Raises CompileError for opsets that the installed onnx package does not know."""
    newest = {"": NEWEST_OPSET, **newest_opsets()}
    for domain, opset in opsets.items():
        if domain in newest and not 1 <= opset <= newest[domain]:
            raise CompileError(
                f"{user} {domain or 'ai.onnx'} opset {opset}, but the installed onnx "
                f"{onnx.__version__} knows 1 to {newest[domain]}: install a newer onnx"
            )


@contextmanager
def _reading() -> Generator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CompileError(f"cannot be read: {reason.lower()}") from error


def _model(path: Path, data: bytes) -> onnx.ModelProto:
    if path.suffix not in TEXT_SUFFIXES or not data:
        return _decode(data)
    try:
        return parser.parse_model(data.decode())
    except UnicodeDecodeError as error:
        raise CompileError("is not ONNX text: it is not UTF-8") from error
    except parser.ParseError as error:
        reason = error.args[0] if error.args else ""
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise CompileError(f"is not ONNX text: {shorten(' '.join(text.split()), 300)}") from error


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
    # Any protobuf, and many an arbitrary file, decodes to a model without content.
    if not model.HasField("graph") or not (model.graph.node or model.graph.output):
        raise CompileError("is not an ONNX model (it has no graph)")
    if not model.graph.output:
        raise CompileError("has no outputs: there is nothing to compute")
    if model.ir_version < 3:
        raise CompileError(f"has IR version {model.ir_version}; supported are 3 and newer")
    if not model.opset_import:
        raise CompileError("is not an ONNX model (it imports no operator set)")
    check_opsets(opsets_of_model(model), "uses")
