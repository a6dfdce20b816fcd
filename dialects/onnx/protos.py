"""Conversion of types, attributes and nodes between the IR and ONNX's protobuf messages.

The frontend uses it to read models, and shape inference to call the rules of ONNX's schemas.
"""

from __future__ import annotations

from functools import lru_cache
from typing import cast

import numpy as np
import onnx
from onnx import helper, numpy_helper
from xdsl.dialects.builtin import TensorType, UnrankedTensorType
from xdsl.ir import Attribute

from ramiel.dialects.onnx.attributes import Array, kind_of, python_of
from ramiel.dialects.onnx.operation import SchemaOperation
from ramiel.dialects.onnx.types import (
    BY_IR,
    BY_PROTO,
    MapType,
    OptionalType,
    SequenceType,
    UnknownType,
    shape_of,
    tensor_type,
)


def type_of_proto(proto: onnx.TypeProto) -> Attribute:
    """The IR type of a TypeProto; unknown parts stay unknown."""
    match proto.WhichOneof("value"):
        case "tensor_type":
            tensor = proto.tensor_type
            row = BY_PROTO.get(tensor.elem_type)
            element = row.ir if row else UnknownType()
            if not tensor.HasField("shape"):
                return tensor_type(element, None)
            dims = [
                d.dim_value if d.WhichOneof("value") == "dim_value" and d.dim_value >= 0 else None
                for d in tensor.shape.dim
            ]
            return tensor_type(element, dims)
        case "sequence_type":
            return SequenceType(type_of_proto(proto.sequence_type.elem_type))
        case "optional_type":
            return OptionalType(type_of_proto(proto.optional_type.elem_type))
        case "map_type":
            key = BY_PROTO.get(proto.map_type.key_type)
            return MapType(
                key.ir if key else UnknownType(), type_of_proto(proto.map_type.value_type)
            )
        case _:
            return tensor_type(UnknownType(), None)


@lru_cache(maxsize=4096)
def proto_of_type(type: Attribute) -> onnx.TypeProto | None:
    """The TypeProto of an IR type; None for a type that ONNX cannot express."""
    match type:
        case TensorType() | UnrankedTensorType():
            row = BY_IR.get(type.element_type)
            if row is None:
                return None
            return helper.make_tensor_type_proto(row.proto, shape_of(type))
        case SequenceType():
            inner = proto_of_type(type.element)
            return None if inner is None else helper.make_sequence_type_proto(inner)
        case OptionalType():
            inner = proto_of_type(type.element)
            return None if inner is None else helper.make_optional_type_proto(inner)
        case MapType():
            key, inner = BY_IR.get(type.key), proto_of_type(type.value)
            if key is None or inner is None:
                return None
            return helper.make_map_type_proto(key.proto, inner)
        case _:
            return None


def tensor_of_array(array: Array, name: str = "") -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(array, order="C"), name)


def node_of(op: SchemaOperation, inputs: list[str], outputs: list[str]) -> onnx.NodeProto:
    """The NodeProto of an operation with the given value names, but without its subgraphs.

    The schema's defaults are made explicit: function bodies refer to them, and STFT's shape rule
    assumes a default other than the schema's.
    """
    name, domain = op.node_name or "", op.domain or None
    node = helper.make_node(op.operator, inputs, outputs, name=name, domain=domain)
    for name, value in op.properties.items():
        kind = kind_of(value)
        if kind == "TYPE_PROTO":
            proto = proto_of_type(value)
            if proto is not None:
                node.attribute.append(helper.make_attribute(name, proto))
            continue
        given = python_of(value)
        if isinstance(given, np.ndarray):
            given = tensor_of_array(cast(Array, given))
        node.attribute.append(
            helper.make_attribute(
                name, given, attr_type=onnx.AttributeProto.AttributeType.Value(kind)
            )
        )
    declared = op.schema()
    for name, attribute in () if declared is None else declared.defaults.items():
        if name not in op.properties:
            node.attribute.append(attribute)
    return node
