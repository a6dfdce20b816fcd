"""Pre- and postprocessing of classical models, of the domain ai.onnx.ml.

Features are x [N, F], scores are [N, C]. ONNX leaves the formulas open: they are ONNX Runtime's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ramiel.runtime.strings import Strings, strings

NEAR_ZERO = 1e-7
"""SOFTMAX_ZERO takes scores no further from zero for zeros."""


def rows(x: Tensor) -> Tensor:
    """A vector of features as a matrix of one row; a matrix as it is."""
    return x.unsqueeze(0) if x.ndim == 1 else x


def post_transform(scores: Tensor, kind: str) -> Tensor:
    """Applies LOGISTIC, SOFTMAX, SOFTMAX_ZERO or PROBIT. A single score is only changed by
    PROBIT."""
    if kind == "PROBIT":
        return _probit(scores)
    if scores.shape[-1] == 1 or kind == "NONE":
        return scores
    if kind == "LOGISTIC":
        return torch.sigmoid(scores)
    if kind == "SOFTMAX":
        return torch.softmax(scores, dim=-1)
    return _softmax_zero(scores)


def two_scores(score: Tensor, kind: str, complement: bool) -> Tensor:
    """The scores [N, 2] of two classes by that of the second, [N, 1]: 1 - s and s if
    `complement`, else -s and s; with LOGISTIC the probabilities of -s and s."""
    if kind == "LOGISTIC":
        return torch.sigmoid(torch.cat([-score, score], dim=1))
    return torch.cat([1 - score if complement else -score, score], dim=1)


def positive(score: Tensor) -> Tensor:
    """1 where a score [N, 1] is more than zero, else 0: int64 [N]."""
    return (score[:, 0] > 0).to(torch.int64)


def _probit(scores: Tensor) -> Tensor:
    """The quantile of the normal distribution, with Winitzki's approximation of erf's inverse."""
    x = 2 * scores - 1
    log = torch.log((1 - x) * (1 + x))
    middle = 2 / (3.14159 * 0.147) + 0.5 * log
    root = torch.sqrt(torch.sqrt(middle * middle - log / 0.147) - middle)
    return math.sqrt(2) * torch.where(x < 0, -root, root)


def _softmax_zero(scores: Tensor) -> Tensor:
    """Softmax over the scores that are not zero; NaN where all are."""
    top = scores.amax(dim=-1, keepdim=True)
    zero = scores.abs() <= NEAR_ZERO
    powers = torch.where(zero, scores * torch.exp(-top), torch.exp(scores - top))
    total = powers.masked_fill(zero, 0).sum(dim=-1, keepdim=True)
    return powers / total


def take_features(x: Tensor, indices: Tensor) -> Tensor:
    """The elements of the last dimension at the indices, [..., indices]; of a vector, [1, indices].

    IndexError for an index out of range, negative ones included.
    """
    return torch.index_select(rows(x), -1, indices.reshape(-1))


def join_features(parts: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    """Matrices side by side as float32, each cut or filled with zeros to its number of columns."""
    fitted = [
        torch.nn.functional.pad(part, [0, size - part.shape[1]])
        for part, size in zip(map(rows, parts), sizes, strict=True)
    ]
    return torch.cat(fitted, dim=1).to(torch.float32)


def impute(x: Tensor, missing: float, values: Tensor) -> Tensor:
    """The values, one for all features or one for each, where x is `missing`, which may be NaN."""
    gone = torch.isnan(x) if math.isnan(missing) else x == missing
    return torch.where(gone, values, x)


def normalize(x: Tensor, norm: str) -> Tensor:
    """Each row, or the vector, over its MAX, or its L1 or L2 norm; as it is where that is zero."""
    match norm:
        case "MAX":
            size = x.amax(dim=-1, keepdim=True)
        case "L1":
            size = x.abs().sum(dim=-1, keepdim=True)
        case _:
            size = x.square().sum(dim=-1, keepdim=True).sqrt()
    return x / torch.where(size == 0, 1, size)


def encode(x: Tensor, categories: Tensor, zeros: bool) -> Tensor:
    """One-hot float32 [..., categories] of x, strings or numbers cut to integers.

    ValueError for a value that is none of the categories, unless `zeros`.
    """
    values = x if isinstance(x, Strings) else x.to(torch.int64)
    found = values.unsqueeze(-1) == categories
    if not zeros and not bool(found.any(dim=-1).all()):
        raise ValueError("a value is none of the categories")
    return found.to(torch.float32)


def vectorize(x: Mapping[Any, Any], vocabulary: Sequence[Any], dtype: torch.dtype | None) -> Tensor:
    """The values of a map, in the order of the vocabulary and zero or empty where it has none, as
    [1, vocabulary]; strings if dtype is None."""
    values = [[x.get(key, "" if dtype is None else 0) for key in vocabulary]]
    return strings(values) if dtype is None else torch.tensor(values, dtype=dtype)


def zip_map(scores: Tensor, labels: Sequence[Any]) -> list[dict[Any, float]]:
    """A map from label to score for each row of [N, C], or for the one row [C].

    ValueError if there are not as many labels as scores.
    """
    return [dict(zip(labels, row, strict=True)) for row in rows(scores).tolist()]
