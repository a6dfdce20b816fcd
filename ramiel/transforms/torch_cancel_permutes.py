"""torch-cancel-permutes: removes permutations and reshapes that do nothing or cancel out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern

from ramiel.console.refusals import refuse
from ramiel.dialects.onnx.types import static_shape_of
from ramiel.dialects.torch import CallOp
from ramiel.dialects.torch.callees import CALLEES, Trait, callees_with
from ramiel.torch_level.patterns import (
    arguments_of,
    call_of,
    forward,
    replace,
    rewrite,
)

_STEPS = 8
"""The most elementwise operations between two permutations that cancel out."""


class _DropIdentity(RewritePattern):
    """Replaces a reshape, cast or permutation that changes nothing by its operand."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, CallOp) or len(op.results) != 1 or not op.operands:
            return
        x, type = op.operands[0], op.results[0].type
        if x.type != type:
            return
        keeps = CALLEES[op.callee].is_a(Trait.KEEPS_ORDER)
        if keeps and static_shape_of(type) is None:
            return refuse(op, "the shapes are not known, so they may differ")
        order = _order(op)
        if keeps or (order is not None and _is_identity(order)):
            forward(rewriter, op, x)


class _JoinReshapes(RewritePattern):
    """Replaces reshape(reshape(x)) by reshape(x)."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, CallOp) or op.callee != "Tensor.reshape":
            return
        inner = call_of(op.operands[0], "Tensor.reshape", "torch.flatten")
        if inner is None:
            return
        shape = static_shape_of(op.results[0].type)
        if shape is None or len(op.operands) != 1:
            return refuse(op, "its shape is not known")
        if 0 in shape:
            return refuse(op, "it has no elements")
        if not inner.results[0].has_one_use():
            return refuse(op, "the result of the reshape before it has another reader")
        x = inner.operands[0]
        if x.type == op.results[0].type:
            return forward(rewriter, op, x)
        new = CallOp.of(op.callee, [x, *arguments_of(op).args[1:]], {}, op.result_types)
        replace(rewriter, op, new, op)


class _JoinPermutes(RewritePattern):
    """Replaces permute(permute(x)) by one permutation of x, or by x."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        second = _order(op)
        inner = call_of(op.operands[0], "Tensor.permute") if second is not None else None
        first = _order(inner) if inner is not None else None
        if not isinstance(op, CallOp) or inner is None or second is None or first is None:
            return
        x, order = inner.operands[0], [first[i] for i in second]
        if _is_identity(order):
            return forward(rewriter, op, x)
        new = CallOp.of("Tensor.permute", [x, *order], {}, op.result_types)
        replace(rewriter, op, new, op)


class _PermuteThrough(RewritePattern):
    """Replaces permute(f(permute(x))) by f(x), if the permutations cancel out."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        second = _order(op)
        if not isinstance(op, CallOp) or second is None:
            return
        steps: list[CallOp] = []
        value = op.operands[0]
        elementwise = callees_with(Trait.ELEMENTWISE)
        while len(steps) < _STEPS and (step := call_of(value, *elementwise)) is not None:
            if len(step.operands) != 1:
                if any(_undoes(second, v) for v in step.operands):
                    refuse(op, "an operation after the permutation that it undoes reads two values")
                return
            steps.append(step)
            value = step.operands[0]
        if not steps or not _undoes(second, value):
            return
        x = cast(CallOp, value.owner).operands[0]
        between = [value, *(step.results[0] for step in steps)]
        if not all(v.has_one_use() for v in between):
            reason = "a value between it and the permutation that it undoes has another reader"
            return refuse(op, reason)
        if any(v.type != value.type for v in between) or x.type != op.results[0].type:
            return refuse(op, "the type changes between it and the permutation that it undoes")
        self._rebuild(steps, x, op, rewriter)

    def _rebuild(
        self, steps: list[CallOp], x: SSAValue, op: CallOp, rewriter: PatternRewriter
    ) -> None:
        for step in reversed(steps):
            new = CallOp.create(
                properties=dict(step.properties),
                attributes=dict(step.attributes),
                operands=[x],
                result_types=[x.type],
            )
            new.results[0].name_hint = step.results[0].name_hint
            if step is steps[0]:
                return replace(rewriter, op, new, step)
            rewriter.insert(new)
            x = new.results[0]


def _order(op: Operation) -> list[int] | None:
    """The order of dimensions of a permutation, as in numpy's transpose; None for other calls."""
    if not isinstance(op, CallOp) or op.callee != "Tensor.permute" or op.kwargs:
        return None
    order = arguments_of(op).args[1:]
    if len(op.operands) != 1 or not all(isinstance(d, int) for d in order):
        return None
    return [d % len(order) for d in cast("list[int]", order)]


def _undoes(second: list[int], value: SSAValue) -> bool:
    """Whether a value is the result of a permutation that the order `second` undoes."""
    inner = call_of(value, "Tensor.permute")
    first = _order(inner) if inner is not None else None
    return first is not None and _is_identity([first[i] for i in second])


def _is_identity(order: list[int]) -> bool:
    return order == [*range(len(order))]


@dataclass(frozen=True)
class TorchCancelPermutesPass(ModulePass):
    """Removes permutations that cancel out, and reshapes that do nothing.

        %1 = torch.call Tensor.permute(%x, 0, 2, 3, 1) : ...
        %2 = torch.call F.relu(%1) : ...
        %3 = torch.call Tensor.permute(%2, 0, 3, 1, 2) : ...
        // becomes
        %3 = torch.call F.relu(%x) : ...

    Two consecutive permutations become one, as do two reshapes. Casts and expansions to a value's
    own type are removed too.
    """

    name = "torch-cancel-permutes"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        rewrite(self.name, op, _DropIdentity(), _JoinReshapes(), _JoinPermutes(), _PermuteThrough())
