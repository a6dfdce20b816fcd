"""Shapes and parts of tensors. All shapes are known here."""

from __future__ import annotations

from typing import cast

from xdsl.ir import SSAValue

from ramiel.conversion.aten_to_torch.table import Lowered, Node, as_it_is, lowers
from ramiel.dialects.onnx.types import static_shape_of

as_it_is(
    "_unsafe_index.Tensor",
    "bucketize.Tensor",
    "diagonal.default",
    "fill.Scalar",
    "fill.Tensor",
    "full_like.default",
    "gather.default",
    "index.Tensor",
    "index_add.default",
    "index_put.default",
    "index_select.default",
    "new_full.default",
    "new_ones.default",
    "new_zeros.default",
    "ones_like.default",
    "repeat.default",
    "roll.default",
    "scatter.src",
    "scatter.value",
    "scatter_add.default",
    "select_scatter.default",
    "slice_scatter.default",
    "unbind.int",
    "unfold.default",
    "zeros_like.default",
)


@lowers(
    "_reshape_alias.default", "_unsafe_view.default", "flatten.using_ints", "reshape.default",
    "squeeze.default", "squeeze.dim", "squeeze.dims", "unsqueeze.default", "view.default",
)  # fmt: skip
def reshape(n: Node) -> Lowered:
    return n.reshaped(n.x, n.result)


@lowers("expand.default")
def expand(n: Node) -> Lowered:
    return n.x if n.shape(n.x) == n.result else n.call("Tensor.expand", n.x, *n.result)


@lowers("permute.default")
def permute(n: Node) -> Lowered:
    rank = len(n.result)
    return _permuted(n, [d % rank for d in cast("list[int]", n.args[1])])


@lowers("transpose.int")
def transpose(n: Node) -> Lowered:
    order = list(range(len(n.result)))
    if order:
        a, b = (cast(int, n.args[i]) for i in (1, 2))
        order[a], order[b] = order[b], order[a]
    return _permuted(n, order)


@lowers("t.default")
def t(n: Node) -> Lowered:
    return _permuted(n, list(range(len(n.result)))[::-1])


def _permuted(n: Node, order: list[int]) -> SSAValue:
    return n.x if order == sorted(order) else n.call("Tensor.permute", n.x, *order)


@lowers("select.int")
def select(n: Node) -> Lowered:
    dim, index = (cast(int, n.args[i]) for i in (1, 2))
    whole = [slice(None)] * (dim % len(n.shape(n.x)))
    return n.call("operator.getitem", n.x, [*whole, index])


@lowers("slice.Tensor")
def cut(n: Node) -> Lowered:
    dim, start, end, step = n.arg(1, 0), n.arg(2, None), n.arg(3, None), n.arg(4, 1)
    if n.shape(n.x) == n.result and step == 1:
        return n.x
    size = n.shape(n.x)[dim]
    bounds = slice(
        start or None, None if end is None or end >= size else end, None if step == 1 else step
    )
    return n.call("operator.getitem", n.x, [*[slice(None)] * (dim % len(n.result)), bounds])


@lowers("cat.default")
def cat(n: Node) -> Lowered:
    return n.call("torch.cat", n.args[0], dim=n.arg(1, 0))


@lowers("stack.default")
def stack(n: Node) -> Lowered:
    return n.call("torch.stack", n.args[0], dim=n.arg(1, 0))


@lowers("split.Tensor", "split_with_sizes.default")
def split(n: Node) -> Lowered:
    """Parts, of which those that are not read are no results of a call of their own."""
    dim = n.arg(2, 0)
    parts: list[SSAValue] = []
    start = 0
    whole = [slice(None)] * (dim % len(n.shape(n.x)))
    for type in n.types:
        size = (static_shape_of(type) or ())[dim]
        index = [*whole, slice(start or None, start + size)]
        parts.append(n.call("operator.getitem", n.x, index, type=type))
        start += size
    return parts


@lowers("flip.default")
def flip(n: Node) -> Lowered:
    return n.call("torch.flip", n.x, n.args[1])


@lowers("tril.default", "triu.default")
def triangle(n: Node) -> Lowered:
    return n.call(f"torch.{n.name.partition('.')[0]}", n.x, n.arg(1, 0))


@lowers("constant_pad_nd.default")
def pad(n: Node) -> Lowered:
    value = n.arg(2, 0)
    return n.call("F.pad", n.x, n.args[1], **({"value": value} if value else {}))
