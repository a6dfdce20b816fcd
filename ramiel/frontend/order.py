"""The order of a graph's nodes."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence

import onnx

from ramiel.errors import CompileError, shorten


def topological_order(
    nodes: Sequence[onnx.NodeProto], defined: Collection[str]
) -> Iterable[onnx.NodeProto]:
    """The nodes in a topological order: the given order if it is one already.

    ONNX requires a topological order, but there are files without it and other runtimes accept
    them. Raises CompileError for a cycle and for an undefined input.
    """
    known = set(defined)
    ordered = True
    needs = [_needs(node) for node in nodes]
    for node, names in zip(nodes, needs, strict=True):
        if not known.issuperset(names):
            ordered = False
            break
        known.update(node.output)
    return nodes if ordered else _sorted(nodes, needs, set(defined))


def _needs(node: onnx.NodeProto) -> set[str]:
    """The names that a node reads, including those that its subgraphs capture."""
    names = {n for n in node.input if n}
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            names |= _captured(attribute.g)
    return names


def _captured(graph: onnx.GraphProto) -> set[str]:
    own = {i.name for i in graph.input} | {t.name for t in graph.initializer}
    own |= {t.values.name for t in graph.sparse_initializer}
    own |= {name for node in graph.node for name in node.output}
    read = {name for node in graph.node for name in _needs(node)}
    read |= {o.name for o in graph.output}
    return read - own


def _sorted(
    nodes: Sequence[onnx.NodeProto], needs: list[set[str]], defined: set[str]
) -> list[onnx.NodeProto]:
    producer = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    users: list[list[int]] = [[] for _ in nodes]
    waiting = [0] * len(nodes)
    for i, names in enumerate(needs):
        for name in names - defined:
            if name not in producer:
                raise CompileError(
                    f'{_title(nodes[i])}: its input "{shorten(name)}" is not defined'
                )
            users[producer[name]].append(i)
            waiting[i] += 1
    ready = deque(i for i, count in enumerate(waiting) if not count)
    order: list[onnx.NodeProto] = []
    while ready:
        i = ready.popleft()
        order.append(nodes[i])
        for user in users[i]:
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    if len(order) < len(nodes):
        stuck = next(i for i, count in enumerate(waiting) if count)
        raise CompileError(f"{_title(nodes[stuck])} is part of a cycle or depends on one")
    return order


def _title(node: onnx.NodeProto) -> str:
    name = node.name or (node.output[0] if node.output else "?")
    return f'node "{shorten(name)}" ({shorten(node.op_type)})'
