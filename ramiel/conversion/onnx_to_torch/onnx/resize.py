"""Resize and its predecessor Upsample."""

from __future__ import annotations

from math import floor
from typing import cast

import numpy as np

from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers

_MODES = {
    "linear": {3: "linear", 4: "bilinear", 5: "trilinear"},
    "cubic": {4: "bicubic"},
    "nearest": {3: "nearest", 4: "nearest", 5: "nearest"},
}
"""F.interpolate's names of ONNX's modes, by the rank of the input."""


@lowers("Upsample")
@lowers("Resize", 10)
def resize_by_scales(n: Node) -> Lowered:
    return _resize(n, "asymmetric", "simple", scales=1)


@lowers("Resize", 11)
def resize(n: Node) -> Lowered:
    coordinates = n.text("coordinate_transformation_mode", "half_pixel")
    return _resize(n, coordinates, n.text("nearest_mode", "round_prefer_floor"), 2, 3)


def _resize(
    n: Node, coordinates: str, nearest: str, scales: int, sizes: int | None = None
) -> Lowered:
    """Lowers a node whose scales or sizes, one of which is given, are inputs of these indices."""
    mode = n.text("mode", "nearest")
    mode = "linear" if mode == "bilinear" else mode  # its name in the first Upsample
    if mode not in _MODES:
        n.fail(f"unknown mode {mode!r}")
    by_size = sizes is not None and n.given(sizes) and n.shape(sizes) != (0,)
    i = sizes if by_size and sizes is not None else scales
    constant = n.constant(i)
    known = cast("list[float] | None", None if constant is None else constant.reshape(-1).tolist())
    if not n.given(i):
        known = _scales_of_attributes(n)
    if known is not None and (size := _spatial_size(n, known, by_size)) is not None:
        config = _interpolation(n, mode, coordinates, nearest, size)
        if config is not None:
            return n.call("F.interpolate", n[0], size=size, **config)
    target = {"sizes" if by_size else "scales": n[i] if known is None else known}
    return n.call("ops.resize", n[0], **_config(n, mode, coordinates, nearest), **target)


def _scales_of_attributes(n: Node) -> list[float]:
    """The scales of an Upsample that has them as attributes."""
    if n.attribute("height_scale") is not None:
        return [1.0, 1.0, n.number("height_scale"), n.number("width_scale")]
    scales = cast("list[float] | None", n.attribute("scales"))
    return n.fail("neither its scales nor its sizes are given") if scales is None else scales


def _spatial_size(n: Node, known: list[float], by_size: bool) -> list[int] | None:
    """The new spatial size; None if batch or channels change, or PyTorch needs more than the size.

    Scales must give whole sizes: otherwise PyTorch would compute with different scales.
    """
    before = n.shape(0)
    if before is None or n.attribute("axes") is not None or len(before) != len(known):
        return None
    if n.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        return None
    if any(k != (b if by_size else 1) for k, b in zip(known[:2], before[:2], strict=True)):
        return None
    after: list[int] = []
    for k, b in zip(known[2:], before[2:], strict=True):
        if b is None:
            return None
        size = k if by_size else k * b
        if size != floor(size):
            return None
        after.append(int(size))
    return after


def _interpolation(
    n: Node, mode: str, coordinates: str, nearest: str, after: list[int]
) -> dict[str, object] | None:
    """The arguments of F.interpolate; None if it computes something else."""
    name = _MODES[mode].get(len(after) + 2)
    before = [d or 0 for d in (n.shape(0) or ())[2:]]
    grows = all(a >= b for a, b in zip(after, before, strict=True))
    if name is None or not n.is_float() or (n.integer("antialias", 0) and not grows):
        return None
    if 0 in (n.shape(0) or ()):
        return None
    if coordinates == "pytorch_half_pixel" and min(after) > 1:
        coordinates = "half_pixel"
    if mode == "nearest":
        whole = all(a % b == 0 for a, b in zip(after, before, strict=True))
        # With half_pixel and integer scales there are no ties to round.
        rounds = coordinates == "half_pixel" and nearest.startswith("round") and whole
        floors = coordinates == "asymmetric" and (
            nearest == "floor" or (nearest == "simple" and grows)
        )
        same = all(_nearest_is_exact(a, b) for a, b in zip(after, before, strict=True))
        return {"mode": name} if (rounds or floors) and same else None
    if coordinates not in ("half_pixel", "align_corners"):
        return None
    if mode == "cubic" and (n.integer("exclude_outside", 0) or n.number("cubic_coeff_a") != -0.75):
        return None
    corners = {"align_corners": True} if coordinates == "align_corners" else {}
    return {"mode": name, **corners}


def _nearest_is_exact(after: int, before: int) -> bool:
    """Whether PyTorch's float32 arithmetic finds the same neighbours as integer arithmetic."""
    position = np.arange(after)
    places = np.floor(position.astype(np.float32) * np.float32(before / after))
    return bool(np.array_equal(places, position * before // after))


def _config(n: Node, mode: str, coordinates: str, nearest: str) -> dict[str, object]:
    """The arguments of ops.resize that are not at their defaults."""
    config: dict[str, object] = {"mode": mode, "coordinates": coordinates}
    if mode == "nearest":
        config["nearest"] = nearest
    if mode == "cubic":
        config["cubic"] = n.number("cubic_coeff_a", -0.75)
    if mode != "nearest" and n.integer("exclude_outside", 0):
        config["exclude_outside"] = True
    if coordinates == "tf_crop_and_resize":
        config["roi"] = n[1]
        config["extrapolation"] = n.number("extrapolation_value", 0.0)
    if n.integer("antialias", 0):
        config["antialias"] = True
    if (axes := n.integer_list("axes")) is not None:
        config["axes"] = axes
    if (policy := n.text("keep_aspect_ratio_policy", "stretch")) != "stretch":
        config["policy"] = policy
    return config
