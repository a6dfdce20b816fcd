"""A graph in parts: programs, and operators of other libraries that PyTorch calls between them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, cast

from torch import fx, nn
from torch._ops import OpOverload
from torch.fx.passes.split_module import split_module

from ramiel.torch_backend.graph import CompiledGraph

MOST = 64
"""The parts of a graph: one of more runs in PyTorch, as each call of a part takes time."""

Make = Callable[[fx.GraphModule, Sequence[int], int], CompiledGraph]
"""Compiles a part, of the graph's arguments of these numbers, -1 for a value computed before; the
last argument is the number of the part."""


class Parts:
    """A graph whose parts are called in turn, with a list of arguments, which it empties."""

    _boxed_call = True

    def __init__(self, graph: fx.GraphModule) -> None:
        self._graph = graph

    def __call__(self, args: list[Any]) -> Sequence[Any]:
        given = list(args)
        args.clear()
        return self._graph(*given)


class _Part(nn.Module):
    """A compiled part, as a module of the graph of parts."""

    def __init__(self, compiled: CompiledGraph, single: bool) -> None:
        super().__init__()
        self._compiled = compiled
        self._single = single

    def forward(self, *args: Any) -> Any:
        results = self._compiled(list(args))
        return results[0] if self._single else tuple(results)


def in_parts(graph: fx.GraphModule, make: Make) -> Parts | None:
    """A graph split at operators of other libraries; None if it has none, or too many."""
    numbers = _numbers(graph)
    if not 1 < len(set(numbers.values())) <= MOST:
        return None
    whole = split_module(graph, cast(Any, None), numbers.__getitem__, keep_original_order=True)
    places = [node for node in whole.graph.nodes if node.op == "placeholder"]
    for number, node in enumerate(n for n in whole.graph.nodes if n.op == "call_module"):
        part = cast(fx.GraphModule, whole.get_submodule(str(node.target)))
        if any(_is_foreign(inner) for inner in part.graph.nodes):
            continue
        arguments = [places.index(arg) if arg in places else -1 for arg in node.args]
        single = _return_a_tuple(part)
        setattr(whole, str(node.target), _Part(make(part, arguments, number), single))
    return Parts(whole)


def _numbers(graph: fx.GraphModule) -> dict[fx.Node, int]:
    """The part of each node. What is taken of an operator's results goes with the operator."""
    numbers: dict[fx.Node, int] = {}
    number = 0
    for node in graph.graph.nodes:
        if _is_foreign(node):
            numbers[node] = number + 1
            number += 2
        elif node.op == "call_function" and node.target is operator.getitem:
            numbers[node] = numbers[cast(fx.Node, node.args[0])]
        elif node.op == "call_function":
            numbers[node] = number
    return numbers


def _is_foreign(node: fx.Node) -> bool:
    return isinstance(node.target, OpOverload) and node.target.namespace != "aten"


def _return_a_tuple(part: fx.GraphModule) -> bool:
    """Makes a part return a tuple. Whether it returned a single value."""
    output = next(node for node in part.graph.nodes if node.op == "output")
    single = not isinstance(output.args[0], list | tuple)
    if single:
        output.args = ((output.args[0],),)
        part.recompile()
    return single
