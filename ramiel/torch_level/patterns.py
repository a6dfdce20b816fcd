"""Helpers for patterns on the `torch` dialect: matching calls, numbers and products; rewriting."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
from xdsl.dialects.builtin import DictionaryAttr, ModuleOp
from xdsl.ir import Attribute, SSAValue
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
)

from ramiel.console.refusals import patterns_of
from ramiel.dialects.onnx.attributes import WeightAttr
from ramiel.dialects.onnx.types import numpy_dtype_of, static_shape_of
from ramiel.dialects.torch import CallOp, LayerOp, TorchOperation, WeightOp
from ramiel.dialects.torch.literals import (
    Dtype,
    DtypeAttr,
    OperandAttr,
    fold_literal,
    literal,
    python_literal,
)
from ramiel.dialects.torch.operation import ORIGIN, STAGES

FLOATS = frozenset(["float16", "bfloat16", "float32", "float64"])

CONVOLUTIONS = {"Conv1d": 1, "Conv2d": 2, "Conv3d": 3}
"""The convolutions, and the number of spatial dimensions of their kernels."""

_LIMIT = 8
"""The most multiplications that `product_of` follows: no activation has more."""


def rewrite(name: str, module: ModuleOp, *patterns: RewritePattern) -> None:
    """Tries the patterns of a pass once on each operation, in program order.

    Operations that a pattern inserts are visible to later matches but are not matched themselves.
    """
    applier = GreedyRewritePatternApplier(list(patterns))
    with patterns_of(name):
        PatternRewriteWalker(applier, apply_recursively=False).rewrite_module(module)


# --- reading -----------------------------------------------------------------------------


class Arguments(NamedTuple):
    """The arguments of a call as Python values, with SSA values for operands."""

    args: list[object]
    kwargs: dict[str, object]


def arguments_of(op: CallOp) -> Arguments:
    def leaf(a: Attribute) -> object:
        if isinstance(a, OperandAttr):
            return op.operands[a.data]
        return Dtype(a.data) if isinstance(a, DtypeAttr) else python_literal(a)

    def python(a: Attribute) -> object:
        return fold_literal(a, leaf, list, slice)

    return Arguments([python(a) for a in op.args], {k: python(a) for k, a in op.kwargs.items()})


def call_of(value: object, *callees: str) -> CallOp | None:
    """The call of one of `callees` whose only result is `value`; else None."""
    op = value.owner if isinstance(value, SSAValue) else None
    if isinstance(op, CallOp) and op.callee in callees and len(op.results) == 1:
        return op
    return None


def sole_call_of(value: object, *callees: str) -> CallOp | None:
    """Like `call_of`, but the value must have one use, so that the call can be erased with it."""
    call = call_of(value, *callees)
    return call if call is not None and call.results[0].has_one_use() else None


def operands_of(value: object, callee: str, count: int = 2) -> list[object] | None:
    """The arguments of the single-use call of `callee` that defines a value; None if there is no
    such call, or it has keywords or another number of arguments than `count`."""
    call = sole_call_of(value, callee)
    if call is None or call.kwargs or len(call.args) != count:
        return None
    return arguments_of(call).args


def number_of(value: object) -> float | None:
    """The number that an argument of a call is, a literal or a weight of one element; else None."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, SSAValue) or not isinstance(value.owner, WeightOp):
        return None
    shape, weight = static_shape_of(value.type), value.owner.weight
    if shape is None or math.prod(shape) != 1 or not is_float(value.type):
        return None
    return None if weight.data.load is None else float(weight.array().reshape(-1)[0])


def with_number(values: Sequence[object]) -> tuple[SSAValue, float] | None:
    """The value and the number, if two operands are one of each, in either order; else None."""
    for value, other in (values, values[::-1]):
        number = number_of(other)
        if number is not None and isinstance(value, SSAValue):
            return value, number
    return None


def is_float(type: Attribute) -> bool:
    dtype = numpy_dtype_of(type)
    return dtype is not None and dtype.name in FLOATS


def is_close(value: float, expected: float, type: Attribute) -> bool:
    """Whether a number equals another one up to the precision of a type's elements. In float64, a
    number that was rounded to float32 does not."""
    dtype = numpy_dtype_of(type)
    error = 1e-15 if dtype == np.float64 else 1e-6
    if abs(value - expected) <= error * abs(expected):
        return True
    return dtype is not None and bool(np.asarray(value, dtype) == np.asarray(expected, dtype))


@dataclass(frozen=True)
class Product:
    """A number times values, all of the type of the product."""

    factor: float
    values: tuple[SSAValue, ...]


def product_of(root: SSAValue) -> Product:
    """A value as a product; of itself alone if it is not one.

    Multiplications, divisions by numbers, squares and cubes are expanded if their results have no
    use outside the product and nothing is broadcast.
    """
    factor = 1.0
    values: list[SSAValue] = []
    stack, seen = [root], 0
    while stack:
        value = stack.pop()
        owned = value is root or value.has_one_use()
        parts = _parts(value) if owned and seen < _LIMIT and value.type == root.type else None
        if parts is None or any(v.type != root.type for v in parts.values):
            values.append(value)
            continue
        seen += 1
        factor *= parts.factor
        stack += reversed(parts.values)
    return Product(factor, tuple(values))


def _parts(value: SSAValue) -> Product | None:
    call = call_of(value, "operator.mul", "operator.truediv", "operator.pow")
    if call is None:
        return None
    a, b = arguments_of(call).args
    number = number_of(b)
    if call.callee == "operator.mul":
        if (pair := with_number([a, b])) is not None:
            return Product(pair[1], (pair[0],))
        return Product(1.0, cast("tuple[SSAValue, SSAValue]", (a, b)))
    if number is None or not isinstance(a, SSAValue):
        return None
    if call.callee == "operator.truediv":
        return Product(1 / number, (a,)) if number else None
    return Product(1.0, (a,) * int(number)) if number in (2, 3) else None


# --- rewriting ---------------------------------------------------------------------------


def replace(
    rewriter: PatternRewriter, op: TorchOperation, new: TorchOperation, origin: TorchOperation
) -> None:
    """Replaces an operation by a new one, and erases operations that become unused.

    The new operation comes from the same ONNX node as `origin`, and has the pipeline stages of
    `op`, whose value it computes.
    """
    copy_origin(origin, new)
    new.attributes.pop(STAGES, None)
    new.attributes |= {k: v for k, v in op.attributes.items() if k == STAGES}
    new.results[0].name_hint = op.results[0].name_hint
    operands = list(op.operands)
    rewriter.replace(op, new)
    erase_unused(rewriter, operands)


def copy_origin(source: TorchOperation, target: TorchOperation) -> None:
    """Copies what ORIGIN names, and the name of an operation's result, to another."""
    target.attributes |= {k: v for k, v in source.attributes.items() if k in ORIGIN}
    target.results[0].name_hint = source.results[0].name_hint


def forward(rewriter: PatternRewriter, op: TorchOperation, value: SSAValue) -> None:
    """Replaces an operation's result by a value, and erases operations that become unused."""
    operands = list(op.operands)
    rewriter.replace(op, [], [value])
    erase_unused(rewriter, operands)


def erase_unused(rewriter: PatternRewriter, values: Iterable[SSAValue]) -> None:
    """Erases the operations that define unused values, then those that become unused."""
    stack = list(values)
    while stack:
        op = stack.pop().owner
        if not isinstance(op, TorchOperation) or op.parent is None:
            continue
        if not any(r.uses for r in op.results):
            stack += op.operands
            rewriter.erase(op)


def product_layer(value: object) -> LayerOp | None:
    """The convolution or Linear that defines a value; else None."""
    op = value.owner if isinstance(value, SSAValue) else None
    if isinstance(op, LayerOp) and (op.layer in CONVOLUTIONS or op.layer == "Linear"):
        return op
    return None


def why_closed(layer: LayerOp) -> str | None:
    """Why the operation that reads a layer's result cannot be fused into it; None if it can."""
    if not layer.results[0].has_one_use():
        return "the result of the layer before it has another reader"
    if "activation" in layer.config:
        return "the layer before it has an activation already"
    return None


def changed_layer(
    layer: LayerOp,
    operands: Sequence[SSAValue] = (),
    config: Mapping[str, object] | None = None,
    weights: Mapping[str, WeightAttr] | None = None,
) -> LayerOp:
    """A copy of a layer's call with additional operands, options and weights."""
    options = {k: literal(v, []) for k, v in (config or {}).items()}
    return LayerOp.create(
        properties={
            "layer": layer.properties["layer"],
            "config": DictionaryAttr({**layer.config, **options}),
            "weights": DictionaryAttr({**layer.weights, **(weights or {})}),
        },
        operands=[*layer.operands, *operands],
        result_types=[layer.results[0].type],
    )
