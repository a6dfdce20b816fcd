"""Interpolated sampling of images, and operators on regions of interest."""

from __future__ import annotations

from xdsl.ir import SSAValue

from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.conversion.onnx_to_torch.windows import window
from ramiel.dialects.onnx.types import numpy_dtype_of

_MODES = {"linear": "bilinear", "cubic": "bicubic"}
"""ONNX's names from opset 20 on -> PyTorch's names, which ONNX used before."""
_PADDINGS = ("zeros", "border", "reflection")


@lowers("AffineGrid", 20)
def affine_grid(n: Node) -> Lowered:
    size, align = n.integers(1), bool(n.integer("align_corners", 0))
    if size is None:
        return n.call("ops.affine_grid", n[0], n[1], align)
    if len(size) not in (4, 5) or min(size) < 1:
        n.fail(f"a grid for images of the sizes {size} is not defined")
    return n.call("F.affine_grid", n[0], size, align_corners=align)


@lowers("GridSample", 16)
def grid_sample(n: Node) -> Lowered:
    mode = n.text("mode", "bilinear")
    mode = _MODES.get(mode, mode)
    padding = n.text("padding_mode", "zeros")
    if mode not in ("bilinear", "bicubic", "nearest") or padding not in _PADDINGS:
        n.fail(f"unknown mode {n.text('mode')!r} or padding mode {padding!r}")
    if not n.is_float():
        n.fail("PyTorch samples images of floats only: cast its input before it")
    align = bool(n.integer("align_corners", 0))
    rank = n.known_rank()
    grid = _as(n, 1, 0)
    if mode == "bicubic" and rank != 4:
        return n.call("ops.grid_sample_cubic", n[0], grid, padding, align)
    if rank not in (4, 5):
        n.fail(f"PyTorch samples images of 2 or 3 dimensions, not of {rank - 2}")
    options: dict[str, object] = {} if mode == "bilinear" else {"mode": mode}
    if padding != "zeros":
        options["padding_mode"] = padding
    return n.call("F.grid_sample", n[0], grid, **options, align_corners=align)


def _as(n: Node, i: int, other: int) -> SSAValue:
    """Input i, converted to the element type of input `other`."""
    type = n.op.operands[other].type
    if numpy_dtype_of(n.op.operands[i].type) == numpy_dtype_of(type):
        return n[i]
    return n.call("Tensor.to", n[i], n.dtype(type), type=n.like(n.shape(i), other))


@lowers("RoiAlign", 10)
def roi_align_without_offset(n: Node) -> Lowered:
    return _roi_align(n, False)


@lowers("RoiAlign", 16)
def roi_align(n: Node) -> Lowered:
    mode = n.text("coordinate_transformation_mode", "half_pixel")
    if mode not in ("half_pixel", "output_half_pixel"):
        n.fail(f"unknown coordinate_transformation_mode {mode!r}")
    return _roi_align(n, mode == "half_pixel")


def _roi_align(n: Node, half_pixel: bool) -> Lowered:
    mode, samples = n.text("mode", "avg"), n.integer("sampling_ratio", 0)
    size = [n.integer("output_height", 1), n.integer("output_width", 1)]
    if mode not in ("avg", "max") or min(size) < 1 or samples < 0:
        n.fail(f"unknown mode {mode!r}, or a size or a sampling ratio out of range")
    options: dict[str, object] = {"samples": samples} if samples else {}
    options["half_pixel"] = half_pixel
    if mode == "max":
        options["largest"] = True
    scale = n.number("spatial_scale", 1.0)
    return n.call("ops.roi_align", n[0], n[1], n[2], size, scale, **options)


@lowers("MaxRoiPool")
def max_roi_pool(n: Node) -> Lowered:
    size = n.integer_list("pooled_shape")
    if size is None or len(size) != 2 or min(size) < 1:
        n.fail("its pooled shape must be a height and a width")
    return n.call("ops.max_roi_pool", n[0], n[1], size, n.number("spatial_scale", 1.0))


@lowers("NonMaxSuppression", 10)
def non_max_suppression(n: Node) -> Lowered:
    options: dict[str, object] = {}
    for i, name in enumerate(("most", "iou_threshold", "score_threshold"), 2):
        if n.given(i):
            known = n.scalar(i)
            options[name] = n[i] if known is None else known
    if n.integer("center_point_box", 0):
        options["centred"] = True
    return n.call("ops.non_max_suppression", n[0], n[1], **options)


@lowers("DeformConv", 19)
def deform_conv(n: Node) -> Lowered:
    shape = n.shape(1)
    kernel = n.integer_list("kernel_shape")
    if kernel is None and shape is not None and None not in shape:
        kernel = [d for d in shape[2:] if d is not None]
    w = window(n, kernel)
    if w.dims not in (2, 3):
        n.fail(f"PyTorch samples images of 2 or 3 dimensions, not of {w.dims}")
    groups, offset_groups = n.integer("group", 1), n.integer("offset_group", 1)
    if min(groups, offset_groups) < 1:
        n.fail("its groups must be positive")
    operands = [n.get(i) for i in range(5)]
    options: dict[str, object] = dict(w.config())
    options |= {"groups": groups} if groups > 1 else {}
    options |= {"offset_groups": offset_groups} if offset_groups > 1 else {}
    return n.call("ops.deform_conv", *operands, **options)
