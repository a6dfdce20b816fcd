"""Decision trees as the tensors of a layer (ramiel.runtime.trees), from both of ONNX's formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ramiel.conversion.onnx_to_torch.table import Node

Values = npt.NDArray[Any]
Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MODES: tuple[str, ...] = (
    "BRANCH_LEQ",
    "BRANCH_LT",
    "BRANCH_GTE",
    "BRANCH_GT",
    "BRANCH_EQ",
    "BRANCH_NEQ",
    "BRANCH_MEMBER",
)
"""The comparisons of a node, in the order in which TreeEnsemble numbers them."""
NOT_EQUAL, MEMBER = MODES.index("BRANCH_NEQ"), MODES.index("BRANCH_MEMBER")
LEAF = "LEAF"

_IS_TRUE = np.array(
    # for a feature that is less than, equal to, greater than the split, or NaN
    [
        [1, 1, 0, 0],
        [1, 0, 0, 0],
        [0, 1, 1, 0],
        [0, 0, 1, 0],
        [0, 1, 0, 0],
        [1, 0, 1, 1],
        [0, 1, 0, 0],
    ],
    np.bool_,
)
"""Whether each mode takes the true branch, by how the feature compares with the split."""


@dataclass
class Nodes:
    """The I inner nodes of all trees, as arrays [I]; `true` and `false` are the indices of child
    nodes, where those from I on denote leaves."""

    feature: Indices
    split: Values
    mode: Indices
    missing: Flags
    """Whether a NaN takes the true branch."""
    true: Indices
    false: Indices
    root: Indices


@dataclass
class Leaves:
    """The scores of leaves, as arrays [E] with one entry per score; `count` is that of leaves."""

    leaf: Indices
    target: Indices
    weight: Values
    count: int


def tensors_of(n: Node, nodes: Nodes, leaves: Leaves, targets: int) -> dict[str, Values]:
    """The tensors of a layer. Refuses invalid trees and targets out of range."""
    _check(n, nodes, leaves, targets)
    inner, own = len(nodes.feature), np.arange(len(nodes.feature) + leaves.count)
    is_true = _IS_TRUE[nodes.mode]
    unordered = np.isnan(nodes.split) & (nodes.mode != MEMBER)
    is_true[unordered] = (nodes.mode[unordered] == NOT_EQUAL)[:, None]
    is_true[:, 3] |= nodes.missing
    following = np.repeat(own, 4).reshape(-1, 4)
    following[:inner] = np.where(is_true, nodes.true[:, None], nodes.false[:, None])
    fill = np.zeros(leaves.count, np.int64)
    tensors: dict[str, Values] = {
        "root": nodes.root,
        "feature": np.concatenate([nodes.feature, fill]),
        "split": np.concatenate([nodes.split, fill.astype(nodes.split.dtype)]),
        "following": following.reshape(-1),
    }
    tensors["weight"], target = _scores(leaves, targets)
    if target is not None:
        tensors["target"] = target
    return tensors


def _check(n: Node, nodes: Nodes, leaves: Leaves, targets: int) -> None:
    inner = len(nodes.feature)
    for name, values, most in (
        ("a branch", np.concatenate([nodes.true, nodes.false]), inner + leaves.count),
        ("a root", nodes.root, inner + leaves.count),
        ("a leaf", leaves.leaf, leaves.count),
        ("a target or class", leaves.target, targets),
        ("a feature", nodes.feature, np.iinfo(np.int64).max),
        ("a mode", nodes.mode, len(MODES)),
    ):
        if values.size and not 0 <= values.min() <= values.max() < most:
            n.fail(f"{name} is out of range")
    if not nodes.root.size or targets < 1:
        n.fail("it has no trees, or no targets")


def depth_of(n: Node, nodes: Nodes) -> int:
    """The number of inner nodes on the longest path from a root to a leaf. Refuses cycles."""
    inner = len(nodes.feature)
    above = np.zeros(inner, np.int64)
    for branch in (nodes.true, nodes.false):
        np.add.at(above, branch[branch < inner], 1)
    level, visited, depth = np.flatnonzero(above == 0), 0, 0
    while level.size:
        depth, visited = depth + 1, visited + level.size
        below = np.concatenate([nodes.true[level], nodes.false[level]])
        below = below[below < inner]
        np.subtract.at(above, below, 1)
        level = np.unique(below[above[below] == 0])
    return depth if visited == inner else n.fail("a tree has a cycle")


def _scores(leaves: Leaves, targets: int) -> tuple[Values, Indices | None]:
    """The scores of leaves [L, K] and their targets [L, K], None if each leaf has all targets."""
    order = np.argsort(leaves.leaf, kind="stable")
    leaf, target, weight = leaves.leaf[order], leaves.target[order], leaves.weight[order]
    size = np.bincount(leaf, minlength=leaves.count)
    place = np.arange(len(leaf)) - np.repeat(np.cumsum(size) - size, size)
    shape = (leaves.count, max(1, int(size.max(initial=0))))
    scores, targeted = np.zeros(shape, weight.dtype), np.full(shape, targets, np.int64)
    scores[leaf, place], targeted[leaf, place] = weight, target
    every = shape[1] == targets and bool((targeted == np.arange(targets)).all())
    return scores, None if every else targeted


# --- the two formats ---


def listed(n: Node, prefix: str, dtype: npt.DTypeLike) -> tuple[Nodes, Leaves]:
    """Reads TreeEnsembleClassifier and TreeEnsembleRegressor: nodes have tree and node ids."""
    tree, node = (_indices(n, f"nodes_{key}ids") for key in ("tree", "node"))
    feature = _indices(n, "nodes_featureids", len(tree))
    split = numbers_of(n, "nodes_values", dtype)
    modes = n.attribute("nodes_modes")
    modes = list(modes) if isinstance(modes, list) else []
    if not len(tree) == len(node) == len(split) == len(modes):
        n.fail("its lists of nodes differ in length")
    unknown = {m for m in modes if m not in (*MODES[:MEMBER], LEAF)}
    if unknown:
        n.fail(f"unknown mode {min(map(str, unknown))!r} of a node")
    is_leaf = np.array([m == LEAF for m in modes], np.bool_)
    # Leaves are numbered after all inner nodes.
    rank = np.where(is_leaf, (~is_leaf).sum() + np.cumsum(is_leaf), np.cumsum(~is_leaf)) - 1
    index: dict[tuple[int, int], int] = dict(
        zip(zip(tree.tolist(), node.tolist(), strict=True), rank.tolist(), strict=True)
    )
    if len(index) != len(rank):
        n.fail("two nodes of a tree have the same number")

    def found(trees: Indices, ids: Indices) -> Indices:
        pairs = zip(trees.tolist(), ids.tolist(), strict=True)
        return np.array([index.get(pair, -1) for pair in pairs], np.int64)

    inner = ~is_leaf
    branches = (_indices(n, f"nodes_{key}nodeids", len(tree)) for key in ("true", "false"))
    true, false = (found(tree[inner], branch[inner]) for branch in branches)
    entry_tree = _indices(n, f"{prefix}_treeids")
    entry_node = _indices(n, f"{prefix}_nodeids", len(entry_tree))
    leaf = found(entry_tree, entry_node) - int(inner.sum())
    target = _indices(n, f"{prefix}_ids", len(entry_tree))
    weight = numbers_of(n, f"{prefix}_weights", dtype)
    if len(weight) != len(leaf):
        n.fail(f"its lists {prefix}_... differ in length")
    first = np.ones(len(tree), np.bool_)
    first[1:] = tree[1:] != tree[:-1]
    code = np.array([MODES.index(str(m)) for m in modes if m != LEAF], np.int64)
    missing = _flags(n, len(tree))[inner]
    nodes = Nodes(feature[inner], split[inner], code, missing, true, false, rank[first])
    return nodes, Leaves(leaf, target, weight, int(is_leaf.sum()))


def tabled(n: Node, dtype: npt.DTypeLike) -> tuple[Nodes, Leaves]:
    """Reads TreeEnsemble, which has one table of nodes and one of leaves."""
    feature = _indices(n, "nodes_featureids")
    count = len(feature)
    split, mode = numbers_of(n, "nodes_splits", dtype), numbers_of(n, "nodes_modes", np.int64)
    if not len(split) == len(mode) == count:
        n.fail("its lists of nodes differ in length")
    branches: list[Indices] = []
    for key in ("true", "false"):
        number, is_leaf = (
            _indices(n, f"nodes_{key}{what}", count) for what in ("nodeids", "leafs")
        )
        limit = np.where(is_leaf != 0, np.iinfo(np.int64).max, count)
        if ((number < 0) | (number >= limit)).any():
            n.fail("a branch is out of range")
        branches.append(np.where(is_leaf != 0, number + count, number))
    weight = numbers_of(n, "leaf_weights", dtype)
    target = _indices(n, "leaf_targetids", len(weight))
    leaves = Leaves(np.arange(len(weight)), target, weight, len(weight))
    split = np.where(mode == MEMBER, np.nan, split).astype(split.dtype)
    roots = _indices(n, "tree_roots")
    nodes = Nodes(feature, split, mode, _flags(n, count), branches[0], branches[1], roots)
    return nodes, leaves


def members(n: Node, nodes: Nodes, leaves: Leaves) -> dict[str, Values]:
    """The sets of BRANCH_MEMBER, one per row (NaN-padded), and each node's row; row 0 is empty."""
    which = np.flatnonzero(nodes.mode == MEMBER)
    if not which.size:
        return {}
    values = numbers_of(n, "membership_values", nodes.split.dtype)
    ends = np.flatnonzero(np.isnan(values))
    if len(ends) != len(which):
        n.fail(f"membership_values has {len(ends)} sets for {len(which)} nodes")
    size = np.diff(ends, prepend=-1) - 1
    table = np.full((len(which) + 1, max(1, int(size.max()))), np.nan, values.dtype)
    for row, (end, length) in enumerate(zip(ends, size, strict=True), 1):
        table[row, :length] = values[end - length : end]
    choice = np.zeros(len(nodes.feature) + leaves.count, np.int64)
    choice[which] = np.arange(1, len(which) + 1)
    return {"member": table, "choice": choice}


def numbers_of(n: Node, name: str, dtype: npt.DTypeLike) -> Values:
    """A list of numbers, given as a list or as a tensor; empty if it is not given."""
    value = n.attribute(name)
    if value is None:
        value = n.attribute(f"{name}_as_tensor")
    return np.array([] if value is None else value, dtype).reshape(-1)


def _indices(n: Node, name: str, count: int | None = None) -> Indices:
    values = np.array(n.integer_list(name) or [], np.int64)
    if count is not None and len(values) != count:
        n.fail(f"attribute {name!r} has {len(values)} numbers, not {count}")
    return values


def _flags(n: Node, count: int) -> Flags:
    given = n.integer_list("nodes_missing_value_tracks_true")
    if not given:
        return np.zeros(count, np.bool_)
    if len(given) != count:
        n.fail("nodes_missing_value_tracks_true does not fit the nodes")
    return np.array(given, np.int64) != 0
