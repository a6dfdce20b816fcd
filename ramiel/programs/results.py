"""What a program returns, in terms of the model."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from xdsl.dialects.builtin import DictionaryAttr, ModuleOp

from ramiel.dialects.onnx.operation import NAME
from ramiel.dialects.onnx.types import (
    MapType,
    OptionalType,
    SequenceType,
    StringType,
    element_of,
    shape_of,
)
from ramiel.dialects.text import text_of
from ramiel.dialects.torch.dtypes import torch_dtype_of
from ramiel.torch_level.tasks import main_function


@dataclass(frozen=True)
class Result:
    """An output: its name in the model ("" if it has none), and its type as that is known before
    a call. A dimension is None if it is open."""

    name: str
    dtype: torch.dtype | type[str] | None
    shape: tuple[int | None, ...] | None
    is_tensor: bool = True
    """Whether it is one tensor: no list, map or optional value."""


def results_of(module: ModuleOp) -> tuple[Result, ...]:
    """The outputs of a compiled module, in their order."""
    function = main_function(module)
    types = function.function_type.outputs.data
    named = function.res_attrs.data if function.res_attrs is not None else ()
    results: list[Result] = []
    for i, type in enumerate(types):
        attributes = named[i] if i < len(named) else DictionaryAttr({})
        code = torch_dtype_of(type)
        dtype = str if element_of(type) == StringType() else None
        results.append(
            Result(
                text_of(attributes.data.get(NAME)) or "",
                getattr(torch, code) if code else dtype,
                shape_of(type),
                not isinstance(type, SequenceType | MapType | OptionalType),
            )
        )
    return tuple(results)
