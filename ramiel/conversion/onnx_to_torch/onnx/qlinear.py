"""Operators on quantised tensors, of ONNX and of ONNX Runtime (com.microsoft).

Products are computed exactly, in integers; other functions in float32, between a dequantisation
and a quantisation, as in ONNX Runtime's tables and kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import ml_dtypes
import numpy as np
import numpy.typing as npt
from xdsl.ir import Attribute, SSAValue

from ramiel.conversion.onnx_to_torch.onnx.convolution import kernel_of
from ramiel.conversion.onnx_to_torch.onnx.pooling import averages, global_averages
from ramiel.conversion.onnx_to_torch.onnx.quantization import (
    FLOAT32,
    check_target,
    dequantized,
    row_of,
    scale,
    zero_point,
)
from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.conversion.onnx_to_torch.windows import window
from ramiel.dialects.onnx.attributes import Array, TensorRef, WeightAttr
from ramiel.dialects.onnx.quantized import Quantized
from ramiel.dialects.onnx.types import (
    BY_PROTO,
    numpy_dtype_of,
    shape_of,
    static_shape_of,
    tensor_type,
)

INT32 = BY_PROTO[6].ir
_Floats = npt.NDArray[np.float32]


# --- products ---


def _sums_type(n: Node, x: int = 0) -> Attribute:
    """The type of the sums that a node's result is computed from: the result's shape, in int32 for
    integer inputs, else float32."""
    whole = numpy_dtype_of(n.op.operands[x].type)
    integers = whole is None or whole.kind in "iu"
    return tensor_type(INT32 if integers else FLOAT32, shape_of(n.result_type()))


def _zero(n: Node, name: str, i: int) -> dict[str, object]:
    """A zero point as a keyword argument, unless it is 0."""
    point = zero_point(n, i)
    return {} if point == 0 else {name: point}


def _convolution(n: Node, x: int, weight: int, zeros: tuple[int, int], bias: int) -> SSAValue:
    """An integer convolution with its bias, in int32."""
    w = window(n, kernel_of(n, weight))
    if w.dims not in (1, 2, 3):
        n.fail(f"PyTorch has no convolution over {w.dims} spatial dimensions")
    config = w.config()
    if w.at_run_time:
        config["padding"] = w.sides()
    elif not w.symmetric:
        config["padding"] = w.torch_pads()
    if (groups := n.integer("group", 1)) != 1:
        config["groups"] = groups
    points = _zero(n, "x_zero", zeros[0]) | _zero(n, "weight_zero", zeros[1])
    args = [n[x], n[weight], *([n[bias]] if n.given(bias) else [])]
    return n.call("ops.conv_integer", *args, type=_sums_type(n), **points, **config)


def product(
    n: Node, a: int, b: int, zeros: tuple[int, int], type: Attribute | None = None
) -> SSAValue:
    """An integer matrix product in int32; by default with the shape of the node's result."""
    points = _zero(n, "a_zero", zeros[0]) | _zero(n, "b_zero", zeros[1])
    return n.call("ops.matmul_integer", n[a], n[b], type=type or _sums_type(n), **points)


@lowers("ConvInteger", 10)
def conv_integer(n: Node) -> Lowered:
    return _convolution(n, 0, 1, (2, 3), len(n))


@lowers("MatMulInteger", 10)
def matmul_integer(n: Node) -> Lowered:
    return product(n, 0, 1, (2, 3))


@lowers("QLinearConv", 10)
def qlinear_conv(n: Node) -> Lowered:
    sums = _convolution(n, 0, 3, (2, 5), 8)
    # The weight may have one scale for each output channel.
    shape = [-1] + [1] * ((n.rank(3) or n.known_rank()) - 2)
    return _requantized(n, sums, ratio(n, (1, 4), 6, {4: shape}), 7)


@lowers("QLinearMatMul", 10)
def qlinear_matmul(n: Node) -> Lowered:
    sums = product(n, 0, 3, (2, 5))
    # There may be one scale for each row of a, or column of b.
    return _requantized(n, sums, ratio(n, (1, 4), 6, {1: [-1, 1]}), 7)


@lowers("com.microsoft::QGemm")
def q_gemm(n: Node) -> Lowered:
    for name, i in (("transA", 0), ("transB", 3)):
        if n.rank(i) not in (None, 2):
            n.fail(f"its input {i} has {n.rank(i)} dimensions, but must be a matrix ({name})")
    a = n.call("Tensor.mT", n[0], type=n.like(None, 0)) if n.integer("transA", 0) else n[0]
    b = n.call("Tensor.mT", n[3], type=n.like(None, 3)) if n.integer("transB", 0) else n[3]
    points = _zero(n, "a_zero", 2) | _zero(n, "b_zero", 5)
    sums = n.call("ops.matmul_integer", a, b, type=_sums_type(n), **points)
    if n.given(6):
        sums = n.call("operator.add", sums, n[6], type=_sums_type(n))
    alpha = n.number("alpha", 1.0)
    if n.given(7):
        return _requantized(n, sums, ratio(n, (1, 4), 7, {}, alpha), 8)
    floats = tensor_type(FLOAT32, shape_of(n.result_type()))
    return n.call("operator.mul", sums, ratio(n, (1, 4), None, {}, alpha), type=floats)


@lowers("com.microsoft::MatMulIntegerToFloat")
def matmul_integer_to_float(n: Node) -> Lowered:
    floats = tensor_type(FLOAT32, shape_of(n.result_type()))
    scaled = n.call(
        "operator.mul",
        product(n, 0, 1, (4, 5)),
        ratio(n, (2, 3), None, {2: [-1, 1]}),
        type=floats,
    )
    return n.call("operator.add", scaled, n[6], type=floats) if n.given(6) else scaled


@lowers("com.microsoft::DynamicQuantizeMatMul")
def dynamic_quantize_matmul(n: Node) -> Lowered:
    floats = tensor_type(FLOAT32, shape_of(n.result_type()))
    number, byte = tensor_type(FLOAT32, ()), tensor_type(BY_PROTO[2].ir, n.shape(0))
    types = [byte, number, tensor_type(BY_PROTO[2].ir, ())]
    a, a_scale, a_zero = n.calls("ops.dynamic_quantize", n[0], types=types)
    points = {"a_zero": a_zero} | _zero(n, "b_zero", 3)
    sums_type = tensor_type(INT32, shape_of(floats))
    sums = n.call("ops.matmul_integer", a, n[1], type=sums_type, **points)
    by = n.call("operator.mul", a_scale, scale(n, 2), type=tensor_type(FLOAT32, n.shape(2)))
    product = n.call("operator.mul", sums, by, type=floats)
    return n.call("operator.add", product, n[4], type=floats) if n.given(4) else product


def ratio(
    n: Node,
    factors: tuple[int, int],
    divisor: int | None,
    shapes: dict[int, list[int]],
    alpha: float = 1.0,
) -> float | SSAValue:
    """The factor of a sum of products: alpha times the product of two scales, over a third.

    A scale with more than one element is first reshaped to its shape in `shapes`.
    """
    inputs = [*factors, *([] if divisor is None else [divisor])]
    if all(n.is_constant(i) and n.shape(i) is not None for i in inputs):
        return _constant_ratio(n, inputs, shapes, alpha)
    parts: list[object] = []
    for i in inputs:
        part: object = scale(n, i)
        if isinstance(part, SSAValue) and i in shapes and n.rank(i) != 0:
            part = n.call("Tensor.reshape", part, shapes[i], type=n.like(None, i))
        parts.append(part)
    type = tensor_type(FLOAT32, None)
    value = n.call("operator.mul", *parts[:2], type=type)
    if alpha != 1:
        value = n.call("operator.mul", value, alpha, type=type)
    return value if divisor is None else n.call("operator.truediv", value, parts[2], type=type)


def _constant_ratio(
    n: Node, inputs: Sequence[int], shapes: dict[int, list[int]], alpha: float
) -> float | SSAValue:
    arrays: list[_Floats] = []
    for i in inputs:
        array = cast(Array, n.constant(i)).astype(np.float32)
        arrays.append(array.reshape(shapes[i]) if i in shapes and array.size > 1 else array)
    ratio = arrays[0] * arrays[1] * np.float32(alpha)
    ratio = ratio / arrays[2] if len(arrays) > 2 else ratio
    if ratio.size == 1:
        return float(str(ratio.reshape(-1)[0]))
    return n.tensor(ratio, f"{n.op.node_name or n.op.op_type}.scale")


def _requantized(n: Node, sums: SSAValue, by: float | SSAValue, zero: int) -> SSAValue:
    """Sums of products quantised to the type of input `zero`, the zero point."""
    target = row_of(n, zero if n.given(zero) else 0)
    check_target(n, target)
    type = tensor_type(target.ir, shape_of(n.result_type()))
    return n.call("ops.requantize", sums, by, zero_point(n, zero), target.onnx, type=type)


# --- functions of ONNX Runtime, in float32 ---


def _quantized(n: Node, y: SSAValue, by: int, zero: int, like: int) -> SSAValue:
    """Floats quantised to the type of input `like`, by the inputs `by` (scale) and `zero`."""
    target = row_of(n, like)
    check_target(n, target)
    type = tensor_type(target.ir, shape_of(y.type))
    return n.call("ops.quantize", y, scale(n, by), zero_point(n, zero), target.onnx, type=type)


def _result_floats(n: Node) -> Attribute:
    return tensor_type(FLOAT32, shape_of(n.result_type()))


def _binary(callee: str, n: Node) -> Lowered:
    a, b = dequantized(n, 0, 1, 2), dequantized(n, 3, 4, 5)
    return _quantized(n, n.call(callee, a, b, type=_result_floats(n)), 6, 7, 0)


for _op, _callee in (("QLinearAdd", "operator.add"), ("QLinearMul", "operator.mul")):
    lowers(f"com.microsoft::{_op}")(partial(_binary, _callee))


@lowers("com.microsoft::QLinearWhere")
def qlinear_where(n: Node) -> Lowered:
    a, b = dequantized(n, 1, 2, 3), dequantized(n, 4, 5, 6)
    return _quantized(n, n.call("torch.where", n[0], a, b, type=_result_floats(n)), 7, 8, 1)


def _sigmoid(n: Node, x: SSAValue) -> SSAValue:
    return n.call("torch.sigmoid", x, type=x.type)


def _leaky_relu(n: Node, x: SSAValue) -> SSAValue:
    return n.call("F.leaky_relu", x, n.number("alpha", 0.01), type=x.type)


def _softmax(n: Node, x: SSAValue) -> SSAValue:
    axis = n.integer("axis", -1)
    if n.integer("opset", 13) < 13:
        return n.call("ops.legacy_softmax", x, axis, "softmax", type=x.type)
    return n.call("F.softmax", x, dim=axis, type=x.type)


def _average_pool(n: Node, x: SSAValue) -> SSAValue:
    return averages(n, x, _result_floats(n))


def _global_average_pool(n: Node, x: SSAValue) -> SSAValue:
    return global_averages(n, x, _result_floats(n))


def _unary(function: Callable[[Node, SSAValue], SSAValue], n: Node) -> Lowered:
    if n.integer("channels_last", 0):
        n.fail("channels_last is not supported: use the model in its default layout")
    return _quantized(n, function(n, dequantized(n, 0, 1, 2)), 3, 4, 0)


for _op, _function in (
    ("QLinearSigmoid", _sigmoid),
    ("QLinearLeakyRelu", _leaky_relu),
    ("QLinearSoftmax", _softmax),
    ("QLinearAveragePool", _average_pool),
    ("QLinearGlobalAveragePool", _global_average_pool),
):
    lowers(f"com.microsoft::{_op}")(partial(_unary, _function))


@lowers("com.microsoft::QLinearConcat")
def qlinear_concat(n: Node) -> Lowered:
    if len(n) < 5 or (len(n) - 2) % 3:
        n.fail("its inputs must be a scale, a zero point, and then tensors with their own")
    parts = [dequantized(n, i, i + 1, i + 2) for i in range(2, len(n), 3)]
    joined = n.call("torch.cat", parts, dim=n.integer("axis"), type=_result_floats(n))
    return _quantized(n, joined, 0, 1, 2)


# --- weights of 2, 4 or 8 bits ---


@lowers("com.microsoft::MatMulNBits")
def matmul_n_bits(n: Node) -> Lowered:
    bits, block = n.integer("bits", 4), n.integer("block_size")
    k, columns = n.integer("K"), n.integer("N")
    if bits not in (2, 4, 8) or block < 1 or block * bits % 8 or k < 1 or columns < 1:
        n.fail(f"bits={bits}, block_size={block}, K={k} and N={columns} do not match")
    if n.given(4):
        n.fail("g_idx, an order of the rows, is not supported")
    rows = n.shape(0)
    type = tensor_type(row_of(n, 0).ir, None if rows is None else [*rows[:-1], columns])
    constant = all(n.is_constant(i) for i in (1, 2, 3, 5) if n.given(i))
    packed, blocks = static_shape_of(n.op.operands[1].type), -(-k // block)
    if packed is not None and packed != (columns, blocks, block * bits // 8):
        n.fail(f"its weight has the shape {list(packed)}, which does not fit K={k} and N={columns}")
    if not constant or packed is None:
        args = (n[0], n[1], n[2], n.get(3), n.get(5), bits, block)
        return n.call("ops.matmul_n_bits", *args, type=type)
    weight_type = n.like([columns, k])
    dtype = numpy_dtype_of(weight_type)
    assert dtype is not None
    parts = Quantized(
        lambda: _unpacked(n.weight(1).array(), bits, columns)[:, :k],
        lambda: n.weight(2).array().reshape(columns, blocks),
        lambda: _zero_points(n.weight(3).array() if n.given(3) else None, bits, columns, blocks),
        1,
        block,
        dtype,
    )
    ref = TensorRef.of_quantized(f"{n.weight(1).data.name}.{bits}bits", parts, weight_type)
    weights = {"weight": WeightAttr(ref)}
    if n.given(5):
        weights["bias"] = n.weight(5)
    return n.layer("Linear", n[0], weights, type=type)


def _zero_points(given: Array | None, bits: int, columns: int, blocks: int) -> Array:
    """The zero points [columns, blocks], by default the middle of the range."""
    if given is None:
        return np.full((columns, blocks), 1 << (bits - 1), _integers(bits))
    if given.dtype != np.uint8:
        return given.reshape(columns, blocks)
    return _unpacked(given, bits, columns)[:, :blocks]


def _unpacked(packed: Array, bits: int, rows: int) -> Array:
    """Rows of unsigned integers of `bits` bits, unpacked from bytes, lowest bits first."""
    flat = cast("npt.NDArray[np.uint8]", packed.reshape(rows, -1, 1))
    values = (flat >> np.arange(0, 8, bits, dtype=np.uint8)) & np.uint8((1 << bits) - 1)
    return values.reshape(rows, -1).astype(_integers(bits))


def _integers(bits: int) -> np.dtype[np.generic]:
    return np.dtype({2: ml_dtypes.uint2, 4: ml_dtypes.uint4, 8: np.uint8}[bits])
