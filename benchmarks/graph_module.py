"""A model as a graph of plain PyTorch calls, for eager PyTorch and torch.compile."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.fx import GraphModule


def graph_module(model: Path) -> GraphModule:
    """The model in plain calls of PyTorch, one for each operator, as written by hand.

    Ramiel's import and lowering, with constants and batch norms folded, but no later passes.
    """
    import torch
    import torch.nn.functional as F
    from torch import fx, nn
    from xdsl.ir import Attribute, SSAValue

    from ramiel.compiler import run_passes
    from ramiel.dialects.onnx.attributes import WeightAttr
    from ramiel.dialects.torch import CallOp, LayerOp, WeightOp
    from ramiel.dialects.torch.literals import (
        DtypeAttr,
        OperandAttr,
        fold_literal,
        python_literal,
    )
    from ramiel.execution.evaluator import resolve
    from ramiel.execution.tensors import tensor_of
    from ramiel.frontend.importer import import_model
    from ramiel.pipelines import Options, pipeline
    from ramiel.torch_level.tasks import main_function

    module = import_model(model)
    steps = pipeline(Options(1, "serial"))
    run_passes(module, steps[: [name for name, _ in steps].index("onnx-to-torch") + 1])

    root = nn.Module()
    graph = fx.Graph()
    tensors: dict[WeightAttr, torch.Tensor] = {}
    nodes: dict[WeightAttr, fx.Node] = {}

    def weight(of: WeightAttr | None) -> fx.Node | None:
        if of is None:
            return None
        if of not in nodes:
            tensors[of] = tensor_of(of.array()).clone()
            name = f"weight{len(nodes)}"
            root.register_parameter(name, nn.Parameter(tensors[of], requires_grad=False))
            nodes[of] = graph.get_attr(name)
        return nodes[of]

    def argument(attribute: Attribute, operands: Sequence[fx.Node]) -> Any:
        def leaf(a: Attribute) -> Any:
            if isinstance(a, OperandAttr):
                return operands[a.data]
            return getattr(torch, a.data) if isinstance(a, DtypeAttr) else python_literal(a)

        def sequence(items: list[Any]) -> Any:
            return tuple(items) if any(isinstance(i, slice) for i in items) else items

        return fold_literal(attribute, leaf, sequence, slice)

    def call(op: CallOp, operands: Sequence[fx.Node]) -> fx.Node:
        args = tuple(argument(a, operands) for a in op.args)
        kwargs = {k: argument(a, operands) for k, a in op.kwargs.items()}
        prefix, _, name = op.callee.partition(".")
        if op.callee == "Tensor.mT":
            return graph.call_function(getattr, (*args, "mT"))
        if prefix == "Tensor":
            return graph.call_method(name, args, kwargs)
        return graph.call_function(resolve(op.callee), args, kwargs)

    def layer(op: LayerOp, operands: Sequence[fx.Node]) -> fx.Node:
        (x,) = operands
        config = {k: argument(a, ()) for k, a in op.config.items()}
        main, bias = weight(op.weights["weight"]), weight(op.weights.get("bias"))
        function: Any
        match op.layer:
            case "Linear":
                function, args = F.linear, (x, main, bias)
            case "Embedding":
                function, args = F.embedding, (x, main)
            case "LayerNorm":
                shape = list(tensors[op.weights["weight"]].shape)
                function, args = F.layer_norm, (x, shape, main, bias)
            case "BatchNorm":
                mean, variance = (weight(op.weights[f"running_{k}"]) for k in ("mean", "var"))
                function, args = F.batch_norm, (x, mean, variance, main, bias)
            case "PReLU":
                flat = graph.call_method("reshape", (main, -1))
                function, args = torch.prelu, (x, flat)
            case name:  # Conv2d, ConvTranspose2d
                words = name.replace("Conv", "conv").replace("Transpose", "_transpose")
                function, args = getattr(F, words), (x, main, bias)
        return graph.call_function(function, args, config)

    block = main_function(module).body.block
    values: dict[SSAValue, fx.Node] = {}
    for i, arg in enumerate(block.args):
        values[arg] = graph.placeholder(f"x{i}")
    for op in block.ops:
        if isinstance(op, WeightOp):
            node = weight(op.weight)
            assert node is not None
            values[op.results[0]] = node
        elif isinstance(op, CallOp | LayerOp):
            operands = [values[v] for v in op.operands]
            node = call(op, operands) if isinstance(op, CallOp) else layer(op, operands)
            if len(op.results) == 1:
                values[op.results[0]] = node
                continue
            for i, result in enumerate(op.results):
                values[result] = graph.call_function(operator.getitem, (node, i))
    assert block.last_op is not None
    graph.output(tuple(values[v] for v in block.last_op.operands))
    graph.lint()
    return fx.GraphModule(root, graph)
