"""Support vector machines, of the domain ai.onnx.ml, except for their weighted sums.

A machine of C classes has a score for each of the P = C (C - 1) / 2 pairs: (0, 1), (0, 2), ...
"""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor

ITERATIONS = 100
"""The most iterations for the probabilities of more than two classes."""
SMALLEST = 1e-7
"""The least distance of a pair's probability from 0 and 1."""


def svm_kernel(
    x: Tensor, vectors: Tensor, kind: str, gamma: float, coef0: float, degree: float
) -> Tensor:
    """The kernel of each row of x [N, F] and each support vector [V, F]: [N, V]."""
    if kind == "RBF":
        return torch.exp(-gamma * (x.unsqueeze(1) - vectors).square().sum(dim=-1))
    product = x @ vectors.mT
    if kind == "LINEAR":
        return product
    product = gamma * product + coef0
    return torch.tanh(product) if kind == "SIGMOID" else product.pow(degree)


def svm_vote(scores: Tensor, classes: int) -> Tensor:
    """The first class that wins most of its pairs, by the scores [N, P]: int64 [N]."""
    first, second = torch.tensor(list(combinations(range(classes), 2))).mT
    winner = torch.where(scores > 0, first, second)
    return torch.nn.functional.one_hot(winner, classes).sum(dim=1).argmax(dim=1)


def svm_probabilities(scores: Tensor, slope: Tensor, offset: Tensor, classes: int) -> Tensor:
    """The probabilities [N, C] of the classes by the scores [N, P] of the pairs.

    A pair's probability is logistic in its score, by slope and offset [P]; those of the classes
    are by Wu, Lin and Weng's second method, as libsvm has them.
    """
    count = scores.shape[0]
    first, second = torch.tensor(list(combinations(range(classes), 2))).mT
    pair = 1 - torch.sigmoid(scores * slope + offset)
    pair = pair.clamp(SMALLEST, 1 - SMALLEST)
    wins = scores.new_zeros(count, classes, classes)
    wins[:, first, second] = pair
    wins[:, second, first] = 1 - pair
    # The minimum of p Q p over the probabilities p, one class after the other.
    q = -wins.mT * wins
    q.diagonal(dim1=1, dim2=2).copy_(wins.square().sum(dim=1))
    p = scores.new_full((count, classes), 1 / classes)
    for _ in range(ITERATIONS):
        qp = (q @ p.unsqueeze(-1)).squeeze(-1)
        pqp = (p * qp).sum(dim=1)
        going = (qp - pqp.unsqueeze(1)).abs().amax(dim=1) >= 0.005 / classes
        if not bool(going.any()):
            break
        p = torch.where(going.unsqueeze(1), _step(q, p, qp, pqp), p)
    return p


def _step(q: Tensor, p: Tensor, qp: Tensor, pqp: Tensor) -> Tensor:
    """One round over the classes: q [N, C, C], p and qp [N, C], pqp [N]."""
    for i in range(p.shape[1]):
        own = q[:, i, i]
        change = (pqp - qp[:, i]) / own
        scale = 1 + change
        pqp = (pqp + change * (change * own + 2 * qp[:, i])) / scale / scale
        qp = (qp + change.unsqueeze(1) * q[:, i]) / scale.unsqueeze(1)
        added = torch.zeros_like(p)
        added[:, i] = change
        p = (p + added) / scale.unsqueeze(1)
    return p
