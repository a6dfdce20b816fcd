"""The weights of a program: a .safetensors file, and what its metadata says about the model.

Metadata, both JSON and both optional:
- `ramiel.nodes`: {Python value name: [ONNX node name, operator type]}, for error messages.
- `ramiel.aliases`: {name: stored name}, so that tied weights are stored once.

stored.py reads tensors that are quantised or of a low-bit type.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike
from typing import Any, Self, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ramiel.runtime.stored import Stored, json_object

_NODES = "ramiel.nodes"
_ALIASES = "ramiel.aliases"


class Weights(Mapping[str, Tensor]):
    """Tensors by name: from a file, by open(), or from memory, by from_tensors().

    `nodes` maps Python value names to (ONNX node name, operator type).
    """

    def __init__(
        self,
        names: Iterable[str],
        load: Callable[[str], Tensor],
        nodes: Mapping[str, tuple[str, str]],
        aliases: Mapping[str, str],
        source: str,
    ) -> None:
        """ValueError if an alias hides a stored name or refers to none. `source` is for errors."""
        self._stored = {name: name for name in names}
        for alias, stored in aliases.items():
            if alias in self._stored or stored not in self._stored:
                raise ValueError(f'{source}: bad alias "{alias}" of "{stored}"')
        self._stored |= aliases
        self._load = load
        self._source = source
        self.nodes = dict(nodes)
        self.path: str | None = None
        """The file that they are in, if they are in one."""

    @classmethod
    def open(cls, path: str | PathLike[str]) -> Self:
        """Map a .safetensors file into memory: a tensor is read when it is first used.

        FileNotFoundError if there is none, ValueError if it, its length or its metadata is
        malformed. The file may be replaced by another, but not be written to: the system ends a
        process (SIGBUS) that uses what has been cut off.
        """
        try:
            file = cast(Any, safe_open)(path, framework="pt")
        except FileNotFoundError:
            raise FileNotFoundError(f"no weights file {path}") from None
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{path} is not a safetensors file: {error}") from error
        metadata: dict[str, str] = file.metadata() or {}
        try:
            nodes = json_object(metadata, _NODES, _is_node)
            aliases = json_object(metadata, _ALIASES, _is_string)
            stored = Stored(file.keys(), file.get_tensor, metadata)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        weights = cls(
            stored.names(),
            stored.load,
            {name: (node, op_type) for name, (node, op_type) in nodes.items()},
            aliases,
            str(path),
        )
        weights.path = str(path)
        return weights

    @classmethod
    def from_tensors(
        cls,
        tensors: Mapping[str, Tensor],
        nodes: Mapping[str, tuple[str, str]] | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> Self:
        """Weights that are in memory already; the tensors are shared, not copied."""
        return cls(tensors, tensors.__getitem__, nodes or {}, aliases or {}, "the given tensors")

    def to(self, device: torch.device | str) -> Self:
        """The same weights on a device, each moved when it is first used."""

        def load(name: str) -> Tensor:
            tensor = self._load(name)
            return tensor.to(device) if type(tensor) is Tensor else tensor

        names = [name for name, stored in self._stored.items() if name == stored]
        aliases = {name: stored for name, stored in self._stored.items() if name != stored}
        return type(self)(names, load, self.nodes, aliases, self._source)

    def digest(self) -> str:
        """A SHA-256 hash of their file, or of what is in memory, in hexadecimal digits.

        OSError if the file cannot be read any longer.
        """
        if self.path is not None:
            with open(self.path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        hashed = hashlib.sha256()
        for name in sorted(self._stored):
            tensor = self[name]
            hashed.update(f"{name} {tensor.dtype} {list(tensor.shape)};".encode())
            if type(tensor) is Tensor:
                hashed.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
        return hashed.hexdigest()

    def save(self, path: str | PathLike[str]) -> None:
        """Write a file for open(). Tensors that share memory must be aliases: else RuntimeError."""
        aliases = {name: stored for name, stored in self._stored.items() if name != stored}
        tensors = {name: self[name].contiguous() for name in self._stored if name not in aliases}
        save_file(tensors, path, {_NODES: json.dumps(self.nodes), _ALIASES: json.dumps(aliases)})

    def __getitem__(self, name: str) -> Tensor:
        """KeyError if there is no such weight, ValueError if torch has no such dtype."""
        try:
            stored = self._stored[name]
        except KeyError:
            raise KeyError(f'no weight "{name}" in {self._source}') from None
        try:
            # Inference tensors have no version by which to notice a change.
            with torch.inference_mode(False):
                tensor = self._load(stored)
        except (SafetensorError, AttributeError) as error:
            raise ValueError(f'cannot read "{name}" in {self._source}: {error}') from error
        # An alias is another tensor over the same memory: torch.func.functional_call() refuses
        # one tensor under two names if values are given for both, as by state_dict().
        return tensor if stored == name else tensor.detach()

    def __contains__(self, name: object) -> bool:
        return name in self._stored

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _is_node(value: Any) -> bool:
    return isinstance(value, list) and [type(part) for part in cast(Any, value)] == [str, str]
