"""onnx-remove-identity: removes Identity, and Dropout in inference mode."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, NoneType
from xdsl.passes import ModulePass

from ramiel.dialects.onnx.inference import set_type
from ramiel.dialects.onnx.operation import SchemaOperation
from ramiel.dialects.onnx.shapes import join
from ramiel.dialects.onnx.structure import constant_of


@dataclass(frozen=True)
class OnnxRemoveIdentityPass(ModulePass):
    """Replaces the results of Identity and Dropout by their inputs.

        %1 = onnx.Identity(%0) : (tensor<4xf32>) -> tensor<4xf32>
        %2 = onnx.Relu(%1) : (tensor<4xf32>) -> tensor<4xf32>
        // becomes
        %2 = onnx.Relu(%0) : (tensor<4xf32>) -> tensor<4xf32>

    A Dropout whose mask is used, or that may run in training mode, stays.
    """

    name = "onnx-remove-identity"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for inner in list(op.walk()):
            if isinstance(inner, SchemaOperation) and _passes_through(inner):
                source, result = inner.operands[0], inner.results[0]
                # Keep what only the result's type says.
                set_type(source, join(result.type, source.type))
                result.replace_all_uses_with(source)
                inner.detach()
                inner.erase()


def _passes_through(op: SchemaOperation) -> bool:
    if op.op_type == "Identity":
        return True
    if op.op_type != "Dropout" or any(r.uses for r in op.results[1:]):
        return False
    if len(op.operands) < 3 or isinstance(op.operands[2].type, NoneType):
        return True
    training = constant_of(op.operands[2])
    return training is not None and not training.any()
