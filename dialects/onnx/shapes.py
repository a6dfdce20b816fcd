"""Shape rules: ONNX's own inference, asked one operation at a time."""

from __future__ import annotations

from typing import cast

import onnx
from onnx import checker, shape_inference
from xdsl.ir import Attribute

from ramiel.dialects.onnx.attributes import Array, WeightAttr, array_of
from ramiel.dialects.onnx.legacy import restated, with_rules
from ramiel.dialects.onnx.operation import SchemaOperation, opset_of
from ramiel.dialects.onnx.protos import node_of, proto_of_type, tensor_of_array, type_of_proto
from ramiel.dialects.onnx.schemas import Schema
from ramiel.dialects.onnx.structure import constant_attribute_of
from ramiel.dialects.onnx.types import (
    ELEMENT_TYPES,
    OptionalType,
    SequenceType,
    UnknownType,
    element_of,
    numpy_dtype_of,
    shape_of,
    static_shape_of,
    tensor_type,
    type_of_array,
    type_of_nothing,
)

SHAPE_DATA = 1024
"""Integer constants of at most this many elements are shown to the shape rules."""


class ShapeError(Exception):
    """The types of an operation's inputs contradict its schema."""


def infer_types(op: SchemaOperation) -> list[Attribute] | None:
    """The types of an operation's results by its schema's rules.

    Returns None where the rules say nothing: an operator without rules, or inputs of unknown
    type. Raises ShapeError where the inputs contradict each other.
    """
    declared = op.schema()
    if declared is None or op.regions or op.name == "onnx.Constant":
        return None
    ruling = with_rules(op.operator, declared.since, op.domain)
    if ruling is None:
        return _declared_types(op, declared)
    inputs: list[str] = []
    types: dict[str, onnx.TypeProto] = {}
    data: dict[str, onnx.TensorProto] = {}
    for i, operand in enumerate(op.operands):
        if operand.type == type_of_nothing:
            inputs.append("")
            continue
        proto = proto_of_type(operand.type)
        if proto is None:
            return None
        constant = shape_data(constant_attribute_of(operand), operand.type)
        if op.op_type in _OF_SCALARS and constant is not None and constant.size == 1:
            constant = constant.reshape(())
            proto = proto_of_type(type_of_array(constant))
            assert proto is not None
        inputs.append(f"i{i}")
        types[f"i{i}"] = proto
        if constant is not None:
            data[f"i{i}"] = tensor_of_array(constant, f"i{i}")
    outputs = [f"o{i}" for i in range(len(op.results))]
    stated = restated(node_of(op, inputs, outputs), declared.since, ruling)
    if stated is None:
        return None
    node, more = stated
    for name, array in more.items():
        types[name] = onnx.helper.make_tensor_type_proto(onnx.TensorProto.INT64, array.shape)
        data[name] = tensor_of_array(array, name)
    version = max(opset_of(op, op.domain), ruling.since)
    opset = onnx.helper.make_opsetid(op.domain, version)
    try:
        inferred = shape_inference.infer_node_outputs(
            ruling.source, node, types, data, opset_imports=[opset]
        )
    except (
        checker.ValidationError,
        shape_inference.InferenceError,
        RuntimeError,
        ValueError,
    ) as error:
        raise ShapeError(_first_line(error)) from error
    found = [
        type_of_proto(inferred[o]) if o in inferred else r.type
        for o, r in zip(outputs, op.results, strict=True)
    ]
    return [_with_rank(op, found[0]), *found[1:]]


def _declared_types(op: SchemaOperation, declared: Schema) -> list[Attribute]:
    """What a schema without rules says of types: one that it allows alone, or that of an input."""
    bound: dict[str, Attribute] = {}
    for i, operand in enumerate(op.operands):
        formal = declared.inputs[min(i, len(declared.inputs) - 1)]
        element = element_of(operand.type)
        if element is not None and formal.homogeneous:
            bound.setdefault(formal.variable, element)
    types: list[Attribute] = []
    for i, result in enumerate(op.results):
        formal = declared.outputs[min(i, len(declared.outputs) - 1)]
        element = bound.get(formal.variable)
        for row in ELEMENT_TYPES:
            if formal.types == frozenset([f"tensor({row.onnx})"]):
                element = row.ir
        shape = shape_of(op.operands[0].type) if op.op_type in _OF_ITS_INPUTS_SHAPE else None
        types.append(result.type if element is None else tensor_type(element, shape))
    return types


_OF_ITS_INPUTS_SHAPE = frozenset(
    ["ai.onnx.ml::Imputer", "ai.onnx.ml::Normalizer", "ai.onnx.ml::Scaler"]
)
"""Operators without rules whose result has the shape of their input."""


_OF_SCALARS = frozenset(["Range"])
"""Operators of scalars that runtimes, and ONNX's own functions, give lists of one element too."""

_SHAPE_INPUT = {"Reshape": 1, "ConstantOfShape": 0}


def _with_rank(op: SchemaOperation, type: Attribute) -> Attribute:
    """The rank that follows from the length of an input that is a shape; ONNX's rules want to
    see the shape itself."""
    index = _SHAPE_INPUT.get(op.op_type)
    element = element_of(type)
    if index is None or element is None or shape_of(type) is not None:
        return type
    length = static_shape_of(op.operands[index].type)
    return type if length is None or len(length) != 1 else tensor_type(element, [None] * length[0])


def shape_data(attribute: Attribute | None, type: Attribute) -> Array | None:
    """A constant's value if it may be a shape, a list of axes or the like."""
    if attribute is None:
        return None
    shape = static_shape_of(type)
    if shape is None or len(shape) > 1 or (shape and shape[0] > SHAPE_DATA):
        return None
    dtype = numpy_dtype_of(type)
    # Resize takes its scales as floats.
    if dtype is None or dtype.kind not in "iuf" or dtype.itemsize < 4:
        return None
    if isinstance(attribute, WeightAttr) and attribute.data.load is None:
        return None
    return array_of(attribute)


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    line = text[0] if text else type(error).__name__
    # "[ShapeInferenceError] (op_type:Add): Incompatible dimensions" keeps the reason alone.
    if line.startswith("[") and "] " in line:
        line = line.partition("] ")[2]
    if line.startswith("(op_type:") and "): " in line:
        line = line.partition("): ")[2]
    return line


UNTYPED = tensor_type(UnknownType(), None)
"""The type of a value of which nothing is known."""


def join(declared: Attribute, inferred: Attribute) -> Attribute:
    """What two statements about one value's type say together; `inferred` wins a conflict.

    Shapes that a model declares for its intermediate values are often stale (exported for
    another batch size), and ONNX Runtime, too, trusts the inferred ones.
    """
    if declared == inferred:
        return inferred
    if type(declared) is type(inferred) and isinstance(declared, SequenceType | OptionalType):
        assert isinstance(inferred, SequenceType | OptionalType)
        return type(declared)(join(declared.element, inferred.element))
    element = element_of(inferred)
    if element_of(declared) is None and inferred == UNTYPED:
        return declared
    if element is None or element_of(declared) is None:
        return inferred
    if isinstance(element, UnknownType):
        element = cast(Attribute, element_of(declared))
    known, found = shape_of(declared), shape_of(inferred)
    if found is None:
        return tensor_type(element, known)
    if known is None or len(known) != len(found):
        return tensor_type(element, found)
    return tensor_type(
        element, [f if f is not None else k for k, f in zip(known, found, strict=True)]
    )


def meet(one: Attribute, other: Attribute) -> Attribute:
    """The most precise type that holds both: what two branches may yield."""
    if one == other:
        return one
    if isinstance(one, SequenceType | OptionalType) and isinstance(other, type(one)):
        return type(one)(meet(one.element, other.element))
    element = element_of(one)
    if element is None or element != element_of(other):
        return UNTYPED
    a, b = shape_of(one), shape_of(other)
    if a is None or b is None or len(a) != len(b):
        return tensor_type(element, None)
    return tensor_type(element, [x if x == y else None for x, y in zip(a, b, strict=True)])
