"""onnx-expand-functions: operators that ONNX defines by others, as those others."""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnx import helper, inliner
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, SSAValue
from xdsl.passes import ModulePass

from ramiel.backend.pytorch.lowering import is_lowered
from ramiel.dialects.onnx.operation import OnnxOperation, SchemaOperation, opset_of
from ramiel.dialects.onnx.protos import node_of, proto_of_type
from ramiel.dialects.onnx.structure import NoValue
from ramiel.dialects.onnx.types import type_of_nothing
from ramiel.errors import CompileError
from ramiel.frontend.importer import GraphImporter
from ramiel.transforms.onnx_infer_shapes import infer_shapes

DEEPEST = 8
"""How often the result of an expansion is expanded again."""


@dataclass(frozen=True)
class OnnxExpandFunctionsPass(ModulePass):
    """Replaces operators that the lowering table lacks by their definition, where their schema
    has one, and infers types anew.

        %y = onnx.SwiGLU(%x, %w) : ...
        // becomes what ONNX says it is
        %0 = onnx.Sigmoid(%x) : ...
        ...
    """

    name = "onnx-expand-functions"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for _ in range(DEEPEST):
            found = [inner for inner in op.walk() if _is_expandable(inner)]
            if not found:
                return
            for inner in found:
                assert isinstance(inner, SchemaOperation)
                _expand(inner)
            infer_shapes(op)


def _is_expandable(op: object) -> bool:
    if not isinstance(op, SchemaOperation) or is_lowered(op):
        return False
    declared = op.schema()
    if declared is None or not declared.has_function:
        return False
    # A definition may depend on types; what is not known yet may be after another round.
    return all(v.type == type_of_nothing or proto_of_type(v.type) for v in op.operands)


def _expand(op: SchemaOperation) -> None:
    """Puts the nodes of an operator's definition before it, and takes it away."""
    block = op.parent
    assert isinstance(block, Block)
    inputs = ["" if v.type == type_of_nothing else f"in{i}" for i, v in enumerate(op.operands)]
    outputs = [f"out{i}" for i in range(len(op.results))]
    model = _model(op, inputs, outputs)
    try:
        model = inliner.inline_selected_functions(
            model, [(op.domain, op.operator)], inline_schema_functions=True
        )
    except Exception as error:  # the C++ inliner raises whatever it likes
        raise CompileError(f"{op.title}: its definition cannot be expanded: {error}") from error
    if any(node.op_type == op.operator for node in model.graph.node):
        raise CompileError(f"{op.title}: has no lowering to PyTorch")
    values: dict[str, SSAValue] = {
        name: value for name, value in zip(inputs, op.operands, strict=True) if name
    }
    importer = GraphImporter(model, None)
    scratch = Block()
    results = importer.graph(model.graph, scratch, values)
    for inner in list(scratch.ops):
        inner.detach()
        block.insert_op_before(inner, op)
        if isinstance(inner, OnnxOperation) and op.node_name and not isinstance(inner, NoValue):
            inner.attributes.update(op.attributes)
    for old, new in zip(op.results, results, strict=True):
        hint = old.name_hint
        old.replace_all_uses_with(new)
        if hint and new not in op.operands:
            new.name_hint = hint
    op.detach()
    op.erase()


def _model(op: SchemaOperation, inputs: list[str], outputs: list[str]) -> onnx.ModelProto:
    """A model of one node. Constants that a body may depend on are initializers."""
    given: list[onnx.ValueInfoProto] = []
    for name, value in zip(inputs, op.operands, strict=True):
        if name:
            proto = proto_of_type(value.type)
            assert proto is not None
            given.append(helper.make_value_info(name, proto))
    made = [helper.make_empty_tensor_value_info(name) for name in outputs]
    node = node_of(op, inputs, outputs)
    graph = helper.make_graph([node], "function", given, made)
    domains = dict.fromkeys(["", op.domain])
    opsets = [helper.make_opsetid(domain, opset_of(op, domain)) for domain in domains]
    return helper.make_model(graph, opset_imports=opsets)
