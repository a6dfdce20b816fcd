"""torch-fuse-residual: fuses the addition of a value into a layer, as its second operand."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern

from ramiel.console.refusals import refuse
from ramiel.dialects.onnx.types import numpy_dtype_of, static_shape_of
from ramiel.dialects.torch import CallOp, LayerOp, WeightOp
from ramiel.torch_level.patterns import (
    arguments_of,
    changed_layer,
    product_layer,
    replace,
    rewrite,
    why_closed,
)

_ELEMENTS = ("float32", "bfloat16", "float16")


@dataclass
class _FuseResidual(RewritePattern):
    """Replaces layer(x) + y by layer(x, y)."""

    positions: dict[Operation, int]

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, CallOp) or op.callee != "operator.add":
            return
        a, b = arguments_of(op).args
        if not isinstance(a, SSAValue) or not isinstance(b, SSAValue):
            return
        sides = {
            layer: y
            for x, y in ((a, b), (b, a))
            if (layer := product_layer(x)) is not None and not isinstance(y.owner, WeightOp)
        }
        if not sides:
            return
        if (reason := _why_not(a.type, b.type, op.results[0].type)) is not None:
            return refuse(op, reason)
        reasons = {layer: _why_full(layer) for layer in sides}
        free = [layer for layer, reason in reasons.items() if reason is None]
        if not free:
            return refuse(op, next(filter(None, reasons.values())))
        layer = max(free, key=self.positions.__getitem__)
        fused = changed_layer(layer, operands=[sides[layer]])
        self.positions[fused] = self.positions[op]
        replace(rewriter, op, fused, layer)


def _why_not(a: Attribute, b: Attribute, sum: Attribute) -> str | None:
    """Why no layer can add values of these types; None if one can."""
    # Equal types with an open dimension may still be broadcast at run time.
    if any(static_shape_of(type) is None for type in (a, b, sum)):
        return "the shapes are not known"
    if not a == b == sum:
        return "it broadcasts an operand"
    dtype = numpy_dtype_of(sum)
    if dtype is None or dtype.name not in _ELEMENTS:
        return f"layers can add only {', '.join(_ELEMENTS)}"
    return None


def _why_full(layer: LayerOp) -> str | None:
    """Why a layer cannot add a value to its result; None if it can."""
    if len(layer.operands) > 1:
        return "the layer before it adds another value already"
    return why_closed(layer)


@dataclass(frozen=True)
class TorchFuseResidualPass(ModulePass):
    """Makes convolutions and Linear add the value that is added to their result.

        %1 = torch.layer Conv2d(%x) weights {...} : ...
        %2 = torch.call operator.add(%1, %shortcut) : ...
        // becomes
        %2 = torch.layer Conv2d(%x, %shortcut) weights {...} : ...

    The fused layer takes the place of the addition. If both operands are layers, the later one is
    fused. Nothing is fused if a value is broadcast, or might be.
    """

    name = "torch-fuse-residual"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        rewrite(self.name, op, _FuseResidual({inner: i for i, inner in enumerate(op.walk())}))
