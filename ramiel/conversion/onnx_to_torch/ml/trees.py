"""Ensembles of decision trees of the domain ai.onnx.ml."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from xdsl.ir import SSAValue

from ramiel.conversion.onnx_to_torch.ml.classical import (
    DOMAIN,
    INT64,
    POST_TRANSFORMS,
    batch,
    choice,
    class_labels,
    features,
    labelled,
    made_weight,
    matrix,
)
from ramiel.conversion.onnx_to_torch.ml.forest import (
    Leaves,
    Nodes,
    Values,
    depth_of,
    listed,
    members,
    numbers_of,
    tabled,
    tensors_of,
)
from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.types import BY_PROTO, element_of, numpy_dtype_of, shape_of, tensor_type
from ramiel.dialects.torch import LayerOp
from ramiel.dialects.torch.literals import Dtype

AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")


@lowers(f"{DOMAIN}::TreeEnsembleRegressor")
def tree_ensemble_regressor(n: Node) -> Lowered:
    nodes, leaves = listed(n, "target", _dtype(n))
    targets = n.integer("n_targets", 1)
    base = numbers_of(n, "base_values", _dtype(n))
    aggregate = choice(n, "aggregate_function", AGGREGATES, "SUM")
    post = choice(n, "post_transform", POST_TRANSFORMS)
    y = _ensemble(n, nodes, leaves, targets, base, aggregate, post)
    return _as(n, y, "float32")


@lowers(f"{DOMAIN}::TreeEnsemble", 5)
def tree_ensemble(n: Node) -> Lowered:
    nodes, leaves = tabled(n, _dtype(n))
    aggregate = _numbered(n, "aggregate_function", AGGREGATES)
    post = _numbered(n, "post_transform", POST_TRANSFORMS)
    base = np.zeros(0, _dtype(n))
    y = _ensemble(n, nodes, leaves, n.integer("n_targets", 1), base, aggregate, post)
    return _as(n, y, n.dtype(n.op.operands[0].type))


def _numbered(n: Node, name: str, choices: tuple[str, ...]) -> str:
    number = n.integer(name)
    if not 0 <= number < len(choices):
        n.fail(f"attribute {name!r} is {number}, not one of 0 to {len(choices) - 1}")
    return choices[number]


def _ensemble(
    n: Node,
    nodes: Nodes,
    leaves: Leaves,
    targets: int,
    base: Values,
    aggregate: str,
    post: str,
) -> SSAValue:
    tensors = _tensors(n, nodes, leaves, targets, base, (0, targets))
    x = features(n, nodes.split.dtype.name)
    element = element_of(x.type)
    assert element is not None
    weights = {key: made_weight(n, f"trees.{key}", value) for key, value in tensors.items()}
    config: dict[str, object] = {"depth": depth_of(n, nodes), "scores": targets}
    if aggregate != "SUM":
        config["aggregate"] = aggregate
    if post != "NONE":
        config["post"] = post
    type = matrix(batch(x), targets, element)
    return n.layer("TreeEnsemble", x, weights, type=type, **config)


@lowers(f"{DOMAIN}::TreeEnsembleClassifier")
def tree_ensemble_classifier(n: Node) -> Lowered:
    nodes, leaves = listed(n, "class", _dtype(n))
    labels = class_labels(n, "classlabels_int64s")
    post = choice(n, "post_transform", POST_TRANSFORMS)
    base = numbers_of(n, "base_values", _dtype(n))
    classes = len(labels)
    tensors = _tensors(n, nodes, leaves, classes, base, (0, 1, 2) if classes == 2 else (0, classes))
    words = labels.dtype.kind == "O"
    if words and classes == 1:
        n.fail("it names only one of its two classes")
    tensors["labels"] = np.arange(classes) if words else labels
    config: dict[str, object] = {"depth": depth_of(n, nodes), "scores": classes}
    if classes == 2 and post == "PROBIT" and base.size < 2 and not _all_speak_of(1, leaves):
        n.fail("PROBIT of one score for two classes is not defined")
    if post != "NONE":
        config["post"] = post
    if classes == 2 and len(np.unique(leaves.target)) == 1:
        config["single"] = True
        if (leaves.weight >= 0).all():
            config["all_positive"] = True
    x = features(n, nodes.split.dtype.name)
    element = element_of(x.type)
    assert element is not None
    weights = {key: made_weight(n, f"trees.{key}", value) for key, value in tensors.items()}
    types = [tensor_type(INT64, (batch(x),)), matrix(batch(x), classes, element)]
    label, scores = n.add(LayerOp.of("TreeClassifier", [x], weights, config, types))
    return labelled(n, label, labels) if words else label, _as(n, scores, "float32")


def _all_speak_of(target: int, leaves: Leaves) -> bool:
    """Whether every leaf has a score for `target`."""
    return len(np.unique(leaves.leaf[leaves.target == target])) == leaves.count


def _tensors(
    n: Node,
    nodes: Nodes,
    leaves: Leaves,
    targets: int,
    base: Values,
    counts: tuple[int, ...],
) -> dict[str, Values]:
    tensors = tensors_of(n, nodes, leaves, targets) | members(n, nodes, leaves)
    if base.size not in counts:
        n.fail(f"it has {base.size} base_values for {targets} scores")
    if base.size:
        tensors["base"] = base
    return tensors


def _dtype(n: Node) -> npt.DTypeLike:
    """The type that trees compute in: float64 if the input has it, else float32."""
    return np.float64 if numpy_dtype_of(n.op.operands[0].type) == np.float64 else np.float32


def _as(n: Node, value: SSAValue, name: str) -> SSAValue:
    dtype = numpy_dtype_of(value.type)
    if dtype is not None and dtype.name == name:
        return value
    element = next(t.ir for t in BY_PROTO.values() if t.numpy.name == name)
    return n.call("Tensor.to", value, Dtype(name), type=tensor_type(element, shape_of(value.type)))
