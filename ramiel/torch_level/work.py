"""How much work an operation of the `torch` dialect does, from the shapes of its operands."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from xdsl.dialects.builtin import ArrayAttr
from xdsl.ir import Attribute, Block

from ramiel.analysis.static_cost import Work, static_cost
from ramiel.dialects.onnx.types import numpy_dtype_of, shape_of
from ramiel.dialects.torch import CallOp, ControlOp, LayerOp, LoopOp, TorchOperation
from ramiel.dialects.torch.literals import python_literal
from ramiel.torch_level.candidates import Kernel, kernel_of

NOMINAL = 32
"""What stands for a dimension that is not known at compile time; a batch, the first
dimension, counts as 1."""

VIEWS = frozenset(
    "Tensor.expand Tensor.permute Tensor.mT Tensor.reshape Tensor.squeeze Tensor.unsqueeze "
    "Tensor.transpose Tensor.unflatten operator.getitem torch.split torch.squeeze torch.flatten "
    "ops.shape ops.size ops.reshape ops.squeeze ops.unsqueeze ops.expand ops.split "
    "ops.flatten".split()
)
"""Calls that move no data."""
VIEW = 0.25
"""What such a call takes of the price of one that computes."""
STEPS_OF_A_LOOP = 8
"""What stands for the number of a loop's iterations."""
RECURRENT = frozenset(["rnn", "gru", "lstm"])
STEP_OF_A_LAYER = 0.2
"""What a step of a recurrent layer takes of the price of a call; step by step, it is a call."""
STEPS = 5
"""How many calls a convolution by Winograd's algorithm counts as."""


def work_of(op: TorchOperation, threads: int = 1) -> Work:
    """The work of one operation, by its kernel for a number of threads."""
    return work_by(op, kernel_of(op, threads))


def work_by(op: TorchOperation, kernel: Kernel) -> Work:
    """The work of one operation if it is computed by a kernel."""
    if isinstance(op, LayerOp):
        return _work(op.layer.lower(), op, op.weight_shape, op.config, kernel)
    if isinstance(op, ControlOp):
        bodies = [_work_of_body(block) for block in op.bodies]
        return (
            bodies[0] * STEPS_OF_A_LOOP if isinstance(op, LoopOp) else max(bodies, key=static_cost)
        )
    if not isinstance(op, CallOp):
        return Work(calls=0)
    if op.callee in VIEWS:
        return Work(calls=VIEW)
    name = op.callee.partition(".")[2].replace("_", "")
    weight = _dims(op.operands[1].type) if len(op.operands) > 1 else ()
    return _work(name, op, weight, op.kwargs, kernel)


def _work_of_body(block: Block) -> Work:
    works = (work_of(op) for op in block.ops if isinstance(op, TorchOperation))
    return sum(works, Work(calls=1))


def _work(
    name: str,
    op: TorchOperation,
    weight: tuple[int, ...],
    config: Mapping[str, Attribute],
    kernel: Kernel,
) -> Work:
    """The work of a function or layer, by its name without underscores."""
    x = _dims(op.operands[0].type) if op.operands else ()
    y = _dims(op.results[0].type)
    moved = sum(bytes_of(v.type) for v in (*op.operands, *op.results))
    weights = prod(weight) * bytes_of(op.results[0].type) / max(1, prod(y))
    if name.startswith("conv") and len(weight) > 2:
        # A transposed convolution spreads its input over the result.
        pixels = x if name.startswith("convtranspose") else y
        flops = 2.0 * prod(pixels) * prod(weight[1:])
        if "groups" in config:
            return Work(grouped=flops, moved=moved, weights=weights)
        if prod(weight[2:]) == 1:
            return Work(product=flops, moved=moved, weights=weights)
        if kernel is not None and "winograd" in kernel:
            tiles = y[0] * prod(y[2:]) / 4 ** sum(size > 1 for size in weight[2:])
            return Work(STEPS, filtered=flops, tiles=tiles, weights=4 * weights, moved=moved)
        return Work(convolution=flops, moved=moved, weights=weights)
    if name in RECURRENT and len(weight) > 1 and y:
        steps = prod(y) / max(1, prod(_dims(op.results[1].type)))
        rows, inputs, hidden = weight[-2], weight[-1], y[-1]
        flops = 2.0 * prod(y[:-1]) * rows * (inputs + hidden)
        calls = 1 + steps * (STEP_OF_A_LAYER if isinstance(op, LayerOp) else 1.0)
        weights *= 1 + hidden / max(1, inputs)
        return Work(calls, product=flops, moved=moved, weights=weights)
    if name == "linear" and x:
        return Work(product=2.0 * prod(y) * x[-1], moved=moved, weights=weights)
    if name == "matmul" and x:
        return Work(product=2.0 * prod(y) * x[-1], moved=moved)
    if name == "scaleddotproductattention" and len(weight) > 1:
        keys = weight[-2]
        return Work(product=2.0 * keys * (prod(x) + prod(y)), moved=moved)
    if name.startswith(("maxpool", "avgpool")):
        return Work(windows=_window(config, len(y) - 2) * bytes_of(op.results[0].type))
    return Work(moved=moved)


def _dims(type: Attribute) -> tuple[int, ...]:
    shape = shape_of(type) or ()
    return tuple((1 if i == 0 else NOMINAL) if d is None else d for i, d in enumerate(shape))


def bytes_of(type: Attribute) -> float:
    """The size of a tensor of a type, open dimensions guessed."""
    dtype = numpy_dtype_of(type)
    return float(prod(_dims(type)) * (dtype.itemsize if dtype is not None else 4))


def _window(config: Mapping[str, Attribute], dims: int) -> int:
    """The elements of a pool's window."""
    size = config.get("kernel_size")
    sides = [] if size is None else list(size) if isinstance(size, ArrayAttr) else [size]
    lengths = [v for v in map(python_literal, sides) if isinstance(v, int)]
    return lengths[0] ** dims if len(lengths) == 1 else prod(lengths)
