"""onnx-dead-code: removes operations that no output depends on."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.traits import IsTerminator

from ramiel.dialects.onnx.operation import OnnxOperation


@dataclass(frozen=True)
class OnnxDeadCodePass(ModulePass):
    """Erases operations without used results: ONNX operators have no other effects.

    %1 = onnx.Relu(%0) : (tensor<4xf32>) -> tensor<4xf32>
    func.return %0 : tensor<4xf32>
    // becomes
    func.return %0 : tensor<4xf32>
    """

    name = "onnx-dead-code"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for inner in list(op.walk(reverse=True)):
            if (
                isinstance(inner, OnnxOperation)
                and not inner.has_trait(IsTerminator)
                and inner.parent is not None
                and not any(r.uses for r in inner.results)
            ):
                inner.detach()
                inner.erase()
