"""Cases of transforms of signals, and of what selects and reorders by values."""

import numpy as np
from one_node import Case, TensorProto, case, each, f32, i64, rand, scalar

COMPLEX = f32(2, 8, 3, 2)
REAL = f32(2, 8, 3, 1)
DFT = [
    *(
        case("DFT", x, axis=a, inverse=inverse, onesided=onesided, opset=17, reference=True)
        for a in (1, 2)
        for x, inverse, onesided in (
            (COMPLEX, 0, 0),
            (REAL, 0, 0),
            (REAL, 0, 1),
            (COMPLEX, 1, 0),
            (REAL, 1, 0),
        )
    ),
    *(
        case(
            "DFT",
            x,
            scalar(n, "int64"),
            scalar(a, "int64"),
            inverse=inverse,
            onesided=onesided,
            opset=20,
            const=c,
            reference=True,
        )
        for n in (6, 11)
        for a in (1, -2)
        for x, inverse, onesided in (
            (COMPLEX, 0, 0),
            (REAL, 0, 1),
            (COMPLEX, 1, 0),
            (COMPLEX, 1, 1),
        )
        for c in ((), (1, 2))
    ),
    case("DFT", REAL, opset=17),
    case("DFT", REAL, onesided=1, opset=17),
    case("DFT", COMPLEX, inverse=1, opset=17),
    case("DFT", REAL, opset=20),
    case("DFT", COMPLEX, inverse=1, onesided=1, opset=20, reference=True),
    case("DFT", rand("float64", 2, 8, 1), opset=20),
    case("DFT", rand("float16", 2, 8, 1), opset=20, reference=True),
]

STEP, LENGTH = scalar(3, "int64"), scalar(8, "int64")
STFT = [
    *(
        case("STFT", f32(2, 20, 1), STEP, w, n, onesided=o, opset=17, const=c)
        for w, n in ((f32(8), LENGTH), (f32(8), None), (None, LENGTH))
        for o in (0, 1)
        for c in ((), (1, 3) if n is not None else (1,))
    ),
    case("STFT", f32(2, 20, 2), STEP, f32(8), onesided=0, opset=17, reference=True),
    case("STFT", f32(2, 20, 1), STEP, opset=17, reference=True),
    *(
        case("STFT", f32(2, 20), STEP, f32(8), opset=17, const=c, **o)
        for c in ((), (1,))
        for o in each({}, {"onesided": 0})
    ),
]

_BINS = (scalar(8, "int64"), scalar(32, "int64"), scalar(8192, "int64"), scalar(10), scalar(4000))
MEL = [
    *(case("MelWeightMatrix", *_BINS, opset=17, const=c) for c in ((), (0, 1, 2, 3, 4))),
    case("MelWeightMatrix", *_BINS, opset=17, output_datatype=TensorProto.DOUBLE),
]

CONDITION = np.array([True, False, True])
SHUFFLED = np.array([[3, 1, 1, 2], [5, 3, 2, 1], [3, 1, 1, 2]], np.float32)
LENGTHS = i64(1, 3, 0, 4)
SELECTION = [
    *(case("Compress", f32(3, 4), CONDITION, opset=v) for v in (9, 11)),
    *(
        case("Compress", f32(3, 4), CONDITION, axis=a, const=c)
        for a in (0, 1, -1)
        for c in ((), (1,))
    ),
    *(case("Compress", rand(t, 3, 4), CONDITION, axis=0) for t in ("int64", "uint8", "bool")),
    *(
        case("Unique", x, sorted=s, outputs=o, **a)
        for s in (0, 1)
        for a in each({}, {"axis": 0}, {"axis": 1}, {"axis": -1})
        for x in (SHUFFLED, SHUFFLED.astype(np.int64))
        for o in (1, 4)
    ),
    case("Unique", SHUFFLED, outputs=2),
    case("Unique", SHUFFLED, outputs=4, const=(0,)),
    *(
        case(
            "CumProd",
            x,
            scalar(a, "int64"),
            exclusive=e,
            reverse=r,
            const=c,
            opset=26,
            reference=True,
        )
        for x in (f32(2, 3, 4), rand("int32", 2, 3))
        for a in (0, -1)
        for e in (0, 1)
        for r in (0, 1)
        for c in ((), (1,))
    ),
    case("ReverseSequence", f32(5, 4, 2), LENGTHS, opset=10),
    case("ReverseSequence", f32(5, 4, 2), LENGTHS, opset=10, const=(1,)),
    case("ReverseSequence", f32(4, 5), LENGTHS, opset=10, batch_axis=0, time_axis=1),
    case("ReverseSequence", rand("int64", 4, 5, 2), LENGTHS, batch_axis=0, time_axis=1, opset=10),
    *(
        case("Scatter", f32(3, 4), i64(0, -1, 2, 1).reshape(1, 4), f32(1, 4), axis=a, opset=v)
        for a in (0, 1)
        for v in (9,)
    ),
    case("Scatter", rand("int64", 3, 4), i64(1, 2).reshape(2, 1), rand("int64", 2, 1), opset=10),
    *(
        case(
            "TensorScatter",
            cache,
            update,
            starts,
            mode=m,
            axis=a,
            opset=24,
            const=c,
            reference=True,
        )
        for cache, update, a in (
            (f32(2, 3, 6, 4), f32(2, 3, 2, 4), -2),
            (f32(2, 6, 4), f32(2, 2, 4), 1),
            (f32(2, 3, 6), f32(2, 3, 2), -1),
        )
        for starts, m, c in (
            (None, "linear", ()),
            (i64(1, 4), "linear", ()),
            (i64(5, 4), "circular", ()),
            (i64(5, 4), "circular", (2,)),
        )
    ),
    *(
        case("BitCast", rand(a, 2, 3), to=getattr(TensorProto, b), opset=26, reference=True)
        for a, b in (
            ("float32", "INT32"),
            ("int64", "DOUBLE"),
            ("float16", "INT16"),
            ("uint32", "INT32"),
            ("bool", "UINT8"),
            ("int16", "BFLOAT16"),
        )
    ),
]

CASES: list[Case] = [*DFT, *STFT, *MEL, *SELECTION]
