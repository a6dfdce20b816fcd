"""Reductions."""

from __future__ import annotations

from typing import cast

from ramiel.conversion.aten_to_torch.table import Lowered, Node, as_it_is, lowers

as_it_is(
    "all.default",
    "all.dim",
    "any.default",
    "any.dim",
    "argmax.default",
    "argmin.default",
    "cumprod.default",
    "cumsum.default",
    "linalg_vector_norm.default",
    "logsumexp.default",
    "max.default",
    "max.dim",
    "mean.default",
    "min.default",
    "min.dim",
    "prod.default",
    "prod.dim_int",
    "sort.default",
    "std.correction",
    "sum.default",
    "topk.default",
    "var.correction",
    "var_mean.correction",
)

_CALLEES = {"mean.dim": "torch.mean", "sum.dim_IntList": "torch.sum", "amax.default": "torch.amax",
            "amin.default": "torch.amin"}  # fmt: skip


@lowers(*_CALLEES)
def reduce(n: Node) -> Lowered:
    dims = n.arg(1, cast("list[int] | None", None))
    if not dims or n.kwargs:
        return None
    rank, keep = len(n.shape(n.x)), n.arg(2, False)
    if n.name == "mean.dim" and keep and rank == 4 and sorted(d % rank for d in dims) == [2, 3]:
        return n.call("F.adaptive_avg_pool2d", n.x, 1)
    dim = dims[0] if len(dims) == 1 else dims
    return n.call(_CALLEES[n.name], n.x, dim=dim, **({"keepdim": True} if keep else {}))
