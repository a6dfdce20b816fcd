"""torch-recognize-layer-norm: recognizes normalisations written as several operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern

from ramiel.console.refusals import refuse
from ramiel.dialects.onnx.attributes import TensorRef, WeightAttr
from ramiel.dialects.onnx.types import element_of, shape_of, static_shape_of
from ramiel.dialects.torch import CallOp, LayerOp, WeightOp
from ramiel.torch_level.patterns import (
    arguments_of,
    call_of,
    changed_layer,
    is_float,
    number_of,
    operands_of,
    product_of,
    replace,
    rewrite,
    sole_call_of,
    with_number,
)


@dataclass(frozen=True)
class _Scaled:
    """value / sqrt(mean(of**2) + eps), where the mean is over the last dimensions, `sizes`."""

    value: SSAValue
    of: SSAValue
    eps: float
    sizes: list[int]
    mean: CallOp


class _RecognizeNorm(RewritePattern):
    """Replaces a value over its root mean square, times a weight, by a normalisation.

    d / sqrt(mean(d**2) + eps) * w becomes LayerNorm(x) if d is x - mean(x) and w is a weight, and
    otherwise F.rms_norm(d, sizes, w, eps).
    """

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, CallOp) or op.callee != "operator.mul":
            return
        a, b = arguments_of(op).args
        for value, weight in ((a, b), (b, a)):
            if not isinstance(value, SSAValue) or not isinstance(weight, SSAValue):
                continue
            scaled = _scaled(value)
            if scaled is None or scaled.value is not scaled.of:
                continue
            if (reason := _why_not(op, scaled, value, weight)) is not None:
                return refuse(op, reason)
            return replace(rewriter, op, _norm(scaled, weight), scaled.mean)


def _why_not(op: CallOp, scaled: _Scaled, value: SSAValue, weight: SSAValue) -> str | None:
    """Why a scaled value times a weight does not become a normalisation; None if it does."""
    if not value.has_one_use():
        return "the value that it multiplies has another reader"
    if value.type != op.results[0].type:
        return "it broadcasts the value that it multiplies"
    if static_shape_of(weight.type) != tuple(scaled.sizes):
        return "the weight does not have the shape of the dimensions that are averaged"
    if element_of(weight.type) != element_of(value.type):
        return "the weight has another element type"
    return None


def _norm(scaled: _Scaled, weight: SSAValue) -> CallOp | LayerOp:
    d, types = scaled.value, [scaled.value.type]
    x = _centred(d, scaled.sizes)
    if x is not None and isinstance(weight.owner, WeightOp):
        weights = {"weight": _weight(weight.owner)}
        return LayerOp.of("LayerNorm", [x], weights, {"eps": scaled.eps}, types)
    return CallOp.of("F.rms_norm", [d, scaled.sizes, weight, scaled.eps], {}, types)


class _AddBias(RewritePattern):
    """Replaces LayerNorm(x) + b by LayerNorm(x) with the bias b."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, CallOp) or op.callee != "operator.add":
            return
        a, b = arguments_of(op).args
        for value, bias in ((a, b), (b, a)):
            if not isinstance(value, SSAValue) or not isinstance(bias, SSAValue):
                continue
            layer = value.owner
            if not isinstance(layer, LayerOp) or layer.layer != "LayerNorm":
                continue
            if bias.type != layer.weights["weight"].data.type or value.type != op.results[0].type:
                continue
            if not isinstance(bias.owner, WeightOp):
                return refuse(op, "the bias is not constant")
            if "bias" in layer.weights:
                return refuse(op, "the LayerNorm before it has a bias already")
            if not value.has_one_use():
                return refuse(op, "the result of the LayerNorm before it has another reader")
            weights = {"bias": _weight(bias.owner)}
            return replace(rewriter, op, changed_layer(layer, weights=weights), layer)


def _weight(op: WeightOp) -> WeightAttr:
    """The weight with the type of its operation, which the attribute may lack."""
    ref = op.weight.data
    return WeightAttr(TensorRef(ref.name, ref.load, op.results[0].type))


def _scaled(value: SSAValue) -> _Scaled | None:
    """Matches a value divided by the root of a mean of squares; else None."""
    call = call_of(value, "operator.truediv", "operator.mul")
    if call is None or not is_float(value.type):
        return None
    a, b = arguments_of(call).args
    if call.callee == "operator.truediv":
        return _over_root(a, b, value.type)
    return _over_root(a, _inverse(b), value.type) or _over_root(b, _inverse(a), value.type)


def _inverse(value: object) -> object:
    """The r of 1 / r; else None."""
    if (reciprocal := sole_call_of(value, "torch.reciprocal")) is not None:
        return reciprocal.operands[0]
    one, root = operands_of(value, "operator.truediv") or (None, None)
    return root if number_of(one) == 1 else None


def _over_root(value: object, root: object, type: Attribute) -> _Scaled | None:
    (variance,) = operands_of(root, "torch.sqrt", 1) or (None,)
    pair = with_number(operands_of(variance, "operator.add") or [None, None])
    mean = sole_call_of(pair[0], "torch.mean") if pair is not None else None
    if pair is None or mean is None or not isinstance(value, SSAValue) or value.type != type:
        return None
    squares = mean.operands[0]
    product = product_of(squares)
    of = product.values[0]
    if not squares.has_one_use() or product.values != (of, of) or product.factor != 1:
        return None
    sizes = _last(mean)
    return None if sizes is None or of.type != type else _Scaled(value, of, pair[1], sizes, mean)


def _centred(d: SSAValue, sizes: list[int]) -> SSAValue | None:
    """The x of d = x - mean(x), if only the square and the division use d; else None."""
    call = call_of(d, "operator.sub")
    if call is None:
        return None
    x, mean = arguments_of(call).args
    average = sole_call_of(mean, "torch.mean")
    if average is None or not isinstance(x, SSAValue) or x is not average.operands[0]:
        return None
    users = {use.operation for use in d.uses}
    return x if _last(average) == sizes and x.type == d.type and len(users) == 2 else None


def _last(mean: CallOp) -> list[int] | None:
    """The sizes of the averaged dimensions, if they are the last ones and kept; else None."""
    args, options = arguments_of(mean)
    if len(args) != 1 or options.keys() != {"dim", "keepdim"} or options["keepdim"] is not True:
        return None
    shape = shape_of(mean.operands[0].type)
    dims = options["dim"] if isinstance(options["dim"], list) else [options["dim"]]
    if shape is None or not all(isinstance(d, int) for d in dims):
        return None
    rank = len(shape)
    if sorted(d % rank for d in cast("list[int]", dims)) != [*range(rank - len(dims), rank)]:
        return None
    sizes = [d for d in shape[rank - len(dims) :] if d is not None]
    return sizes if len(sizes) == len(dims) else None


@dataclass(frozen=True)
class TorchRecognizeLayerNormPass(ModulePass):
    """Replaces normalisations that the model writes as several operators by one call.

        %1 = torch.call torch.mean(%x, dim = -1, keepdim = true) : ...
        %2 = torch.call operator.sub(%x, %1) : ...
        %3 = torch.call operator.pow(%2, 2) : ...
        %4 = torch.call torch.mean(%3, dim = -1, keepdim = true) : ...
        %5 = torch.call operator.add(%4, 1.0e-05) : ...
        %6 = torch.call torch.sqrt(%5) : ...
        %7 = torch.call operator.truediv(%2, %6) : ...
        %8 = torch.call operator.mul(%7, %weight) : ...
        %9 = torch.call operator.add(%8, %bias) : ...
        // becomes
        %9 = torch.layer LayerNorm(%x) {eps = 1.0e-05} weights {weight = "weight" : ..., ...} : ...

    Without the subtraction of the mean it becomes F.rms_norm. Intermediate values may have no other
    use, and the weights must have the sizes of the averaged dimensions, which must be the last.
    """

    name = "torch-recognize-layer-norm"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        rewrite(self.name, op, _RecognizeNorm(), _AddBias())
