"""onnx-fold-batch-norm: folds batch normalisations into the convolutions before them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
)

from ramiel.console.refusals import patterns_of, refuse
from ramiel.dialects.onnx.attributes import Array, TensorRef, WeightAttr
from ramiel.dialects.onnx.operation import STAGES, SchemaOperation
from ramiel.dialects.onnx.structure import (
    Weight,
    constant_attribute_of,
    constant_of,
)
from ramiel.dialects.onnx.types import element_of, numpy_dtype_of, static_shape_of, tensor_type
from ramiel.dialects.onnx.weights import FreshNames, weights_of
from ramiel.torch_level.batch_norm import Folding


@dataclass
class _FoldIntoConvolution(RewritePattern):
    """Replaces batch_norm(conv(x, w, b)) by conv(x, w', b')."""

    names: FreshNames

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, SchemaOperation) or op.op_type != "BatchNormalization":
            return
        conv = op.operands[0].owner
        if not isinstance(conv, SchemaOperation) or conv.op_type not in ("Conv", "ConvTranspose"):
            return
        if (reason := _why_not(op, conv)) is not None:
            return refuse(op, reason)
        parameters = [op.operands[i] for i in range(1, 5)]
        eps = cast(float, op.attribute("epsilon"))
        weight, bias = conv.operands[1], conv.operands[2] if len(conv.operands) == 3 else None
        # The weight of a transposed convolution is [in, out / groups, kernel...].
        transposed = conv.op_type == "ConvTranspose"
        groups = cast(int, conv.attribute("group", 1))

        dtype = numpy_dtype_of(weight.type)
        assert dtype is not None
        folding = Folding(
            partial(_array, weight),
            None if bias is None else partial(_array, bias),
            [partial(_array, value) for value in parameters],
            eps,
            dtype,
            groups if transposed else None,
        )
        if (reason := folding.why_not()) is not None:
            return refuse(op, reason)
        channels = static_shape_of(parameters[0].type)
        element = element_of(weight.type)
        assert element is not None
        base = _name(weight)
        folded = [
            Weight.of(
                TensorRef(self.names.fresh(f"{base}.bn"), cache(folding.new_weight)), weight.type
            ),
            Weight.of(
                TensorRef(self.names.fresh(f"{base}.bn.bias"), cache(folding.new_bias)),
                tensor_type(element, channels),
            ),
        ]
        new = type(conv).make(
            [conv.operands[0], *(f.results[0] for f in folded)],
            [op.results[0].type],
            conv.properties,
            conv.node_name,
        )
        new.results[0].name_hint = op.results[0].name_hint
        new.attributes |= {k: v for k, v in op.attributes.items() if k == STAGES}
        rewriter.insert(folded)
        rewriter.replace(op, new, [new.results[0], *(None for _ in op.results[1:])])
        rewriter.erase(conv)


def _why_not(norm: SchemaOperation, conv: SchemaOperation) -> str | None:
    """Why a normalisation cannot be folded into a convolution; None if it can."""
    if not conv.results[0].has_one_use():
        return "the result of the convolution before it has another reader"
    if norm.attribute("training_mode", 0):
        return "it is in training mode"
    if norm.attribute("spatial", 1) != 1:
        return "it does not normalise channel by channel (spatial)"
    if any(r.uses for r in norm.results[1:]):
        return "its mean or variance is read"
    if not all(_has_bytes(v) for v in norm.operands[1:5]):
        return "its parameters are not constant, or their values are not available"
    if not all(_has_bytes(v) for v in conv.operands[1:]):
        return "the weights of the convolution are not constant, or their values are not available"
    if static_shape_of(norm.operands[1].type) is None:
        return "the shapes are not known"
    return None


def _has_bytes(value: SSAValue) -> bool:
    """Whether a value is a constant, or a weight whose bytes are available."""
    attribute = constant_attribute_of(value)
    if isinstance(attribute, WeightAttr):
        return attribute.data.load is not None
    return attribute is not None


def _array(value: SSAValue) -> Array:
    array = constant_of(value)
    assert array is not None
    return array


def _name(value: SSAValue) -> str:
    owner = value.owner
    return owner.weight.data.name if isinstance(owner, Weight) else value.name_hint or "weight"


@dataclass(frozen=True)
class OnnxFoldBatchNormPass(ModulePass):
    """Folds BatchNormalization with constant parameters into a convolution with constant weights.

        %1 = onnx.Conv(%x, %w) : ...
        %2 = onnx.BatchNormalization(%1, %scale, %bias, %mean, %variance) : ...
        // becomes
        %w.bn = onnx.Weight "w.bn" : ...
        %w.bn.bias = onnx.Weight "w.bn.bias" : ...
        %2 = onnx.Conv(%x, %w.bn, %w.bn.bias) : ...

    The new weights are computed lazily, in f64. Nothing is folded if a weight is only a name, as no
    file holds its bytes.
    """

    name = "onnx-fold-batch-norm"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        pattern = _FoldIntoConvolution(FreshNames(weights_of(op)))
        with patterns_of(self.name):
            PatternRewriteWalker(pattern, apply_recursively=False).rewrite_module(op)
