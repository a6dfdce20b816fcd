"""Makes a case that fails smaller, where Hypothesis has not drawn it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import onnx
from models import Case
from onnx import helper, shape_inference

Fails = Callable[[Case], bool]


def reduced(case: Case, fails: Fails) -> Case:
    """The case with one output, the first that fails, and what that needs; or else the case."""
    model = shape_inference.infer_shapes(case.model)
    known = {v.name: v for v in (*model.graph.value_info, *model.graph.output)}
    for node in case.model.graph.node:
        for name in node.output:
            if name not in known:
                continue
            smaller = replace(case, model=only(case.model, known[name]))
            if fails(smaller):
                return smaller
    return case


def only(model: onnx.ModelProto, output: onnx.ValueInfoProto) -> onnx.ModelProto:
    """The model with one output, without the nodes and constants that it does not need."""
    needed = {output.name}
    nodes: list[onnx.NodeProto] = []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            nodes.insert(0, node)
            needed.update(_read([node]))
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.graph.node[:], made.graph.output[:], made.graph.initializer[:]
    made.graph.node.extend(nodes)
    made.graph.output.append(helper.make_value_info(output.name, output.type))
    made.graph.initializer.extend(t for t in model.graph.initializer if t.name in needed)
    return made


def _read(nodes: Iterable[onnx.NodeProto]) -> set[str]:
    """The names that nodes read, those in their bodies included."""
    names: set[str] = set()
    for node in nodes:
        names.update(node.input)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                names |= _read(attribute.g.node) | {o.name for o in attribute.g.output}
    return names
