"""ONNX's value types in the IR, with one table of element types.

A tensor of known rank is `tensor<1x3x?xf32>` (`?` is a dimension that is not known at
compile time), one of unknown rank `tensor<*xf32>`. Sequences, optionals and maps are
`!onnx.seq<T>`, `!onnx.optional<T>` and `!onnx.map<K, V>`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import ml_dtypes
import numpy as np
import numpy.typing as npt
from xdsl.dialects import builtin
from xdsl.dialects.builtin import DYNAMIC_INDEX, Signedness, TensorType, UnrankedTensorType
from xdsl.ir import Attribute, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition


@irdl_attr_definition
class StringType(ParametrizedAttribute, TypeAttribute):
    """The element type of string tensors."""

    name = "onnx.string"


@irdl_attr_definition
class UnknownType(ParametrizedAttribute, TypeAttribute):
    """The element type of a value of undeclared type, such as a custom operation's result."""

    name = "onnx.unknown"


@irdl_attr_definition
class SequenceType(ParametrizedAttribute, TypeAttribute):
    """A list of values of one type."""

    name = "onnx.seq"
    element: Attribute


@irdl_attr_definition
class OptionalType(ParametrizedAttribute, TypeAttribute):
    """A value of a type, or nothing."""

    name = "onnx.optional"
    element: Attribute


@irdl_attr_definition
class MapType(ParametrizedAttribute, TypeAttribute):
    """A map from keys of an integer or string type to values of a type."""

    name = "onnx.map"
    key: Attribute
    value: Attribute


class ElementType(NamedTuple):
    """One row of the table: an element type in ONNX, the IR and numpy."""

    proto: int
    """ONNX's TensorProto.DataType."""
    onnx: str
    """The name in ONNX's schemas: `float` as in `tensor(float)`."""
    ir: Attribute
    numpy: np.dtype[np.generic]


def _signless(width: int) -> Attribute:
    return builtin.IntegerType(width)


def _unsigned(width: int) -> Attribute:
    return builtin.IntegerType(width, Signedness.UNSIGNED)


ELEMENT_TYPES: tuple[ElementType, ...] = tuple(
    ElementType(proto, onnx, ir, np.dtype(numpy))
    for proto, onnx, ir, numpy in (
        (1, "float", builtin.Float32Type(), np.float32),
        (2, "uint8", _unsigned(8), np.uint8),
        (3, "int8", _signless(8), np.int8),
        (4, "uint16", _unsigned(16), np.uint16),
        (5, "int16", _signless(16), np.int16),
        (6, "int32", _signless(32), np.int32),
        (7, "int64", _signless(64), np.int64),
        (8, "string", StringType(), np.object_),
        (9, "bool", _signless(1), np.bool_),
        (10, "float16", builtin.Float16Type(), np.float16),
        (11, "double", builtin.Float64Type(), np.float64),
        (12, "uint32", _unsigned(32), np.uint32),
        (13, "uint64", _unsigned(64), np.uint64),
        (14, "complex64", builtin.ComplexType(builtin.Float32Type()), np.complex64),
        (15, "complex128", builtin.ComplexType(builtin.Float64Type()), np.complex128),
        (16, "bfloat16", builtin.BFloat16Type(), ml_dtypes.bfloat16),
        (17, "float8e4m3fn", builtin.Float8E4M3FNType(), ml_dtypes.float8_e4m3fn),
        (18, "float8e4m3fnuz", builtin.Float8E4M3FNUZType(), ml_dtypes.float8_e4m3fnuz),
        (19, "float8e5m2", builtin.Float8E5M2Type(), ml_dtypes.float8_e5m2),
        (20, "float8e5m2fnuz", builtin.Float8E5M2FNUZType(), ml_dtypes.float8_e5m2fnuz),
        (21, "uint4", _unsigned(4), ml_dtypes.uint4),
        (22, "int4", _signless(4), ml_dtypes.int4),
        (23, "float4e2m1", builtin.Float4E2M1FNType(), ml_dtypes.float4_e2m1fn),
        (24, "float8e8m0", builtin.Float8E8M0FNUType(), ml_dtypes.float8_e8m0fnu),
        (25, "uint2", _unsigned(2), ml_dtypes.uint2),
        (26, "int2", _signless(2), ml_dtypes.int2),
        (27, "float6e2m3", builtin.Float6E2M3FNType(), ml_dtypes.float6_e2m3fn),
        (28, "float6e3m2", builtin.Float6E3M2FNType(), ml_dtypes.float6_e3m2fn),
    )
)

BY_PROTO = {t.proto: t for t in ELEMENT_TYPES}
BY_ONNX = {t.onnx: t for t in ELEMENT_TYPES}
BY_IR = {t.ir: t for t in ELEMENT_TYPES}
BY_NUMPY = {t.numpy: t for t in ELEMENT_TYPES}

type_of_nothing = builtin.NoneType()
"""The type of an optional input that is not given."""

AnyTensor = TensorType[Attribute] | UnrankedTensorType[Attribute]


def tensor_type(element: Attribute, shape: Sequence[int | None] | None) -> AnyTensor:
    """The tensor type of an element type and a shape; None is an unknown shape or dimension."""
    if shape is None:
        return UnrankedTensorType(element)
    return TensorType(element, [DYNAMIC_INDEX if d is None else d for d in shape])


def element_of(type: Attribute) -> Attribute | None:
    """The element type of a tensor type; None for any other type."""
    if isinstance(type, TensorType | UnrankedTensorType):
        return type.element_type
    return None


def shape_of(type: Attribute) -> tuple[int | None, ...] | None:
    """The shape of a tensor type; None for an unknown rank or a type that is not a tensor's."""
    if not isinstance(type, TensorType):
        return None
    shape = cast(TensorType[Attribute], type).get_shape()
    return tuple(None if d == DYNAMIC_INDEX else d for d in shape)


def kind_of(type: Attribute) -> tuple[str, Attribute]:
    """The kind of a value, such as `tensor` or `optional list`, and the type of the tensors in
    it: in words, as programs declare their inputs."""
    kinds: list[str] = []
    while not isinstance(type, MapType):
        match type:
            case OptionalType() | SequenceType():
                kinds.append("optional" if isinstance(type, OptionalType) else "list")
                type = type.element
            case _:
                return " ".join(kinds) or "tensor", type
    return " ".join([*kinds, "dict"]), type.value


def static_shape_of(type: Attribute) -> tuple[int, ...] | None:
    """The shape of a tensor type if every dimension is known, else None."""
    shape = shape_of(type)
    if shape is None or None in shape:
        return None
    return cast(tuple[int, ...], shape)


def numpy_dtype_of(type: Attribute) -> np.dtype[np.generic] | None:
    """The numpy dtype of a tensor type's elements; None for an unknown or non-tensor type."""
    element = element_of(type)
    row = BY_IR.get(element) if element is not None else None
    return row.numpy if row is not None else None


def type_of_array(array: npt.NDArray[np.generic]) -> TensorType[Attribute]:
    """The tensor type of an array. Raises ValueError for a dtype that ONNX does not have."""
    row = BY_NUMPY.get(array.dtype)
    if row is None:
        raise ValueError(f"ONNX has no element type for numpy's {array.dtype}")
    return TensorType(row.ir, array.shape)


def schema_name(type: Attribute) -> str | None:
    """The type as ONNX's schemas spell it, such as `seq(tensor(float))`; None if unknown."""
    match type:
        case TensorType() | UnrankedTensorType():
            row = BY_IR.get(type.element_type)
            return f"tensor({row.onnx})" if row else None
        case SequenceType():
            inner = schema_name(type.element)
            return f"seq({inner})" if inner else None
        case OptionalType():
            inner = schema_name(type.element)
            return f"optional({inner})" if inner else None
        case MapType():
            key, inner = BY_IR.get(type.key), schema_name(type.value)
            return f"map({key.onnx},{inner})" if key and inner else None
        case _:
            return None
