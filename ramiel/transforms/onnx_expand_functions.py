"""onnx-expand-functions: expands operators that ONNX defines as functions of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import onnx
from onnx import helper
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Region, SSAValue
from xdsl.passes import ModulePass

from ramiel.conversion.onnx_to_torch import is_lowered
from ramiel.dialects.onnx.inference import infer_shapes, set_type
from ramiel.dialects.onnx.operation import STAGES, SchemaOperation, opset_of
from ramiel.dialects.onnx.protos import node_of, proto_of_type
from ramiel.dialects.onnx.shapes import join
from ramiel.dialects.onnx.structure import DOMAIN, Custom
from ramiel.dialects.onnx.types import type_of_nothing
from ramiel.dialects.text import text_of
from ramiel.errors import CompileError
from ramiel.frontend.graph import GraphImporter
from ramiel.frontend.tensors import Outside

SUBGRAPH = "ramiel.subgraph"
"""The domain of placeholder operators for an operation's subgraphs during its expansion."""

DEEPEST = 8
"""The most rounds of expansion."""


@dataclass(frozen=True)
class OnnxExpandFunctionsPass(ModulePass):
    """Replaces operators that the lowering table lacks by their function bodies, if their schemas
    have one, and infers types again.

        %y = onnx.SwiGLU(%x, %w) : ...
        // becomes, by ONNX's definition
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
    # A body may depend on the operands' types, which may become known in a later round.
    return all(v.type == type_of_nothing or proto_of_type(v.type) for v in op.operands)


def _expand(op: SchemaOperation) -> None:
    """Replaces an operation by the operations of its function body."""
    block = op.parent
    assert isinstance(block, Block)
    inputs = ["" if v.type == type_of_nothing else f"in{i}" for i, v in enumerate(op.operands)]
    outputs = [f"out{i}" for i in range(len(op.results))]
    try:
        model = _model(op, inputs, outputs)
    except Exception as error:  # the C++ code that builds bodies raises arbitrary exceptions
        raise CompileError(f"{op.title}: its definition cannot be expanded: {error}") from error
    values: dict[str, SSAValue] = {
        name: value for name, value in zip(inputs, op.operands, strict=True) if name
    }
    importer = GraphImporter(model, Outside())
    scratch = Block()
    results = importer.graph(model.graph, scratch, values)
    if any(
        isinstance(inner, SchemaOperation) and inner.operator == op.operator
        for inner in scratch.ops
    ):
        raise CompileError(f"{op.title}: has no lowering to PyTorch")
    for inner in list(scratch.walk()):
        if isinstance(inner, Custom) and text_of(inner.attributes.get(DOMAIN)) == SUBGRAPH:
            _put_in(op.regions[int(inner.op_type.rpartition("::")[2])], inner)
    stages = {k: v for k, v in op.attributes.items() if k == STAGES}
    for inner in list(scratch.ops):
        inner.attributes |= stages
        inner.detach()
        block.insert_op_before(inner, op)
    for old, new in zip(op.results, results, strict=True):
        hint = old.name_hint
        set_type(new, join(old.type, new.type))
        old.replace_all_uses_with(new)
        if hint and new not in op.operands:
            new.name_hint = hint
    op.detach()
    op.erase()


def _put_in(region: Region, op: Custom) -> None:
    """Replaces the placeholder of a subgraph by a copy of its operations."""
    copy = region.clone().block
    end, block = copy.last_op, op.parent
    assert end is not None and block is not None
    for arg, value in zip(copy.args, op.operands, strict=True):
        set_type(value, join(value.type, arg.type))
        arg.replace_all_uses_with(value)
    for old, new in zip(op.results, end.operands, strict=True):
        old.replace_all_uses_with(new)
    for inner in list(copy.ops):
        if inner is not end:
            inner.detach()
            block.insert_op_before(inner, op)
    op.detach()
    op.erase()


_DOMAIN = "ramiel.definitions"


def _model(op: SchemaOperation, inputs: list[str], outputs: list[str]) -> onnx.ModelProto:
    """A model with one node, which calls the operator's function body as a model function."""
    types = [proto_of_type(v.type) for v in op.operands]
    given = [
        helper.make_value_info(name, proto)
        for name, proto in zip(inputs, types, strict=True)
        if name and proto is not None
    ]
    made = [helper.make_empty_tensor_value_info(name) for name in outputs]
    node = node_of(op, inputs, outputs)
    declared = op.schema()
    names = () if declared is None else declared.graphs
    for i, (name, region) in enumerate(zip(names, op.regions, strict=True)):
        node.attribute.append(helper.make_attribute(name, _stand_in(i, region)))
    definition = _definition(op, node, [proto or onnx.TypeProto() for proto in types])
    definition.domain = node.domain = _DOMAIN
    graph = helper.make_graph([node], "function", given, made)
    domains = {"": opset_of(op), op.domain: opset_of(op, op.domain)}
    opsets = [helper.make_opsetid(*domain) for domain in domains.items()]
    return helper.make_model(graph, functions=[definition], opset_imports=opsets)


def _definition(
    op: SchemaOperation, node: onnx.NodeProto, types: list[onnx.TypeProto]
) -> onnx.FunctionProto:
    """The function body of an operator: the newest one up to its opset."""
    declared = op.schema()
    assert declared is not None
    source: Any = declared.source  # onnx's stubs do not declare function bodies
    opset = op.opset
    if source.has_function:
        version = max(v for v in source.function_opset_versions if v <= opset)
        text = source.get_function_with_opset_version(version)
    else:
        versions = source.context_dependent_function_opset_versions
        text = source.get_context_dependent_function_with_opset_version(
            max(v for v in versions if v <= opset),
            node.SerializeToString(),
            [t.SerializeToString() for t in types],
        )
    return onnx.FunctionProto.FromString(text)


def _stand_in(i: int, region: Region) -> onnx.GraphProto:
    """A graph with the inputs and outputs of subgraph i, and its placeholder as the only node."""
    block = region.block
    assert block.last_op is not None
    given = [helper.make_value_info(f"a{k}", _proto(v)) for k, v in enumerate(block.args)]
    made = [
        helper.make_value_info(f"r{k}", _proto(v)) for k, v in enumerate(block.last_op.operands)
    ]
    inputs, outputs = ([info.name for info in infos] for infos in (given, made))
    node = helper.make_node(str(i), inputs, outputs, domain=SUBGRAPH)
    return helper.make_graph([node], "subgraph", given, made)


def _proto(value: SSAValue) -> onnx.TypeProto:
    return proto_of_type(value.type) or onnx.TypeProto()
