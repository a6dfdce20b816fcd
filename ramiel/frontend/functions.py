"""A model's own functions: which function a node calls, and in which context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import onnx

from ramiel.dialects.onnx.custom_shapes import DEFAULT_DOMAIN, has_rule
from ramiel.dialects.onnx.schemas import schema
from ramiel.errors import CompileError, shorten
from ramiel.frontend.model_file import imported, standard

Opsets = Mapping[str, int]
"""The versions of the imported operator sets, by domain; "" is ai.onnx."""

DEEPEST = 50
"""The greatest depth to which function calls and subgraphs may be nested."""
LARGEST = 200_000
"""The most nodes that a model's functions may expand to: a few functions that each call the next
one twice expand to exponentially many nodes."""


class Functions:
    """The functions of a model.

    A node calls one by its domain, name and overload. If an operator has the same name, the node
    means the operator: ONNX leaves that to the runtime, and ONNX Runtime does so. (ONNX's
    reference does so for the operators that it implements; ONNX's inliner calls the function.)
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        """Raises CompileError if two functions have the same domain, name and overload."""
        self._functions: dict[tuple[str, str, str], onnx.FunctionProto] = {}
        self._expanded = 0
        for function in model.functions:
            key = (standard(function.domain), function.name, function.overload)
            if key in self._functions:
                raise CompileError(f"its function {name_of(function)} is defined twice")
            self._functions[key] = function

    def called(self, node: onnx.NodeProto, opsets: Opsets) -> onnx.FunctionProto | None:
        """The function that a node calls; None if it is an operator of `opsets` or unknown.

        Raises CompileError for an unknown overload.
        """
        domain = standard(node.domain)
        if not node.overload and (not self._functions or _is_operator(domain, node, opsets)):
            return None
        function = self._functions.get((domain, node.op_type, node.overload))
        if function is None and node.overload:
            raise CompileError(f'there is no function with the overload "{shorten(node.overload)}"')
        return function

    def expand(self, nodes: int) -> None:
        """Counts the nodes of a call. Raises CompileError if all calls together have too many."""
        self._expanded += nodes
        if self._expanded > LARGEST:
            raise CompileError(f"its functions expand to more than {LARGEST} nodes")


@dataclass(frozen=True)
class Place:
    """The context of nodes: the model's graph, or a call of a function.

    `caller` is the name of the calling node, which prefixes the names of the function's nodes;
    `calls` are the functions that are being called, outermost first.
    """

    opsets: Opsets
    caller: str = ""
    calls: tuple[str, ...] = ()
    depth: int = 0

    def subgraph(self) -> Place:
        """The context in a subgraph of a node. Raises CompileError if it is nested too deep."""
        if self.depth >= DEEPEST:
            raise CompileError(f"its functions and subgraphs are nested more than {DEEPEST} deep")
        return replace(self, depth=self.depth + 1)

    def function(self, function: onnx.FunctionProto, caller: str) -> Place:
        """The context in a function that node `caller` calls. Raises CompileError if the call is
        nested too deep, or recursive."""
        name = name_of(function)
        calls = (*self.calls, name)
        if name in self.calls:
            circle = " calls ".join(calls[calls.index(name) :])
            raise CompileError(f"its functions are recursive: {shorten(circle, 300)}")
        # Domains that a function does not import have the versions of the calling context.
        opsets = {**self.opsets, **imported(function.opset_import)}
        return replace(self.subgraph(), opsets=opsets, caller=caller, calls=calls)

    def node_name(self, name: str) -> str:
        """A node's name, prefixed by the name of the node that calls its function."""
        return "/".join(part for part in (self.caller, name) if part)


def name_of(function: onnx.FunctionProto) -> str:
    """The name of a function in messages: `local::f`, `local::f (overload "int8")`."""
    name = shorten(f"{function.domain or DEFAULT_DOMAIN}::{function.name}")
    return f'{name} (overload "{shorten(function.overload)}")' if function.overload else name


def _is_operator(domain: str, node: onnx.NodeProto, opsets: Opsets) -> bool:
    if domain in opsets and schema(node.op_type, opsets[domain], domain) is not None:
        return True
    return has_rule(f"{domain or DEFAULT_DOMAIN}::{node.op_type}")


__all__ = ["Functions", "Opsets", "Place", "name_of"]
