"""Matrix products."""

from __future__ import annotations

import numpy as np
from xdsl.ir import Attribute, SSAValue

from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.attributes import Array
from ramiel.dialects.onnx.permuted import permuted
from ramiel.dialects.onnx.types import numpy_dtype_of


@lowers("MatMul")
def matmul(n: Node) -> Lowered:
    rank = n.rank(0)
    if n.is_constant(1) and n.rank(1) == 2 and rank is not None and n.is_float():
        return n.layer("Linear", n[0], {"weight": n.transposed_weight(1)})
    return n.call("operator.matmul", n[0], n[1])


@lowers("Gemm")
def gemm(n: Node) -> Lowered:
    alpha, beta = _factor(n, "alpha"), _factor(n, "beta")
    a = n.call("Tensor.mT", n[0], type=_flipped(n, 0)) if n.integer("transA", 0) else n[0]
    flip = n.integer("transB", 0) == 0
    floating = numpy_dtype_of(n.op.operands[0].type) == np.float32
    if n.is_constant(1) and floating:

        def scaled(array: Array) -> Array:
            array = permuted(array, (1, 0)) if flip else array
            return np.multiply(array, alpha, dtype=np.float32)

        if alpha == 1:
            weights = {"weight": n.transposed_weight(1) if flip else n.weight(1)}
        else:
            shape = (n.shape(1) or ())[:: -1 if flip else 1]
            suffix = f"{'T' if flip else 'N'}{alpha:g}"
            weights = {"weight": n.new_weight(1, suffix, shape, scaled)}
        if _is_bias(n, 2) and beta == 1:
            return n.layer(
                "Linear",
                a,
                {**weights, "bias": n.new_weight(2, "flat", (n.shape(2) or ())[-1:], _flat)},
            )
        product: SSAValue = n.layer("Linear", a, weights)
    else:
        b = n[1] if flip else n.call("Tensor.mT", n[1], type=_flipped(n, 1))
        product = n.call("operator.matmul", a, b)
        if alpha != 1:
            product = n.call("operator.mul", product, alpha)
    if not n.given(2) or beta == 0:
        return product
    c = n[2] if beta == 1 else n.call("operator.mul", n[2], beta, type=n.op.operands[2].type)
    return n.call("operator.add", product, c)


def _factor(n: Node, name: str) -> int | float:
    """The factor alpha or beta; an int for integer products, so that they stay integers."""
    value = n.number(name, 1.0)
    if n.is_float():
        return value
    return int(value) if value.is_integer() else n.fail(f"{name} must be an integer")


def _flat(array: Array) -> Array:
    return array.reshape(-1)


def _is_bias(n: Node, i: int) -> bool:
    """Whether input i is constant and has one number for each column of the result."""
    shape = n.shape(i) if n.is_constant(i) else None
    columns = n.shape(1)
    if not shape or columns is None:
        return False
    width = columns[0 if n.integer("transB", 0) else 1]
    return shape[-1] == width and all(d == 1 for d in shape[:-1])


def _flipped(n: Node, i: int) -> Attribute:
    shape = n.shape(i)
    return n.like(None if shape is None else shape[::-1], i)


@lowers("Einsum", 12)
def einsum(n: Node) -> Lowered:
    return n.call("torch.einsum", n.text("equation"), *n.inputs())
