"""The attributes of ONNX nodes in the IR."""

from __future__ import annotations

from collections.abc import Callable

import onnx
from onnx import AttributeProto
from xdsl.dialects.builtin import ArrayAttr, FloatAttr, IntegerAttr, StringAttr, f32, i64
from xdsl.ir import Attribute

from ramiel.dialects.onnx.attributes import TensorRef, WeightAttr, dense, floats, ints
from ramiel.dialects.onnx.protos import type_of_proto
from ramiel.errors import CompileError, shorten
from ramiel.frontend.tensors import Outside, dense_of_sparse, tensor_ref


def attribute_of(
    name: str,
    attribute: AttributeProto,
    weight_name: Callable[[str], str],
    label: str,
    outside: Outside,
) -> tuple[str, Attribute]:
    """An attribute's name and value in the IR.

    A large tensor becomes a weight with the name `weight_name(label)`. Raises CompileError for a
    graph, for a tensor that cannot be read and for text that is not UTF-8.
    """
    kind = AttributeProto.AttributeType.Name(attribute.type)
    match kind:
        case "INT":
            return name, IntegerAttr(attribute.i, i64)
        case "FLOAT":
            return name, FloatAttr(attribute.f, f32)
        case "STRING":
            return name, _text(name, attribute.s)
        case "INTS":
            return name, ints(list(attribute.ints))
        case "FLOATS":
            return name, floats(list(attribute.floats))
        case "STRINGS":
            return name, ArrayAttr([_text(name, s) for s in attribute.strings])
        case "TENSOR":
            ref, _ = tensor_ref(attribute.t, weight_name(label), outside)
            weight = WeightAttr(ref)
            return name, (dense(weight.array()) if is_small(attribute.t) else None) or weight
        case "SPARSE_TENSOR":
            array = dense_of_sparse(attribute.sparse_tensor, outside)
            weight = WeightAttr(TensorRef.of(weight_name(label), array))
            return name.removeprefix("sparse_"), dense(array) or weight
        case "TYPE_PROTO":
            return name, type_of_proto(attribute.tp)
        case _:
            raise CompileError(f"attribute {shorten(name)!r} of kind {kind} is not supported")


def is_small(tensor: onnx.TensorProto) -> bool:
    """Whether each dimension is small enough that the tensor may become an inline constant."""
    return all(d <= 16 for d in tensor.dims)


def _text(name: str, value: bytes) -> Attribute:
    try:
        return StringAttr(value.decode())
    except UnicodeDecodeError as error:
        raise CompileError(f"attribute {shorten(name)!r} is not UTF-8") from error
