"""Normalisations."""

from __future__ import annotations

import math

from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.types import element_of


@lowers("BatchNormalization")
def batch_norm_by_results(n: Node) -> Lowered:
    """Up to opset 13, it is in training mode if its statistics outputs are used."""
    training = any(r.uses for r in n.op.results[1:]) and not n.integer("is_test", 0)
    return _batch_norm(n, training, spatial=n.integer("spatial", 1) != 0)


@lowers("BatchNormalization", 14)
def batch_norm(n: Node) -> Lowered:
    return _batch_norm(n, n.integer("training_mode", 0) != 0, spatial=True)


def _batch_norm(n: Node, training: bool, spatial: bool) -> Lowered:
    eps, count = n.number("epsilon", 1e-5), len(n.op.results)
    options: dict[str, object] = {} if spatial else {"spatial": False}
    if training:
        if count == 1:
            n.fail("in training mode its running statistics must be results")
        options |= {"momentum": n.number("momentum", 0.9), "training": True, "results": count}
        return n.calls("ops.batch_norm", *n.inputs(), eps, **options)
    if not spatial or not _is_of_one_type(n):
        result = n.call("ops.batch_norm", *n.inputs(), eps, **options)
    elif all(n.is_constant(i) for i in range(1, 5)):
        names = ("weight", "bias", "running_mean", "running_var")
        weights = {name: n.weight(i + 1) for i, name in enumerate(names)}
        result = n.layer("BatchNorm", n[0], weights, eps=eps)
    else:
        result = n.call("F.batch_norm", n[0], n[3], n[4], n[1], n[2], eps=eps)
    return [result] * count


def _is_of_one_type(n: Node) -> bool:
    """Whether all operands have the same element type, as PyTorch requires."""
    return len({element_of(v.type) for v in n.op.operands}) == 1


@lowers("InstanceNormalization")
def instance_norm(n: Node) -> Lowered:
    # F.instance_norm refuses a single number per channel (which ONNX makes zero) and empty inputs.
    shape = n.shape(0) or (0,)
    plain = _are_several(n, 2) and shape[0] is not None and 0 not in shape
    callee = "F.instance_norm" if plain else "ops.instance_norm"
    return n.call(callee, n[0], weight=n[1], bias=n[2], eps=n.number("epsilon"))


def _are_several(n: Node, start: int, count: int = 1) -> bool:
    """Whether the dimensions from `start` on are known to hold more than `count` numbers."""
    shape = n.shape(0)
    return shape is not None and math.prod(d or 1 for d in shape[start:]) > count


@lowers("GroupNormalization", 21)
def group_norm(n: Node) -> Lowered:
    groups = n.integer("num_groups")
    callee = "F.group_norm" if _are_several(n, 1, groups) else "torch.group_norm"
    return n.call(callee, n[0], groups, n[1], n[2], n.number("epsilon"))


@lowers("LayerNormalization", 17)
def layer_norm(n: Node) -> Lowered:
    axis, eps, rank = n.integer("axis"), n.number("epsilon"), n.rank(0)
    if len(n.op.results) > 1 and n.integer("stash_type", 1) != 1:
        n.fail("its mean and standard deviation are supported in float32 only (stash_type 1)")
    normalized = (n.shape(0) or ())[axis % rank :] if rank else ()
    fits = bool(normalized) and None not in normalized and n.shape(1) == normalized
    fits = fits and n.shape(2) in (None, normalized)
    constant = n.is_constant(1) and (not n.given(2) or n.is_constant(2))
    if len(n.op.results) == 1 and constant and fits:
        weights = {"weight": n.weight(1)}
        if n.given(2):
            weights["bias"] = n.weight(2)
        return n.layer("LayerNorm", n[0], weights, eps=eps)
    if len(n.op.results) == 1:
        return n.call("ops.layer_norm", n[0], n[1], n.get(2), axis, eps)
    return n.calls("ops.layer_norm", n[0], n[1], n.get(2), axis, eps, len(n.op.results))


@lowers("LRN")
def local_response_norm(n: Node) -> Lowered:
    size = n.integer("size")
    if size < 1:
        n.fail(f"attribute 'size' must be positive, and is {size}")
    config = {"alpha": n.number("alpha"), "beta": n.number("beta"), "k": n.number("bias")}
    return n.call("ops.local_response_norm", n[0], size, **config)


@lowers("LpNormalization")
def lp_norm(n: Node) -> Lowered:
    return n.call("ops.lp_normalize", n[0], n.integer("p", 2), n.integer("axis", -1))


@lowers("MeanVarianceNormalization", 9)
def mean_variance_norm(n: Node) -> Lowered:
    axes = n.integer_list("axes")
    return n.call("ops.mean_variance_norm", n[0], [0, 2, 3] if axes is None else axes)
