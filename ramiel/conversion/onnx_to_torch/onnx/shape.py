"""Operators on shapes: they compute no elements, but view, move or fill them."""

from __future__ import annotations

from functools import partial

from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.types import static_shape_of


@lowers("Reshape", 5)
def reshape(n: Node) -> Lowered:
    shape = n.integers(1)
    if shape is None:
        return n.call("ops.reshape", n[0], n[1], *_allow_zero(n))
    return reshaped(n, shape)


def reshaped(n: Node, shape: list[int]) -> Lowered:
    """The input reshaped; without `allowzero`, a 0 in `shape` copies the input's dimension."""
    copies = 0 in shape and not n.integer("allowzero", 0)
    if copies:
        given = n.shape(0)
        known = [
            given[i] if d == 0 and given and i < len(given) else d for i, d in enumerate(shape)
        ]
        if known.count(None) + shape.count(-1) > 1 or 0 in known:
            return n.call("ops.reshape", n[0], shape)
        shape = [-1 if d is None else d for d in known]
    return n.call("Tensor.reshape", n[0], *(shape or [[]]))


def _allow_zero(n: Node) -> list[object]:
    return [True] if n.integer("allowzero", 0) else []


@lowers("Flatten")
def flatten(n: Node) -> Lowered:
    axis, rank = n.integer("axis", 1), n.rank(0)
    if rank is not None and rank >= 2 and axis % rank == 1:
        return n.call("torch.flatten", n[0], 1)
    return n.call("ops.flatten", n[0], axis)


@lowers("Transpose")
def transpose(n: Node) -> Lowered:
    perm = n.integer_list("perm")
    if perm is None:
        rank = n.rank(0)
        if rank is None:
            return n.call("ops.transpose", n[0])
        perm = list(range(rank))[::-1]
    return n.call("Tensor.permute", n[0], *perm) if perm else n[0]


def _axes(n: Node, as_input: bool) -> object:
    """The axes: a list if they are known, else a value; None if not given."""
    if not as_input:
        return n.integer_list("axes")
    if not n.given(1):
        return None
    known = n.integers(1)
    return n[1] if known is None else known


def _squeeze(as_input: bool, n: Node) -> Lowered:
    axes = _axes(n, as_input)
    if axes is None:
        return n.call("torch.squeeze", n[0])
    if not isinstance(axes, list):
        return n.call("ops.squeeze", n[0], axes)
    return n.call("Tensor.squeeze", n[0], axes[0] if len(axes) == 1 else axes)


def _unsqueeze(as_input: bool, n: Node) -> Lowered:
    axes = _axes(n, as_input)
    if isinstance(axes, list) and len(axes) == 1:
        return n.call("Tensor.unsqueeze", n[0], axes[0])
    return n.call("ops.unsqueeze", n[0], axes)


for _since, _as_input in ((1, False), (13, True)):
    lowers("Squeeze", _since)(partial(_squeeze, _as_input))
    lowers("Unsqueeze", _since)(partial(_unsqueeze, _as_input))


@lowers("Concat", 4)
def concat(n: Node) -> Lowered:
    if len(n) == 1:
        return n[0]
    return n.call("torch.cat", n.inputs(), dim=n.integer("axis"))


def _split(as_input: bool, n: Node) -> Lowered:
    if len(n.op.results) == 1:
        return n[0]
    axis = n.integer("axis", 0)
    sizes: object = n.integer_list("split")
    if as_input and n.given(1):
        known = n.integers(1)
        if known is None:
            return n.calls("ops.split", n[0], n[1], axis)
        sizes = known
    if sizes is None:
        shape, count = n.shape(0), len(n.op.results)
        whole = None if shape is None else shape[axis]
        if whole is None:
            return n.calls("ops.split", n[0], count, axis)
        part = -(-whole // count)
        sizes = [max(0, min(part, whole - i * part)) for i in range(count)]
    return n.calls("torch.split", n[0], sizes, dim=axis)


lowers("Split", 2)(partial(_split, False))
lowers("Split", 13)(partial(_split, True))


@lowers("Expand", 8)
def expand(n: Node) -> Lowered:
    shape = static_shape_of(n.result_type())
    if n.is_constant(1) and shape is not None:
        return n.call("Tensor.expand", n[0], *shape) if shape else n[0]
    return n.call("ops.expand", n[0], n[1] if n.integers(1) is None else n.integers(1))


@lowers("Tile", 6)
def tile(n: Node) -> Lowered:
    repeats = n.integers(1)
    return n.call("ops.tile", n[0], n[1] if repeats is None else repeats)


@lowers("Shape")
def shape(n: Node) -> Lowered:
    start, end = n.integer("start", 0), n.attribute("end")
    if start == 0 and end is None:
        return n.call("ops.shape", n[0])
    return n.call("ops.shape", n[0], start, end)


@lowers("Size")
def size(n: Node) -> Lowered:
    return n.call("ops.size", n[0])


@lowers("ConstantOfShape", 9)
def constant_of_shape(n: Node) -> Lowered:
    value = n.attribute("value")
    fill = 0.0 if value is None else value.reshape(-1)[0].item()  # pyright: ignore
    dtype = n.dtype(n.result_type())
    shape = n.integers(0)
    if shape is None:
        return n.call("ops.constant_of_shape", n[0], fill, dtype=dtype)
    return n.call("torch.full", shape, fill, dtype=dtype)


@lowers("Range", 11)
def range_(n: Node) -> Lowered:
    return n.call("ops.range", n[0], n[1], n[2])


@lowers("DepthToSpace")
def depth_to_space(n: Node) -> Lowered:
    if n.text("mode", "DCR") == "CRD":
        return n.call("F.pixel_shuffle", n[0], n.integer("blocksize"))
    return n.call("ops.depth_to_space", n[0], n.integer("blocksize"))


@lowers("SpaceToDepth")
def space_to_depth(n: Node) -> Lowered:
    if n.text("mode", "DCR") == "CRD":
        return n.call("F.pixel_unshuffle", n[0], n.integer("blocksize"))
    return n.call("ops.space_to_depth", n[0], n.integer("blocksize"))


def _pad(as_input: bool, n: Node) -> Lowered:
    pads: object = n.integer_list("pads")
    value: object = n.number("value", 0.0)
    axes: object = None
    if as_input:
        known = n.integers(1)
        pads = n[1] if known is None else known
        number = n.scalar(2)
        value = 0.0 if not n.given(2) else n[2] if number is None else number
        if n.given(3):
            known = n.integers(3)
            axes = n[3] if known is None else known
    return padded(n, pads, value, axes)


def padded(n: Node, pads: object, value: object, axes: object) -> Lowered:
    """The input padded; each argument is a Python number or list, or a value if it is computed."""
    mode, rank = n.text("mode", "constant"), n.rank(0)
    if isinstance(axes, list) and isinstance(pads, list) and rank is not None:
        pads, axes = _spread(pads, axes, rank), None
    plain = isinstance(pads, list) and axes is None and mode == "constant"
    if not plain or not isinstance(value, int | float):
        options: dict[str, object] = {} if mode == "constant" else {"mode": mode}
        if value != 0.0 if isinstance(value, float) else True:
            options["value"] = value
        if axes is not None:
            options["axes"] = axes
        return n.call("ops.pad", n[0], pads, **options)
    assert isinstance(pads, list)
    half = len(pads) // 2
    pairs = [(pads[i], pads[half + i]) for i in range(half)]
    while pairs and pairs[0] == (0, 0):
        pairs.pop(0)
    if not pairs:
        return n[0]
    flat = [side for pair in reversed(pairs) for side in pair]
    if not n.is_float():
        value = int(value)
    return n.call("F.pad", n[0], flat, **({"value": value} if value else {}))


def _spread(pads: list[int], axes: list[int], rank: int) -> list[int]:
    """The paddings of the given axes as paddings of all axes."""
    spread = [0] * (2 * rank)
    for i, axis in enumerate(axes):
        spread[axis % rank] = pads[i]
        spread[rank + axis % rank] = pads[len(axes) + i]
    return spread


lowers("Pad", 2)(partial(_pad, False))
pad = lowers("Pad", 11)(partial(_pad, True))


@lowers("EyeLike", 9)
def eye_like(n: Node) -> Lowered:
    return n.call("ops.eye_like", n[0], n.integer("k", 0), n.dtype(n.result_type()))


@lowers("Trilu", 14)
def trilu(n: Node) -> Lowered:
    k = n.scalar(1) if n.given(1) else 0
    if k is None:
        return n.call("ops.trilu", n[0], n[1], bool(n.integer("upper", 1)))
    return n.call("torch.triu" if n.integer("upper", 1) else "torch.tril", n[0], k)
