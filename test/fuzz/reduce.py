"""Makes a case that fails smaller, where Hypothesis has not drawn it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import onnx
from case import Case
from contents import Array
from onnx import helper
from oracles import functions_called, names_read, type_of, values_by_node

Fails = Callable[[Case], bool]

COUNTS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20)
"""Of the last nodes of a case, which on their own may fail as well."""


def reduced(case: Case, fails: Fails) -> Case:
    """A smaller case that fails, too: with one of the feeds; with one output, the first that fails,
    and what that needs; or with a few nodes, whose operands are the inputs."""
    for feed in case.feeds:
        if len(case.feeds) > 1 and fails(smaller := replace(case, feeds=[feed])):
            case = smaller
            break
    values = [values_by_node(case.model, feed) for feed in case.feeds]
    known = [v for v in values if v is not None]
    if len(known) < len(values):
        return case
    case = _first_output(case, known[0], fails)
    for count in COUNTS:
        if count >= len(case.model.graph.node):
            break
        smaller = _last_nodes(case, count, known)
        if fails(smaller):
            return smaller
    return case


def _first_output(case: Case, values: Mapping[str, Array], fails: Fails) -> Case:
    for name in (name for node in case.model.graph.node for name in node.output if name):
        info = helper.make_tensor_value_info(
            name,
            helper.np_dtype_to_tensor_dtype(values[name].dtype),
            [None] * values[name].ndim,
        )
        smaller = replace(case, model=only(case.model, [info]))
        if fails(smaller):
            return smaller
    return case


def only(model: onnx.ModelProto, outputs: Iterable[onnx.ValueInfoProto]) -> onnx.ModelProto:
    """The model with these outputs, without the nodes and constants that they do not need."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    del graph.node[:], graph.output[:], graph.initializer[:]
    graph.output.extend(outputs)
    needed = {o.name for o in graph.output}
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            graph.node.insert(0, node)
            needed.update(names_read([node]))
    called = functions_called(graph.node, model.functions)
    del made.functions[:]
    made.functions.extend(called)
    inputs = {i.name for i in model.graph.input}
    needed |= inputs  # all feeds still fit
    graph.initializer.extend(t for t in model.graph.initializer if t.name in needed)
    return made


def _last_nodes(case: Case, count: int, values: list[dict[str, Array]]) -> Case:
    """The last nodes, and the constants that they read; what else they read is given."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    graph = model.graph
    nodes = [n for n in graph.node if n.op_type != "Constant"][-count:]
    made = {name for node in nodes for name in node.output}
    constants = [n for n in graph.node if n.op_type == "Constant"]
    fixed = {n.output[0] for n in constants} | {t.name for t in graph.initializer}
    declared = {i.name: i for i in graph.input}
    read = [
        n for n in names_read(nodes) if n in values[0] and n not in made | (fixed - {*declared})
    ]
    inputs = [
        declared.get(name) or helper.make_value_info(name, type_of(values[0][name]))
        for name in read
    ]
    del graph.node[:], graph.input[:]
    graph.node.extend([*constants, *nodes])
    graph.input.extend(inputs)
    feeds = [{name: known[name] for name in read} for known in values]
    outputs = [o for o in graph.output if o.name in made] or list(graph.output)
    return replace(case, model=only(model, outputs), feeds=feeds)
