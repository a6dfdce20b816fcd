"""Cases of ai.onnx.ml: support vector machines."""

from typing import Any

from classical_cases import POSTS, X, ml, typed
from one_node import Case, each, f32

VECTORS = [0.1, 0.2, -0.3, 0.4, 0.5, -0.6, 0.7, -0.8, 0.9, 0.3, 0.2, -0.1]
FOUR: dict[str, Any] = {"support_vectors": VECTORS, "kernel_params": [0.5, 0.1, 3.0]}
LINEAR: dict[str, Any] = {"kernel_params": [0.0, 0.0, 0.0]}
KERNELS = ("LINEAR", "POLY", "RBF", "SIGMOID")
WEIGHTS = [0.5, -0.3, 0.8, -0.2, 0.9, -0.4, 0.1, 0.6]
TWO: dict[str, Any] = {"vectors_per_class": [1, 3], "rho": [0.05], "coefficients": WEIGHTS[:4]}
THREE: dict[str, Any] = {
    "vectors_per_class": [1, 2, 1],
    "rho": [0.05, -0.1, 0.2],
    "coefficients": WEIGHTS,
}
PROBABILITIES = {"prob_a": [-1.2, -3.0, -0.8], "prob_b": [0.1, 0.2, 0.0]}


def proba(pairs: int) -> dict[str, Any]:
    return {name: numbers[:pairs] for name, numbers in PROBABILITIES.items()}


CASES: list[Case] = [
    *(
        ml(
            "SVMRegressor",
            x,
            n_supports=4,
            coefficients=WEIGHTS[:4],
            rho=[0.1],
            kernel_type=kernel,
            one_class=one,
            **FOUR,
        )
        for kernel in KERNELS
        for one in (0, 1)
        for x in (X, f32(3))
    ),
    ml("SVMRegressor", X, coefficients=[0.5, -0.3, 0.2], rho=[0.05], **LINEAR),
    ml("SVMRegressor", X, coefficients=[0.5, -0.3, 0.2], rho=[0.05], reference=True),
    *(
        ml("SVMClassifier", X, outputs=2, kernel_type=k, classlabels_ints=labels, **FOUR, **a, **p)
        for k in KERNELS
        for labels, a, pairs in (([4, 7], TWO, 1), ([0, 1, 2], THREE, 3))
        for p in each({}, proba(pairs))
    ),
    *(
        ml(
            "SVMClassifier",
            X,
            outputs=2,
            kernel_type="RBF",
            post_transform=post,
            classlabels_ints=labels,
            **FOUR,
            **a,
            **p,
        )
        for post in POSTS[1:]
        for labels, a, pairs in (([4, 7], TWO, 1), ([0, 1, 2], THREE, 3))
        for p in each({}, proba(pairs))
        if post != "PROBIT" or pairs > 1 or p
    ),
    *(
        ml(
            "SVMClassifier",
            X,
            outputs=2,
            classlabels_ints=labels,
            rho=[0.05],
            coefficients=coefficients,
            post_transform=post,
            **LINEAR,
        )
        for post in POSTS
        for labels, coefficients in (
            ([4, 7], [0.5, -0.3, 0.2, 0.4, -0.6, 0.1]),
            ([4, 7], [0.5, 0.3, 0.2, 0.4, 0.6, 0.1]),
            ([4, 7, 9], [0.5, -0.3, 0.2, 0.4, -0.6, 0.1, 0.8, 0.3, -0.2]),
        )
    ),
    *(
        ml("SVMClassifier", x, outputs=2, kernel_type="RBF", classlabels_ints=[4, 7], **FOUR, **TWO)
        for x in (typed("float64"), typed("int32"), typed("int64"), f32(3))
    ),
]
