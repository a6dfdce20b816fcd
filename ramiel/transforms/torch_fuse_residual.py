"""torch-fuse-residual: what is added to the result of a layer, as its second operand."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern

from ramiel.dialects.onnx.types import numpy_dtype_of, static_shape_of
from ramiel.dialects.torch import CallOp, LayerOp, WeightOp
from ramiel.torch_level.patterns import arguments_of, changed_layer, fusable_layer, replace, rewrite

_ELEMENTS = ("float32", "bfloat16", "float16")


@dataclass
class _FuseResidual(RewritePattern):
    """Replaces layer(x) + y by layer(x, y)."""

    positions: dict[Operation, int]

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, CallOp) or op.callee != "operator.add":
            return
        a, b = arguments_of(op).args
        type = op.results[0].type
        dtype = numpy_dtype_of(type)
        if not isinstance(a, SSAValue) or not isinstance(b, SSAValue):
            return
        # Equal types with an open dimension may yet be broadcast when the program runs.
        if not a.type == b.type == type or static_shape_of(type) is None:
            return
        if dtype is None or dtype.name not in _ELEMENTS:
            return
        sides = {layer: y for x, y in ((a, b), (b, a)) if (layer := _layer(x, y)) is not None}
        if not sides:
            return
        layer = max(sides, key=self.positions.__getitem__)
        fused = changed_layer(layer, operands=[sides[layer]])
        self.positions[fused] = self.positions[op]
        replace(rewriter, op, fused, layer)


def _layer(x: SSAValue, y: SSAValue) -> LayerOp | None:
    """The layer that computes x, if it may add y."""
    layer = fusable_layer(x)
    if layer is None or len(layer.operands) > 1 or isinstance(y.owner, WeightOp):
        return None
    return layer


@dataclass(frozen=True)
class TorchFuseResidualPass(ModulePass):
    """Lets convolutions and Linear add what is added to their results.

        %1 = torch.layer Conv2d(%x) weights {...} : ...
        %2 = torch.call operator.add(%1, %shortcut) : ...
        // becomes
        %2 = torch.layer Conv2d(%x, %shortcut) weights {...} : ...

    The fused layer stands where the addition stood. Of two layers it is the later one. Nothing is
    fused if something is broadcast, or might be.
    """

    name = "torch-fuse-residual"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        rewrite(op, _FuseResidual({inner: i for i, inner in enumerate(op.walk())}))
