"""torch-flatten-concat: flattens nested concatenations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern

from ramiel.console.refusals import refuse
from ramiel.dialects.onnx.types import shape_of
from ramiel.dialects.torch import CallOp
from ramiel.torch_level.patterns import arguments_of, call_of, replace, rewrite


class _FlattenConcat(RewritePattern):
    """Replaces cat([cat([a, b]), c]) by cat([a, b, c])."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        dim = _dim(op)
        # Only the outermost of a chain is rewritten, so that long chains take linear time.
        if not isinstance(op, CallOp) or dim is None or _is_part(op, dim):
            return
        values: list[SSAValue] = []
        stack = list(reversed(op.operands))
        while stack:
            value = stack.pop()
            inner = call_of(value, "torch.cat")
            if inner is None or _dim(inner) != dim:
                values.append(value)
            elif not value.has_one_use():
                refuse(inner, "its result has a reader other than the concatenation")
                values.append(value)
            else:
                stack += reversed(inner.operands)
        if len(values) > len(op.operands):
            options = arguments_of(op).kwargs
            replace(rewriter, op, CallOp.of("torch.cat", [values], options, op.result_types), op)


def _dim(op: Operation) -> int | None:
    """The dimension of a concatenation, not negative; None for any other operation."""
    if not isinstance(op, CallOp) or op.callee != "torch.cat":
        return None
    shape, options = shape_of(op.results[0].type), arguments_of(op).kwargs
    if shape is None or len(op.args) != 1 or options.keys() != {"dim"}:
        return None
    return cast(int, options["dim"]) % len(shape)


def _is_part(op: CallOp, dim: int) -> bool:
    use = op.results[0].get_unique_use()
    return use is not None and _dim(use.operation) == dim


@dataclass(frozen=True)
class TorchFlattenConcatPass(ModulePass):
    """Inlines concatenations that are only used as operands of a concatenation.

    %1 = torch.call torch.cat([%a, %b], dim = 1) : ...
    %2 = torch.call torch.cat([%1, %c], dim = 1) : ...
    // becomes
    %2 = torch.call torch.cat([%a, %b, %c], dim = 1) : ...
    """

    name = "torch-flatten-concat"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        rewrite(self.name, op, _FlattenConcat())
