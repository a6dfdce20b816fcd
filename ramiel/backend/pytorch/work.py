"""How much work an operation of the `torch` dialect does, from the shapes of its operands."""

from __future__ import annotations

from math import prod

from xdsl.dialects.builtin import ArrayAttr
from xdsl.ir import Attribute

from ramiel.analysis.static_cost import Work
from ramiel.dialects.onnx.types import numpy_dtype_of, shape_of
from ramiel.dialects.torch import CallOp, LayerOp
from ramiel.dialects.torch.literals import python_literal
from ramiel.dialects.torch.ops import TorchOperation

NOMINAL = 32
"""What stands for a dimension that is not known at compile time; a batch, the first
dimension, counts as 1."""

VIEWS = frozenset(
    "Tensor.expand Tensor.permute Tensor.mT Tensor.reshape Tensor.squeeze Tensor.unsqueeze "
    "Tensor.transpose operator.getitem torch.split torch.squeeze torch.flatten ops.shape "
    "ops.size ops.reshape ops.squeeze ops.unsqueeze ops.expand ops.split ops.flatten".split()
)
"""Calls that move no data."""


def work_of(op: TorchOperation) -> Work:
    """The work of one operation. Weights are there already and cost nothing."""
    moved = sum(bytes_of(v.type) for v in (*op.operands, *op.results))
    if isinstance(op, LayerOp):
        return _product(op.layer.lower(), op, op.weight_shape, moved)
    if not isinstance(op, CallOp):
        return Work(calls=0)
    if op.callee in VIEWS:
        return Work()
    name = op.callee.partition(".")[2].replace("_", "")
    weight = _dims(op.operands[1].type) if len(op.operands) > 1 else ()
    if name.startswith(("maxpool", "avgpool")):
        # A pool reads an element once for every window that it is in.
        return Work(bytes=_window(op) * bytes_of(op.results[0].type) + moved)
    return _product(name, op, weight, moved)


def _product(name: str, op: TorchOperation, weight: tuple[int, ...], moved: float) -> Work:
    """The work of a convolution or matrix product; of anything else, what it moves."""
    x = _dims(op.operands[0].type) if op.operands else ()
    y = _dims(op.results[0].type)
    moved += 4.0 * prod(weight) if isinstance(op, LayerOp) and name != "embedding" else 0.0
    if name.startswith("convtranspose"):
        return Work(2.0 * prod(x) * prod(weight[1:]), moved)
    if name.startswith("conv") and weight:
        return Work(2.0 * prod(y) * prod(weight[1:]), moved)
    if name in ("linear", "matmul") and x:
        return Work(2.0 * prod(y) * x[-1], moved)
    return Work(bytes=moved)


def _dims(type: Attribute) -> tuple[int, ...]:
    shape = shape_of(type) or ()
    return tuple((1 if i == 0 else NOMINAL) if d is None else d for i, d in enumerate(shape))


def bytes_of(type: Attribute) -> float:
    """The size of a tensor of a type, open dimensions guessed."""
    dtype = numpy_dtype_of(type)
    return float(prod(_dims(type)) * (dtype.itemsize if dtype is not None else 4))


def _window(op: CallOp) -> int:
    size = op.kwargs.get("kernel_size")
    values = [] if size is None else [size] if not isinstance(size, ArrayAttr) else list(size)
    sides = [python_literal(v) for v in values]
    sides = [s for s in sides if isinstance(s, int)]
    dims = max(1, len(_dims(op.results[0].type)) - 2)
    return prod(sides) if len(sides) != 1 else sides[0] ** dims
