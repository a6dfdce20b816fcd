"""Normalisations."""

from __future__ import annotations

from ramiel.conversion.aten_to_torch.table import Lowered, Node, as_it_is, lowers

as_it_is("_native_batch_norm_legit_functional.default")


@lowers("_native_batch_norm_legit_no_training.default")
def batch_norm(n: Node) -> Lowered:
    return _batch_norm(n, n.arg(6, 1e-5))


@lowers("native_batch_norm.default")
def native_batch_norm(n: Node) -> Lowered:
    return None if n.arg(5, False) else _batch_norm(n, n.arg(7, 1e-5))


def _batch_norm(n: Node, eps: float) -> Lowered:
    weights = n.weights(weight=1, bias=2, running_mean=3, running_var=4)
    if not n.one_result or weights is None or len(weights) < 4:
        return None
    return n.layer("BatchNorm", n.x, weights, eps=eps)


@lowers("native_layer_norm.default")
def layer_norm(n: Node) -> Lowered:
    weights = n.weights(weight=2, bias=3)
    if not n.one_result or weights is None or "weight" not in weights:
        return None
    return n.layer("LayerNorm", n.x, weights, eps=n.arg(4, 1e-5))


@lowers("native_group_norm.default")
def group_norm(n: Node) -> Lowered:
    x, weight, bias, *_, groups, eps = n.args
    return n.call("F.group_norm", x, groups, weight, bias, eps) if n.one_result else None


@lowers("_softmax.default")
def softmax(n: Node) -> Lowered:
    return n.call("F.softmax", n.x, dim=n.args[1]) if not n.arg(2, False) else None


@lowers("_log_softmax.default")
def log_softmax(n: Node) -> Lowered:
    return n.call("F.log_softmax", n.x, dim=n.args[1]) if not n.arg(2, False) else None
