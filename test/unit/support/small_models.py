"""Small models for the tests of the tools and of the Python interface."""

from __future__ import annotations

import onnx
from onnx import parser

BRANCHES = """
<ir_version: 8, opset_import: ["" : 17]>
branches (float[1, 8, 16, 16] image) => (float[1, 16, 16, 16] joined, float[1, 8, 1, 1] pooled)
<float[1] low = {0.5}> {
  weight_shape = Constant <value_ints = [8, 8, 3, 3]> ()
  left_w = ConstantOfShape <value = float[1] {0.01}> (weight_shape)
  right_w = ConstantOfShape <value = float[1] {-0.02}> (weight_shape)
  left = Conv <pads = [1, 1, 1, 1]> (image, left_w)
  left_relu = Relu (left)
  right = Conv <pads = [1, 1, 1, 1]> (image, right_w)
  right_max = Max (right, low)
  joined = Concat <axis = 1> (left_relu, right_max)
  pooled = GlobalAveragePool (right_max)
}
"""
"""Two branches of equal cost that meet in a Concat, and two outputs."""


def branches(size: int = 16) -> onnx.ModelProto:
    """It, of an image of some size."""
    return parser.parse_model(BRANCHES.replace("16, 16]", f"{size}, {size}]"))
