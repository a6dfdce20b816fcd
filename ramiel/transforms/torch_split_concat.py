"""torch-split-concat: splits convolutions of a concatenation into convolutions of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import DictionaryAttr, ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern

from ramiel.console.refusals import refuse
from ramiel.dialects.onnx.attributes import Array, TensorRef, WeightAttr
from ramiel.dialects.onnx.types import element_of, shape_of, static_shape_of, tensor_type
from ramiel.dialects.onnx.weights import FreshNames, weights_of
from ramiel.dialects.torch import CallOp, LayerOp
from ramiel.torch_level.patterns import (
    Arguments,
    arguments_of,
    call_of,
    copy_origin,
    replace,
    rewrite,
)
from ramiel.torch_level.work import bytes_of

MOST_PARTS = 3
WORTH = 4
"""The least ratio of the concatenation's bytes to those of the added partial sums."""


@dataclass
class _SplitConcat(RewritePattern):
    """Replaces conv(cat([a, b])) by conv_b(b, conv_a(a)), also with a max pool between the two."""

    names: FreshNames

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, LayerOp) or op.layer != "Conv2d":
            return
        pool = call_of(op.operands[0], "F.max_pool2d")
        joined = pool.operands[0] if pool is not None else op.operands[0]
        cat = call_of(joined, "torch.cat")
        if cat is None:
            return
        if not op.operands[0].has_one_use() or not joined.has_one_use():
            return refuse(op, "the concatenation before it has another reader")
        if (reason := _why_not(op, cat)) is not None:
            return refuse(op, reason)
        channels = [_channels(part) for part in cat.operands]
        bounds = [0, *accumulate(channels)]
        if op.weight_shape[1] != bounds[-1]:
            return refuse(op, "its weight and the concatenation differ in their number of channels")
        parts: Sequence[SSAValue] = cat.operands
        if pool is not None:
            arguments = arguments_of(pool)
            parts = [_pooled(rewriter, op, pool, part, arguments) for part in parts]
        total: SSAValue | None = None
        last = len(parts) - 1
        for i, (part, (begin, end)) in enumerate(zip(parts, pairwise(bounds), strict=True)):
            term = self._term(op, [part] if total is None else [part, total], begin, end, i == last)
            if i == last:
                return replace(rewriter, op, term, op)
            copy_origin(op, term)
            term.results[0].name_hint = None
            rewriter.insert(term)
            total = term.results[0]

    def _term(
        self, op: LayerOp, operands: Sequence[SSAValue], begin: int, end: int, is_last: bool
    ) -> LayerOp:
        """The convolution of input channels [begin, end); the last has the bias and activation."""
        source = op.weights["weight"]
        outputs, _, *kernel = op.weight_shape
        element = element_of(op.results[0].type)
        assert element is not None

        def load() -> Array:
            return source.array()[:, begin:end]

        ref = TensorRef(
            self.names.fresh(f"{source.data.name}.{begin}"),
            load,
            tensor_type(element, [outputs, end - begin, *kernel]),
        )
        at_end = {"activation"} if not is_last else set[str]()
        config = {k: v for k, v in op.config.items() if k not in at_end}
        weights = {k: v for k, v in op.weights.items() if is_last}
        return LayerOp.create(
            properties={
                "layer": op.properties["layer"],
                "config": DictionaryAttr(config),
                "weights": DictionaryAttr({**weights, "weight": WeightAttr(ref)}),
            },
            operands=operands,
            result_types=[op.results[0].type],
        )


def _pooled(
    rewriter: PatternRewriter, op: LayerOp, pool: CallOp, part: SSAValue, arguments: Arguments
) -> SSAValue:
    """The pool, applied to one part of the concatenation that it reads."""
    shape, element = shape_of(pool.results[0].type), element_of(pool.results[0].type)
    assert shape is not None and element is not None
    type = tensor_type(element, [shape[0], _channels(part), *shape[2:]])
    new = CallOp.of(pool.callee, [part, *arguments.args[1:]], arguments.kwargs, [type])
    copy_origin(pool, new)
    new.results[0].name_hint = None
    rewriter.insert(new)
    return new.results[0]


def _why_not(op: LayerOp, cat: CallOp) -> str | None:
    """Why a convolution cannot be split or is not worth splitting; None if it is.

    It is if the concatenation is along the channels and much larger than the partial sums.
    """
    if len(op.operands) > 1:
        return "it adds another value already"
    if "groups" in op.config:
        return "it has groups"
    parts = len(cat.operands)
    if not 2 <= parts <= MOST_PARTS:
        return f"the concatenation before it has {parts} part(s), not 2 to {MOST_PARTS}"
    shapes = [static_shape_of(value.type) for value in (*cat.operands, *cat.results)]
    if static_shape_of(op.results[0].type) is None or any(s is None or len(s) != 4 for s in shapes):
        return "the shapes are not known"
    if len(set(cat.operands)) < parts:
        return "the concatenation before it repeats a part"
    if cast(int, arguments_of(cat).kwargs.get("dim", 0)) not in (1, -3):
        return "the concatenation before it is not along the channels"
    added = (parts - 1) * bytes_of(op.results[0].type)
    if bytes_of(cat.results[0].type) < WORTH * added:
        return f"the concatenation before it is not {WORTH} times as large as the sums would be"
    return None


def _channels(value: SSAValue) -> int:
    shape = static_shape_of(value.type)
    assert shape is not None
    return shape[1]


@dataclass(frozen=True)
class TorchSplitConcatPass(ModulePass):
    """Splits a convolution that is the only reader of a large concatenation.

        %c = torch.call torch.cat([%a, %b], dim = 1) : ... -> tensor<1x128x54x54xf32>
        %y = torch.layer Conv2d(%c)
          weights {weight = "w" : tensor<16x128x1x1xf32>, bias = "b" : tensor<16xf32>} : ...
        // becomes
        %0 = torch.layer Conv2d(%a) weights {weight = "w.0" : tensor<16x64x1x1xf32>} : ...
        %y = torch.layer Conv2d(%b, %0)
          weights {weight = "w.64" : tensor<16x64x1x1xf32>, bias = "b" : tensor<16xf32>} : ...

    It saves writing and reading the concatenation, and costs another operation and its result. A
    max pool between the two is applied to each part.
    """

    name = "torch-split-concat"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        rewrite(self.name, op, _SplitConcat(FreshNames(weights_of(op))))
