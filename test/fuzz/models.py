"""Random models with inputs, and options to compile them with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import defaults
import functions
import onnx
from builder import NAME_STYLES, OPSETS, Graph, Names, Setting, Value
from case import Case
from chooser import Chooser
from hypothesis import strategies as st
from kinds import KINDS, Kind
from onnx import helper
from oracles import model_of, names_read, type_of

SCHEDULES = ("auto", "serial", "linear", "list", "dsc", "greedy", "ios")

MOST_OUTPUTS = 12

CHANGES: dict[str, Callable[[Chooser, Case], Case]] = {
    "functions": functions.with_functions,
    "defaults": defaults.with_defaults,
}
"""Kinds that are made of finished models of the other kinds."""
NAMES = (*KINDS, *CHANGES)


@st.composite
def cases(draw: st.DrawFn, name: str) -> Case:
    """The strategy for a kind."""
    return case_of(Chooser(draw), name)


def case_of(choose: Chooser, name: str) -> Case:
    """A case of a kind, of 3 to 30 draws, most of which add a node or a few."""
    if name in CHANGES:
        plain = case_of(choose, choose.pick(["ordinary", *KINDS]))
        return CHANGES[name](choose, plain)
    kind = KINDS[name]
    g = _graph(choose, kind)
    dynamic = choose.flag()
    inputs: list[onnx.ValueInfoProto] = []
    for dtype, shape in choose.some(kind.inputs, 1, 4):
        arrays = [
            g.numbers([sizes[d] if isinstance(d, str) else d for d in shape], dtype)
            for sizes in kind.sizes
        ]
        value = Value(g.names.fresh(), tuple(arrays))
        g.values.append(value)
        declared = _declared(shape, dynamic, len(kind.sizes) > 1)
        inputs.append(helper.make_value_info(value.name, type_of(value.array, declared)))
    feeds = [{v.name: v.at(i) for v in g.values} for i in range(len(kind.sizes))]
    some = [choose.pick(kind.menus) for _ in range(2)]
    for _ in range(choose.integer(3, 30)):
        choose.pick(choose.pick(some))(g)
    outputs = _outputs(g)
    opsets = [helper.make_opsetid("", g.opset)]
    model = model_of(g.nodes, inputs, outputs, g.initializers, opsets)
    return Case(model, feeds, _options(choose), kind.tolerance, name, choose.chance(4))


def _graph(choose: Chooser, kind: Kind) -> Graph:
    setting = Setting(
        choose,
        choose.pick(OPSETS),
        Names(choose.pick(NAME_STYLES)),
        kind.families(),
        kind.contents,
        kind.floats,
        kind.empty,
        kind.asks_both,
        len(kind.sizes),
    )
    return Graph(setting)


def _declared(shape: Sequence[int | str], dynamic: bool, open_: bool) -> Sequence[int | str | None]:
    """The shape of an input as the model declares it."""
    if open_:
        return shape if dynamic else [None if isinstance(d, str) else d for d in shape]
    return ["batch", *shape[1:]] if dynamic and shape and shape[0] == 2 else shape


def _outputs(g: Graph) -> list[onnx.ValueInfoProto]:
    """The last value, what is disputed, values that no node reads, at times all, and others: inputs
    and constants too, and one value under two names."""
    read = {*names_read(g.nodes)}
    made = [v for v in g.values if any(v.name in n.output for n in g.nodes) and not v.constant]
    unread = [v for v in made if v.name not in read][: g.choose.pick([2, MOST_OUTPUTS])]
    some = [g.values[-1], *g.disputed, *unread, *g.choose.some(g.values, 0, 3)]
    chosen = {v.name: v for v in some}
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
