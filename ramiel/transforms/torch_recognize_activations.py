"""torch-recognize-activations: recognizes activations that are written as several operators."""

from __future__ import annotations

import math
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern

from ramiel.console.refusals import refuse
from ramiel.dialects.torch import CallOp
from ramiel.torch_level.patterns import (
    Product,
    arguments_of,
    call_of,
    is_close,
    is_float,
    operands_of,
    product_of,
    replace,
    rewrite,
    sole_call_of,
    with_number,
)


@dataclass(frozen=True)
class _Activation:
    """The activation that a product was recognized as."""

    callee: str
    x: SSAValue
    origin: CallOp
    options: tuple[tuple[str, str], ...] = ()


class _RecognizeActivation(RewritePattern):
    """Replaces x * gate(x), perhaps times a number, by an activation.

    | product                                                   | activation                      |
    |-----------------------------------------------------------|---------------------------------|
    | x * sigmoid(x)                                            | F.silu(x)                       |
    | clamp(x + 3, 0, 6) / 6                                    | F.hardsigmoid(x)                |
    | x * hardsigmoid(x), x * clamp(x + 3, 0, 6) / 6            | F.hardswish(x)                  |
    | x * (1 + erf(x / sqrt(2))) / 2                            | F.gelu(x)                       |
    | x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2  | F.gelu(x, approximate = "tanh") |
    """

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, CallOp) or op.callee not in ("operator.mul", "operator.truediv"):
            return
        if not is_float(op.results[0].type):
            return
        product = product_of(op.results[0])
        found = _of_clamp(product) or _of_gate(product)
        if found is None:
            return
        if isinstance(found, str):
            return refuse(op, found)
        if found.x.type != op.results[0].type:
            return refuse(op, f"it broadcasts, which {found.callee} does not")
        new = CallOp.of(found.callee, [found.x], dict(found.options), op.result_types)
        replace(rewriter, op, new, found.origin)


def _of_clamp(product: Product) -> _Activation | None:
    if len(product.values) != 1:
        return None
    clamp = _clamped(product.values[0], product.factor)
    return None if clamp is None else _Activation("F.hardsigmoid", clamp[1], clamp[0])


def _of_gate(product: Product) -> _Activation | str | None:
    """The activation of the form x * gate(x) that a product is, or why it cannot be replaced."""
    if len(product.values) != 2:
        return None
    a, b = product.values
    return _gated(a, b, product.factor) or _gated(b, a, product.factor)


def _gated(x: SSAValue, gate: SSAValue, factor: float) -> _Activation | str | None:
    sigmoid = call_of(gate, "torch.sigmoid", "F.hardsigmoid")
    if sigmoid is not None:
        if not is_close(factor, 1, x.type) or arguments_of(sigmoid) != ([x], {}):
            return None
        callee = "F.silu" if sigmoid.callee == "torch.sigmoid" else "F.hardswish"
        return _Activation(callee, x, sigmoid) if gate.has_one_use() else _another_reader(sigmoid)
    if (clamp := _clamped(gate, factor)) is not None:
        return _Activation("F.hardswish", x, clamp[0]) if clamp[1] is x else None
    return _gelu(x, gate) if is_close(factor, 0.5, x.type) else None


def _clamped(value: SSAValue, factor: float) -> tuple[CallOp, SSAValue] | None:
    """The clamp and the x of clamp(x + 3, 0, 6) / 6."""
    clamp = sole_call_of(value, "torch.clamp")
    if clamp is None or not is_close(factor, 1 / 6, value.type):
        return None
    args, bounds = arguments_of(clamp)
    if len(args) != 1 or bounds != {"min": 0, "max": 6}:
        return None
    x = _plus(args[0], 3)
    return None if x is None else (clamp, x)


def _another_reader(call: CallOp) -> str:
    return f"the result of {call.callee} in it has another reader"


def _gelu(x: SSAValue, gate: SSAValue) -> _Activation | str | None:
    """Gelu of x, whose factor 1/2 is taken out, if the gate is 1 + erf(..) or 1 + tanh(..)."""
    one_less = _plus(gate, 1)
    curve = call_of(one_less, "torch.erf", "torch.tanh")
    inner = curve.operands[0] if curve is not None and len(curve.operands) == 1 else None
    if curve is None or inner is None or not inner.has_one_use():
        return None
    product = product_of(inner)
    if curve.callee == "torch.erf":
        if product.values != (x,) or not is_close(product.factor, math.sqrt(0.5), x.type):
            return None
        found = _Activation("F.gelu", x, curve)
    else:
        factor = math.sqrt(2 / math.pi)
        if not is_close(product.factor, factor, x.type) or not _is_cubic(product, x):
            return None
        found = _Activation("F.gelu", x, curve, (("approximate", "tanh"),))
    return found if curve.results[0].has_one_use() else _another_reader(curve)


def _is_cubic(product: Product, x: SSAValue) -> bool:
    """Whether the values of a product are x + 0.044715 * x**3, or x * (1 + 0.044715 * x**2)."""
    if len(product.values) == 1:
        terms = operands_of(product.values[0], "operator.add") or []
        return any(
            a is x and isinstance(b, SSAValue) and _is_power(b, x, 3)
            for a, b in (terms, terms[::-1])
            if terms
        )
    if len(product.values) != 2 or x not in product.values:
        return False
    a, b = product.values
    square = _plus(b if a is x else a, 1)
    return square is not None and _is_power(square, x, 2)


def _is_power(value: SSAValue, x: SSAValue, exponent: int) -> bool:
    """Whether a value with one use is 0.044715 * x**exponent."""
    if not value.has_one_use():
        return False
    product = product_of(value)
    return product.values == (x,) * exponent and is_close(product.factor, 0.044715, x.type)


def _plus(value: object, number: float) -> SSAValue | None:
    """The x of x + number, if it has the type of the sum."""
    pair = with_number(operands_of(value, "operator.add") or [None, None])
    if pair is None or not isinstance(value, SSAValue) or pair[0].type != value.type:
        return None
    return pair[0] if is_close(pair[1], number, value.type) else None


@dataclass(frozen=True)
class TorchRecognizeActivationsPass(ModulePass):
    """Replaces activations that the model writes as several operators by one call.

        %1 = torch.call torch.sigmoid(%x) : ...
        %2 = torch.call operator.mul(%x, %1) : ...
        // becomes
        %2 = torch.call F.silu(%x) : ...

    Factors and divisors may be anywhere in a product. No part of an activation may have another
    use. `_RecognizeActivation` lists the activations that are recognized.
    """

    name = "torch-recognize-activations"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        rewrite(self.name, op, _RecognizeActivation())
