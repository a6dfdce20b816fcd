"""Conversions: casts, and QuantizeLinear and DequantizeLinear of ONNX and of ONNX Runtime."""

from __future__ import annotations

from typing import cast

import numpy as np
from xdsl.ir import Attribute, SSAValue

from ramiel.conversion.onnx_to_torch.onnx.strings import cast_of_strings, is_string
from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.types import (
    BY_IR,
    BY_PROTO,
    ElementType,
    UnknownType,
    element_of,
    shape_of,
    tensor_type,
)
from ramiel.dialects.torch.dtypes import HELD_IN

FLOAT32 = BY_PROTO[1].ir
_SCALES = ("float32", "float16", "bfloat16", "float64")
_ROUND_MODES = ("up", "down", "nearest")


@lowers("Cast", 6)
@lowers("CastLike", 15)
def cast_to(n: Node) -> Lowered:
    if n.op.op_type == "CastLike" and isinstance(element_of(n.op.operands[1].type), UnknownType):
        return n.call("Tensor.type_as", n[0], n[1])
    row = row_of(n, 1) if n.op.op_type == "CastLike" else _row(n, "to")
    if row is None:
        n.fail("the type to cast to is missing")
    type = tensor_type(row.ir, shape_of(n.result_type()))
    if is_string(type) or is_string(n.op.operands[0].type):
        return cast_of_strings(n, type)
    dtype = n.dtype(type)
    if row.numpy.name not in HELD_IN and not dtype.startswith("float8"):
        return n.call("Tensor.to", n[0], dtype)
    options: dict[str, object] = {}
    if not n.integer("saturate", 1):
        options["saturate"] = False
    mode = n.text("round_mode", "up")
    if mode not in _ROUND_MODES:
        n.fail(f"round_mode is {mode!r}; there are {', '.join(_ROUND_MODES)}")
    if mode != "up" and row.onnx == "float8e8m0":
        options["round_mode"] = mode
    return n.call("ops.cast", n[0], row.onnx, **options)


def _row(n: Node, attribute: str) -> ElementType | None:
    """The element type that an attribute names; None if it is 0."""
    number = n.integer(attribute, 0)
    row = BY_PROTO.get(number)
    if row is None and number:
        n.fail(f"{attribute} is {number}, which is not an element type")
    return row


def row_of(n: Node, i: int) -> ElementType:
    """The element type of input i."""
    element = element_of(n.op.operands[i].type)
    row = None if element is None else BY_IR.get(element)
    return n.fail(f"the element type of its input {i} is not known") if row is None else row


def scale(n: Node, i: int) -> float | SSAValue:
    """A scale as an argument: a Python number if it is a constant float32 scalar."""
    number = n.scalar(i) if row_of(n, i).onnx == "float" else None
    return n[i] if number is None else float(number)


def zero_point(n: Node, i: int) -> int | SSAValue:
    """A zero point as an argument: a Python number if it is a constant scalar or all zeros."""
    array = n.constant(i)
    if not n.given(i) or (array is not None and array.size and not array.astype(np.float32).any()):
        return 0
    if array is None or array.size != 1:
        return n[i]
    return int(cast(float, array.reshape(-1).astype(np.float64)[0]))


def _granularity(n: Node) -> dict[str, object]:
    """The axis and block size as keyword arguments, unless the scale is a single number."""
    scales, x = n.shape(1), n.shape(0)
    axis, block = n.integer("axis", 1), n.integer("block_size", 0)
    if block < 0:
        n.fail(f"block_size is {block}, which is negative")
    if scales is not None and not block and (not scales or scales == (1,)):
        return {}
    if x is not None and not -len(x) <= axis < len(x):
        n.fail(f"axis is {axis}, but its input has {len(x)} dimensions")
    if scales is not None and x is not None and len(scales) != (len(x) if block else 1):
        n.fail(f"its scale has {len(scales)} dimensions, but its input has {len(x)}")
    config: dict[str, object] = {} if axis == 1 else {"axis": axis}
    return {**config, "block": block} if block else config


@lowers("QuantizeLinear", 10)
@lowers("com.microsoft::QuantizeLinear")
def quantize_linear(n: Node) -> Lowered:
    given = _row(n, "output_dtype")
    target = row_of(n, 2) if n.given(2) else given or BY_PROTO[2]
    if given is not None and given is not target:
        n.fail(f"output_dtype is {given.onnx}, but its zero point's type is {target.onnx}")
    if given is None and not n.given(2) and n.op.op_type != "QuantizeLinear":
        n.fail("its zero point, which determines the type of its result, is missing")
    check_target(n, target)
    precision = (_row(n, "precision") or row_of(n, 1)).numpy.name
    config = _granularity(n)
    if not n.integer("saturate", 1) and target.onnx.startswith("float8"):
        config["saturate"] = False
    by = scale(n, 1)
    if precision in _SCALES and precision != "float32":
        config["dtype"] = n.dtype(tensor_type(BY_PROTO_NAME[precision], None))
        by = n[1]
    type = tensor_type(target.ir, n.shape(0))
    return n.call("ops.quantize", n[0], by, zero_point(n, 2), target.onnx, type=type, **config)


BY_PROTO_NAME = {row.numpy.name: row.ir for row in BY_PROTO.values()}


def check_target(n: Node, target: ElementType) -> None:
    """Refuses a type that cannot be quantised to."""
    n.dtype(tensor_type(target.ir, None))
    name = target.onnx
    whole = name.removeprefix("u").startswith("int") and not name.endswith(("32", "64"))
    if not whole and not name.startswith(("float8e4", "float8e5", "float4", "float6")):
        n.fail(f"cannot quantise to {name}")


@lowers("DequantizeLinear", 10)
@lowers("com.microsoft::DequantizeLinear")
def dequantize_linear(n: Node) -> Lowered:
    row_of(n, 0)
    target = _row(n, "output_dtype") or row_of(n, 1)
    if target.numpy.name not in _SCALES:
        n.fail(f"cannot dequantise to {target.onnx}")
    return dequantized(n, 0, 1, 2, target.ir, _granularity(n))


def dequantized(
    n: Node,
    x: int,
    by: int,
    zero: int,
    element: Attribute = FLOAT32,
    config: dict[str, object] | None = None,
) -> SSAValue:
    """Input x dequantised by the inputs `by` (scale) and `zero` (zero point)."""
    config = dict(config or {})
    type = tensor_type(element, n.shape(x))
    if element != FLOAT32:
        config["dtype"] = n.dtype(type)
    point = zero_point(n, zero)
    points = () if point == 0 else (point,)
    return n.call("ops.dequantize", n[x], scale(n, by), *points, type=type, **config)


@lowers("DynamicQuantizeLinear", 11)
def dynamic_quantize_linear(n: Node) -> Lowered:
    return n.calls("ops.dynamic_quantize", n[0])
