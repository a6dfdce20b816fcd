"""onnx-infer-shapes: infers the types of all values by the schemas' rules."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ramiel.dialects.onnx.inference import infer_shapes


@dataclass(frozen=True)
class OnnxInferShapesPass(ModulePass):
    """Infers types by ONNX's rules, which see the values of constants.

    %y = onnx.Relu(%x) : (tensor<2x3xf32>) -> tensor<*xf32>
    // becomes
    %y = onnx.Relu(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
    """

    name = "onnx-infer-shapes"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        infer_shapes(op)
