"""If, Loop and Scan, with bodies of random nodes that read what is outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import onnx
from builder import Graph, Value
from onnx import helper
from oracles import names_read, type_of


def inside(g: Graph) -> Graph:
    return Graph(g.setting, g)


def grow(body: Graph, count: int) -> None:
    for _ in range(count):
        body.choose.pick(body.setting.families)(body)


def proto_of(
    body: Graph, inputs: Iterable[onnx.ValueInfoProto], ends: list[Value]
) -> onnx.GraphProto:
    """The body as a graph whose outputs have no shape: that of one iteration need not be that of
    another."""
    outputs = [helper.make_value_info(v.name, _open(v)) for v in ends]
    return helper.make_graph(body.nodes, "body", list(inputs), outputs, body.initializers)


def _open(v: Value) -> onnx.TypeProto:
    proto = type_of(v.array)
    proto.tensor_type.ClearField("shape")
    return proto


def _declared(v: Value) -> onnx.TypeProto:
    """The type with the dimensions that are of one size in all feeds."""
    sizes = [set(dims) for dims in zip(*(a.shape for a in v.arrays), strict=False)]
    if len({a.ndim for a in v.arrays}) > 1:
        return _open(v)
    return type_of(v.array, [dims.pop() if len(dims) == 1 else None for dims in sizes])


def captured(g: Graph, bodies: Sequence[onnx.GraphProto]) -> list[Value]:
    """The values of the graph that its bodies read, at any depth."""
    names = {o.name for body in bodies for o in body.output}
    names.update(*(names_read(body.node) for body in bodies))
    return [v for v in g.values if v.name in names]


def returned(body: Graph, value: Value) -> Value | None:
    """A value that the body may return: of its own, as ONNX Runtime wants."""
    own = {name for node in body.nodes for name in node.output}
    if value.name in own:
        return value
    made = body.add("Identity", [value])
    return made[0] if made else None


def if_(g: Graph) -> object:
    condition = g.find(lambda v: v.dtype == "bool" and v.array.size == 1 and v.rank <= 1)
    if condition is None or g.choose.chance(4):
        condition = g.constant(np.array(g.choose.flag()))
    then, other = inside(g), inside(g)
    ends: tuple[list[Value], list[Value]] = ([], [])
    for body in (then, other):
        grow(body, g.choose.integer(0, 3))
    for _ in range(g.choose.integer(1, 2)):
        x = then.find(lambda v: True)
        y = x and other.find(lambda v, x=x: v.dtype == x.dtype)
        if x is None or y is None:
            return None
        x, y = returned(then, x), returned(other, y)
        if x is None or y is None:
            return None
        ends[0].append(x)
        ends[1].append(y)
    if any(len({v.name for v in e}) < len(e) for e in ends):
        return None
    bodies = [proto_of(b, [], e) for b, e in zip((then, other), ends, strict=True)]
    attributes = {"then_branch": bodies[0], "else_branch": bodies[1]}
    rounds = not (then.exact and other.exact)
    read = captured(g, bodies)
    return g.add("If", [condition], attributes, len(ends[0]), rounds, read, True)


def loop(g: Graph) -> object:
    count = g.choose.integer(0, 3)
    trips = g.constant(np.array(count, np.int64)) if g.choose.chance(4) else None
    if trips is None and g.choose.flag():
        trips = g.find(
            lambda v: v.dtype == "int64" and v.array.size == 1 and v.rank == 0 and bool(v.array < 5)
        )
    start = g.choose.pick([None, True, True, False])
    states = [
        s for s in (g.find(lambda v: v.kind in "fi") for _ in range(g.choose.integer(1, 2))) if s
    ]
    if not states:
        return None
    body = inside(g)
    step = Value(g.names.fresh(), (np.array(0, np.int64),))
    going = Value(g.names.fresh(), (np.array(True),))
    own = [Value(g.names.fresh(), s.arrays, s.exact and s.kind != "f") for s in states]
    args = [step, going, *own]
    body.values += args
    grow(body, g.choose.integer(0, 4))
    again = _goes_on(body, step, going, endless=trips is None)
    ends = [again] if again else []
    for state in states:
        end = body.find(lambda v, s=state: v.dtype == s.dtype and v.shape == s.shape)
        end = end and returned(body, end)
        ends += [end] if end else []
    if len(ends) != 1 + len(states):
        return None
    for _ in range(g.choose.integer(0, 2)):
        part = body.find(lambda v: v.kind in "fi")
        part = part and returned(body, part)
        ends += [part] if part else []
    if len({v.name for v in ends}) < len(ends):
        return None
    inputs = [helper.make_value_info(v.name, _declared(v)) for v in args]
    proto = proto_of(body, inputs, ends)
    condition = None if start is None else g.constant(np.array(start))
    given = [trips, condition, *states]
    return g.add(
        "Loop", given, {"body": proto}, len(ends) - 1, not body.exact, captured(g, [proto])
    )


def _goes_on(body: Graph, step: Value, going: Value, endless: bool) -> Value | None:
    if endless or body.choose.flag():
        limit = body.constant(np.array(body.choose.integer(0, 3), np.int64))
        made = body.add("Less", [step, limit])
        return made[0] if made else None
    return returned(body, body.constant(np.array(True)) if body.choose.flag() else going)


def scan(g: Graph) -> object:
    xs = g.find(lambda v: v.kind in "fi" and v.rank >= 1 and 0 < v.shape[0] <= 6)
    state = g.find(lambda v: v.kind in "fi")
    if xs is None or state is None:
        return None
    axis = g.choose.integer(0, xs.rank - 1)
    if not all(0 < a.shape[axis] <= 6 for a in xs.arrays):
        return None
    body = inside(g)
    own = Value(g.names.fresh(), state.arrays, state.exact and state.kind != "f")
    row = Value(g.names.fresh(), tuple(a.take(0, axis) for a in xs.arrays), xs.exact)
    body.values += [own, row]
    grow(body, g.choose.integer(1, 4))
    end = body.find(lambda v: v.dtype == state.dtype and v.shape == state.shape)
    part = body.find(lambda v: v.kind in "fi" and v.array.size > 0)
    end, part = end and returned(body, end), part and returned(body, part)
    if end is None or part is None or end.name == part.name:
        return None
    inputs = [helper.make_value_info(v.name, _declared(v)) for v in (own, row)]
    proto = proto_of(body, inputs, [end, part])
    attributes = {"body": proto, "num_scan_inputs": 1, "scan_input_axes": [axis]}
    if g.choose.flag():
        attributes["scan_input_directions"] = [g.choose.integer(0, 1)]
        attributes["scan_output_directions"] = [g.choose.integer(0, 1)]
    if part.rank and g.choose.flag():
        attributes["scan_output_axes"] = [g.choose.integer(0, part.rank)]
    return g.add("Scan", [state, xs], attributes, 2, not body.exact, captured(g, [proto]))
