"""The models of a server: their names and versions, and the programs that serve them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ramiel.api import CompiledProgram
from ramiel.errors import CompileError, shorten
from ramiel.runtime import strings
from ramiel.serving.engine import Queue
from ramiel.serving.signature import OPEN, Signature, TensorType

MODEL_FILE = "model.onnx"
"""Its name in a model repository: REPOSITORY/NAME/VERSION/model.onnx."""


@dataclass(frozen=True)
class Source:
    """A model's file, and the name and version under which it is served."""

    name: str
    version: int
    path: Path

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


def sources_of(arguments: Iterable[str]) -> list[Source]:
    """The models that arguments name, each of which is MODEL.onnx, NAME=MODEL.onnx,
    NAME/VERSION=MODEL.onnx or a folder with NAME/VERSION/model.onnx, as Triton and KServe have it.

    CompileError if one is malformed, a folder has no models, or two have one name and version.
    """
    sources = [source for argument in arguments for source in _sources(argument)]
    taken: dict[tuple[str, int], Source] = {}
    for source in sources:
        _check_name(source.name, str(source.path))
        other = taken.setdefault((source.name, source.version), source)
        if other is not source:
            raise CompileError(
                f"{other.path} and {source.path} are both {shorten(source.name)}, version "
                f"{source.version}: give one another name or version, NAME/VERSION={source.path}"
            )
    return sources


def _sources(argument: str) -> list[Source]:
    given, equals, path = argument.partition("=")
    if not equals or Path(argument).exists():
        whole = Path(argument)
        return list(_in_folder(whole)) if whole.is_dir() else [Source(whole.stem, 1, whole)]
    name, slash, version = given.partition("/")
    if not slash:
        return [Source(name, 1, Path(path))]
    if not _is_version(version):
        raise CompileError(
            f"{shorten(argument)}: the version {version!r} is no positive whole number "
            "(NAME/VERSION=MODEL.onnx); a name has no slash"
        )
    return [Source(name, int(version), Path(path))]


def _in_folder(folder: Path) -> Iterator[Source]:
    found = sorted(folder.glob(f"*/*/{MODEL_FILE}"))
    versions = [path for path in found if _is_version(path.parent.name)]
    if not versions:
        raise CompileError(
            f"a folder of models has NAME/VERSION/{MODEL_FILE}, this has none", file=str(folder)
        )
    for path in versions:
        yield Source(path.parent.parent.name, int(path.parent.name), path)


def _is_version(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19 and int(text) > 0


def _check_name(name: str, file: str) -> None:
    """Refuses names that a URL cannot carry: a percent-encoded slash is a slash to servers, and a
    dot or two are folders to clients."""
    reason = None
    if not name or name in (".", ".."):
        reason = "names no model"
    elif "/" in name or "\\" in name or not name.isprintable():
        reason = "has a slash or a character that cannot be printed"
    if reason:
        raise CompileError(
            f"the name {shorten(name)!r} {reason}: choose another, NAME=MODEL.onnx", file=file
        )


@dataclass(frozen=True)
class Model:
    """A model that is served."""

    name: str
    version: int
    signature: Signature
    queue: Queue

    def metadata(self, versions: Iterable[int]) -> dict[str, Any]:
        return {
            "name": self.name,
            "versions": [str(version) for version in versions],
            "platform": "ramiel",
            "inputs": [t.as_json() for t in self.signature.inputs],
            "outputs": [t.as_json() for t in self.signature.outputs],
        }


class Models:
    """Models by name and version."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._models: dict[str, dict[int, Model]] = {}
        for model in models:
            self._models.setdefault(model.name, {})[model.version] = model

    def __iter__(self) -> Iterator[Model]:
        for versions in self._models.values():
            yield from versions.values()

    def versions(self, name: str) -> list[int]:
        return sorted(self._models[name])

    def get(self, name: str, version: str | None) -> Model:
        """A model, of its newest version if none is given. LookupError, which says why, if there is
        none."""
        versions: Mapping[int, Model] = self._models.get(name, {})
        if not versions:
            raise LookupError(f'there is no model "{shorten(name)}"')
        if version is None:
            return versions[max(versions)]
        known = ", ".join(map(str, sorted(versions)))
        if not _is_version(version) or int(version) not in versions:
            raise LookupError(
                f'model "{shorten(name)}" has no version "{shorten(version, 30)}"; it has {known}'
            )
        return versions[int(version)]


def warm_up(program: CompiledProgram, signature: Signature) -> Exception | None:
    """Calls a program with zeros, alone and as a stream, so that its calls are captured before the
    first request; returns what it raises. A program with open shapes is left as it is."""
    batched = program.batch > 1
    needed = [t for t in signature.inputs if not t.is_optional]
    if any(OPEN in t.shape[batched:] for t in needed):
        return None
    inputs = {t.keyword: _zeros(t, program.batch) for t in needed}
    try:
        for _ in range(2):
            program(**inputs)
            if not batched:
                list(program.stream([inputs] * 4))
    except Exception as error:
        return error
    return None


def _zeros(type: TensorType, batch: int) -> Any:
    shape = (batch, *type.shape[1:]) if batch > 1 else type.shape
    if type.dtype is str:
        return strings([""] * math.prod(shape), shape)
    assert isinstance(type.dtype, torch.dtype)
    return torch.zeros(shape, dtype=type.dtype)
