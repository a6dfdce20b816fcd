"""The operation classes of ONNX's operators, one per name, generated from the schemas."""

from __future__ import annotations

from functools import cache

from ramiel.dialects.onnx.operation import SchemaOperation, operator_class
from ramiel.dialects.onnx.schemas import NEWEST_OPSET, operator_names, schema


@cache
def operator_classes() -> dict[str, type[SchemaOperation]]:
    def deterministic(name: str) -> bool:
        newest = schema(name, NEWEST_OPSET)
        return newest is None or newest.deterministic

    return {name: operator_class(name, deterministic(name)) for name in operator_names()}


def operation_class(op_type: str) -> type[SchemaOperation]:
    """The class of an ai.onnx operator. Raises KeyError if no opset has it."""
    return operator_classes()[op_type]
