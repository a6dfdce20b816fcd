"""Models with local functions: parts of a finished model are moved into functions of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, MutableSequence, Sequence
from dataclasses import replace

import onnx
from case import Case
from chooser import Chooser
from onnx import AttributeProto, helper
from oracles import all_nodes, names_read, run_by_node

DOMAIN = "local"
OPSETS = (11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23)
MOST_NODES = 6

_SIMPLE = (
    AttributeProto.INT,
    AttributeProto.FLOAT,
    AttributeProto.STRING,
    AttributeProto.INTS,
    AttributeProto.FLOATS,
    AttributeProto.TENSOR,
)
"""Types of attributes that a function may have."""


def with_functions(choose: Chooser, case: Case) -> Case:
    """The case with up to four functions, in graphs, bodies and one another. Each step is kept if
    its nodes run in the opsets of the functions."""
    for count in range(choose.integer(1, 4)):
        model = onnx.ModelProto()
        model.CopyFrom(case.model)
        if not model.functions:
            model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
        if _move(choose, model, f"Part{count}") and all(
            run_by_node(model, feed) is not None for feed in case.feeds
        ):
            case = replace(case, model=model)
    kind = case.kind.removeprefix("functions of ")
    return replace(case, kind=f"functions of {kind}")


def _move(choose: Chooser, model: onnx.ModelProto, name: str) -> bool:
    """Moves some nodes that follow each other into a function. Returns whether there were any."""
    places = [place for place in _node_lists(model) if len(place)]
    if not places:
        return False
    nodes = choose.pick(places) if choose.flag() else max(places, key=len)
    start = choose.integer(0, len(nodes) - 1)
    end = min(len(nodes), start + choose.integer(1, MOST_NODES))
    part = [_copy(node) for node in nodes[start:end]]
    made = {n for node in part for n in node.output if n}
    inner = made | {n for node in part for n in _names_of_bodies(node)}
    inputs = [n for n in names_read(part) if n not in inner]
    read = _read_elsewhere(model, part)
    outputs = [n for node in part for n in node.output if n in read]
    if not outputs:
        return False
    function = onnx.FunctionProto(name=name, domain=DOMAIN, input=inputs, output=outputs)
    function.node.extend(part)
    function.opset_import.extend([helper.make_opsetid("", _opset(choose, model, part))])
    _move_constants(choose, model, function)
    given = _refer(choose, function)
    call = helper.make_node(name, list(function.input), outputs, name=f"call_{name}", domain=DOMAIN)
    call.attribute.extend(given)
    if choose.flag():
        _rename(function)
    del nodes[start:end]
    nodes.insert(start, call)
    if choose.chance(3):
        _call_again(choose, [*_node_lists(model), function.node], nodes, start)
    ordered = _ordered([*model.functions, function])
    del model.functions[:]
    model.functions.extend(ordered)
    return True


def _ordered(functions: Sequence[onnx.FunctionProto]) -> list[onnx.FunctionProto]:
    """The functions, each after those that it calls, as ONNX's reference wants them, and importing
    their domain if it calls any."""
    left = {f.name: f for f in functions}
    ordered: list[onnx.FunctionProto] = []

    def visit(function: onnx.FunctionProto) -> None:
        called = [n.op_type for n in all_nodes(function.node) if n.domain == DOMAIN]
        if called and all(o.domain != DOMAIN for o in function.opset_import):
            function.opset_import.append(helper.make_opsetid(DOMAIN, 1))
        for name in called:
            if name in left:
                visit(left.pop(name))
        ordered.append(function)

    while left:
        visit(left.pop(next(iter(left))))
    return ordered


def _node_lists(model: onnx.ModelProto) -> list[MutableSequence[onnx.NodeProto]]:
    """The nodes of the graph, of each function, and of their bodies."""
    found: list[MutableSequence[onnx.NodeProto]] = [
        model.graph.node,
        *(f.node for f in model.functions),
    ]
    for nodes in list(found):
        for node in all_nodes(nodes):
            found += [a.g.node for a in node.attribute if a.HasField("g")]
    return found


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy


def _names_of_bodies(node: onnx.NodeProto) -> Iterable[str]:
    """What is defined in the bodies of a node."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield from (i.name for i in attribute.g.input)
            yield from (t.name for t in attribute.g.initializer)
            for inner in attribute.g.node:
                yield from inner.output
                yield from _names_of_bodies(inner)


def _read_elsewhere(model: onnx.ModelProto, part: Sequence[onnx.NodeProto]) -> set[str]:
    """What nodes that are not of the part read, and what graphs, bodies and functions return."""
    own = {name for node in part for name in node.output if name}
    names = {o.name for o in model.graph.output}
    names.update(*(f.output for f in model.functions))
    for nodes in _node_lists(model):
        for node in nodes:
            if not own.intersection(node.output):
                names.update(node.input)
            names.update(o.name for a in node.attribute if a.HasField("g") for o in a.g.output)
    return names


def _opset(choose: Chooser, model: onnx.ModelProto, part: Sequence[onnx.NodeProto]) -> int:
    """An opset for the function: the model's, or another in which its nodes are the same, or, now
    and then, any, and what they mean then is what others say."""
    own = next(o.version for o in model.opset_import if o.domain == "")
    if choose.chance(3):
        return own
    operators = {node.op_type for node in all_nodes(part) if node.domain == ""}

    def versions(opset: int) -> list[int]:
        try:
            return [onnx.defs.get_schema(op, opset, "").since_version for op in sorted(operators)]
        except onnx.defs.SchemaError:
            return []

    if choose.chance(8):  # ONNX Runtime knows some operators before their opset
        return choose.pick([opset for opset in OPSETS if versions(opset)] or [own])
    same = [opset for opset in OPSETS if versions(opset) == versions(own)]
    return choose.pick(same) if same else own


def _move_constants(choose: Chooser, model: onnx.ModelProto, function: onnx.FunctionProto) -> None:
    """Some of the initializers that the function reads become constants of its own."""
    for tensor in model.graph.initializer:
        if tensor.name in function.input and choose.flag():
            function.input.remove(tensor.name)
            node = helper.make_node("Constant", [], [tensor.name], value=tensor)
            function.node.insert(0, node)


def _refer(choose: Chooser, function: onnx.FunctionProto) -> list[AttributeProto]:
    """Makes some attributes of the nodes attributes of the function; returns those of its call.

    One may have a default, which the call overrides or not."""
    given: list[AttributeProto] = []
    for node in all_nodes(function.node):
        for attribute in node.attribute:
            outer = attribute.ref_attr_name
            if not outer and (attribute.type not in _SIMPLE or not choose.chance(3)):
                continue
            name = f"{attribute.name}_{len(given) + len(function.attribute_proto)}"
            passed = AttributeProto()
            passed.CopyFrom(attribute)
            passed.name = name
            kind = attribute.type
            reference = AttributeProto(name=attribute.name, type=kind, ref_attr_name=name)
            attribute.CopyFrom(reference)
            if outer or not choose.flag():
                function.attribute.append(name)
                given.append(passed)
                continue
            default = AttributeProto()
            default.CopyFrom(passed)
            if choose.flag():
                if default.type == AttributeProto.FLOAT:
                    default.f *= 2
                elif default.type == AttributeProto.INT:
                    default.i = 1 - default.i % 2  # no overflow
                given.append(passed)
            function.attribute_proto.append(default)
    return given


def _rename(function: onnx.FunctionProto) -> None:
    """Gives values the names that those of every other function have as well."""
    names: dict[str, str] = {"": ""}

    def new(name: str) -> str:
        return names.setdefault(name, f"x{len(names)}")

    def each(values: MutableSequence[str]) -> None:
        values[:] = [new(name) for name in values]

    def nodes(some: Iterable[onnx.NodeProto]) -> None:
        for node in some:
            each(node.input)
            each(node.output)
            for graph in (a.g for a in node.attribute if a.HasField("g")):
                for named in (*graph.input, *graph.output, *graph.initializer):
                    named.name = new(named.name)
                nodes(graph.node)

    each(function.input)
    nodes(function.node)
    each(function.output)


def _call_again(
    choose: Chooser,
    all_lists: Iterable[Iterable[onnx.NodeProto]],
    nodes: MutableSequence[onnx.NodeProto],
    at: int,
) -> None:
    """Calls the function once more: what follows in the same place reads the results of either."""
    again = _copy(nodes[at])
    taken = {node.name for each in all_lists for node in each}
    again.name = next(name for i in itertools.count(1) if (name := f"again_{i}") not in taken)
    names = {name: f"{name}_{again.name}" for name in again.output}
    again.output[:] = [names[name] for name in again.output]
    for node in list(nodes)[at + 1 :]:
        node.input[:] = [names.get(n, n) if choose.flag() else n for n in node.input]
    nodes.insert(at + 1, again)
