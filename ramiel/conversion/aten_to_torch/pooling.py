"""Pools, and other windows of images."""

from __future__ import annotations

from typing import cast

from ramiel.conversion.aten_to_torch.table import Lowered, Node, as_it_is, lowers
from ramiel.dialects.torch.literals import scalar

as_it_is(
    "_adaptive_avg_pool3d.default",
    "adaptive_max_pool2d.default",
    "avg_pool3d.default",
    "grid_sampler_2d.default",
    "im2col.default",
    "max_pool3d_with_indices.default",
    "pixel_shuffle.default",
    "pixel_unshuffle.default",
    "reflection_pad1d.default",
    "reflection_pad2d.default",
    "replication_pad2d.default",
    "upsample_bicubic2d.vec",
    "upsample_bilinear2d.default",
    "upsample_bilinear2d.vec",
    "upsample_nearest2d.default",
    "upsample_nearest1d.vec",
    "upsample_nearest2d.vec",
    "upsample_trilinear3d.vec",
)


def _sizes(n: Node, i: int, default: list[int]) -> int | list[int]:
    return scalar(n.arg(i, default) or default)


def _window(n: Node) -> dict[str, object]:
    kernel = cast("list[int]", n.args[1])
    config: dict[str, object] = {"kernel_size": scalar(kernel), "stride": _sizes(n, 2, kernel)}
    return config | {"padding": _sizes(n, 3, [0])}


def _without(config: dict[str, object], **defaults: object) -> dict[str, object]:
    return {k: v for k, v in config.items() if k not in defaults or v != defaults[k]}


@lowers("max_pool2d_with_indices.default")
def max_pool(n: Node) -> Lowered:
    if not n.one_result:
        return None
    config = {**_window(n), "dilation": _sizes(n, 4, [1]), "ceil_mode": n.arg(5, False)}
    return n.call("F.max_pool2d", n.x, **_without(config, padding=0, dilation=1, ceil_mode=False))


@lowers("avg_pool2d.default")
def average_pool(n: Node) -> Lowered:
    if n.arg(6, None) is not None:
        return None
    config = {**_window(n), "ceil_mode": n.arg(4, False), "count_include_pad": n.arg(5, True)}
    defaults = {"padding": 0, "ceil_mode": False, "count_include_pad": True}
    return n.call("F.avg_pool2d", n.x, **_without(config, **defaults))


@lowers("_adaptive_avg_pool2d.default")
def adaptive_average_pool(n: Node) -> Lowered:
    return n.call("F.adaptive_avg_pool2d", n.x, _sizes(n, 1, [1]))
