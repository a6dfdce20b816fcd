"""A layered drawing of a task graph, top to bottom.

Source: Sugiyama, Tagawa & Toda, "Methods for Visual Understanding of Hierarchical System
Structures", IEEE Trans. SMC 11(2), 1981: layers, barycentre sweeps, routes through dummies. Here
all long edges of a task share one chain of dummies. The coordinates in a layer are the
least-squares ones, by isotonic regression (pool adjacent violators).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ramiel.analysis.task_graph import TaskGraph

NODE_WIDTH, NODE_HEIGHT = 168.0, 24.0
_DUMMY_WIDTH = 6.0
_GAP = 14.0
_LAYER = 48.0
_SWEEPS = 12

Point = tuple[float, float]


@dataclass(frozen=True)
class Drawing:
    """Centres of the nodes and routes of the edges, in px, in the graph's order."""

    width: float
    height: float
    nodes: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]
    layers: tuple[tuple[int, ...], ...]
    """The tasks of each layer, from left to right."""


def draw(graph: TaskGraph) -> Drawing:
    """Draws a graph: a task's layer is the longest path to it, in edges.

    O(sweeps * D log D), where D is tasks and edges plus the layers that the longest edge of
    each task spans.
    """
    count = len(graph)
    depth = [0] * count
    for task, producers in enumerate(graph.predecessors):
        depth[task] = max((depth[p] + 1 for p in producers), default=0)
    layers: list[list[int]] = [[] for _ in range(max(depth, default=-1) + 1)]
    for task in range(count):
        layers[depth[task]].append(task)

    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    chains: list[list[int]] = []
    for task in range(count):
        chain = [task]
        last = max((depth[c] for c in graph.successors[task]), default=0)
        for layer in range(depth[task] + 1, last):
            dummy = len(above)
            above.append([chain[-1]])
            below.append([])
            below[chain[-1]].append(dummy)
            layers[layer].append(dummy)
            chain.append(dummy)
        chains.append(chain)
        for consumer in graph.successors[task]:
            nearest = chain[depth[consumer] - depth[task] - 1]
            below[nearest].append(consumer)
            above[consumer].append(nearest)

    _order(layers, above, below)
    x = _coordinates(layers, above, below, count)
    left = min((v - _width(i, count) / 2 for i, v in enumerate(x)), default=0.0) - _GAP
    right = max((v + _width(i, count) / 2 for i, v in enumerate(x)), default=0.0) + _GAP
    y = [_LAYER * (layer + 0.5) for layer in range(len(layers))]
    nodes = tuple((x[task] - left, y[depth[task]]) for task in range(count))
    routes: list[tuple[Point, ...]] = []
    for producer, consumer in graph.edges:
        inner = chains[producer][1 : depth[consumer] - depth[producer]]
        bends = [(x[d] - left, y[depth[producer] + 1 + k]) for k, d in enumerate(inner)]
        routes.append(_route(nodes[producer], bends, nodes[consumer]))
    return Drawing(
        right - left,
        _LAYER * len(layers),
        nodes,
        tuple(routes),
        tuple(tuple(v for v in layer if v < count) for layer in layers),
    )


def _width(vertex: int, count: int) -> float:
    return NODE_WIDTH if vertex < count else _DUMMY_WIDTH


def _order(
    layers: list[list[int]], above: Sequence[Sequence[int]], below: Sequence[Sequence[int]]
) -> None:
    """Orders each layer by the mean place of its neighbours in the layer before, back and forth."""
    place = [0.0] * len(above)

    def number(layer: Sequence[int]) -> None:
        middle = (len(layer) - 1) / 2
        for i, vertex in enumerate(layer):
            place[vertex] = i - middle

    for layer in layers:
        number(layer)
    for sweep in range(_SWEEPS):
        neighbours = below if sweep % 2 else above
        for layer in reversed(layers) if sweep % 2 else layers:
            layer.sort(key=lambda v: _mean([place[n] for n in neighbours[v]], place[v]))
            number(layer)


def _coordinates(
    layers: Sequence[Sequence[int]],
    above: Sequence[Sequence[int]],
    below: Sequence[Sequence[int]],
    count: int,
) -> list[float]:
    """Puts each vertex as near to the middle of its neighbours as its layer's order allows."""
    x = [0.0] * len(above)
    offsets: list[list[float]] = []
    for layer in layers:
        at, row = 0.0, list[float]()
        for vertex in layer:
            half = _width(vertex, count) / 2
            row.append(at + half)
            at += 2 * half + _GAP
        offsets.append(row)
        for vertex, value in zip(layer, row, strict=True):
            x[vertex] = value - at / 2
    for sweep in range(_SWEEPS):
        neighbours = below if sweep % 2 else above
        order = range(len(layers) - 1, -1, -1) if sweep % 2 else range(len(layers))
        for k in order:
            wanted = [_mean([x[n] for n in neighbours[v]], x[v]) for v in layers[k]]
            for vertex, value in zip(layers[k], _spread(wanted, offsets[k]), strict=True):
                x[vertex] = value
    return x


def _spread(wanted: Sequence[float], offsets: Sequence[float]) -> list[float]:
    """The places nearest to the wanted ones that are at least as far apart as the offsets."""
    blocks: list[tuple[float, int]] = []  # (mean, members), less the offset
    for value, offset in zip(wanted, offsets, strict=True):
        mean, members = value - offset, 1
        while blocks and blocks[-1][0] > mean:
            before, more = blocks.pop()
            mean = (mean * members + before * more) / (members + more)
            members += more
        blocks.append((mean, members))
    means = [mean for mean, members in blocks for _ in range(members)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _route(start: Point, bends: Sequence[Point], end: Point) -> tuple[Point, ...]:
    """From the bottom of one node to the top of another, without bends on a straight line."""
    points = [
        (start[0], start[1] + NODE_HEIGHT / 2),
        *bends,
        (end[0], end[1] - NODE_HEIGHT / 2),
    ]
    kept = [
        here
        for before, here, after in zip(points, points[1:], points[2:], strict=False)
        if abs(before[0] - here[0]) > 0.5 or abs(after[0] - here[0]) > 0.5
    ]
    return (points[0], *kept, points[-1])
