"""What a program returns, in terms of the model."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from xdsl.dialects.builtin import DictionaryAttr, ModuleOp

from ramiel.dialects.onnx.operation import NAME
from ramiel.dialects.onnx.types import StringType, element_of, kind_of, shape_of
from ramiel.dialects.text import text_of
from ramiel.dialects.torch.dtypes import torch_dtype_of
from ramiel.runtime.inputs import Dim, Dtype
from ramiel.torch_level.tasks import main_function


@dataclass(frozen=True)
class Result:
    """An output, as an `Input` is declared: its name in the model ("" if it has none), its kind,
    and the type of its tensors as that is known before a call."""

    name: str
    dtype: Dtype | None
    shape: tuple[Dim, ...] | None
    kind: str = "tensor"


def results_of(module: ModuleOp) -> tuple[Result, ...]:
    """The outputs of a compiled module, in their order."""
    function = main_function(module)
    named = function.res_attrs.data if function.res_attrs is not None else ()
    results: list[Result] = []
    for i, declared in enumerate(function.function_type.outputs.data):
        attributes = named[i] if i < len(named) else DictionaryAttr({})
        kind, type = kind_of(declared)
        code = torch_dtype_of(type)
        dtype = str if element_of(type) == StringType() else None
        results.append(
            Result(
                text_of(attributes.data.get(NAME)) or "",
                getattr(torch, code) if code else dtype,
                shape_of(type),
                kind,
            )
        )
    return tuple(results)
