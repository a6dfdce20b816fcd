"""Indexing: gathers, scatters and slices."""

from __future__ import annotations

from functools import partial

from xdsl.ir import SSAValue

from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers


@lowers("Gather")
def gather(n: Node) -> Lowered:
    axis = n.integer("axis", 0)
    index = n.scalar(1)
    rank = n.rank(0)
    if n.is_constant(0) and rank == 2 and axis == 0 and n.is_float() and index is None:
        return n.layer("Embedding", n[1], {"weight": n.weight(0)})
    if index is not None and n.rank(1) == 0 and rank is not None:
        where: list[object] = [slice(None)] * (axis % rank)
        return n.call("operator.getitem", n[0], [*where, index] if where else index)
    return n.call("ops.gather", n[0], n[1], axis)


@lowers("GatherElements", 11)
def gather_elements(n: Node) -> Lowered:
    return n.call("ops.gather_elements", n[0], n[1], n.integer("axis", 0))


@lowers("GatherND", 11)
def gather_nd(n: Node) -> Lowered:
    return n.call("ops.gather_nd", n[0], n[1], n.integer("batch_dims", 0))


@lowers("ScatterElements", 11)
def scatter_elements(n: Node) -> Lowered:
    axis, reduction = n.integer("axis", 0), n.text("reduction", "none")
    return n.call("ops.scatter_elements", n[0], n[1], n[2], axis, reduction)


@lowers("ScatterND", 11)
def scatter_nd(n: Node) -> Lowered:
    return n.call("ops.scatter_nd", n[0], n[1], n[2], n.text("reduction", "none"))


@lowers("NonZero", 9)
def non_zero(n: Node) -> Lowered:
    return n.call("ops.non_zero", n[0])


@lowers("OneHot", 9)
def one_hot(n: Node) -> Lowered:
    return n.call("ops.one_hot", n[0], n[1], n[2], n.integer("axis", -1))


_FARTHEST = 1 << 62
"""The largest bound that is emitted: PyTorch adds it to lengths in int64."""
_LONGEST = 1 << 31
"""The largest step that is emitted: it selects one element, like any larger step, as no dimension
is longer. PyTorch multiplies it by the stride in int64."""


def _slice(as_inputs: bool, n: Node) -> Lowered:
    parts: list[list[int] | SSAValue | None]
    if as_inputs:
        parts = [_part(n, i) for i in range(1, 5)]
    else:
        parts = [n.integer_list("starts"), n.integer_list("ends"), n.integer_list("axes"), None]
    starts, ends, axes, steps = parts
    rank = n.rank(0)
    if isinstance(starts, list) and isinstance(ends, list) and rank is not None:
        axes = list(range(len(starts))) if axes is None else axes
        steps = [1] * len(starts) if steps is None else steps
        if isinstance(axes, list) and isinstance(steps, list) and min(steps, default=1) > 0:
            return _getitem(n, rank, starts, ends, axes, steps)
    return n.call("ops.slice", n[0], starts, ends, axes, steps)


def _part(n: Node, i: int) -> list[int] | SSAValue | None:
    known = n.integers(i)
    return n.get(i) if known is None else known


def _getitem(
    n: Node, rank: int, starts: list[int], ends: list[int], axes: list[int], steps: list[int]
) -> Lowered:
    """A slice in Python's syntax, which clamps bounds as ONNX does."""
    cuts: list[slice[object, object, object]] = [slice(None)] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        start, end = (max(-_FARTHEST, min(v, _FARTHEST)) for v in (start, end))
        step = min(step, _LONGEST)
        # Exporters write the largest integers for "to the end".
        stop = None if end >= (1 << 31) - 1 else end
        cuts[axis % rank] = slice(start or None, stop, None if step == 1 else step)
    while cuts and cuts[-1] == slice(None):
        cuts.pop()
    if not cuts:
        return n[0]
    return n.call("operator.getitem", n[0], cuts if len(cuts) > 1 else cuts[0])


lowers("Slice", 1)(partial(_slice, False))
lowers("Slice", 10)(partial(_slice, True))
