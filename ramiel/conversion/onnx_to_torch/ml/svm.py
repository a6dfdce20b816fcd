"""Support vector machines of the domain ai.onnx.ml."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from xdsl.ir import SSAValue

from ramiel.conversion.onnx_to_torch.ml.classical import (
    BOOL,
    DOMAIN,
    INT64,
    POST_TRANSFORMS,
    batch,
    choice,
    class_labels,
    features,
    floats_of,
    labelled,
    linear,
    matrix,
    of_two,
    transformed,
)
from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.attributes import Array
from ramiel.dialects.onnx.types import shape_of, tensor_type

KERNELS = ("LINEAR", "POLY", "RBF", "SIGMOID")


@lowers(f"{DOMAIN}::SVMRegressor")
def svm_regressor(n: Node) -> Lowered:
    choice(n, "post_transform", POST_TRANSFORMS)  # runtimes accept it but do not apply it
    coefficients, rho = floats_of(n, "coefficients"), floats_of(n, "rho")
    vectors = n.integer("n_supports")
    x = features(n)
    if not rho.size or not coefficients.size:
        n.fail("attributes 'rho' and 'coefficients' may not be empty")
    if vectors:
        if coefficients.size != vectors:
            n.fail(f"it has {coefficients.size} coefficients for {vectors} support vectors")
        x = _kernel(n, x, vectors)
    score = linear(n, x, coefficients.reshape(1, -1), rho[:1])
    if not n.integer("one_class"):
        return score
    inside = n.call("operator.gt", score, 0, type=matrix(batch(score), 1, BOOL))
    return n.call("torch.where", inside, 1.0, -1.0, type=score.type)


@lowers(f"{DOMAIN}::SVMClassifier")
def svm_classifier(n: Node) -> Lowered:
    labels, post = class_labels(n), choice(n, "post_transform", POST_TRANSFORMS)
    sizes = n.integer_list("vectors_per_class") or []
    if min(sizes, default=0) < 0 or (sum(sizes) and len(sizes) != len(labels)):
        n.fail(f"vectors_per_class must be {len(labels)} counts")
    x = features(n)
    if not sum(sizes):
        return _by_planes(n, x, labels, post)
    classes, pairs = len(labels), len(labels) * (len(labels) - 1) // 2
    rho = floats_of(n, "rho")
    if classes < 2 or rho.size < pairs:
        n.fail(f"it has {rho.size} numbers 'rho' for {pairs} pairs of classes")
    scores = linear(n, _kernel(n, x, sum(sizes)), _pairs(n, sizes), rho[:pairs])
    rows = batch(scores)
    winner = n.call("ops.svm_vote", scores, classes, type=tensor_type(INT64, (rows,)))
    label = labelled(n, winner, labels)
    slope, offset = floats_of(n, "prob_a"), floats_of(n, "prob_b")
    if slope.size or offset.size:
        if min(slope.size, offset.size) < pairs:
            n.fail(f"prob_a and prob_b must be numbers for each of {pairs} pairs of classes")
        line = (n.tensor(slope[:pairs], "prob_a"), n.tensor(offset[:pairs], "prob_b"))
        type = matrix(rows, classes)
        scores = n.call("ops.svm_probabilities", scores, *line, classes, type=type)
    elif classes == 2:
        return label, of_two(n, scores, post, complement=post != "NONE")
    return label, transformed(n, scores, post)


def _by_planes(n: Node, x: SSAValue, labels: Array, post: str) -> Lowered:
    """A classifier without support vectors: one hyperplane per class."""
    coefficients, rho = floats_of(n, "coefficients"), floats_of(n, "rho")
    classes = len(labels)
    if not rho.size or not coefficients.size or coefficients.size % classes:
        n.fail(f"{coefficients.size} coefficients and {rho.size} 'rho' for {classes} classes")
    bias = np.full(classes, rho[0], np.float32)
    scores = linear(n, x, coefficients.reshape(classes, -1), bias)
    index = tensor_type(INT64, (batch(scores),))
    if classes == 2:
        # The second class wins as soon as any score passes the threshold.
        least = 0.5 if (coefficients >= 0).all() else 0.0
        callee = "operator.ge" if least else "operator.gt"
        any_class = n.call(callee, scores, least, type=matrix(batch(scores), 2, BOOL))
        first = n.call("torch.argmax", scores, dim=1, type=index)
        certain = n.call("torch.amax", any_class, dim=1, type=tensor_type(BOOL, (batch(scores),)))
        winner = n.call("torch.where", certain, 1, first, type=index)
    else:
        winner = n.call("torch.argmax", scores, dim=1, type=index)
    return labelled(n, winner, labels), transformed(n, scores, post)


def _kernel(n: Node, x: SSAValue, count: int) -> SSAValue:
    """The kernel of the rows of x and V = `count` support vectors, [N, V]."""
    numbers = floats_of(n, "support_vectors")
    if count < 0 or not numbers.size or numbers.size % count:
        n.fail(f"{numbers.size} numbers do not make {count} support vectors")
    vectors = numbers.reshape(count, -1)
    width = (shape_of(x.type) or (None,))[-1]
    if width not in (None, vectors.shape[1]):
        n.fail(f"its support vectors have {vectors.shape[1]} features, but its input has {width}")
    kind = choice(n, "kernel_type", KERNELS, "LINEAR")
    given = [float(str(v)) for v in floats_of(n, "kernel_params")]
    if len(given) not in (0, 3):
        n.fail("kernel_params must be gamma, coef0 and degree")
    support = n.tensor(vectors, "support_vectors")
    parameters = given or [0.0, 0.0, 0.0]
    return n.call("ops.svm_kernel", x, support, kind, *parameters, type=matrix(batch(x), count))


def _pairs(n: Node, sizes: list[int]) -> Array:
    """The weight of each support vector in the score of each pair of classes, [P, V].

    Each row of the coefficients [C - 1, V] holds those of every class against one other class: for
    a pair i < j, the vectors of class i take row j - 1 and those of class j take row i.
    """
    classes, vectors = len(sizes), sum(sizes)
    numbers = floats_of(n, "coefficients")
    if numbers.size != (classes - 1) * vectors:
        n.fail(f"{numbers.size} coefficients are not {classes - 1} for each of {vectors} vectors")
    rows = numbers.reshape(classes - 1, vectors)
    ends = np.cumsum(sizes)
    own = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    weights = np.zeros((classes * (classes - 1) // 2, vectors), np.float32)
    for weight, (i, j) in zip(weights, combinations(range(classes), 2), strict=True):
        weight[own[i]], weight[own[j]] = rows[j - 1, own[i]], rows[i, own[j]]
    return weights
