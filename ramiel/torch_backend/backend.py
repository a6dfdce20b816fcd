"""What torch.compile calls for each graph that it has captured."""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, fx
from torch._dynamo.backends.common import aot_autograd
from torch._guards import CompileContext, TracingContext

from ramiel.console.notes import note
from ramiel.errors import CompileError
from ramiel.torch_backend.graph import CompiledGraph
from ramiel.torch_backend.options import Settings, settings_of
from ramiel.torch_backend.parts import Parts, in_parts

_graphs: weakref.WeakSet[CompiledGraph] = weakref.WeakSet()


def graphs() -> list[CompiledGraph]:
    """The graphs that are compiled and alive: their programs, or why they have none."""
    return list(_graphs)


def ramiel(
    graph: fx.GraphModule,
    example_inputs: Sequence[Any],
    *,
    options: Mapping[str, Any] | None = None,
    mode: str | None = None,
) -> Callable[..., Any]:
    """The function that computes a graph for torch.compile, by parallel programs.

    `options` are those of ramiel.compile() that make sense here. A graph whose gradients are wanted
    runs in PyTorch, as does one that no program can compute; a note says why, once.

    Raises CompileError for an option that does not exist.
    """
    settings = settings_of(options)
    if mode not in (None, "default"):
        raise CompileError(f"the backend ramiel has options, and no mode {mode!r}")
    if torch.is_grad_enabled() and any(_wants_gradient(x) for x in example_inputs):
        note(
            "torch.compile: a graph runs in PyTorch, since its gradients are wanted: programs only "
            "infer; call the model under torch.no_grad() or torch.inference_mode()"
        )
        return graph
    names = _names(graph)

    def compiler(functional: fx.GraphModule, inputs: Sequence[Any]) -> CompiledGraph | Parts:
        return _compiled(functional, names, settings)

    made = aot_autograd(fw_compiler=compiler, inference_compiler=compiler)
    return made(graph, example_inputs)


def _wants_gradient(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _compiled(
    graph: fx.GraphModule, names: Mapping[int, str], settings: Settings
) -> CompiledGraph | Parts:
    context = TracingContext.try_get()
    metadata = cast(Any, context.fw_metadata if context is not None else None)
    held: set[int] = set()
    if metadata is not None:
        held = set(metadata.static_input_indices) - set(metadata.mutated_inp_runtime_indices)
    places = [node for node in graph.graph.nodes if node.op == "placeholder"]
    own: list[str] = []
    for i, node in enumerate(places):
        place = getattr(node.meta.get("desc"), "idx", None)
        own.append(names.get(i if place is None else place, node.name))
    title = f"graph {CompileContext.current_compile_id()}"

    def made(part: fx.GraphModule, arguments: Sequence[int], number: int | None) -> CompiledGraph:
        inner = [node.name for node in part.graph.nodes if node.op == "placeholder"]
        ours = [own[i] if i >= 0 else name for i, name in zip(arguments, inner, strict=True)]
        weights = frozenset(place for place, i in enumerate(arguments) if i in held)
        name = title if number is None else f"{title}, part {number}"
        compiled = CompiledGraph(part, weights, name, ours, settings)
        _graphs.add(compiled)
        return compiled

    return in_parts(graph, made) or made(graph, range(len(places)), None)


_OF_MODULES = re.compile(r"_modules_|_(?:parameters|buffers)_")
_OF_SELF = re.compile(r"^l_+(?:self|s|mod|fn)_+")


def _names(graph: fx.GraphModule) -> dict[int, str]:
    """The names of a graph's inputs in the model: `l_self_modules_conv_parameters_weight_` is
    `conv.weight`."""
    names: dict[int, str] = {}
    places = (node for node in graph.graph.nodes if node.op == "placeholder")
    for i, node in enumerate(places):
        name = _OF_MODULES.sub(".", _OF_SELF.sub("_", node.name.lower()))
        name = name.removeprefix("l_").strip("._")
        names[i] = name or node.name
    return names
