"""torch-fold-batch-norm: folds batch normalisations into the convolutions before them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern

from ramiel.console.refusals import refuse
from ramiel.dialects.onnx.attributes import TensorRef, WeightAttr
from ramiel.dialects.onnx.types import element_of, numpy_dtype_of, static_shape_of, tensor_type
from ramiel.dialects.onnx.weights import FreshNames, weights_of
from ramiel.dialects.torch import LayerOp
from ramiel.dialects.torch.literals import literal, python_literal
from ramiel.torch_level.batch_norm import Folding
from ramiel.torch_level.patterns import CONVOLUTIONS, changed_layer, replace, rewrite, why_closed

_TRANSPOSED = frozenset(f"ConvTranspose{dims}d" for dims in CONVOLUTIONS.values())


@dataclass
class _FoldIntoConvolution(RewritePattern):
    """Replaces BatchNorm(Conv(x)) by Conv(x) with other weights."""

    names: FreshNames

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, LayerOp) or op.layer != "BatchNorm":
            return
        conv = op.operands[0].owner
        if not isinstance(conv, LayerOp) or conv.layer not in (*CONVOLUTIONS, *_TRANSPOSED):
            return
        if (reason := why_closed(conv)) is not None:
            return refuse(op, reason)
        weight, bias = conv.weights["weight"], conv.weights.get("bias")
        parts = ("weight", "bias", "running_mean", "running_var")
        given = (weight, *(op.weights[name] for name in parts), *([bias] if bias else []))
        type = weight.data.type
        if type is None or any(w.data.load is None for w in given):
            return refuse(op, "the values of its weights, or the convolution's, are not available")
        if len({element_of(w.data.type) for w in given if w.data.type is not None}) > 1:
            return refuse(op, "its weights have another element type than the convolution's")
        element, dtype, shape = element_of(type), numpy_dtype_of(type), static_shape_of(type)
        channels = static_shape_of(op.weights["weight"].data.type or type)
        if element is None or dtype is None or shape is None or channels is None:
            return refuse(op, "the shapes are not known")
        groups = cast(int, python_literal(conv.config.get("groups", literal(1, []))))
        folding = Folding(
            weight.array,
            None if bias is None else bias.array,
            [op.weights[name].array for name in parts],
            cast(float, python_literal(op.config["eps"])),
            dtype,
            groups if conv.layer in _TRANSPOSED else None,
        )
        if (reason := folding.why_not()) is not None:
            return refuse(op, reason)
        name = weight.data.name
        of_weight = TensorRef(self.names.fresh(f"{name}.bn"), cache(folding.new_weight), type)
        of_bias = TensorRef(
            self.names.fresh(f"{name}.bn.bias"),
            cache(folding.new_bias),
            tensor_type(element, channels),
        )
        weights = {"weight": WeightAttr(of_weight), "bias": WeightAttr(of_bias)}
        replace(rewriter, op, changed_layer(conv, weights=weights), conv)


@dataclass(frozen=True)
class TorchFoldBatchNormPass(ModulePass):
    """Folds a batch normalisation into the convolution whose result only it reads.

        %1 = torch.layer Conv2d(%x) weights {weight = "w" : ...} : ...
        %2 = torch.layer BatchNorm(%1) {eps = 1.0e-05} weights {weight = "scale" : ..., ...} : ...
        // becomes
        %2 = torch.layer Conv2d(%x) weights {weight = "w.bn" : ..., bias = "w.bn.bias" : ...} : ...

    The new weights are computed when they are asked for, in f64. Nothing is folded if a weight is
    only a name, as no file holds its bytes.
    """

    name = "torch-fold-batch-norm"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        rewrite(self.name, op, _FoldIntoConvolution(FreshNames(weights_of(op))))
