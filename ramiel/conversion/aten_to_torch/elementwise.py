"""Operators that compute element by element, and those that are one plain call."""

from __future__ import annotations

from xdsl.dialects.builtin import IntegerType
from xdsl.ir import SSAValue

from ramiel.conversion.aten_to_torch.table import Lowered, Node, as_it_is, lowers
from ramiel.dialects.onnx.types import element_of
from ramiel.dialects.torch.literals import Dtype

_UNARY = {
    "abs.default": "torch.abs",
    "acos.default": "torch.acos",
    "asin.default": "torch.asin",
    "atan.default": "torch.atan",
    "bitwise_not.default": "operator.invert",
    "ceil.default": "torch.ceil",
    "cos.default": "torch.cos",
    "cosh.default": "torch.cosh",
    "erf.default": "torch.erf",
    "exp.default": "torch.exp",
    "floor.default": "torch.floor",
    "hardsigmoid.default": "F.hardsigmoid",
    "hardswish.default": "F.hardswish",
    "isinf.default": "torch.isinf",
    "isnan.default": "torch.isnan",
    "log.default": "torch.log",
    "mish.default": "F.mish",
    "neg.default": "operator.neg",
    "reciprocal.default": "torch.reciprocal",
    "relu.default": "F.relu",
    "round.default": "torch.round",
    "sigmoid.default": "torch.sigmoid",
    "sign.default": "torch.sign",
    "silu.default": "F.silu",
    "sin.default": "torch.sin",
    "sinh.default": "torch.sinh",
    "sqrt.default": "torch.sqrt",
    "tan.default": "torch.tan",
    "tanh.default": "torch.tanh",
}

_BINARY = {
    "add": "operator.add",
    "bitwise_and": "operator.and_",
    "bitwise_or": "operator.or_",
    "bitwise_xor": "operator.xor",
    "div": "operator.truediv",
    "eq": "operator.eq",
    "ge": "operator.ge",
    "gt": "operator.gt",
    "le": "operator.le",
    "lt": "operator.lt",
    "mul": "operator.mul",
    "sub": "operator.sub",
    "__and__": "operator.and_",
    "__or__": "operator.or_",
    "__xor__": "operator.xor",
}
_LOGICAL = {
    "logical_and.default": "operator.and_",
    "logical_or.default": "operator.or_",
    "logical_xor.default": "operator.xor",
    "logical_not.default": "operator.invert",
}
_OTHERS = {
    "maximum.default": "torch.maximum",
    "minimum.default": "torch.minimum",
    "pow.Tensor_Scalar": "operator.pow",
    "pow.Tensor_Tensor": "operator.pow",
    "where.self": "torch.where",
}


def _plainly(name: str, callee: str) -> None:
    @lowers(name)
    def _(n: Node) -> Lowered:
        return None if n.kwargs else n.call(callee, *n.args)


for _name, _callee in (*_UNARY.items(), *_OTHERS.items()):
    _plainly(_name, _callee)
for _name, _callee in _BINARY.items():
    _plainly(f"{_name}.Tensor", _callee)
    _plainly(f"{_name}.Scalar", _callee)


def _on_bools(name: str, callee: str) -> None:
    @lowers(name)
    def _(n: Node) -> Lowered:
        return n.call(callee, *n.args) if all(map(n.is_bool, n.args)) else None


for _name, _callee in _LOGICAL.items():
    _on_bools(_name, _callee)

as_it_is(
    "_prelu_kernel.default",
    "addcdiv.default",
    "addcmul.default",
    "atan2.default",
    "bitwise_left_shift.Tensor",
    "bitwise_left_shift.Tensor_Scalar",
    "bitwise_right_shift.Tensor",
    "bitwise_right_shift.Tensor_Scalar",
    "div.Tensor_mode",
    "exp2.default",
    "expm1.default",
    "floor_divide.default",
    "fmod.Scalar",
    "fmod.Tensor",
    "glu.default",
    "lerp.Scalar",
    "lerp.Tensor",
    "log10.default",
    "log1p.default",
    "log2.default",
    "logaddexp.default",
    "ne.Scalar",
    "ne.Tensor",
    "pow.Scalar",
    "remainder.Scalar",
    "remainder.Tensor",
    "threshold.default",
    "trunc.default",
)


def _shift(name: str, callee: str) -> None:
    @lowers(name)
    def _(n: Node) -> Lowered:
        """Of integers: those of floats multiply."""
        return n.call(callee, *n.args) if isinstance(element_of(n.x.type), IntegerType) else None


for _name in ("left", "right"):
    _shift(f"__{_name[0]}shift__.Scalar", f"aten.bitwise_{_name}_shift.Tensor_Scalar")
    _shift(f"__{_name[0]}shift__.Tensor", f"aten.bitwise_{_name}_shift.Tensor")


@lowers("rsub.Scalar", "rsub.Tensor")
def rsub(n: Node) -> Lowered:
    factor = n.arg(2, 1)
    return n.call("operator.sub", n.args[1], n.x) if factor == 1 and not n.kwargs else None


@lowers("rsqrt.default")
def rsqrt(n: Node) -> Lowered:
    """Two calls, of which normalisations are recognised."""
    return n.call("torch.reciprocal", n.call("torch.sqrt", n.x))


@lowers("gelu.default")
def gelu(n: Node) -> Lowered:
    return n.call("F.gelu", n.x, **n.kwargs)


@lowers("leaky_relu.default")
def leaky_relu(n: Node) -> Lowered:
    return n.call("F.leaky_relu", n.x, n.arg(1, 0.01))


@lowers("elu.default")
def elu(n: Node) -> Lowered:
    alpha, *scales = [n.arg(i, 1) for i in (1, 2, 3)]
    return n.call("F.elu", n.x, alpha) if scales == [1, 1] else None


@lowers("hardtanh.default")
def hardtanh(n: Node) -> Lowered:
    return n.call("torch.clamp", n.x, min=n.arg(1, -1), max=n.arg(2, 1))


@lowers("clamp.default")
def clamp(n: Node) -> Lowered:
    given = {"min": n.arg(1, None), "max": n.arg(2, None), **n.kwargs}
    return n.call("torch.clamp", n.x, **{k: v for k, v in given.items() if v is not None})


@lowers("clamp_max.default", "clamp_min.default")
def one_bound(n: Node) -> Lowered:
    bound = n.name.removesuffix(".default").removeprefix("clamp_")
    return n.call("torch.clamp", n.x, **{bound: n.args[1]})


@lowers("softplus.default")
def softplus(n: Node) -> Lowered:
    beta, threshold = n.arg(1, 1), n.arg(2, 20)
    options = {} if (beta, threshold) == (1, 20) else {"beta": beta, "threshold": threshold}
    return n.call("F.softplus", n.x, **options)


@lowers("_to_copy.default", "to.dtype")
def to_copy(n: Node) -> Lowered:
    dtype = n.kwargs.get("dtype", n.arg(1, None))
    if not isinstance(dtype, Dtype) or element_of(n.x.type) == element_of(n.types[0]):
        return n.x
    return n.call("Tensor.to", n.x, dtype)


@lowers(
    "alias.default", "clone.default", "contiguous.default", "detach.default", "lift_fresh.default",
    "lift_fresh_copy.default", "resolve_conj.default", "resolve_neg.default",
)  # fmt: skip
def same(n: Node) -> Lowered:
    """What only changes where a value lies: nothing here is changed in place."""
    return n.x


@lowers("_conj.default")
def conjugate(n: Node) -> Lowered:
    """At once: PyTorch's result only says that it is to be conjugated where it is read."""
    return n.call("aten.conj_physical.default", n.x)


@lowers("_neg_view.default")
def negate(n: Node) -> Lowered:
    return n.call("operator.neg", n.x)


@lowers("copy.default")
def copy(n: Node) -> Lowered:
    source = n.value(1)
    return source if source.type == n.types[0] else None


@lowers("masked_fill.Scalar", "masked_fill.Tensor")
def masked_fill(n: Node) -> Lowered:
    value = n.args[2]
    fits = isinstance(value, SSAValue) or n.is_float(n.x)
    return n.call("torch.where", n.value(1), value, n.x) if fits else None
