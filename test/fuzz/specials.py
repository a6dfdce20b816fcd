"""The families of operators that NaN and infinities go through, or not."""

from __future__ import annotations

import numpy as np
from builder import Graph
from families import exact_floats, floats, operand_for, ranked


def tests(g: Graph) -> object:
    x = g.find(floats)
    if x is None:
        return None
    op = g.choose.pick(["IsNaN", "IsInf"])
    if op == "IsNaN":
        return g.add(op, [x])
    attributes = {
        "detect_negative": g.choose.integer(0, 1),
        "detect_positive": g.choose.integer(0, 1),
    }
    return g.add(op, [x], attributes)


def extremes(g: Graph) -> object:
    x = g.find(floats)
    if x is None:
        return None
    operands = [x, *(operand_for(g, x) for _ in range(g.choose.integer(0, 2)))]
    return g.add(g.choose.pick(["Min", "Max"]), operands)


def clip(g: Graph) -> object:
    """Between infinite ends as well."""
    x = g.find(floats)
    if x is None:
        return None
    ends = (g.choose.pick([None, -np.inf, -1, 0]), g.choose.pick([None, np.inf, 1, 6]))
    return g.add(
        "Clip", [x, *(None if e is None else g.constant(np.array(e, x.dtype)) for e in ends)]
    )


def arithmetic(g: Graph) -> object:
    """Beyond poles: what ordinary models keep away from."""
    x = g.find(exact_floats)
    if x is None:
        return None
    op = g.choose.pick(["Div", "Reciprocal", "Sqrt", "Log", "Pow", "Exp", "Mod", "Sub", "Add"])
    if op in ("Div", "Sub", "Add"):
        y = operand_for(g, x)
        return g.add(op, [x, y], rounds=True) if y.exact else None
    if op == "Pow":
        power = g.constant(np.array(g.choose.pick([2, 0.5, 3, -1, 0, 1]), x.dtype))
        return g.add(op, [x, power], rounds=True)
    if op == "Mod":
        return g.add(op, [x, g.constant(np.array(2, x.dtype))], {"fmod": 1})
    return g.add(op, [x], rounds=True)


def rounded(g: Graph) -> object:
    x = g.find(exact_floats)
    ops = ["Floor", "Ceil", "Round", "Sign", "Relu", "Abs", "Neg", "Shrink", "ThresholdedRelu"]
    return x and g.add(g.choose.pick(ops), [x])


def removed(g: Graph) -> object:
    """NaN, or what is infinite, replaced as models do it."""
    x = g.find(floats)
    test = x and g.add(g.choose.pick(["IsNaN", "IsInf"]), [x])
    zero = x and g.constant(np.array(0, x.dtype))
    return test and g.add("Where", [test[0], zero, x])


def masked_softmax(g: Graph) -> object:
    """Scores masked with -inf: a row of nothing else is NaN."""
    x = g.find(lambda v: v.kind == "f" and ranked(v))
    if x is None:
        return None
    mask = np.where(g.numbers(x.shape[-1:], "bool"), 0, -np.inf).astype(x.dtype)
    masked = g.add("Add", [x, g.constant(mask)])
    op = g.choose.pick(["Softmax", "LogSoftmax", "ReduceLogSumExp"])
    if op == "ReduceLogSumExp":
        return masked and g.add(op, masked, rounds=True)
    return masked and g.add(op, masked, {"axis": -1}, rounds=True)


def places(g: Graph) -> object:
    """Where there is something; whether one value is another; how often it is there."""
    x = g.find(lambda v: exact_floats(v) and ranked(v))
    if x is None:
        return None
    op = g.choose.pick(["NonZero", "Equal", "CumSum", "Cast", "Not"])
    if op == "NonZero":
        return g.add(op, [x], empty=True)
    if op == "Equal":
        return g.add(op, [x, x])
    if op == "CumSum":
        return g.add(op, [x, g.constant(np.array(g.choose.integer(0, x.rank - 1), np.int64))])
    truth = g.add("Cast", [x], {"to": 9})
    return truth and g.add("Not", truth) if op == "Not" else truth
