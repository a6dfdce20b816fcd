"""Dequantised constants: weights that are dequantised once but stored quantised."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from xdsl.ir import SSAValue

from ramiel.dialects.onnx.attributes import Array, TensorRef, WeightAttr, array_of
from ramiel.dialects.onnx.operation import OnnxOperation
from ramiel.dialects.onnx.quantized import Quantized
from ramiel.dialects.onnx.structure import Weight, constant_attribute_of, hint
from ramiel.dialects.onnx.types import (
    UnknownType,
    element_of,
    numpy_dtype_of,
    static_shape_of,
    tensor_type,
    type_of_nothing,
)
from ramiel.dialects.onnx.weights import FreshNames

SMALL = 256
"""A weight of at most this many elements is stored dequantised."""

FLOATS = ("float32", "float16", "bfloat16", "float64")


def is_quantized(value: SSAValue) -> bool:
    """Whether a value is a weight that is stored quantised."""
    attribute = constant_attribute_of(value)
    return isinstance(attribute, WeightAttr) and attribute.data.quantized is not None


def quantized_weight(op: OnnxOperation, names: FreshNames) -> Weight | None:
    """The weight that replaces an operation that dequantises a constant or transposes such a
    weight; None for any other operation."""
    if op.op_type.removeprefix("com.microsoft::") == "DequantizeLinear":
        return _dequantized(op, names)
    if op.op_type == "Transpose" and is_quantized(op.operands[0]):
        return _transposed(op)
    return None


def _dequantized(op: OnnxOperation, names: FreshNames) -> Weight | None:
    result = op.results[0]
    shape, element = static_shape_of(op.operands[0].type), element_of(result.type)
    if element is None or isinstance(element, UnknownType):
        element = element_of(op.operands[1].type)
    if shape is None or element is None:
        return None
    type = tensor_type(element, shape)
    dtype, source = numpy_dtype_of(type), numpy_dtype_of(op.operands[0].type)
    loads = [_load(v) for v in op.operands if v.type != type_of_nothing]
    known = [load for load in loads if load is not None]
    if len(known) < len(loads) or dtype is None or source is None:
        return None
    smaller = source.itemsize < dtype.itemsize and prod(shape) > SMALL
    axis, block = op.attribute("axis", 1), op.attribute("block_size", 0)
    assert isinstance(axis, int) and isinstance(block, int)
    if not smaller or dtype.name not in FLOATS or not _fits(op, shape, axis, block):
        return None
    values, scale, *zero_point = known
    parts = Quantized(
        values, scale, zero_point[0] if zero_point else None, axis % len(shape), block, dtype
    )
    base = result.name_hint or "dequantized"
    weight = Weight.of(TensorRef.of_quantized(names.fresh(base), parts, type), type)
    weight.results[0].name_hint = hint(base)
    return weight


def _fits(op: OnnxOperation, shape: tuple[int, ...], axis: int, block: int) -> bool:
    """Whether the shapes of scale and zero point match the axis and the block size."""
    if not -len(shape) <= axis < len(shape) or block < 0:
        return False
    size = shape[axis]
    blocks = list(shape)
    blocks[axis] = -(-size // block) if block else 1
    for value in op.operands[1:]:
        part = static_shape_of(value.type)
        if value.type == type_of_nothing:
            continue
        if part != tuple(blocks) if block else part not in ((), (1,), (size,)):
            return False
    return True


def _load(value: SSAValue) -> Callable[[], Array] | None:
    """A function that returns a constant's array; None if there is no constant or no bytes."""
    attribute = constant_attribute_of(value)
    if attribute is None or (isinstance(attribute, WeightAttr) and attribute.data.load is None):
        return None

    def load() -> Array:
        array = array_of(attribute)
        assert array is not None
        return array

    return load


def _transposed(op: OnnxOperation) -> Weight | None:
    attribute = constant_attribute_of(op.operands[0])
    assert isinstance(attribute, WeightAttr)
    shape = static_shape_of(op.operands[0].type)
    if shape is None or static_shape_of(op.results[0].type) is None:
        return None
    given = op.attribute("perm")
    order = tuple(given) if isinstance(given, list) else tuple(reversed(range(len(shape))))
    if sorted(order) != list(range(len(shape))):
        return None
    type = op.results[0].type
    weight = Weight.of(attribute.data.transposed(order, type), type)
    weight.results[0].name_hint = op.results[0].name_hint
    return weight
