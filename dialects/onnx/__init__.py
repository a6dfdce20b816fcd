"""The `onnx` dialect: ONNX's operators under their own names, close to what onnx-mlir prints.

The operation classes are generated from ONNX's schemas (`operators.py`), one per operator name;
the version of an operator follows from the opset that the module records.
"""

from __future__ import annotations

from xdsl.ir import Dialect

from ramiel.dialects.onnx.attributes import WeightAttr
from ramiel.dialects.onnx.operation import OnnxOperation, SchemaOperation
from ramiel.dialects.onnx.operators import operation_class, operator_classes
from ramiel.dialects.onnx.structure import STRUCTURE
from ramiel.dialects.onnx.types import (
    MapType,
    OptionalType,
    SequenceType,
    StringType,
    UnknownType,
)


def onnx_dialect() -> Dialect:
    """The dialect, with every operator that the installed onnx package defines."""
    return Dialect(
        "onnx",
        [*STRUCTURE, *operator_classes().values()],
        [WeightAttr, StringType, UnknownType, SequenceType, OptionalType, MapType],
    )


__all__ = ["OnnxOperation", "SchemaOperation", "onnx_dialect", "operation_class"]
