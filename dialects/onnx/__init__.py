"""The `onnx` dialect: ONNX's operators under their own names, close to what onnx-mlir prints.

The classes of the operators are made from ONNX's schemas (`schemas.py`), one for each name;
which version of an operator is meant follows from the opset that the module records.
"""

from __future__ import annotations

from functools import cache

from xdsl.ir import Dialect

from ramiel.dialects.onnx.attributes import WeightAttr
from ramiel.dialects.onnx.operation import OnnxOperation, SchemaOperation, operator_class
from ramiel.dialects.onnx.schemas import NEWEST_OPSET, operator_names, schema
from ramiel.dialects.onnx.structure import STRUCTURE
from ramiel.dialects.onnx.types import (
    MapType,
    OptionalType,
    SequenceType,
    StringType,
    UnknownType,
)


@cache
def _operator_classes() -> dict[str, type[SchemaOperation]]:
    def deterministic(name: str) -> bool:
        newest = schema(name, NEWEST_OPSET)
        return newest is None or newest.deterministic

    return {name: operator_class(name, deterministic(name)) for name in operator_names()}


def operation_class(op_type: str) -> type[SchemaOperation]:
    """The class of an ai.onnx operator. Raises KeyError if no opset has it."""
    return _operator_classes()[op_type]


def onnx_dialect() -> Dialect:
    """The dialect, with every operator that the installed onnx knows."""
    return Dialect(
        "onnx",
        [*STRUCTURE, *_operator_classes().values()],
        [WeightAttr, StringType, UnknownType, SequenceType, OptionalType, MapType],
    )


__all__ = ["OnnxOperation", "SchemaOperation", "onnx_dialect", "operation_class"]
