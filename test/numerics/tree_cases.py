"""Cases of ai.onnx.ml: ensembles of decision trees, drawn at random."""

from typing import Any

import numpy as np
from classical_cases import POSTS, ml
from one_node import Case

MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
NODE = ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")
ENTRY = ("treeids", "nodeids", "ids", "weights")
FEATURES = 4
CHOICES = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
"""Splits and features, few of them, so that many are equal."""


def rows(count: int, dtype: str = "float32", nan: bool = False) -> np.ndarray:
    x = np.random.default_rng(count).choice(CHOICES, (count, FEATURES)).astype(dtype)
    if nan:
        x[::2, ::2] = np.nan
    return x


def trees(
    prefix: str,
    targets: int = 1,
    modes: tuple[str, ...] = MODES[:1],
    per_leaf: int = 1,
    count: int = 3,
    missing: bool = False,
    ids: tuple[int, ...] = (),
    negative: bool = True,
    tensors: str | None = None,
) -> dict[str, Any]:
    """The attributes of trees that are one to four levels deep. `tensors` is the type of their
    numbers if they are given as tensors."""
    rng = np.random.default_rng(targets * 100 + per_leaf * 10 + len(modes))
    nodes: list[list[Any]] = []
    leaves: list[tuple[int, int, int, float]] = []

    def grow(tree: int, depth: int) -> int:
        node = sum(1 for n in nodes if n[0] == tree)
        row: list[Any] = [tree, node, 0, 0.0, "LEAF", 0, 0, 0]
        nodes.append(row)
        if (depth and rng.random() < 0.8) or not node:
            value = float(rng.choice(CHOICES))
            row[2:5] = [int(rng.integers(FEATURES)), value, str(rng.choice(modes))]
            row[5], row[6] = grow(tree, depth - 1), grow(tree, depth - 1)
            row[7] = int(rng.integers(2))
        else:
            chosen = rng.permutation(ids or range(targets))[:per_leaf]
            low = -1.0 if negative else 0.0
            leaves.extend((tree, node, int(t), float(rng.uniform(low, 1))) for t in chosen)
        return node

    for tree in range(count):
        grow(tree, 3)
    columns = list(zip(*nodes, strict=True))[: len(NODE)]
    found: dict[str, Any] = {f"nodes_{k}": list(v) for k, v in zip(NODE, columns, strict=True)}
    if missing:
        found["nodes_missing_value_tracks_true"] = [n[7] for n in nodes]
    for key, column in zip(ENTRY, zip(*leaves, strict=True), strict=True):
        found[f"{prefix}_{key}"] = list(column)
    for name in ("nodes_values", f"{prefix}_weights") if tensors else ():
        found[f"{name}_as_tensor"] = np.array(found.pop(name), tensors)
    return found


def regressor(x: np.ndarray, targets: int = 1, opset: int = 3, **options: Any) -> Case:
    keys = ("modes", "per_leaf", "missing", "count", "tensors")
    drawn = {k: options.pop(k) for k in keys if k in options}
    attributes = trees("target", targets, **drawn)
    op = "TreeEnsembleRegressor"
    options = {k: v for k, v in options.items() if not isinstance(v, list) or v}
    return ml(op, x, opset=opset, n_targets=targets, **attributes, **options)


def classifier(x: np.ndarray, labels: list[int], opset: int = 3, **options: Any) -> Case:
    keys = ("modes", "per_leaf", "ids", "negative", "count", "tensors")
    drawn = {k: options.pop(k) for k in keys if k in options}
    attributes = trees("class", len(labels), **drawn)
    op = "TreeEnsembleClassifier"
    options = {k: v for k, v in options.items() if not isinstance(v, list) or v}
    return ml(op, x, opset=opset, outputs=2, classlabels_int64s=labels, **attributes, **options)


def tabled(x: np.ndarray, targets: int, member: bool = False, **options: Any) -> Case:
    """TreeEnsemble: two trees of three nodes, in which the first node may ask for membership."""
    dtype = options.pop("dtype", x.dtype.name)
    rng = np.random.default_rng(targets)
    modes = np.array([6 if member else 0, 1, 2, 3, 4, 5], np.uint8)
    attributes: dict[str, Any] = {
        "tree_roots": [0, 3],
        "nodes_featureids": [0, 1, 2, 3, 0, 1],
        "nodes_modes": modes,
        "nodes_splits": rng.choice(CHOICES, 6).astype(dtype),
        "nodes_truenodeids": [1, 0, 2, 4, 4, 6],
        "nodes_trueleafs": [0, 1, 1, 0, 1, 1],
        "nodes_falsenodeids": [2, 1, 3, 5, 5, 7],
        "nodes_falseleafs": [0, 1, 1, 0, 1, 1],
        "leaf_targetids": [i % targets for i in range(8)],
        "leaf_weights": rng.uniform(-1, 1, 8).astype(dtype),
        "n_targets": targets,
        **options,
    }
    if member:
        attributes["membership_values"] = np.array([1.0, -1.0, np.nan], dtype)
    # ONNX Runtime computes post-transforms in float32.
    tolerance = 1e-7 if x.dtype == np.float64 and attributes.get("post_transform") else None
    return ml("TreeEnsemble", x, opset=5, tolerance=tolerance, **attributes)


X, NAN = rows(9), rows(8, nan=True)

CASES: list[Case] = [
    *(regressor(X, modes=(mode,)) for mode in MODES),
    *(regressor(NAN, modes=(mode,), missing=m) for mode in MODES for m in (False, True)),
    *(regressor(x, opset=o, modes=MODES, count=9) for x in (X, NAN) for o in (1, 3)),
    *(
        regressor(X, t, aggregate_function=a, base_values=base[:t], per_leaf=p, count=5)
        for t, p in ((1, 1), (3, 1), (3, 2), (3, 3))
        for a in ("SUM", "AVERAGE", "MIN", "MAX")
        for base in ([], [0.25, -0.5, 0.125])
    ),
    *(regressor(X, t, post_transform=p, per_leaf=t) for t in (1, 3) for p in POSTS),
    regressor(rows(7, "float64"), 2, tensors="float64", base_values_as_tensor=np.array([0.1, 0.2])),
    regressor(rows(7, "float64"), 2),
    *(classifier(X, [5, 9], opset=o, per_leaf=2, post_transform=p) for o in (1, 3) for p in POSTS),
    *(
        classifier(X, [5, 9, 7], post_transform=p, per_leaf=n, base_values=base)
        for p in POSTS
        for n in (1, 3)
        for base in ([], [0.25, -0.5, 0.125])
    ),
    *(
        classifier(X, [5, 9], ids=(i,), negative=n, base_values=base, post_transform=p)
        for p in ("NONE", "LOGISTIC", "PROBIT")
        for i in (0, 1)
        for n in (False, True)
        for base in ([], [0.25], [0.25, -0.5])
        if p != "PROBIT" or i or len(base) == 2
    ),
    *(
        classifier(X, [5, 9], base_values=base, post_transform=p)
        for p in POSTS[:4]
        for base in ([], [0.25, -0.5])
    ),
    *(classifier(X, [5], post_transform=p, base_values=b) for p in POSTS for b in ([], [0.25])),
    *(classifier(rows(6, t), [0, 1, 2], per_leaf=3) for t in ("float64", "int32", "int64")),
    classifier(rows(6, "float64"), [0, 1, 2], per_leaf=3, tensors="float64"),
    *(
        tabled(x, t, member=m, aggregate_function=a, post_transform=p)
        for x, t, p in ((X, 1, 0), (X, 3, 0), (rows(5, "float64"), 3, 3))
        for m in (False, True)
        for a in range(4)
    ),
    # ONNX Runtime takes SOFTMAX (1) for LOGISTIC (2), against ONNX's text.
    *(
        tabled(NAN, 2, post_transform=p, nodes_missing_value_tracks_true=[1, 0] * 3)
        for p in (0, 3, 4)
    ),
    tabled(rows(5, "float16"), 2, reference=True),
]
