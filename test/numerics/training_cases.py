"""Cases of operators in training mode."""

from typing import Any

from one_node import Case, case, f32, scalar

STATISTICS = (f32(3), f32(3), f32(3), f32(3, low=0.5, high=2.0))
X = f32(4, 3, 5)
TRUE, FALSE = scalar(True, "bool"), scalar(False, "bool")
OTHERS: dict[str, Any] = {"momentum": 0.3, "epsilon": 0.1}

CASES: list[Case] = [
    *(
        case("BatchNormalization", X, *STATISTICS, training_mode=1, outputs=3, opset=v, **a)
        for v in (14, 15)
        for a in ({}, OTHERS)
    ),
    *(
        case("Dropout", X, scalar(r), TRUE, seed=3, outputs=k, const=c, reference=True)
        for r in (0.0, 0.3)
        for k in (1, 2)
        for c in ((), (2,), (1, 2))
    ),
    case("Dropout", X, scalar(0.3), FALSE, seed=3, outputs=2, reference=True),
]
