"""onnx-common-subexpressions: merges equal operations."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block
from xdsl.passes import ModulePass
from xdsl.traits import Pure

from ramiel.dialects.onnx.operation import NODE, STAGES, OnnxOperation

Key = tuple[object, ...]


@dataclass(frozen=True)
class OnnxCommonSubexpressionsPass(ModulePass):
    """Merges operations that have the same operands and attributes.

        %1 = onnx.Relu "a"(%0) : (tensor<4xf32>) -> tensor<4xf32>
        %2 = onnx.Relu "b"(%0) : (tensor<4xf32>) -> tensor<4xf32>
        %3 = onnx.Add(%1, %2) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
        // becomes
        %1 = onnx.Relu "a"(%0) : (tensor<4xf32>) -> tensor<4xf32>
        %3 = onnx.Add(%1, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>

    The first of them stays, with its name and its pipeline stages. Operations that draw random
    numbers or have subgraphs are not merged, and neither are clones, which have distinct numbers in
    `onnx.clone`.
    """

    name = "onnx-common-subexpressions"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for region in op.regions:
            for block in region.blocks:
                _merge(block, {})


def _merge(block: Block, outer: dict[Key, OnnxOperation]) -> None:
    """Merges within a block, also with earlier operations of the enclosing blocks."""
    known = dict(outer)
    for op in list(block.ops):
        for region in op.regions:
            for inner in region.blocks:
                _merge(inner, known)
        if not isinstance(op, OnnxOperation) or op.regions or not op.has_trait(Pure):
            continue
        key = _key(op)
        first = known.setdefault(key, op)
        if first is not op:
            for old, new in zip(op.results, first.results, strict=True):
                old.replace_all_uses_with(new)
            op.detach()
            op.erase()


def _key(op: OnnxOperation) -> Key:
    attributes = frozenset((k, v) for k, v in op.attributes.items() if k not in (NODE, STAGES))
    properties = frozenset(op.properties.items())
    return (op.name, tuple(op.operands), properties, attributes, tuple(op.result_types))
