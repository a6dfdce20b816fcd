"""Ensembles of decision trees: all trees for all rows at once, one level after the other.

A tree is a table of nodes. A row's next node depends on how its feature compares with the split
(less, equal, greater, or NaN), so each node has four successors, whatever its rule is. A leaf is
its own successor.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ramiel.runtime.layer import Layer
from ramiel.runtime.ops.scores import post_transform, rows, two_scores
from ramiel.runtime.weights import Weights

BLOCK = 1 << 20
"""How many leaves, rows times trees, are looked up at a time."""

_REDUCTIONS = {"SUM": "sum", "AVERAGE": "sum", "MIN": "amin", "MAX": "amax"}


class TreeEnsemble(Layer):
    """Scores [N, C] of x [N, F], or of one row [F], in the type of the leaves.

    For M nodes, leaves last, L of them leaves, T trees and up to K scores in a leaf:

    weight [L, K]   the scores of each leaf
    target [L, K]   the class each one adds to, C for none; without it K is C, in order
    root [T], feature [M], split [M], following [4 M]
    member [S, Q]   sets of numbers, padded with NaN, for rules that test membership
    choice [M]      each node's row of member
    base [C]        added at the end to scores that some leaf has added to; the others are 0
    """

    required = ("weight", "root", "feature", "split", "following")
    optional = ("target", "member", "choice", "base")

    def __init__(
        self,
        weights: Weights,
        name: str,
        *,
        depth: int,
        scores: int,
        aggregate: str = "SUM",
        post: str = "NONE",
    ) -> None:
        """`depth` is the longest way from a root to a leaf; `scores` is C."""
        super().__init__(weights, name, (depth, scores, aggregate, post))
        self._depth, self._scores = depth, scores
        self._aggregate, self._post = aggregate, post

    def forward(self, x: Tensor) -> Any:
        totals, seen = self._totals(x)
        base = self._buffers["base"]
        if base is not None:
            totals = torch.where(seen, totals + base, 0)
        return post_transform(totals, self._post)

    def _totals(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The scores [N, C] of all trees together, and which of them a leaf has added to."""
        weight = self._buffer("weight")
        x = rows(x).to(weight.dtype)
        numbers = self._buffer("root").numel() * weight.shape[1]
        parts = [self._block(part) for part in x.split(max(1, BLOCK // max(1, numbers)))]
        totals, seen = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
        return totals, seen

    def _block(self, x: Tensor) -> tuple[Tensor, Tensor]:
        leaf, target = self._leaves(x), self._buffers["target"]
        how = _REDUCTIONS[self._aggregate]
        values = self._buffer("weight")[leaf]
        if target is None:
            totals = getattr(torch, how)(values, dim=1)
            seen = torch.ones_like(totals, dtype=torch.bool)
        else:
            index, shape = target[leaf].flatten(1), (len(x), self._scores + 1)
            totals = values.new_zeros(shape)
            totals = totals.scatter_reduce(1, index, values.flatten(1), how, include_self=False)
            seen = torch.zeros(shape, dtype=torch.bool, device=x.device).scatter(1, index, True)
            totals, seen = totals[:, :-1], seen[:, :-1]
        return (totals / leaf.shape[1] if self._aggregate == "AVERAGE" else totals), seen

    def _leaves(self, x: Tensor) -> Tensor:
        """The leaf of each row in each tree, [N, T]."""
        feature, split = self._buffer("feature"), self._buffer("split")
        following, root = self._buffer("following"), self._buffer("root")
        member, choice = self._buffers["member"], self._buffers["choice"]
        node = root.expand(len(x), -1)
        for _ in range(self._depth):
            value, at = x.gather(1, feature[node]), split[node]
            equal = value == at
            if member is not None and choice is not None:
                equal = equal | (value.unsqueeze(-1) == member[choice[node]]).any(dim=-1)
            relation = 2 * (value > at) + equal + 3 * value.isnan()
            node = following[4 * node + relation]
        return node - (feature.numel() - self._buffer("weight").shape[0])

    def _buffer(self, name: str) -> Tensor:
        tensor = self._buffers[name]
        assert tensor is not None
        return tensor


class TreeClassifier(TreeEnsemble):
    """Class [N] and scores [N, C] of x [N, F], or of one row [F].

    labels [C] are the numbers of the classes. `single` says that leaves score one class only,
    `all_positive` that none of their scores is negative: with two classes, both decide what the
    scores mean, as in ONNX Runtime.
    """

    optional = (*TreeEnsemble.optional, "labels")

    def __init__(
        self,
        weights: Weights,
        name: str,
        *,
        depth: int,
        scores: int,
        post: str = "NONE",
        single: bool = False,
        all_positive: bool = False,
    ) -> None:
        super().__init__(weights, name, depth=depth, scores=scores, post=post)
        self._single, self._all_positive = single, all_positive

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        totals, seen = self._totals(x)
        return self._of_many(totals, seen) if self._scores > 2 else self._of_two(totals, seen)

    def _of_many(self, totals: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        base = self._buffers["base"]
        if base is not None:
            totals, seen = totals + base, torch.ones_like(seen)
        index = totals.masked_fill(~seen, -torch.inf).argmax(dim=1)
        return self._buffer("labels")[index], post_transform(totals, self._post)

    def _of_two(self, totals: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """If no leaf of a row scores the second class, the row's one score, in the first column,
        is that of the second class."""
        base, first = self._buffers["base"], totals[:, :1]
        if base is not None and base.numel() == 1:
            first = first + base
        if self._scores == 1:
            return self._class(first), post_transform(first, self._post)
        second, has_first, has_second = totals[:, 1:], seen[:, :1], seen[:, 1:]
        one = two_scores(first, self._post, self._single and self._all_positive)
        if base is not None and base.numel() == 2:
            raised = first + base[1]
            first = torch.where(has_second, -raised, first + base[0])
            second = torch.where(has_second, raised, 0)
            both = torch.cat([torch.where(has_first, first, 0), second], dim=1)
            scores = post_transform(both, self._post)
        else:
            both = torch.cat([first * has_first, second], dim=1)
            scores = torch.where(has_second, post_transform(both, self._post), one)
        return self._class(torch.where(has_second, second, first)), scores

    def _class(self, score: Tensor) -> Tensor:
        """The class by the score [N, 1] of the positive one: 0 or 1 if leaves score both."""
        index = (score[:, 0] > (0.5 if self._single and self._all_positive else 0)).to(torch.int64)
        return self._buffer("labels")[index] if self._single else index
