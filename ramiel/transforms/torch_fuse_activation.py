"""torch-fuse-activation: fuses activations into the layers before them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern

from ramiel.console.refusals import refuse
from ramiel.dialects.torch import CallOp
from ramiel.dialects.torch.callees import ACTIVATIONS
from ramiel.torch_level.patterns import (
    Arguments,
    arguments_of,
    changed_layer,
    product_layer,
    replace,
    rewrite,
    why_closed,
)

_BY_ARGUMENTS = frozenset(["F.gelu", "F.leaky_relu", "torch.clamp"])
"""The activations that layers support only with certain arguments."""
_PLAIN = {callee: name for name, callee in ACTIVATIONS.items() if callee not in _BY_ARGUMENTS}


class _FuseActivation(RewritePattern):
    """Replaces activation(layer(x)) by layer(x) with the activation."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, CallOp) or len(op.operands) != 1:
            return
        layer = product_layer(op.operands[0])
        if layer is None or op.callee not in {*_PLAIN, *_BY_ARGUMENTS}:
            return
        if (reason := why_closed(layer)) is not None:
            return refuse(op, reason)
        if op.operands[0].type != op.results[0].type:
            return refuse(op, "it changes the type")
        activation = _activation(op.callee, arguments_of(op))
        if activation is None:
            return refuse(op, "layers do not have this activation with such arguments")
        fused = changed_layer(layer, config={"activation": activation})
        replace(rewriter, op, fused, layer)


def _activation(callee: str, arguments: Arguments) -> object:
    """The option `activation` for a call; None if layers do not support it."""
    (_, *rest), options = arguments
    if callee in _PLAIN:
        return None if rest or options else _PLAIN[callee]
    if callee == "F.gelu" and not rest and options.keys() <= {"approximate"}:
        names = {"none": "gelu", "tanh": "gelu_tanh"}
        return names.get(str(options.get("approximate", "none")))
    if callee == "F.leaky_relu":
        return _leaky_relu([*rest, *options.values()])
    if callee == "torch.clamp" and not rest:
        return _clip(options.get("min"), options.get("max"))
    return None


def _leaky_relu(values: list[object]) -> object:
    slope = values[0] if len(values) == 1 else None
    return ["leaky_relu", float(slope)] if isinstance(slope, int | float) else None


def _clip(low: object, high: object) -> object:
    if low == 0 and high is None:
        return "relu"
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return None
    finite = math.isfinite(low) and math.isfinite(high)
    return ["clip", float(low), float(high)] if finite else None


@dataclass(frozen=True)
class TorchFuseActivationPass(ModulePass):
    """Makes convolutions and Linear apply the activation that is the only use of their result.

        %1 = torch.layer Conv2d(%x) {stride = 2} weights {...} : ...
        %2 = torch.call F.relu(%1) : ...
        // becomes
        %2 = torch.layer Conv2d(%x) {stride = 2, activation = "relu"} weights {...} : ...

    An activation with parameters is a list: `["clip", 0.0, 6.0]`, `["leaky_relu", 0.1]`.
    """

    name = "torch-fuse-activation"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        rewrite(self.name, op, _FuseActivation())
