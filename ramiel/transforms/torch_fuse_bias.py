"""torch-fuse-bias: fuses added constants into convolutions and Linear, as biases."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern

from ramiel.console.refusals import refuse
from ramiel.dialects.onnx.attributes import Array, TensorRef, WeightAttr
from ramiel.dialects.onnx.types import element_of, shape_of, static_shape_of, tensor_type
from ramiel.dialects.onnx.weights import FreshNames, weights_of
from ramiel.dialects.torch import CallOp, LayerOp, WeightOp
from ramiel.torch_level.patterns import (
    CONVOLUTIONS,
    arguments_of,
    changed_layer,
    replace,
    rewrite,
    why_closed,
)

_SPATIAL = {
    "Linear": 0,
    **CONVOLUTIONS,
    **{f"ConvTranspose{dims}d": dims for dims in CONVOLUTIONS.values()},
}
"""The number of dimensions of a layer's result after the dimension of channels."""


@dataclass
class _FuseBias(RewritePattern):
    """Replaces layer(x) + b by layer(x) with the bias b."""

    names: FreshNames
    flat: dict[str, WeightAttr] = field(default_factory=dict[str, WeightAttr])
    """The biases that were flattened from weights of more dimensions, by the weights' names."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, CallOp) or op.callee != "operator.add":
            return
        a, b = arguments_of(op).args
        for value, constant in ((a, b), (b, a)):
            if not isinstance(value, SSAValue) or not isinstance(constant, SSAValue):
                continue
            layer, weight = value.owner, constant.owner
            if not isinstance(layer, LayerOp) or layer.layer not in _SPATIAL:
                continue
            if not isinstance(weight, WeightOp):
                if _is_per_channel(layer, constant.type):
                    refuse(op, "the value that it adds for each channel is not constant")
                continue
            if (reason := _why_not(layer, weight)) is not None:
                return refuse(op, reason)
            if value.type != op.results[0].type:
                return refuse(op, "it broadcasts the result of the layer before it")
            fused = changed_layer(layer, weights={"bias": self._bias(weight)})
            return replace(rewriter, op, fused, layer)

    def _bias(self, op: WeightOp) -> WeightAttr:
        """The weight as a bias, flattened to one dimension."""
        source, type = op.weight, op.results[0].type
        shape, element = static_shape_of(type), element_of(type)
        assert shape is not None and element is not None
        bias_type = tensor_type(element, [math.prod(shape)])
        if len(shape) == 1:
            return WeightAttr(TensorRef(source.data.name, source.data.load, bias_type))

        def load() -> Array:
            return source.array().reshape(-1)

        name = source.data.name
        if name not in self.flat:
            ref = TensorRef(self.names.fresh(f"{name}.flat"), load, bias_type)
            self.flat[name] = WeightAttr(ref)
        return self.flat[name]


def _why_not(layer: LayerOp, weight: WeightOp) -> str | None:
    """Why a weight cannot be the bias of a layer; None if it can."""
    if "bias" in layer.weights:
        return "the layer before it has a bias already"
    if (reason := why_closed(layer)) is not None:
        return reason
    if len(layer.operands) > 1:
        return "the layer before it adds another value already"
    constant = weight.results[0].type
    if _channels(layer) is None or static_shape_of(constant) is None:
        return "the number of channels is not known"
    if element_of(layer.results[0].type) != element_of(constant):
        return "the constant has another element type"
    if not _is_per_channel(layer, constant):
        return "the constant is not one number for each channel"
    return None


def _is_per_channel(layer: LayerOp, type: Attribute) -> bool:
    """Whether a type holds one number for each channel of a layer's result."""
    shape, sizes = shape_of(layer.results[0].type), static_shape_of(type)
    spatial, channels = _SPATIAL[layer.layer], _channels(layer)
    if shape is None or sizes is None or channels is None:
        return False
    if not spatial < len(sizes) <= len(shape):
        return False
    return channels == sizes[-1 - spatial] == math.prod(sizes)


def _channels(layer: LayerOp) -> int | None:
    """The number of channels of a layer's result; None if it is not known."""
    shape, spatial = shape_of(layer.results[0].type), _SPATIAL[layer.layer]
    return None if shape is None or len(shape) <= spatial else shape[-1 - spatial]


@dataclass(frozen=True)
class TorchFuseBiasPass(ModulePass):
    """Turns a constant that is added to the result of a layer without a bias into its bias.

        %b = torch.weight "b" : tensor<8xf32>
        %1 = torch.layer Linear(%x) weights {weight = "w" : tensor<8x4xf32>} : ...
        %2 = torch.call operator.add(%b, %1) : ...
        // becomes
        %2 = torch.layer Linear(%x)
          weights {weight = "w" : tensor<8x4xf32>, bias = "b" : tensor<8xf32>} : ...

    Exporters write a Linear of three dimensions as MatMul and Add. For a 2-D convolution the
    constant has shape [C, 1, 1] or [1, C, 1, 1], and is flattened lazily.
    """

    name = "torch-fuse-bias"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        rewrite(self.name, op, _FuseBias(FreshNames(weights_of(op))))
