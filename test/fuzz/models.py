"""Random models with inputs, and options to compile them with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import control_flow
import families
import onnx
import shapes
from builder import NAME_STYLES, OPSETS, Array, Chooser, Graph, Names, Value, model_of, type_of
from families import Family
from hypothesis import strategies as st
from onnx import helper

ELEMENTWISE: list[Family] = [
    families.unary,
    families.guarded,
    families.binary,
    families.integer_arithmetic,
    families.comparison,
    families.logic,
    families.where,
    families.clip,
    families.cast,
]
MATH: list[Family] = [
    families.matmul,
    families.gemm,
    families.conv,
    families.pool,
    families.normalization,
    families.layer_norm_by_hand,
    families.softmax,
    families.reduction,
    families.ranking,
]
SHAPES: list[Family] = [
    shapes.reshape,
    shapes.transpose,
    shapes.slice_,
    shapes.gather,
    shapes.concat,
    shapes.split,
    shapes.expand,
    shapes.squeeze_or_unsqueeze,
    shapes.pad,
    shapes.sizes,
    shapes.scatter,
    shapes.resize,
    shapes.depth_to_space,
]
CONTROL: list[Family] = [control_flow.if_, control_flow.loop, control_flow.scan]
FAMILIES = [*ELEMENTWISE, *MATH, *SHAPES, *CONTROL]

INPUTS = (
    ("float32", (2, 4, 6, 6)),
    ("float32", (2, 3, 5)),
    ("float32", (2, 6)),
    ("float32", (6,)),
    ("float32", ()),
    ("float32", (1, 2, 4, 4)),
    ("float64", (2, 3)),
    ("int64", (2, 3)),
    ("int32", (2, 1, 4)),
    ("bool", (2, 3)),
    ("bool", ()),
    ("int64", ()),
)
SCHEDULES = ("auto", "serial", "linear", "list", "dsc", "greedy", "ios")


@dataclass(frozen=True)
class Case:
    """A model, the inputs to run it with, and the options to compile it with."""

    model: onnx.ModelProto
    feed: Mapping[str, Array]
    options: Mapping[str, Any]

    def __repr__(self) -> str:
        arrays = {name: f"{a.dtype.name}{list(a.shape)}" for name, a in self.feed.items()}
        return f"{onnx.printer.to_text(self.model)}\ninputs: {arrays}\noptions: {self.options}"


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """The strategy."""
    return case_of(Chooser(draw))


def case_of(choose: Chooser) -> Case:
    """A case of 3 to 30 draws, most of which add a node or a few."""
    g = Graph(choose, choose.pick(OPSETS), Names(choose.pick(NAME_STYLES)))
    dynamic = choose.flag()
    inputs: list[onnx.ValueInfoProto] = []
    for dtype, shape in choose.some(INPUTS, 1, 4):
        value = Value(g.names.fresh(), g.numbers(shape, dtype))
        g.values.append(value)
        declared = ["batch", *shape[1:]] if dynamic and shape and shape[0] == 2 else shape
        inputs.append(helper.make_value_info(value.name, type_of(value.array, declared)))
    feed = {v.name: v.array for v in g.values}
    some = [choose.pick([ELEMENTWISE, MATH, SHAPES, CONTROL, FAMILIES]) for _ in range(2)]
    for _ in range(choose.integer(3, 30)):
        choose.pick(choose.pick(some))(g)
    outputs = _outputs(g)
    model = model_of(g.nodes, inputs, outputs, g.initializers, g.opset)
    return Case(model, feed, _options(choose))


def _outputs(g: Graph) -> list[onnx.ValueInfoProto]:
    """The last value, and others: inputs and constants too, and one value under two names."""
    chosen = {v.name: v for v in (g.values[-1], *g.choose.some(g.values, 0, 3))}
    if g.choose.chance(4):
        twice = g.add("Identity", [g.choose.pick(list(chosen.values()))])
        chosen |= {v.name: v for v in twice or ()}
    return [
        helper.make_tensor_value_info(
            v.name, helper.np_dtype_to_tensor_dtype(v.array.dtype), [None] * v.rank
        )
        for v in chosen.values()
    ]


def _options(choose: Chooser) -> dict[str, Any]:
    return {
        "workers": choose.integer(1, 3),
        "schedule": choose.pick(SCHEDULES),
        "clone": choose.flag(),
        "provider": choose.pick(["auto", "torch"]),
    }
