"""A model and how it is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
from contents import Array
from oracles import Tolerance


@dataclass(frozen=True)
class Case:
    """A model, the inputs to run it with, and the options to compile it with."""

    model: onnx.ModelProto
    feeds: Sequence[Mapping[str, Array]]
    """The inputs of each run. One may lack an input that has a default."""
    options: Mapping[str, Any]
    tolerance: Tolerance
    kind: str
    by_name: bool = False
    """Whether inputs are given by their names, and not in order."""

    @property
    def outputs(self) -> list[str]:
        """Their names."""
        return [o.name for o in self.model.graph.output]

    def __repr__(self) -> str:
        text = onnx.printer.to_text(self.model)
        feeds = "\n".join(f"inputs: { {n: _text(a) for n, a in f.items()} }" for f in self.feeds)
        return f"{text}\n{feeds}\noptions: {self.options}, kind: {self.kind}"


def _text(array: Array) -> str:
    shown = f" = {array.tolist()}" if array.size <= 24 else ""
    return f"{array.dtype.name}{list(array.shape)}{shown}"
