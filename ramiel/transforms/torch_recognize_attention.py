"""torch-recognize-attention: recognizes attention that is written as several operators."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern

from ramiel.console.refusals import refuse
from ramiel.dialects.onnx.types import element_of, static_shape_of, tensor_type
from ramiel.dialects.torch import CallOp
from ramiel.torch_level.patterns import (
    arguments_of,
    call_of,
    copy_origin,
    is_close,
    is_float,
    operands_of,
    product_of,
    replace,
    rewrite,
    sole_call_of,
)


@dataclass(frozen=True)
class _Scores:
    """scale * (q @ keys) + mask, where the keys are transposed: [..., d, keys]."""

    q: SSAValue
    keys: SSAValue
    scale: float
    mask: SSAValue | None


class _RecognizeAttention(RewritePattern):
    """Replaces softmax(scale * (q @ k.mT) + mask) @ v by scaled dot product attention."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, CallOp) or op.callee != "operator.matmul":
            return
        weights, v = arguments_of(op).args
        softmax = call_of(weights, "F.softmax")
        if softmax is None or not isinstance(v, SSAValue) or not is_float(softmax.results[0].type):
            return
        scores = _scores(softmax)
        if isinstance(scores, str):
            return refuse(op, scores)
        permute = sole_call_of(scores.keys, "Tensor.permute", "Tensor.mT")
        k_type = _transposed_type(scores.keys.type)
        if permute is None or k_type is None:
            return refuse(op, "the keys are not transposed, or have another reader once transposed")
        if (reason := _why_not(scores, v)) is not None:
            return refuse(op, reason)
        k = _untransposed(permute, k_type)
        if isinstance(k, CallOp):
            copy_origin(permute, k)
            rewriter.insert(k)
            k = k.results[0]
        options: dict[str, object] = {} if scores.mask is None else {"attn_mask": scores.mask}
        depth = (static_shape_of(scores.q.type) or (1,))[-1]
        if not is_close(scores.scale, 1 / math.sqrt(depth), scores.q.type):
            options["scale"] = scores.scale
        new = CallOp.of(
            "F.scaled_dot_product_attention", [scores.q, k, v], options, op.result_types
        )
        replace(rewriter, op, new, op)


def _scores(softmax: CallOp) -> _Scores | str:
    """The scores that a softmax is applied to, or why it is not the softmax of attention."""
    if not softmax.results[0].has_one_use():
        return "the attention weights have another reader"
    args, options = arguments_of(softmax)
    shape = static_shape_of(softmax.results[0].type)
    if shape is None:
        return "the shapes are not known"
    if len(args) != 1 or options.keys() != {"dim"} or options["dim"] not in (-1, len(shape) - 1):
        return "the softmax is not over the last dimension alone"
    scores = softmax.operands[0]
    if (found := _scaled(scores, None)) is not None:
        return found
    reason = "the scores are not a matrix product, or an intermediate value has another reader"
    a, b = operands_of(scores, "operator.add") or (None, None)
    for product, mask in ((a, b), (b, a)):
        if not isinstance(product, SSAValue) or not isinstance(mask, SSAValue):
            continue
        if (found := _scaled(product, mask)) is None:
            continue
        if product.type == scores.type and _is_mask(mask.type, scores.type):
            return found
        reason = "the mask cannot be broadcast to the scores"
    return reason


def _scaled(value: SSAValue, mask: SSAValue | None) -> _Scores | None:
    if not value.has_one_use():
        return None
    outer = product_of(value)
    matmul = call_of(outer.values[0], "operator.matmul") if len(outer.values) == 1 else None
    if matmul is None or not matmul.results[0].has_one_use():
        return None
    q, q_scale = _without_factor(matmul.operands[0])
    keys, k_scale = _without_factor(matmul.operands[1])
    return _Scores(q, keys, outer.factor * q_scale * k_scale, mask)


def _without_factor(value: SSAValue) -> tuple[SSAValue, float]:
    """A factor of the scores, split into a value and a number."""
    if not value.has_one_use():
        return value, 1.0
    product = product_of(value)
    return (product.values[0], product.factor) if len(product.values) == 1 else (value, 1.0)


def _is_mask(mask: Attribute, scores: Attribute) -> bool:
    """Whether a mask can be broadcast to the scores, which keep their shape."""
    small, large = static_shape_of(mask), static_shape_of(scores)
    if small is None or large is None or len(small) > len(large) or len(small) < 2:
        return False
    pairs = zip(reversed(small), reversed(large), strict=False)
    return element_of(mask) == element_of(scores) and all(s in (1, d) for s, d in pairs)


def _why_not(scores: _Scores, v: SSAValue) -> str | None:
    """Why the types of queries, keys and values do not fit attention; None if they do."""
    types = (scores.q.type, scores.keys.type, v.type)
    q, keys, values = (static_shape_of(type) for type in types)
    if q is None or keys is None or values is None:
        return "the shapes are not known"
    if len(q) < 3:
        return "the queries are a single matrix"
    if not q[:-2] == keys[:-2] == values[:-2]:
        return "queries, keys and values differ in their leading dimensions"
    if len({element_of(type) for type in types}) > 1:
        return "queries, keys and values differ in their element types"
    if q[-1] != keys[-2] or keys[-1] != values[-2]:
        return "the sizes of queries, keys and values do not match"
    return None


def _transposed_type(type: Attribute) -> Attribute | None:
    shape, element = static_shape_of(type), element_of(type)
    if shape is None or element is None or len(shape) < 2:
        return None
    return tensor_type(element, [*shape[:-2], shape[-1], shape[-2]])


def _untransposed(permute: CallOp, type: Attribute) -> SSAValue | CallOp:
    """The operand of a permutation, permuted without the exchange of the last two dimensions."""
    x, *order = arguments_of(permute).args
    x = cast(SSAValue, x)
    if permute.callee == "Tensor.mT":
        return x
    order[-2:] = order[:-3:-1]
    if order == [*range(len(order))]:
        return x
    return CallOp.of("Tensor.permute", [x, *order], {}, [type])


@dataclass(frozen=True)
class TorchRecognizeAttentionPass(ModulePass):
    """Replaces attention that the model writes as several operators by one call.

        %1 = torch.call Tensor.permute(%k, 0, 1, 3, 2) : ...
        %2 = torch.call operator.matmul(%q, %1) : ...
        %3 = torch.call operator.mul(%2, 0.125) : ...
        %4 = torch.call operator.add(%3, %mask) : ...
        %5 = torch.call F.softmax(%4, dim = -1) : ...
        %6 = torch.call operator.matmul(%5, %v) : ...
        // becomes
        %6 = torch.call F.scaled_dot_product_attention(%q, %k, %v, attn_mask = %mask) : ...

    The scale, by default 1 / sqrt(depth), may be a factor of the queries, the keys or the scores.
    All shapes must be known. Where the mask is minus infinity for a whole row, PyTorch gives 0,
    while the result in ONNX is undefined (0 / 0).
    """

    name = "torch-recognize-attention"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        rewrite(self.name, op, _RecognizeAttention())
