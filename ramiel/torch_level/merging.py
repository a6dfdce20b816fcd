"""Operator merge: replaces several convolutions of one value by one convolution and a split.

Source: Ding et al., "IOS: Inter-Operator Scheduler for CNN Acceleration", arXiv 2011.01302,
section 3, on operator merge. Kernels are stacked along the output channels; smaller kernels are
padded with zeros, and the padding grows accordingly, so that outputs keep their positions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, DenseArrayBase, DictionaryAttr, FloatAttr
from xdsl.ir import Attribute, SSAValue

from ramiel.analysis.gpu import LAUNCH
from ramiel.analysis.static_cost import static_cost
from ramiel.dialects.cluster.attributes import COST, SHARE, WIDE_COST
from ramiel.dialects.onnx.attributes import Array, TensorRef, WeightAttr
from ramiel.dialects.onnx.types import element_of, shape_of, tensor_type
from ramiel.dialects.onnx.weights import FreshNames
from ramiel.dialects.torch import LayerOp, TorchOperation
from ramiel.dialects.torch.literals import python_literal, scalar
from ramiel.torch_level.work import work_of

DIMS = {"Conv1d": 1, "Conv2d": 2, "Conv3d": 3}
"""The layers that can be merged, and the number of spatial dimensions of their kernels."""


_DEFAULTS = {"stride": 1, "padding": 0, "dilation": 1}
"""The options that a mergeable convolution may have, and their defaults."""


@dataclass(frozen=True)
class _Geometry:
    """A convolution's window. Tuples have an entry for each spatial dimension."""

    layer: str
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    kernel: tuple[int, ...]
    channels: int
    """The number of output channels."""
    input: SSAValue
    activation: Attribute | None

    @property
    def offset(self) -> tuple[int, ...]:
        """Twice the distance from the centre of the first window to the input's first element.

        Twice, as the centre may lie between two elements. A kernel of size k, dilated by d, spans
        d * (k - 1) + 1 elements. A window that grows equally on both sides keeps its centre.
        """
        sides = zip(self.padding, self.dilation, self.kernel, strict=True)
        return tuple(2 * p - d * (k - 1) for p, d, k in sides)

    @property
    def parity(self) -> tuple[int, ...]:
        return tuple(k % 2 for k in self.kernel)


_SAME: Mapping[str, str] = {
    "input": "read different values",
    "layer": "are different layers",
    "activation": "have different activations",
    "stride": "have different strides",
    "dilation": "have different dilations",
    "parity": "have kernels of even and of odd size",
    "offset": "have windows with different centres",
}
"""The properties that mergeable convolutions share, and the message for a difference in each."""


def mergeable_sets(function: func.FuncOp) -> list[tuple[LayerOp, ...]]:
    """The maximal sets of convolutions that `merged_layer` accepts, in program order.

    Each convolution is in at most one. O(operations).
    """
    families: dict[tuple[object, ...], list[LayerOp]] = {}
    for op in function.body.block.ops:
        if isinstance(op, LayerOp) and not isinstance(geometry := _geometry(op), str):
            families.setdefault(_family(geometry), []).append(op)
    return [tuple(family) for family in families.values() if len(family) > 1]


def merged_layer(ops: Sequence[LayerOp], names: FreshNames | None = None) -> LayerOp:
    """A convolution that computes the results of several, concatenated along the channels.

    It is in no block and has no attributes. Its weights are computed lazily; their names come from
    `names`, which may be omitted if names do not matter. Raises ValueError, with the reason, for
    operations that cannot be merged.
    """
    if len(ops) < 2:
        raise ValueError("two or more convolutions are needed")
    geometries = [_checked(op) for op in ops]
    first = geometries[0]
    for op, other in zip(ops, geometries, strict=True):
        for part, difference in _SAME.items():
            if getattr(first, part) != getattr(other, part):
                raise ValueError(f"{ops[0].title} and {op.title} {difference}")
    kernel = tuple(max(sizes) for sizes in zip(*(g.kernel for g in geometries), strict=True))
    # The padding follows from the common offset and the size of the largest kernel.
    padding = [
        (offset + dilation * (size - 1)) // 2
        for offset, dilation, size in zip(first.offset, first.dilation, kernel, strict=True)
    ]
    options = {"stride": first.stride, "padding": padding, "dilation": first.dilation}
    channels = sum(g.channels for g in geometries)
    x = ops[0].operands[0]
    shape = shape_of(ops[0].results[0].type)
    result = None if shape is None else [shape[0], channels, *shape[2:]]
    merged = LayerOp.of(
        first.layer,
        [x],
        _merged_weights(ops, geometries, kernel, names or FreshNames()),
        {k: scalar(list(v)) for k, v in options.items() if set(v) != {_DEFAULTS[k]}},
        [tensor_type(_element(ops[0].results[0].type), result)],
    )
    if first.activation is not None:
        merged.properties["config"] = DictionaryAttr(
            {**merged.config, "activation": first.activation}
        )
    return merged


def channels_of(op: LayerOp) -> int:
    """The number of output channels of a convolution."""
    return op.weight_shape[0]


def costs_of_merged(ops: Sequence[LayerOp], new: TorchOperation) -> list[float]:
    """The cost in µs of an operation that replaces convolutions, by number of threads.

    It is the sum of the costs written on them, times the ratio of the static costs after and before
    merging; a view gets no faster on more threads. Empty if they have no costs. On a device it is
    one launch, and their work on the part of the device that they fill together.
    """
    if shares := _shares(ops):
        return [_cost_on_device(ops, shares) if isinstance(new, LayerOp) else 0.0]
    rows = [_costs(op) for op in ops]
    if not rows[0] or len({len(row) for row in rows}) != 1:
        return []
    totals = [sum(column) for column in zip(*rows, strict=True)]
    if not isinstance(new, LayerOp):
        totals = [totals[0]] * len(totals)
    factor = static_cost(work_of(new)) / sum(static_cost(work_of(op)) for op in ops)
    return [round(total * factor, 1) for total in totals]


def share_of_merged(ops: Sequence[LayerOp], new: TorchOperation) -> float | None:
    """The part of a device that an operation fills that replaces convolutions; None on the CPU."""
    shares = _shares(ops)
    if not shares:
        return None
    cost = _cost_on_device(ops, shares)
    return round(_work(ops, shares) / cost, 4) if isinstance(new, LayerOp) and cost else 0.0


def _shares(ops: Sequence[LayerOp]) -> list[float]:
    """The parts of a device that operations fill; empty unless each has one."""
    found = [op.attributes.get(SHARE) for op in ops]
    shares = [x.value.data for x in found if isinstance(x, FloatAttr)]
    return shares if len(shares) == len(found) and all(map(_costs, ops)) else []


def _work(ops: Sequence[LayerOp], shares: Sequence[float]) -> float:
    """µs if each filled the whole device."""
    return sum(_costs(op)[0] * share for op, share in zip(ops, shares, strict=True))


def _cost_on_device(ops: Sequence[LayerOp], shares: Sequence[float]) -> float:
    """While it is launched, an operation leaves the device to others: its share is that of the
    rest of the time, over all of it."""
    costs = [_costs(op)[0] for op in ops]
    filled = sum(
        min(1.0, cost * share / max(cost - LAUNCH, cost * share))
        for cost, share in zip(costs, shares, strict=True)
        if cost * share > 0
    )
    work = _work(ops, shares)
    return round(min(costs[0], LAUNCH) + (work / min(1.0, filled) if work else 0.0), 2)


def _costs(op: LayerOp) -> list[float]:
    one, wide = op.attributes.get(COST), op.attributes.get(WIDE_COST)
    if not isinstance(one, FloatAttr):
        return []
    more = cast("Sequence[float]", wide.get_values()) if isinstance(wide, DenseArrayBase) else ()
    return [one.value.data, *more]


def _family(geometry: _Geometry) -> tuple[object, ...]:
    return tuple(getattr(geometry, part) for part in _SAME)


def _checked(op: LayerOp) -> _Geometry:
    geometry = _geometry(op)
    if isinstance(geometry, str):
        raise ValueError(f"{op.title} {geometry}")
    return geometry


def _geometry(op: LayerOp) -> _Geometry | str:
    """The window of an operation, or why it cannot be merged with any other operation."""
    dims = DIMS.get(op.layer)
    if dims is None:
        return "is not a convolution"
    shape = op.weight_shape
    if len(shape) != dims + 2 or element_of(op.results[0].type) is None:
        return "has a kernel or a result of unknown shape"
    if len(op.operands) > 1:
        return "adds another value"
    options = {
        name: _integers(value, dims)
        for name, value in op.config.items()
        if name not in ("activation", "kernel")
    }
    if options.pop("groups", (1,) * dims) != (1,) * dims:
        return "is a grouped convolution"
    if not options.keys() <= _DEFAULTS.keys() or any(len(v) != dims for v in options.values()):
        return "has options that do not fit its kernel"
    stride, padding, dilation = (
        options.get(name, (default,) * dims) for name, default in _DEFAULTS.items()
    )
    window = (stride, padding, dilation, shape[2:], shape[0])
    return _Geometry(op.layer, *window, op.operands[0], op.config.get("activation"))


def _integers(attribute: Attribute, dims: int) -> tuple[int, ...]:
    """An option of a convolution, which may be one number for all dimensions."""
    values = list(attribute) if isinstance(attribute, ArrayAttr) else [attribute] * dims
    return tuple(v for v in map(python_literal, values) if isinstance(v, int))


def _element(type: Attribute) -> Attribute:
    element = element_of(type)
    assert element is not None, "unknown types are refused before"
    return element


def _merged_weights(
    ops: Sequence[LayerOp],
    geometries: Sequence[_Geometry],
    kernel: tuple[int, ...],
    names: FreshNames,
) -> dict[str, WeightAttr]:
    sources = [op.weights["weight"] for op in ops]
    type = sources[0].data.type
    assert type is not None, "kernels have known shapes"
    channels = sum(g.channels for g in geometries)

    def weight() -> Array:
        grown = zip(sources, geometries, strict=True)
        return np.concatenate([_grow(s.array(), g.kernel, kernel) for s, g in grown])

    def bias() -> Array:
        return np.concatenate(list(_biases(ops)))

    shape = [channels, ops[0].weight_shape[1], *kernel]
    parts = [("weight", weight, shape)]
    if any("bias" in op.weights for op in ops):
        parts.append(("bias", bias, [channels]))
    base = sources[0].data.name.removesuffix(".weight")
    return {
        part: WeightAttr(
            TensorRef(
                names.fresh(f"{base}.merged.{part}"), load, tensor_type(_element(type), sizes)
            )
        )
        for part, load, sizes in parts
    }


def _grow(array: Array, kernel: Sequence[int], size: Sequence[int]) -> Array:
    """Kernels [out, in, kernel...], zero-padded to a larger size."""
    sides = [(s - k) // 2 for k, s in zip(kernel, size, strict=True)]
    return np.pad(array, [(0, 0), (0, 0), *((n, n) for n in sides)])


def _biases(ops: Iterable[LayerOp]) -> Iterable[Array]:
    """The biases of convolutions, zeros for those without one."""
    for op in ops:
        if (bias := op.weights.get("bias")) is not None:
            yield bias.array()
        else:
            yield np.zeros(channels_of(op), op.weights["weight"].array().dtype)
