"""Reductions."""

from __future__ import annotations

from functools import partial
from typing import cast

import numpy as np

from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.types import numpy_dtype_of

_PLAIN = {
    "ReduceSum": "torch.sum",
    "ReduceMean": "torch.mean",
    "ReduceMax": "torch.amax",
    "ReduceMin": "torch.amin",
}

# The reductions, and the version from which their axes are an input.
_KINDS = {
    "ReduceSum": 13,
    "ReduceMean": 18,
    "ReduceMax": 18,
    "ReduceMin": 18,
    "ReduceProd": 18,
    "ReduceL1": 18,
    "ReduceL2": 18,
    "ReduceLogSum": 18,
    "ReduceLogSumExp": 18,
    "ReduceSumSquare": 18,
}


def _reduce(op_type: str, axes_are_input: bool, n: Node) -> Lowered:
    axes: object = n.integer_list("axes")
    if axes_are_input and n.given(1):
        known = n.integers(1)
        axes = n[1] if known is None else known
    keep, noop = bool(n.integer("keepdims", 1)), bool(n.integer("noop_with_empty_axes", 0))
    rank = n.rank(0)
    if axes is None or axes == []:
        axes = [] if noop else None if rank is None else list(range(rank))
    callee = _PLAIN.get(op_type)
    keeps_type = n.is_float() or op_type in ("ReduceMax", "ReduceMin")
    if _may_be_of_none(n, axes) and op_type in ("ReduceMax", "ReduceMin"):
        callee = None
    if callee is None or not keeps_type or not isinstance(axes, list):
        # Only axes that are computed at run time may still turn out to be empty.
        options = {"keepdims": True} if keep else {}
        if noop and axes is not None and not isinstance(axes, list):
            options["noop"] = True
        return n.call("ops.reduce", n[0], op_type.removeprefix("Reduce"), axes, **options)
    if not axes:
        return n[0]
    dim = cast(object, axes[0] if len(axes) == 1 else axes)
    return n.call(callee, n[0], dim=dim, **({"keepdim": True} if keep else {}))


def _may_be_of_none(n: Node, axes: object) -> bool:
    """Whether a reduced dimension may be empty, or the elements are booleans: PyTorch's amax and
    amin support neither."""
    shape = n.shape(0)
    if numpy_dtype_of(n.op.operands[0].type) == np.bool_ or shape is None:
        return True
    return isinstance(axes, list) and any(not shape[a] for a in cast("list[int]", axes))


for _op, _since in _KINDS.items():
    lowers(_op)(partial(_reduce, _op, False))
    lowers(_op, _since)(partial(_reduce, _op, True))


def _arg_reduce(callee: str, n: Node) -> Lowered:
    axis, keep = n.integer("axis", 0), bool(n.integer("keepdims", 1))
    last, shape = bool(n.integer("select_last_index", 0)), n.shape(0)
    if last or shape is None or not shape[axis]:  # PyTorch's raise for an empty axis
        options = {"keepdims": True} if keep else {}
        options |= {"last": True} if last else {}
        return n.call("ops.arg_reduce", n[0], axis, largest=callee == "torch.argmax", **options)
    return n.call(callee, n[0], dim=axis, **({"keepdim": True} if keep else {}))


lowers("ArgMax")(partial(_arg_reduce, "torch.argmax"))
lowers("ArgMin")(partial(_arg_reduce, "torch.argmin"))


@lowers("CumSum", 11)
def cumsum(n: Node) -> Lowered:
    axis = n.scalar(1)
    exclusive, reverse = bool(n.integer("exclusive", 0)), bool(n.integer("reverse", 0))
    if isinstance(axis, int) and not exclusive and not reverse and n.is_float():
        return n.call("torch.cumsum", n[0], axis)
    options = running(exclusive, reverse)
    return n.call("ops.cumsum", n[0], n[1] if axis is None else axis, **options)


def running(exclusive: bool, reverse: bool) -> dict[str, object]:
    """The keyword arguments of cumulative sums and products."""
    options = {"exclusive": exclusive, "reverse": reverse}
    return {key: True for key, value in options.items() if value}


@lowers("TopK", 10)
def top_k(n: Node) -> Lowered:
    k = n.scalar(1)
    axis = n.integer("axis", -1)
    smallest = {} if n.integer("largest", 1) else {"largest": False}
    return n.calls("ops.top_k", n[0], n[1] if k is None else k, axis=axis, **smallest)
