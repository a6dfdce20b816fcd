"""Random numbers."""

from __future__ import annotations

import math
from functools import partial

from xdsl.ir import Attribute

from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.types import BY_PROTO, tensor_type
from ramiel.dialects.torch.literals import Dtype

_PARAMETERS = {"uniform": {"low": 0.0, "high": 1.0}, "normal": {"mean": 0.0, "scale": 1.0}}


def _dtype(n: Node) -> Dtype:
    """The element type of the result: by default that of the input."""
    code = n.attribute("dtype")
    if not isinstance(code, int):
        return n.dtype(n.op.operands[0].type)
    row = BY_PROTO.get(code)
    return (
        n.fail(f"its element type {code} is unknown")
        if row is None
        else n.dtype(tensor_type(row.ir, None))
    )


def _seed(n: Node) -> dict[str, object]:
    """The integer part of the seed. NaN means no seed, as in ONNX's reference implementation."""
    if n.attribute("seed") is None or math.isnan(n.number("seed")):
        return {}
    seed = n.number("seed")
    return {"seed": int(seed)} if abs(seed) < 1 << 63 else n.fail(f"its seed {seed} is too large")


def _random(kind: str, like: bool, n: Node) -> Lowered:
    if like:
        shape = n.shape(0)
        known = shape is not None and None not in shape
        size = list(shape or ()) if known else n.call("ops.shape", n[0], type=_shape_type(n))
    else:
        size = n.integer_list("shape")
        if size is None or min(size, default=0) < 0:
            n.fail("its shape must be a list of sizes")
    numbers = [n.number(name, default) for name, default in _PARAMETERS[kind].items()]
    callee = "ops.random_uniform" if kind == "uniform" else "ops.random_normal"
    return n.call(callee, size, *numbers, _dtype(n), **_seed(n))


def _shape_type(n: Node) -> Attribute:
    return tensor_type(BY_PROTO[7].ir, [n.rank(0)])


for _kind in _PARAMETERS:
    for _like in (False, True):
        lowers(f"Random{_kind.title()}{'Like' if _like else ''}")(partial(_random, _kind, _like))


@lowers("Bernoulli", 15)
def bernoulli(n: Node) -> Lowered:
    """Lowered directly: ONNX's function body draws ones with probability 1 - x instead of x."""
    return n.call("ops.bernoulli", n[0], _dtype(n), **_seed(n))


@lowers("Multinomial", 7)
def multinomial(n: Node) -> Lowered:
    count = n.integer("sample_size", 1)
    if count < 1:
        n.fail("its sample size must be positive")
    return n.call("ops.multinomial", n[0], count, _dtype(n), **_seed(n))
