"""What a program takes and returns, in the terms of the Open Inference Protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ramiel.api import CompiledProgram, Result
from ramiel.errors import CompileError, shorten
from ramiel.runtime.inputs import Dtype, Input

DATATYPES: Mapping[str, Dtype] = {
    "BOOL": torch.bool,
    "UINT8": torch.uint8,
    "UINT16": torch.uint16,
    "UINT32": torch.uint32,
    "UINT64": torch.uint64,
    "INT8": torch.int8,
    "INT16": torch.int16,
    "INT32": torch.int32,
    "INT64": torch.int64,
    "FP16": torch.float16,
    "FP32": torch.float32,
    "FP64": torch.float64,
    "BF16": torch.bfloat16,
    "BYTES": str,
}
"""The protocol's element types, and the elements of a program's tensors."""
_NAMES: Mapping[object, str] = {dtype: name for name, dtype in DATATYPES.items()}
OPEN = -1
"""A dimension of any size."""


@dataclass(frozen=True)
class TensorType:
    """An input or output: its name in the model, its datatype, and its shape, in which OPEN is a
    dimension of any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    keyword: str = ""
    """An input's name in Python."""
    is_optional: bool = False
    """Whether the model has a default for this input."""

    @property
    def dtype(self) -> Dtype:
        return DATATYPES[self.datatype]

    def fits(self, shape: Sequence[int]) -> bool:
        pairs = zip(self.shape, shape, strict=False)
        return len(self.shape) == len(shape) and all(a in (OPEN, b) for a, b in pairs)

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a program, in its order."""

    inputs: tuple[TensorType, ...]
    outputs: tuple[TensorType, ...]

    @property
    def is_batched(self) -> bool:
        """Whether each input and output has any number of samples, as far as their types say."""
        return all(t.shape[:1] == (OPEN,) for t in (*self.inputs, *self.outputs))


def signature_of(program: CompiledProgram) -> Signature:
    """The signature of a program. CompileError if the protocol cannot carry a value of it."""
    batched = program.batch > 1
    inputs = [
        _type(
            "input",
            declared.onnx_name or declared.name,
            declared,
            batched,
            declared.name,
            declared.default is not None,
        )
        for declared in program.inputs
    ]
    outputs = [_type("output", result.name, result, batched) for result in program.results]
    return Signature(tuple(inputs), tuple(outputs))


def _type(
    what: str,
    name: str,
    declared: Input | Result,
    batched: bool,
    keyword: str = "",
    optional: bool = False,
) -> TensorType:
    dtype = declared.dtype if declared.kind == "tensor" else None
    datatype = _NAMES.get(dtype)
    told = f'{what} "{shorten(name)}"'
    if datatype is None:
        kind = "no plain tensor" if dtype is None else f"of {str(dtype).removeprefix('torch.')}"
        raise CompileError(f"{told} is {kind}, which the protocol cannot carry")
    if declared.shape is None:
        raise CompileError(f"{told} has no known rank, which the protocol asks for")
    dims = [dim if isinstance(dim, int) else OPEN for dim in declared.shape]
    if batched:
        dims[:1] = [OPEN]
    return TensorType(name, datatype, tuple(dims), keyword, optional)
