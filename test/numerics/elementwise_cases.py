"""Cases of operators that work element by element, of activations and of conversions."""

import ml_dtypes
import numpy as np
from one_node import Case, TensorProto, case, f32, i64, rand, scalar

X = f32(2, 3, 4)
POSITIVE = f32(2, 3, 4, low=0.1, high=3.0)
WIDE = f32(2, 3, 4, low=-30, high=30)
BOOL = rand("bool", 2, 3)
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, -2.5, 3e38], np.float32)
HALVES = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.3], np.float32)

UNARY = [
    *(case(op, X) for op in ("Abs", "Acos", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos")),
    *(case(op, X) for op in ("Cosh", "Erf", "Exp", "Floor", "Neg", "Sign", "Sin", "Sinh", "Tan")),
    *(case(op, WIDE) for op in ("HardSwish", "Mish", "Relu", "Sigmoid", "Softplus", "Softsign")),
    *(case(op, WIDE) for op in ("Tanh", "Selu", "Elu", "Celu", "LeakyRelu", "HardSigmoid")),
    *(case(op, POSITIVE) for op in ("Log", "Sqrt", "Reciprocal")),
    *(case(op, SPECIAL) for op in ("IsNaN", "IsInf", "Abs", "Relu", "Tanh", "Sigmoid")),
    *(case(op, f32()) for op in ("Neg", "Relu", "Softplus", "HardSwish", "LeakyRelu")),
    *(case(op, f32(0, 3)) for op in ("Neg", "Relu", "Sigmoid")),
    *(case(op, rand("float16", 3, 4)) for op in ("Sigmoid", "Tanh", "Relu", "Erf", "Softplus")),
    *(case(op, rand("float64", 3, 4)) for op in ("Sigmoid", "Tanh", "Relu", "Exp", "Neg")),
    *(case(op, rand(t, 3, 4)) for op in ("Abs", "Neg", "Sign") for t in ("int8", "int32", "int64")),
    case("Relu", rand("int32", 3, 4)),
    case("Acosh", f32(3, low=1.0, high=3.0)),
    case("Det", f32(2, 3, 3)),
    case("Det", f32(3, 3)),
    case("Round", HALVES),
    case("Not", BOOL),
    *(case("BitwiseNot", rand(t, 5)) for t in ("uint8", "int32", "int64")),
    case("IsInf", SPECIAL, detect_negative=0),
    case("IsInf", SPECIAL, detect_positive=0),
    case("IsInf", SPECIAL, detect_positive=0, detect_negative=0),
    case("Elu", X, alpha=0.3),
    case("Celu", X, alpha=0.3),
    case("LeakyRelu", X, alpha=0.3),
    case("Selu", X, alpha=1.5, gamma=2.0),
    case("HardSigmoid", WIDE, alpha=1 / 6, beta=0.5),
    case("HardSigmoid", WIDE, alpha=0.1, beta=0.3),
    case("ThresholdedRelu", X),
    case("ThresholdedRelu", X, alpha=0.2),
    case("ThresholdedRelu", rand("float16", 4), alpha=0.5, reference=True),
    case("Shrink", WIDE),
    case("Shrink", WIDE, lambd=1.5, bias=1.5),
    case("Shrink", rand("int32", 6), lambd=1.5, bias=2.0),
    *(case("Gelu", WIDE, approximate=a) for a in ("none", "tanh")),
    case("Swish", WIDE, opset=24, reference=True),
    case("Swish", WIDE, opset=24, alpha=0.5, reference=True),
    case("Identity", X),
    *(case("Dropout", X, opset=v) for v in (7, 10)),
    case("Dropout", X, outputs=2, opset=12, reference=True),
    case("Dropout", X, scalar(0.3), scalar(False, "bool"), const=(1, 2), outputs=2),
    case("Dropout", X, scalar(0.3)),
]

PAIRS = (
    (f32(2, 3), f32(2, 3)),
    (f32(2, 3), f32(3)),
    (f32(4, 1, 3), f32(2, 1)),
    (f32(), f32(2)),
    (f32(0, 3), f32(1, 3)),
)
BINARY = [
    *(case(op, *p) for op in ("Add", "Sub", "Mul", "Div") for p in PAIRS),
    *(case(op, *p, opset=7) for op in ("Add", "Sub", "Mul", "Div") for p in PAIRS[:2]),
    # A constant of one element stands as a number unless it has the larger rank.
    *(
        case(op, *pair, const=const)
        for op in ("Add", "Sub", "Mul", "Div")
        for pair, const in (
            ((f32(2, 3), scalar(0.3)), (1,)),
            ((scalar(0.3), f32(2, 3)), (0,)),
            ((f32(3), np.full((1, 1, 1), 0.3, np.float32)), (1,)),
            ((np.full((1, 1), 0.3, np.float32), f32(3)), (0,)),
            ((scalar(0.3), scalar(0.7)), (0, 1)),
            ((f32(2, 3), f32(3)), (1,)),
        )
    ),
    *(
        case(op, rand(t, 2, 3), np.array([[7, -2, 3]], t), const=const)
        for op in ("Add", "Sub", "Mul", "Div")
        for t in ("int32", "int64", "float16", "float64")
        for const in ((), (1,))
    ),
    case("Div", rand("int64", 5), scalar(-2, "int64"), const=(1,)),
    case("Div", scalar(-7, "int32"), np.array([2, -3, 4], np.int32), const=(0,)),
    case("Div", rand("uint8", 5), scalar(2, "uint8"), const=(1,)),
    *(case(op, BOOL, rand("bool", 3)) for op in ("And", "Or", "Xor")),
    *(case(op, BOOL, scalar(True, "bool"), const=(1,)) for op in ("And", "Or", "Xor")),
    *(
        case(op, rand("int32", 2, 3), rand("int32", 3))
        for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor")
    ),
    *(
        case(op, rand(t, 2, 3), scalar(2, t), const=const, opset=v)
        for op, v in (
            ("Equal", 7),
            ("Equal", 13),
            ("Greater", 9),
            ("Less", 9),
            ("GreaterOrEqual", 12),
            ("LessOrEqual", 16),
        )
        for t, const in (("int32", ()), ("int64", (1,)))
    ),
    *(
        case(op, HALVES, scalar(0.3), const=(1,))
        for op in ("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")
    ),
    *(case("Equal", BOOL, scalar(True, "bool"), const=c) for c in ((), (1,))),
    *(
        case("Mod", rand(t, 3, 4), np.array([3, -2, 5, -7], t), fmod=m, const=c)
        for t in ("int32", "int64")
        for m in (0, 1)
        for c in ((), (1,))
    ),
    *(case("Mod", rand("int64", 6), scalar(3, "int64"), const=(1,), fmod=m) for m in (0, 1)),
    case("Mod", WIDE, f32(4, low=1, high=5), fmod=1),
    *(case("Pow", POSITIVE, scalar(e), const=(1,)) for e in (2.0, 0.5, -1.0, 0.0, 3.3)),
    case("Pow", scalar(2.0), X, const=(0,)),
    case("Pow", f32(), np.array([2.0], np.float32), const=(1,)),
    *(
        case("Pow", rand(a, 5, low=1, high=4), np.array([2], b), const=const)
        for a, b in (
            ("float32", "int64"),
            ("float32", "float64"),
            ("float64", "float32"),
            ("int32", "float32"),
            ("int64", "int32"),
            ("int32", "int64"),
        )
        for const in ((), (1,))
    ),
    case("Pow", POSITIVE, scalar(np.inf), const=(1,)),
    *(
        case("BitShift", rand(t, 5), np.array([1, 2, 0, 3, 1], t), direction=d)
        for t in ("uint8",)
        for d in ("LEFT", "RIGHT")
    ),
    case("Where", BOOL, f32(3), f32(2, 1)),
    case("Where", BOOL, scalar(0.0), f32(2, 3), const=(1,)),
    case("Where", BOOL, rand("int64", 2, 3), scalar(3, "int64")),
    case("PRelu", f32(2, 3, 4, 4), f32(3, 1, 1), const=(1,)),
    case("PRelu", f32(2, 3, 4, 4), f32(1, 3, 1, 1), const=(1,)),
    case("PRelu", f32(2, 3, 4, 4), f32(1), const=(1,)),
    case("PRelu", f32(2, 3, 4, 4), f32(4), const=(1,)),
    case("PRelu", f32(2, 3), f32(3), const=(1,)),
    case("PRelu", f32(2, 3, 4), f32(3, 1)),
    case("PRelu", f32(3), f32(3), const=(1,)),
]

VARIADIC = [
    *(
        case(op, *(f32(2, 3), f32(3), f32(2, 1), f32(4, 1, 3))[:count], opset=v)
        for op in ("Max", "Min", "Sum", "Mean")
        for count in (1, 2, 3, 4)
        for v in (8, 13)
    ),
    *(case(op, rand(t, 2, 3), rand(t, 3)) for op in ("Max", "Min") for t in ("int64", "float16")),
    case("Max", f32(2, 3), scalar(0.2), const=(1,)),
]

LOW, HIGH = scalar(-0.3), scalar(0.4)
CLIP = [
    case("Clip", X, opset=6),
    case("Clip", X, opset=6, min=-0.5),
    case("Clip", X, opset=6, min=-0.5, max=0.25),
    case("Clip", X, opset=11),
    *(case("Clip", X, *b, const=(1, 2), opset=v) for b in ((LOW, HIGH), (LOW,)) for v in (11, 13)),
    case("Clip", X, None, HIGH, const=(2,)),
    case("Clip", X, LOW, HIGH),
    case("Clip", X, None, HIGH),
    case("Clip", X, LOW, HIGH, const=(1,)),
    case("Clip", X, HIGH, LOW, const=(1, 2)),
    case("Clip", X, HIGH, LOW),
    case("Clip", SPECIAL[2:], scalar(np.finfo(np.float32).min), const=(1,)),
    case("Clip", rand("float64", 4), scalar(-1e39, "float64"), scalar(2, "float64"), const=(1, 2)),
    *(
        case("Clip", rand("int64", 6), *(scalar(v, "int64") for v in (-2, 3)), const=c)
        for c in ((), (1, 2))
    ),
    case(
        "Clip",
        np.array([-2, 0, 3], ml_dtypes.bfloat16),
        scalar(-1, ml_dtypes.bfloat16),
        const=(1,),
        reference=True,
    ),
]

SOFTMAX = [
    *(
        case(op, f32(*shape), axis=axis, opset=v)
        for op in ("Softmax", "LogSoftmax")
        for shape, axes in (((3,), (0, -1)), ((2, 3), (0, 1, -1, -2)), ((2, 3, 4), (0, 1, 2, -2)))
        for axis in axes
        for v in (1, 11, 13)
        if v > 1 or axis >= 0
    ),
    *(case(op, f32(2, 3, 1, 1), opset=11) for op in ("Softmax", "LogSoftmax")),
    *(case(op, f32(2, 3, 4), opset=v) for op in ("Softmax", "LogSoftmax") for v in (11, 13)),
    *(case("Softmax", f32(2, 3, 1, 2), opset=11, axis=a, dynamic=True) for a in (1, -1)),
    case("Softmax", rand("float16", 2, 3)),
    *(case("Hardmax", f32(2, 3, 4), axis=a) for a in (0, 1, -1)),
    case("Hardmax", np.array([[1, 3, 3], [2, 2, 1]], np.float32)),
]

FLOATS = np.array([-2.7, -0.5, 0.0, 0.4, 1.0, 3.9, 100.2], np.float32)
CAST = [
    *(
        case("Cast", FLOATS.astype(source), to=getattr(TensorProto, target))
        for source in ("float32", "float64", "float16", "int32", "int64", "bool", "int8")
        for target in ("FLOAT", "DOUBLE", "FLOAT16", "INT32", "INT64", "BOOL", "INT8", "INT16")
    ),
    case("Cast", np.abs(FLOATS), to=TensorProto.UINT8),
    case("Cast", FLOATS, to=TensorProto.BFLOAT16, reference=True),
    case("Cast", np.abs(FLOATS), to=TensorProto.UINT32),
    case("Cast", SPECIAL, to=TensorProto.FLOAT16),
    case("Cast", scalar(1.5), to=TensorProto.INT64, opset=9),
    case("CastLike", FLOATS, i64(0), reference=True),
    case("CastLike", rand("int64", 3), scalar(1.0), const=(1,), reference=True),
]

CASES: list[Case] = [*UNARY, *BINARY, *VARIADIC, *CLIP, *SOFTMAX, *CAST]
