"""Cases of forms that operators have lost, each with the same in a newer form."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from one_node import Case, Input, TensorProto, case, f32, i64, rand, scalar

Attributes = dict[str, Any]
Pair = tuple[Case, Case]

X = f32(2, 3, 4, 5)
SMALL = f32(2, 3)
BOOL = rand("bool", 2, 3, 4)


@dataclass(frozen=True)
class Form:
    """An operator at an opset: its attributes and, after the inputs that both forms share, more
    inputs, which are constants."""

    opset: int
    attributes: Attributes = field(default_factory=dict[str, Any])
    more: tuple[Input, ...] = ()

    def case(self, op: str, inputs: tuple[Input, ...], outputs: int) -> Case:
        places = tuple(range(len(inputs), len(inputs) + len(self.more)))
        inputs = (*inputs, *self.more)
        return Case(op, inputs, self.attributes, self.opset, places, outputs)


def pair(op: str, inputs: tuple[Input, ...], old: Form, new: Form, outputs: int = 1) -> Pair:
    return old.case(op, inputs, outputs), new.case(op, inputs, outputs)


def same(op: str, *inputs: Input, old: int, new: int, **attributes: Any) -> Pair:
    """One form at two opsets."""
    return pair(op, inputs, Form(old, attributes), Form(new, attributes))


def aligned(op: str, a: Input, b: Any, axis: int, ones: int, opset: int = 6) -> list[Pair]:
    """A second operand, computed or constant, at an axis, and with ones after its dimensions."""
    shape = (*b.shape, *[1] * ones)
    wide = b.reshape(shape) if isinstance(b, np.ndarray) else replace(b, shape=shape)
    new = case(op, a, wide, opset=7)
    return [
        (case(op, a, b, opset=opset, axis=axis, broadcast=1, const=const), new)
        for const in ((), (1,))
    ]


BROADCAST = [
    *(
        p
        for op in ("Add", "Sub", "Mul", "Div")
        for shape, axis, ones in (
            ((3,), 1, 2),
            ((2, 3), 0, 2),
            ((3, 4), 1, 1),
            ((4, 5), 2, 0),
            ((1,), 0, 0),
        )
        for opset in (1, 6)
        for p in aligned(op, X, f32(*shape), axis, ones, opset)
    ),
    *(
        p
        for op in ("Div", "Mul")
        for t in ("int32", "int64")
        for p in aligned(op, rand(t, 2, 3), np.array([3, -2], t), 0, 1)
    ),
    *aligned("Pow", f32(2, 3, low=1, high=2), f32(2), 0, 1, opset=1),
    *(p for op in ("And", "Or", "Xor") for p in aligned(op, BOOL, rand("bool", 3), 1, 1, opset=1)),
    *(p for op in ("Greater", "Less") for p in aligned(op, SMALL, f32(2), 0, 1, opset=1)),
    *aligned("Equal", rand("int32", 2, 3), rand("int32", 2), 0, 1, opset=1),
    *(
        pair(op, (f32(2, 3, 4, 5, low=0.5), other), Form(v, {"broadcast": 1}), Form(7))
        for op in ("Add", "Sub", "Mul", "Div", "Pow")
        for other in (f32(5), f32(4, 5), scalar(0.5))
        for v in (1, 6)
    ),
    *(same(op, X, X, old=v, new=7) for op in ("Add", "Sub", "Mul", "Div") for v in (1, 6)),
    *(
        same(op, *(X, X, X)[:count], old=v, new=8)
        for op in ("Sum", "Max", "Min", "Mean")
        for count in (1, 3)
        for v in (1, 6)
    ),
    *(
        pair("Gemm", (f32(4, 3), f32(3, 5), f32(5)), Form(v, a | {"broadcast": 1}), Form(13, a))
        for a in ({}, {"alpha": 0.5, "beta": 0.25})
        for v in (1, 6)
    ),
]

CONSUMED = [
    pair(op, (f32(2, 3, low=0.1),), Form(1, a | {"consumed_inputs": [0]}), Form(22, a))
    for op, a in (
        *((op, {}) for op in ("Abs", "Ceil", "Exp", "Floor", "Neg", "Relu", "Sigmoid", "Tanh")),
        *((op, {}) for op in ("Log", "Sqrt", "Reciprocal", "HardSigmoid")),
        ("LeakyRelu", {"alpha": 0.3}),
        ("Elu", {"alpha": 0.3}),
        ("Selu", {"alpha": 1.5, "gamma": 1.25}),
    )
]

LARGEST = float(np.finfo(np.float32).max)
NUMBERS = f32(2, 3, low=0, high=9)
UP = np.array([1, 1, 2, 3], np.float32)
AXES = {"axes": [1, 2], "keepdims": 0}
REDUCTIONS = ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSumExp", "SumSquare")

ATTRIBUTES = [
    *(
        pair("Clip", (X,), Form(v, a), Form(13, {}, bounds))
        for v in (1, 6)
        for a, bounds in (
            ({"min": -0.5, "max": 0.25}, (scalar(-0.5), scalar(0.25))),
            ({"min": -LARGEST, "max": 0.5}, (None, scalar(0.5))),
            ({"min": 0.1}, (scalar(0.1),)),
            ({}, ()),
        )
    ),
    pair(
        "Clip",
        (rand("float16", 3, 4),),
        Form(6, {"min": -LARGEST, "max": 0.5}),
        Form(13, {}, (None, scalar(0.5, "float16"))),
    ),
    *(
        pair("Reshape", (X,), Form(1, {"shape": shape}), Form(5, {}, (i64(*shape),)))
        for shape in ([6, 20], [0, -1], [-1], [2, 0, 20])
    ),
    pair("Concat", (f32(2, 3), f32(2, 4)), Form(1), Form(13, {"axis": 1})),
    pair("Concat", (f32(2, 3), f32(4, 3)), Form(1, {"axis": 0}), Form(13, {"axis": 0})),
    *(
        pair("Split", (X,), old, Form(13, {"axis": 2}, (i64(1, 3),)), outputs=2)
        for old in (
            *(Form(v, {"split": [1, 3], "axis": 2}) for v in (1, 2, 11)),
            Form(1, {"axis": 2}, (np.array([1, 3], np.float32),)),
        )
    ),
    pair("Split", (X,), Form(1, {"axis": 2}), Form(13, {"axis": 2}), outputs=2),
    *(
        pair(
            "Pad",
            (f32(2, 4),),
            Form(v, {name: [0, 1, 0, 2], "value": 1.5, "mode": mode}),
            Form(13, {"mode": mode}, (i64(0, 1, 0, 2), scalar(1.5))),
        )
        for v, name in ((1, "paddings"), (2, "pads"))
        for mode in ("constant", "reflect", "edge")
    ),
    *(
        pair("Cast", (NUMBERS,), Form(1, {"to": t}), Form(9, {"to": getattr(TensorProto, t)}))
        for t in ("DOUBLE", "INT64", "FLOAT16", "BOOL", "UINT8", "UINT32")
    ),
    pair("TopK", (X,), Form(1, {"k": 2, "axis": 1}), Form(11, {"axis": 1}, (i64(2),)), outputs=2),
    *(
        pair(
            "Upsample",
            (X,),
            Form(1, {"height_scale": 2.0, "width_scale": 3.0, "mode": old}),
            Form(9, {"mode": new}, (UP,)),
        )
        for old, new in (("nearest", "nearest"), ("bilinear", "linear"))
    ),
    pair("Upsample", (X,), Form(7, {"scales": [1.0, 1.0, 2.0, 3.0]}), Form(9, {}, (UP,))),
    *(
        p
        for v in (1, 11)
        for p in (
            pair("Squeeze", (f32(1, 3, 1),), Form(v, {"axes": [0, 2]}), Form(13, {}, (i64(0, 2),))),
            pair("Unsqueeze", (SMALL,), Form(v, {"axes": [0, 3]}), Form(13, {}, (i64(0, 3),))),
        )
    ),
    pair(
        "Slice",
        (X,),
        Form(1, {"starts": [0, 1], "ends": [1, -1], "axes": [0, 2]}),
        Form(13, {}, (i64(0, 1), i64(1, -1), i64(0, 2))),
    ),
    *(
        pair(f"Reduce{kind}", (X,), Form(v, AXES), Form(18, {"keepdims": 0}, (i64(1, 2),)))
        for kind in REDUCTIONS
        for v in (1, 11)
    ),
    pair(
        "Tile",
        (X,),
        Form(1, {}, (scalar(3), scalar(2))),
        Form(13, {}, (i64(1, 1, 3, 1),)),
    ),
    *(
        same(
            "Hardmax",
            np.array([[[1, 3], [3, 2]], [[0, 0], [1, 1]]], np.float32),
            axis=a,
            old=1,
            new=11,
        )
        for a in (0, 1, 2)
    ),
    *(
        pair("Dropout", (X,), Form(v, a), Form(13))
        for v, a in ((1, {"is_test": 1}), (6, {"is_test": 1}), (6, {}), (7, {}), (10, {}))
    ),
    *(
        same("Scatter", X, np.ones((1, 2, 1, 1), np.int64), f32(1, 2, 1, 1), axis=1, old=v, new=9)
        for v in (9, 10)
    ),
]

STATISTICS = (f32(3), f32(3), f32(3), f32(3, low=0.5, high=2.0))
INFERENCE: tuple[tuple[int, Attributes], ...] = (
    (1, {"consumed_inputs": [0, 0, 0, 1, 1], "is_test": 1}),
    (6, {"is_test": 1}),
    (6, {}),
    (7, {"spatial": 1}),
    (9, {}),
)

CHANNELS = [
    *(
        (
            case("PRelu", X, f32(count), opset=v, const=const),
            case("PRelu", X, f32(*shape), opset=16),
        )
        for count, shape in ((3, (3, 1, 1)), (1, (1,)))
        for v in (1, 6)
        for const in ((), (1,))
    ),
    same("PRelu", X, f32(3, 1, 1), old=6, new=16),
    *(
        (
            case("BatchNormalization", X, *STATISTICS, opset=v, const=const, **old),
            case("BatchNormalization", X, *STATISTICS, opset=15),
        )
        for v, old in INFERENCE
        for const in ((), (1, 2, 3, 4))
    ),
    *(
        pair("InstanceNormalization", (X, f32(3), f32(3)), Form(v, a), Form(22))
        for v, a in ((1, {"consumed_inputs": [0, 0, 0]}), (6, {}))
    ),
]

PAIRS: list[Pair] = [*BROADCAST, *CONSUMED, *ATTRIBUTES, *CHANNELS]
