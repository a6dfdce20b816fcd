"""torch-delay-activation: moves activations after the max pools that read them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern

from ramiel.console.refusals import refuse
from ramiel.dialects.onnx.types import element_of, static_shape_of
from ramiel.dialects.torch import CallOp
from ramiel.torch_level.patterns import arguments_of, call_of, copy_origin, replace, rewrite

_POOLS = {f"F.max_pool{dims}d" for dims in (1, 2, 3)}
_ACTIVATIONS = ("F.relu", "torch.clamp")
"""Activations that are monotonic, even with rounding, and keep NaN."""
WORTH = 2
"""The least ratio of the elements that a pool reads to those of its result."""


class _DelayActivation(RewritePattern):
    """Replaces pool(relu(x)) by relu(pool(x)), also where x is a concatenation of activations."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, CallOp) or op.callee not in _POOLS:
            return
        arguments = arguments_of(op)
        read = op.operands[0]
        cat = call_of(read, "torch.cat")
        activations = _activations(cat.operands if cat is not None else [read])
        if not activations:
            return
        if (reason := _why_not(op, activations)) is not None:
            return refuse(op, reason)
        sources = [activation.operands[0] for activation in activations]
        if cat is not None:
            options = arguments_of(cat).kwargs
            source = _call(rewriter, cat, cat, [sources], options)
        else:
            source = sources[0]
        # The pool's node keeps its result; the new intermediate value is of the activation's node.
        args = [source, *arguments.args[1:]]
        pooled = _call(rewriter, op, activations[0], args, arguments.kwargs)
        pooled.name_hint = None
        (_, *rest), options = arguments_of(activations[0])
        last = CallOp.of(activations[0].callee, [pooled, *rest], options, [op.results[0].type])
        replace(rewriter, op, last, op)


def _activations(values: Sequence[SSAValue]) -> list[CallOp]:
    """The activation calls that define all of the values; empty if one is something else."""
    calls = [call_of(value, *_ACTIVATIONS) for value in values]
    if any(c is None or len(c.operands) != 1 for c in calls):
        return []
    return cast("list[CallOp]", calls)


def _why_not(pool: CallOp, activations: Sequence[CallOp]) -> str | None:
    """Why the activations stay before the pool; None if one of them can replace them after it."""
    read, made = static_shape_of(pool.operands[0].type), static_shape_of(pool.results[0].type)
    if read is None or made is None:
        return "the shapes are not known"
    if math.prod(read) < WORTH * math.prod(made):
        return f"its input is not {WORTH} times as large as its result"
    if not pool.operands[0].has_one_use():
        return "its input has another reader"
    if not all(activation.results[0].has_one_use() for activation in activations):
        return "an activation before it has another reader"
    first = _key(activations[0])
    if any(_key(activation) != first for activation in activations):
        return "the activations before it differ"
    return None


def _key(call: CallOp) -> object:
    """Equal for calls that compute the same function of their first argument."""
    (_, *rest), options = arguments_of(call)
    return call.callee, rest, options, element_of(call.operands[0].type)


def _call(
    rewriter: PatternRewriter,
    op: CallOp,
    origin: CallOp,
    args: Sequence[object],
    options: dict[str, object],
) -> SSAValue:
    """The result of a call with other arguments, inserted before the matched operation."""
    new = CallOp.of(op.callee, args, options, [op.results[0].type])
    copy_origin(origin, new)
    rewriter.insert(new)
    return new.results[0]


@dataclass(frozen=True)
class TorchDelayActivationPass(ModulePass):
    """Moves relu and clamp after a max pool that reads much more than it writes.

        %1 = torch.call F.relu(%0) : ... -> tensor<1x64x112x112xf32>
        %2 = torch.call F.max_pool2d(%1, kernel_size = 2) : ... -> tensor<1x64x56x56xf32>
        // becomes
        %1 = torch.call F.max_pool2d(%0, kernel_size = 2) : ... -> tensor<1x64x56x56xf32>
        %2 = torch.call F.relu(%1) : ... -> tensor<1x64x56x56xf32>

    Maximum and monotonic functions commute. The pass is for layers whose kernels do not apply these
    activations, since they would lose NaN.
    """

    name = "torch-delay-activation"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        rewrite(self.name, op, _DelayActivation())
