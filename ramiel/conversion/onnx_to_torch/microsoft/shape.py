"""ONNX Runtime's own operators (com.microsoft) that move, select and sample elements, and early
ONNX operators that it still supports."""

from __future__ import annotations

import numpy as np

from ramiel.conversion.onnx_to_torch.onnx.indexing import gather_nd
from ramiel.conversion.onnx_to_torch.onnx.shape import pad, trilu
from ramiel.conversion.onnx_to_torch.table import Lowered, Node, lowers
from ramiel.dialects.onnx.types import numpy_dtype_of

for _op, _lowering in (("GatherND", gather_nd), ("Pad", pad), ("Trilu", trilu)):
    lowers(f"com.microsoft::{_op}")(_lowering)


@lowers("com.microsoft::ExpandDims")
def expand_dims(n: Node) -> Lowered:
    axis = n.scalar(1)
    if axis is None:
        return n.call("ops.unsqueeze", n[0], n[1])
    return n.call("Tensor.unsqueeze", n[0], int(axis))


@lowers("com.microsoft::Range")
def range_(n: Node) -> Lowered:
    dtype = numpy_dtype_of(n.op.operands[0].type)
    step = n[2] if n.given(2) else n.tensor(np.ones((), dtype), "step")
    return n.call("ops.range", n[0], n[1], step)


@lowers("com.microsoft::Unique")
def unique(n: Node) -> Lowered:
    return n.calls("ops.unique_in_order", n[0])


@lowers("com.microsoft::Inverse")
def inverse(n: Node) -> Lowered:
    return n.call("torch.inverse", n[0])


@lowers("com.microsoft::CDist")
def distances(n: Node) -> Lowered:
    metric = n.text("metric", "sqeuclidean")
    if metric not in ("euclidean", "sqeuclidean"):
        n.fail(f"the distance {metric!r} is not supported")
    y = n.call("torch.cdist", n[0], n[1])
    return y if metric == "euclidean" else n.call("operator.pow", y, 2)


@lowers("com.microsoft::GridSample")
def grid_sample(n: Node) -> Lowered:
    mode, padding = n.text("mode", "bilinear"), n.text("padding_mode", "zeros")
    if mode not in ("bilinear", "nearest", "bicubic"):
        n.fail(f"unknown mode {mode!r}")
    if padding not in ("zeros", "border", "reflection"):
        n.fail(f"unknown padding_mode {padding!r}")
    aligned = bool(n.integer("align_corners", 0))
    options = {"mode": mode, "padding_mode": padding, "align_corners": aligned}
    return n.call("F.grid_sample", n[0], n[1], **options)


@lowers("com.microsoft::CropAndResize")
def crop_and_resize(n: Node) -> Lowered:
    mode, outside = n.text("mode", "bilinear"), n.number("extrapolation_value", 0.0)
    if mode not in ("bilinear", "nearest"):
        n.fail(f"unknown mode {mode!r}")
    options: dict[str, object] = {} if mode == "bilinear" else {"mode": mode}
    if outside:
        options["outside"] = outside
    size = n.integers(3)
    return n.call(
        "ops.crop_and_resize", n[0], n[1], n[2], n[3] if size is None else size, **options
    )


@lowers("ai.onnx::Crop")
def crop(n: Node) -> Lowered:
    border, size = n.integer_list("border") or [], n.integer_list("scale")
    if len(border) != 4 or min(border) < 0 or (size is not None and len(size) != 2):
        n.fail("expected four positive borders, and two sizes if any")
    left, top, right, bottom = border
    ends = [-bottom or None, -right or None]
    if size is not None:
        ends = [top + size[0], left + size[1]]
    cuts = [slice(top or None, ends[0]), slice(left or None, ends[1])]
    return n.call("operator.getitem", n[0], [slice(None), slice(None), *cuts])


@lowers("ai.onnx::ImageScaler")
def image_scaler(n: Node) -> Lowered:
    scale = n.number("scale", 1.0)
    dtype = numpy_dtype_of(n.op.operands[0].type)
    bias = np.array(n.number_list("bias"), dtype).reshape(-1, 1, 1)
    x = n[0] if scale == 1 else n.call("operator.mul", n[0], scale)
    return n.call("operator.add", x, n.tensor(bias, "bias"))
