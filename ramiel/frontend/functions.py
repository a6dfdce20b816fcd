"""A model's own functions: which of them a node calls, and in what surroundings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import onnx

from ramiel.dialects.onnx.custom_shapes import DEFAULT_DOMAIN, has_rule
from ramiel.dialects.onnx.schemas import schema
from ramiel.errors import CompileError, shorten
from ramiel.frontend.model_file import imported, standard

Opsets = Mapping[str, int]
"""The versions of operator sets that are imported, by domain; ai.onnx is the empty one."""

DEEPEST = 50
"""How deep calls of functions and subgraphs may be nested in each other."""
LARGEST = 200_000
"""The most nodes that a model's functions may expand to: f calls g twice, g calls h twice, and so
on, is a few lines that stand for more than any memory holds."""


class Functions:
    """The functions of a model.

    A node calls one by its domain, name and overload. Where an operator has the same name, the
    node means the operator: ONNX leaves that to the runtime, and ONNX Runtime has it so. (ONNX's
    reference has it so for the operators that it knows, ONNX's inliner calls the function.)
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        """Raises CompileError if two functions are called the same."""
        self._functions: dict[tuple[str, str, str], onnx.FunctionProto] = {}
        self._expanded = 0
        for function in model.functions:
            key = (standard(function.domain), function.name, function.overload)
            if key in self._functions:
                raise CompileError(f"its function {name_of(function)} is defined twice")
            self._functions[key] = function

    def called(self, node: onnx.NodeProto, opsets: Opsets) -> onnx.FunctionProto | None:
        """The function that a node calls, among operators of these sets; None if it calls none.

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
        """Counts nodes of a call. Raises CompileError if those of all calls are too many."""
        self._expanded += nodes
        if self._expanded > LARGEST:
            raise CompileError(f"its functions expand to more than {LARGEST} nodes")


@dataclass(frozen=True)
class Place:
    """Where nodes stand: in the model's graph or in a call of a function, and in which one.

    `caller` is the name of the node that calls, which is a part of the names of the nodes of a
    function, and `calls` has the functions that are being called, from the outermost on.
    """

    opsets: Opsets
    caller: str = ""
    calls: tuple[str, ...] = ()
    depth: int = 0

    def subgraph(self) -> Place:
        """In a subgraph of a node. Raises CompileError if it is nested too deep."""
        if self.depth >= DEEPEST:
            raise CompileError(f"its functions and subgraphs are nested more than {DEEPEST} deep")
        return replace(self, depth=self.depth + 1)

    def function(self, function: onnx.FunctionProto, caller: str) -> Place:
        """In a function that a node calls. Raises CompileError if that is nested too deep, or in
        a call of the same function."""
        name = name_of(function)
        calls = (*self.calls, name)
        if name in self.calls:
            circle = " calls ".join(calls[calls.index(name) :])
            raise CompileError(f"its functions are recursive: {shorten(circle, 300)}")
        # What a function does not import is as where it is called.
        opsets = {**self.opsets, **imported(function.opset_import)}
        return replace(self.subgraph(), opsets=opsets, caller=caller, calls=calls)

    def node_name(self, name: str) -> str:
        """A node's name, and before it that of the node which calls its function."""
        return "/".join(part for part in (self.caller, name) if part)


def name_of(function: onnx.FunctionProto) -> str:
    """How messages name a function: `local::f`, `local::f (overload "int8")`."""
    name = shorten(f"{function.domain or DEFAULT_DOMAIN}::{function.name}")
    return f'{name} (overload "{shorten(function.overload)}")' if function.overload else name


def _is_operator(domain: str, node: onnx.NodeProto, opsets: Opsets) -> bool:
    if domain in opsets and schema(node.op_type, opsets[domain], domain) is not None:
        return True
    return has_rule(f"{domain or DEFAULT_DOMAIN}::{node.op_type}")


__all__ = ["Functions", "Opsets", "Place", "name_of"]
