"""Cases of ai.onnx.ml: features, and linear models."""

from dataclasses import replace
from typing import Any

import numpy as np
from one_node import Case, Input, case, each, f32, i64, rand

POSTS = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT")
X = f32(4, 3)
WHOLE = np.array([[0, 1, -2], [3, 0, 0], [0, 0, 0], [-1, 2, 1], [1, 1, 1]])


def ml(op: str, *inputs: Input, opset: int = 1, **options: Any) -> Case:
    return case(f"ai.onnx.ml::{op}", *inputs, opset=opset, **options)


def typed(dtype: str) -> np.ndarray:
    return WHOLE.astype(dtype)


def _classes(c: Case) -> str:
    return next((k for k in c.attributes if k.startswith("classlabels_")), "")


def has_classes(c: Case) -> bool:
    """Whether a case is a classifier of several classes: ONNX Runtime ends the process when the
    only class of a tree has a name."""
    return len(c.attributes.get(_classes(c), ())) > 1


def with_names(c: Case) -> Case:
    """A classifier whose classes have names for numbers."""
    numbers = _classes(c)
    attributes = {k: v for k, v in c.attributes.items() if k != numbers}
    attributes["classlabels_strings"] = [f"class {n}" for n in c.attributes[numbers]]
    return replace(c, attributes=attributes)


WORDS = np.array([["cat", "dog"], ["", "cow"], ["cat", "cat"]], object)
NAMED: dict[str, Any] = {"cats_strings": ["cat", "cow", "dog"], "cats_int64s": [4, 7, -2]}

CASES: list[Case] = [
    *(
        ml("ArrayFeatureExtractor", x, y, const=c)
        for x in (X, f32(5), f32(2, 3, 4), rand("int64", 2, 4), rand("float64", 2, 4))
        for y in (i64(0, 2, 2), i64(1).reshape(1, 1), i64(0, 1, 1, 2).reshape(2, 2))
        for c in ((), (1,))
    ),
    *(ml("Binarizer", X, **a) for a in each({}, {"threshold": 0.25})),
    ml("Binarizer", rand("int64", 3, 2), threshold=0.5, reference=True),
    ml("Binarizer", rand("float64", 3, 2), threshold=0.5, reference=True),
    *(
        ml("FeatureVectorizer", rand(t, 2, 3), rand(t, 2, 2), inputdimensions=sizes)
        for t in ("float32", "float64", "int32", "int64")
        for sizes in ([3, 2], [4, 1])
    ),
    ml("FeatureVectorizer", f32(3), f32(2), inputdimensions=[3, 2]),
    *(
        ml("Imputer", x, imputed_value_floats=values, replaced_value_float=gone)
        for x, values, gone in (
            (typed("float32"), [9.5], 0.0),
            (typed("float32"), [9.5, 8.5, 7.5], 0.0),
            (
                np.where(typed("float32") == 0, np.float32("nan"), typed("float32")),
                [9.5, 8.5, 7.5],
                float("nan"),
            ),
            (f32(3), [1.0], 5.0),
        )
    ),
    *(
        ml("Imputer", typed("int64"), imputed_value_int64s=v, replaced_value_int64=-2)
        for v in ([7], [7, 8, 9])
    ),
    ml("Imputer", typed("int32"), imputed_value_int64s=[7], reference=True),
    *(
        ml("Normalizer", x, norm=n)
        for n in ("MAX", "L1", "L2")
        for x in (X, f32(5), typed("float32"), typed("float64"), typed("int32"), typed("int64"))
    ),
    ml("Normalizer", X),
    *(
        ml("OneHotEncoder", x, cats_int64s=[0, 3, 5])
        for x in (typed("int64"), rand("int64", 7), rand("float32", 3, 4), rand("float64", 2, 2))
    ),
    ml("OneHotEncoder", typed("int64"), cats_int64s=[-2, -1, 0, 1, 2, 3], zeros=0),
    ml("OneHotEncoder", WORDS, cats_strings=["dog", "cat"]),
    ml("OneHotEncoder", WORDS[0], cats_strings=["dog", "cat"], zeros=0),
    *(ml("CategoryMapper", x, **NAMED) for x in (WORDS, i64(4, -2, 0, 4))),
    ml("CategoryMapper", WORDS, default_int64=3, **NAMED),
    ml("CategoryMapper", i64(4, -2, 0, 4), default_string="none", **NAMED),
    *(
        ml("Scaler", x, scale=s, offset=o)
        for x in (X, f32(3), typed("float64"), typed("int32"), typed("int64"))
        for s, o in (([0.5], [0.25]), ([0.5, 2.0, 0.1], [1.0, 2.0, 3.0]))
    ),
    ml("Scaler", X, scale=[1.0, 1.0, 1.0], offset=[0.0, 0.0, 0.0]),
    *(
        ml("LinearRegressor", x, coefficients=c, intercepts=b, targets=t, post_transform=p)
        for p in POSTS
        for x, c, b, t in (
            (X, [0.5, -0.2, 0.3], [0.1], 1),
            (X, [0.5, -0.2, 0.3, 0.1, 0.2, 0.4], [0.1, -0.3], 2),
        )
    ),
    ml("LinearRegressor", X, coefficients=[0.5, -0.2, 0.3]),
    ml("LinearRegressor", f32(3), coefficients=[0.5, -0.2, 0.3]),
    *(
        ml(
            "LinearClassifier",
            x,
            outputs=2,
            coefficients=[0.5, -0.2, 0.3, 0.1, 0.2, 0.4, -0.6, 0.1, 0.2][: 3 * n],
            intercepts=[0.1, -0.3, 0.2][:n],
            classlabels_ints=labels,
            post_transform=p,
        )
        for p in POSTS
        for n, labels in ((1, [4, 7]), (2, [4, 7]), (3, [0, 1, 2]), (3, [9, 5, 4]))
        for x in (X, typed("float64"), typed("int64"))
        if n > 1 or p != "PROBIT"
    ),
    ml(
        "LinearClassifier",
        f32(3),
        outputs=2,
        coefficients=[0.5, -0.2, 0.3],
        intercepts=[0.1],
        classlabels_ints=[1, 0],
    ),
]
