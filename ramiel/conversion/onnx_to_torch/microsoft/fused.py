"""ONNX Runtime's fused operators (com.microsoft), which its optimiser creates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from xdsl.ir import Attribute, SSAValue

from ramiel.conversion.onnx_to_torch.onnx.convolution import conv
from ramiel.conversion.onnx_to_torch.onnx.elementwise import hard_sigmoid_of, selu_of
from ramiel.conversion.onnx_to_torch.onnx.linear import gemm, matmul
from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.attributes import WeightAttr
from ramiel.dialects.onnx.custom_shapes import factor_order, factor_shape
from ramiel.dialects.onnx.structure import Custom
from ramiel.dialects.onnx.types import shape_of, static_shape_of

# --- activations -------------------------------------------------------------------------

Activation = Callable[..., SSAValue]
"""Applies an activation to a value: (node, value, parameters...)."""


def _plain(callee: str) -> Activation:
    def activate(n: Node, x: SSAValue, *numbers: float) -> SSAValue:
        return n.call(callee, x, *numbers, type=x.type)

    return activate


def _clip(n: Node, x: SSAValue, low: float, high: float) -> SSAValue:
    return n.call("torch.clamp", x, min=low, max=high, type=x.type)


_ACTIVATIONS: Mapping[str, tuple[Sequence[str], Activation]] = {
    "Clip": (("min", "max"), _clip),
    "Elu": (("alpha",), _plain("F.elu")),
    "HardSigmoid": (("alpha", "beta"), hard_sigmoid_of),
    "LeakyRelu": (("alpha",), _plain("F.leaky_relu")),
    "Relu": ((), _plain("F.relu")),
    "Selu": (("alpha", "gamma"), selu_of),
    "Sigmoid": ((), _plain("torch.sigmoid")),
    "Softplus": ((), _plain("F.softplus")),
    "Softsign": ((), _plain("F.softsign")),
    "Tanh": ((), _plain("torch.tanh")),
}
"""The activations that fused operators may have, with the names of their parameters."""


def _activation(n: Node) -> tuple[Sequence[str], Activation] | None:
    """The activation that a node names; None if it names none."""
    name = n.text("activation")
    if not name:
        return None
    return _ACTIVATIONS.get(name) or n.fail(f"unknown activation {name!r}")


@lowers("com.microsoft::FusedConv")
def fused_conv(n: Node) -> Lowered:
    y = conv(n)
    assert isinstance(y, SSAValue)
    if n.given(3):
        y = n.call("operator.add", y, n[3])
    found = _activation(n)
    if found is None:
        return y
    names, activate = found
    numbers = n.number_list("activation_params")
    if len(numbers) != len(names):
        n.fail(f"its activation takes {len(names)} number(s), got {len(numbers)}")
    return activate(n, y, *numbers)


@lowers("com.microsoft::FusedGemm")
def fused_gemm(n: Node) -> Lowered:
    y = gemm(n)
    assert isinstance(y, SSAValue)
    found = _activation(n)
    if found is None:
        return y
    names, activate = found
    return activate(n, y, *(n.number(f"activation_{name}") for name in names))


@lowers("com.microsoft::Gelu")
@lowers("com.microsoft::BiasGelu")
def gelu(n: Node) -> Lowered:
    return n.call("F.gelu", _biased(n))


@lowers("com.microsoft::FastGelu")
def fast_gelu(n: Node) -> Lowered:
    return n.call("F.gelu", _biased(n), approximate="tanh")


def _biased(n: Node) -> SSAValue:
    """Input 0 plus input 1, the bias, if it is given."""
    x = n.op.operands[0].type
    return n.call("operator.add", n[0], n[1], type=x) if n.given(1) else n[0]


@lowers("com.microsoft::QuickGelu")
def quick_gelu(n: Node) -> Lowered:
    alpha = n.number("alpha", 1.702)
    if alpha == 1:
        return n.call("F.silu", n[0])
    gate = n.call("torch.sigmoid", n.call("operator.mul", n[0], alpha))
    return n.call("operator.mul", n[0], gate)


# --- products ----------------------------------------------------------------------------


@lowers("com.microsoft::FusedMatMul")
@lowers("com.microsoft::TransposeMatMul")
def fused_matmul(n: Node) -> Lowered:
    alpha = n.number("alpha", 1.0)
    assert isinstance(n.op, Custom)
    orders = [factor_order(n.op, i) for i in (0, 1)]
    moved = [o is None or o != sorted(o) for o in orders]
    if not any(moved):
        product = matmul(n)
        assert isinstance(product, SSAValue)
    elif not moved[0] and n.is_constant(1) and orders[1] == [1, 0] and n.is_float():
        product = n.layer("Linear", n[0], {"weight": n.weight(1)})
    else:
        product = n.call("operator.matmul", *(_factor(n, i, o) for i, o in enumerate(orders)))
    return product if alpha == 1 else n.call("operator.mul", product, alpha)


def _factor(n: Node, i: int, order: list[int] | None) -> SSAValue:
    """Factor i with its dimensions permuted by `order`."""
    assert isinstance(n.op, Custom)
    if order is None:
        if any(n.integer(f"{flag}{'AB'[i]}", 0) for flag in ("trans", "transBatch")):
            n.fail(f"the rank of its input {i} is not known")
        return n[i]
    if order == sorted(order):
        return n[i]
    type = n.like(factor_shape(n.op, i), i)
    if order[:-2] == sorted(order[:-2]) and order[-1] == len(order) - 2:
        return n.call("Tensor.mT", n[i], type=type)
    return n.call("Tensor.permute", n[i], *order, type=type)


# --- normalisations ----------------------------------------------------------------------


def _layer_norm(
    n: Node, x: SSAValue, scale: int, bias: int, eps: float, type: Attribute
) -> SSAValue:
    """LayerNorm over the last dimension, with scale and bias from inputs of the node."""
    if n.is_constant(scale) and n.rank(scale) == 1 and (not n.given(bias) or n.is_constant(bias)):
        weights: dict[str, WeightAttr] = {"weight": n.weight(scale)}
        if n.given(bias):
            weights["bias"] = n.weight(bias)
        return n.layer("LayerNorm", x, weights, eps=eps, type=type)
    return n.call("ops.layer_norm", x, n[scale], n.get(bias), -1, eps, type=type)


def _rms_norm(n: Node, x: SSAValue, scale: int, axis: int, eps: float) -> SSAValue:
    """RMS normalisation over the dimensions from `axis` on."""
    rank, sizes = n.rank(0), static_shape_of(n.op.operands[scale].type)
    dims = -axis if axis < 0 else None if rank is None else rank - axis
    type = n.op.operands[0].type
    if sizes is not None and dims == len(sizes):
        return n.call("F.rms_norm", x, list(sizes), n[scale], eps, type=type)
    return n.call("ops.simplified_layer_norm", x, n[scale], axis, eps, type=type)


@lowers("ai.onnx::SimplifiedLayerNormalization")
def simplified_layer_norm(n: Node) -> Lowered:
    axis, eps = n.integer("axis", -1), n.number("epsilon", 1e-5)
    return _first_only(n, _rms_norm(n, n[0], 1, axis, eps))


@lowers("com.microsoft::SkipLayerNormalization")
def skip_layer_norm(n: Node) -> Lowered:
    total = _sum_with_skip(n, bias=4)
    type = n.op.operands[0].type
    y = _layer_norm(n, total, 2, 3, n.number("epsilon", 1e-12), type)
    return _with_sum(n, y, total)


@lowers("com.microsoft::SkipSimplifiedLayerNormalization")
def skip_simplified_layer_norm(n: Node) -> Lowered:
    total = _sum_with_skip(n, bias=3)
    return _with_sum(n, _rms_norm(n, total, 2, -1, n.number("epsilon", 1e-12)), total)


def _sum_with_skip(n: Node, bias: int) -> SSAValue:
    """Input 0 + bias + input 1: in this order both can be fused into a layer before them."""
    type = n.op.operands[0].type
    x = n.call("operator.add", n[0], n[bias], type=type) if n.given(bias) else n[0]
    return n.call("operator.add", x, n[1], type=type)


def _with_sum(n: Node, y: SSAValue, total: SSAValue) -> Lowered:
    """The results of a normalisation of a sum: the result, two unused statistics, and the sum."""
    _refuse_statistics(n, 3)
    return [y, y, y, total][: len(n.op.results)]


def _first_only(n: Node, y: SSAValue) -> Lowered:
    _refuse_statistics(n, len(n.op.results))
    return [y] * len(n.op.results)


def _refuse_statistics(n: Node, end: int) -> None:
    """Refuses a node if any of its results [1, end) is used."""
    if any(r.uses for r in n.op.results[1:end]):
        n.fail("its mean and standard deviation (training) are not supported")


@lowers("com.microsoft::EmbedLayerNormalization")
def embed_layer_norm(n: Node) -> Lowered:
    shape = n.shape(0)
    if shape is not None and len(shape) != 2:
        n.fail(f"its ids have 2 dimensions, not {len(shape)}")
    type = n.like(shape_of(n.result_type()), 2)
    total = _embedding(n, 2, n[0], type)
    if n.given(8):
        positions = _embedding(n, 3, n[8], type)
    elif shape is not None and shape[1] is not None:
        rows = slice(None, shape[1])
        positions = n.call("operator.getitem", n[3], rows, type=n.like([shape[1], None], 3))
    else:
        positions = n.call("ops.first_rows", n[3], n[0], type=n.like([None, None], 3))
    total = n.call("operator.add", total, positions, type=type)
    if n.given(1) and n.given(4):
        total = n.call("operator.add", total, _embedding(n, 4, n[1], type), type=type)
    y = _layer_norm(n, total, 5, 6, n.number("epsilon", 1e-12), type)
    results = [y, y, total][: len(n.op.results)]
    if len(results) > 1 and n.op.results[1].uses:
        # The number of tokens of each sample that are not padding; zero without a mask.
        results[1] = n.call("ops.mask_lengths", n[0], n.get(7), type=n.op.results[1].type)
    return results


def _embedding(n: Node, table: int, ids: SSAValue, type: Attribute) -> SSAValue:
    if n.is_constant(table) and n.rank(table) == 2:
        return n.layer("Embedding", ids, {"weight": n.weight(table)}, type=type)
    return n.call("ops.gather", n[table], ids, 0, type=type)
