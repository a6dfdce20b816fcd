"""Operators that select, reorder or write slices by the values of another tensor, and BitCast."""

from __future__ import annotations

from typing import Any

from xdsl.ir import SSAValue

from ramiel.conversion.onnx_to_torch.onnx.reduction import running
from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.types import BY_PROTO, numpy_dtype_of


def axis_of(n: Node, name: str = "axis", default: int | None = None) -> int:
    """An axis attribute of the first input. Refuses the node if the axis is out of range."""
    axis, rank = n.integer(name, default), n.rank(0)
    if rank is not None and not -rank <= axis < rank:
        n.fail(f"a tensor of rank {rank} has no {name} {axis}")
    return axis


@lowers("Compress", 9)
def compress(n: Node) -> Lowered:
    axis = [] if n.attribute("axis") is None else [axis_of(n)]
    return n.call("ops.compress", n[0], n[1], *axis)


@lowers("Unique", 11)
def unique(n: Node) -> Lowered:
    options: dict[str, Any] = {}
    if n.attribute("axis") is not None:
        options["axis"] = axis_of(n)
    if not n.integer("sorted", 1):
        options["ordered"] = False
    results = len(n.op.results)
    if results == 1:
        return n.call("ops.unique", n[0], **options)
    return n.calls("ops.unique", n[0], results=results, **options)


@lowers("CumProd", 26)
def cumprod(n: Node) -> Lowered:
    exclusive, reverse = bool(n.integer("exclusive", 0)), bool(n.integer("reverse", 0))
    axis = n.scalar(1)
    if isinstance(axis, int) and not exclusive and not reverse:
        # PyTorch widens integers unless it is given the type.
        kind = {} if n.is_float() else {"dtype": n.dtype(n.result_type())}
        return n.call("torch.cumprod", n[0], axis, **kind)
    where: int | SSAValue = axis if isinstance(axis, int) else n[1]
    return n.call("ops.cumprod", n[0], where, **running(exclusive, reverse))


@lowers("ReverseSequence", 10)
def reverse_sequence(n: Node) -> Lowered:
    time, batch = axis_of(n, "time_axis", 0), axis_of(n, "batch_axis", 1)
    if time == batch:
        n.fail("its time axis and its batch axis are the same")
    return n.call("ops.reverse_sequence", n[0], n[1], time_axis=time, batch_axis=batch)


@lowers("Scatter", 9)
def scatter(n: Node) -> Lowered:
    return n.call("ops.scatter_elements", n[0], n[1], n[2], axis_of(n, default=0), "none")


@lowers("TensorScatter", 24)
def tensor_scatter(n: Node) -> Lowered:
    mode = n.text("mode", "linear")
    if mode not in ("linear", "circular"):
        n.fail(f"unknown mode {mode!r}")
    axis = axis_of(n, default=-2)
    if n.rank(0) is not None and axis % n.known_rank() == 0:
        n.fail("its axis cannot be the batch axis")
    starts = n.integers(2)
    where = starts if starts is not None else n.get(2)
    circular = {"circular": True} if mode == "circular" else {}
    return n.call("ops.tensor_scatter", n[0], n[1], where, axis=axis, **circular)


@lowers("BitCast", 26)
def bit_cast(n: Node) -> Lowered:
    row = BY_PROTO.get(n.integer("to"))
    source = numpy_dtype_of(n.op.operands[0].type)
    if row is None or source is None or row.numpy.itemsize != source.itemsize:
        n.fail(f"the type {n.integer('to')} is not as wide as its input's")
    return n.call("Tensor.view", n[0], n.dtype(n.result_type()))
