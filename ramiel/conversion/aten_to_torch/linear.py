"""Matrix products."""

from __future__ import annotations

from math import prod

from xdsl.ir import SSAValue

from ramiel.conversion.aten_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.attributes import WeightAttr
from ramiel.dialects.torch import CallOp, WeightOp


def _of_linear(n: Node, i: int) -> WeightAttr | None:
    """Argument i, [in, out], as the weight [out, in] of a Linear; None if it is no weight.

    PyTorch's graphs transpose the weight of a Linear before each product.
    """
    if not n.is_float(n.value(i)):
        return None
    weight = n.weight(i)
    if weight is not None:
        return n.transposed(weight)
    op = n.value(i).owner
    if isinstance(op, CallOp) and op.callee == "Tensor.permute" and n.shape(op.operands[0]):
        source = op.operands[0].owner
        if isinstance(source, WeightOp) and len(n.shape(op.operands[0])) == 2:
            return source.weight
    return None


def _rows_of(n: Node, x: SSAValue) -> SSAValue:
    """x [rows, k], or what it is a reshape of, if that is [..., k] and its rows are the same."""
    inner = n.before_reshape(x)
    return inner if n.shape(inner)[-1:] == n.shape(x)[-1:] else x


def _linear(n: Node, x: SSAValue, i: int, bias: WeightAttr | None) -> SSAValue | None:
    """x times argument i by a Linear, in the shape of the result."""
    weight = _of_linear(n, i)
    if weight is None:
        return None
    rows = _rows_of(n, x)
    weights = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    type = n.like(x, [*n.shape(rows)[:-1], n.result[-1]])
    return n.reshaped(n.layer("Linear", rows, weights, type), n.result)


@lowers("mm.default")
def mm(n: Node) -> Lowered:
    product = _linear(n, n.x, 1, None)
    return n.call("operator.matmul", n.x, n.value(1)) if product is None else product


@lowers("addmm.default")
def addmm(n: Node) -> Lowered:
    if n.kwargs:
        return None
    bias = n.weight(0) if n.shape(n.x) == n.result[-1:] else None
    product = _linear(n, n.value(1), 2, bias)
    if product is not None and bias is not None:
        return product
    product = n.call("operator.matmul", n.value(1), n.value(2)) if product is None else product
    return n.call("operator.add", product, n.x)


@lowers("bmm.default")
def bmm(n: Node) -> Lowered:
    """A product of matrices, whose leading dimensions PyTorch makes one before each product."""
    a, b = (n.before_reshape(n.value(i)) for i in (0, 1))
    leading = n.shape(a)[:-2]
    same = (
        n.shape(a)[-2:] == n.shape(n.value(0))[-2:] and n.shape(b)[-2:] == n.shape(n.value(1))[-2:]
    )
    if not same or leading != n.shape(b)[:-2] or prod(leading) != n.result[0]:
        return n.call("operator.matmul", n.x, n.value(1))
    type = n.like(n.x, [*leading, *n.result[1:]])
    return n.reshaped(n.call("operator.matmul", a, b, type=type), n.result)


@lowers("baddbmm.default")
def baddbmm(n: Node) -> Lowered:
    """A sum and a product, of which attention is recognised."""
    if n.kwargs:
        return None
    product = n.call("operator.matmul", n.value(1), n.value(2))
    return n.call("operator.add", product, n.x)


@lowers("mv.default", "dot.default")
def matmul(n: Node) -> Lowered:
    return n.call("operator.matmul", n.x, n.value(1))
