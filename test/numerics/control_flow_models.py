"""Models with branches and loops, as ONNX text, and inputs to run them with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import parser

Feed = Mapping[str, Any]

X = np.array([1.0, -2.0, 0.5], np.float32)


def model(text: str, opset: int = 17) -> onnx.ModelProto:
    return parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>\n{text}')


BRANCHES = """
branches (bool c, float[3] x) => (float[3] y, float[3] z, float[3] x2) <float[3] w = {1, 2, 3}> {
  outer = Exp (x)
  x2 = Identity (x)
  y, z = If (c) <
    then_branch = t () => (float[3] a, float[3] b) { a = Mul (outer, w)  b = Add (a, x) },
    else_branch = e () => (float[3] a, float[3] b) { a = Identity (x)  b = Identity (x) }
  >
}
"""
"""Both branches read values and a weight from outside; one returns what it reads, twice."""

SHAPES = """
shapes (bool[1] c, float[3] x) => (float[N] y) {
  y = If (c) <
    then_branch = t () => (float[M] a) { a = Concat <axis = 0> (x, x) },
    else_branch = e () => (float[M] b) { b = Neg (x) }
  >
}
"""
"""Branches of different shapes, and a condition of one element."""

COUNTED = """
counted (int64 n, float[3] x) => (float[3] last, float[K, 3] all) {
  go = Constant <value = bool {1}> ()
  last, all = Loop (n, go, x) <
    body = b (int64 i, bool k, float[3] a) => (bool k2, float[3] next, float[3] seen) {
      k2 = Identity (k)
      f = Cast <to = 1> (i)
      next = Add (a, f)
      seen = Mul (next, x)
    }
  >
}
"""
"""A `for`: there is a count, and the condition stays true. The parts of no iteration are 0 x 3."""

CONDITIONAL = """
conditional (bool go, float limit, float[3] x) => (float[3] last, float[K] all) {
  last, all = Loop ("", go, x) <
    body = b (int64 i, bool k, float[3] a) => (bool k2, float[3] next, float seen) {
      next = Add (a, a)
      seen = ReduceMax <keepdims = 0> (next)
      k2 = Less (seen, limit)
    }
  >
}
"""
"""A `while`: there is no count."""

BOTH = """
both (int64 n, bool go, float[3] x, float[3] z) => (float[3] p, float[3] q) {
  p, q = Loop (n, go, x, z) <
    body = b (int64 i, bool k, float[3] a, float[3] b) => (bool k2, float[3] b, float[3] a) {
      three = Constant <value_int = 3> ()
      k2 = Less (i, three)
    }
  >
}
"""
"""A count and a condition, and states that swap their places."""

GROWING = """
growing (int64 n, float[3] x) => (float[K] y) {
  y = Loop (n, "", x) <
    body = b (int64 i, bool k, float[M] a) => (bool k2, float[L] c) {
      k2 = Identity (k)
      c = Concat <axis = 0> (a, x)
    }
  >
}
"""
"""A state that has another shape after each iteration, and no condition."""

SCAN = """
scan (float[3] start, float[2, 5, 3] xs) => (float[3] total, float[2, 3, 5] sums) {
  rows = ReduceSum <keepdims = 0> (xs, axis)
  axis = Constant <value_ints = [0]> ()
  total, sums = Scan <
    num_scan_inputs = 2, scan_input_axes = [0, -2], scan_input_directions = [0, 1],
    scan_output_axes = [-1], scan_output_directions = [1],
    body = b (float[3] a, float[3] row, float[2, 3] plane) => (float[3] next, float[2, 3] seen) {
      next = Add (a, row)
      seen = Sub (plane, next)
    }
  > (start, rows, xs)
}
"""
"""Two scanned inputs, along other dimensions and backwards."""

NESTED = """
nested (float[3] start, float[4, 3] xs, bool c) => (float[3] last, float[4, 3] all) {
  last, all = Scan <
    num_scan_inputs = 1,
    body = s (float[3] a, float[3] row) => (float[3] next, float[3] seen) {
      two = Constant <value_int = 2> ()
      go = Constant <value = bool {1}> ()
      next = Loop (two, go, a) <
        body = l (int64 i, bool k, float[3] b) => (bool k2, float[3] d) {
          k2 = Identity (k)
          d = If (c) <
            then_branch = t () => (float[3] e) { e = Add (b, row) },
            else_branch = f () => (float[3] e) { e = Sub (b, start) }
          >
        }
      >
      seen = Mul (next, row)
    }
  > (start, xs)
}
"""
"""An If in a Loop in a Scan, each of which reads from those around it."""

FOLDED = """
folded (float[3] x) => (float[3] y, float[3] z) {
  size = Shape (x)
  three = Constant <value_ints = [3]> ()
  same = Equal (size, three)
  y = If (same) <
    then_branch = t () => (float[3] a) {
      two = Constant <value_float = 2.0> ()
      four = Mul (two, two)
      a = Mul (x, four)
    },
    else_branch = e () => (float[3] b) { b = Neg (x) }
  >
  no = Not (same)
  z = If (no) <
    then_branch = t2 () => (float[3] c) { c = Neg (y) },
    else_branch = e2 () => (float[3] d) { d = Identity (y) }
  >
}
"""
"""Conditions that are known once shapes are."""

LAYERS = """
layers (int64 n, float[1, 4, 6, 6] x) => (float[1, 4, 6, 6] y, float[K, 1, 2] heads)
<float[4] b = {0.5, -0.5, 0.25, 0}> {
  shape = Constant <value_ints = [4, 4, 3, 3]> ()
  w = ConstantOfShape <value = float[1] {0.05}> (shape)
  fc_shape = Constant <value_ints = [4, 2]> ()
  fc = ConstantOfShape <value = float[1] {0.5}> (fc_shape)
  go = Constant <value = bool {1}> ()
  y, heads = Loop (n, go, x) <
    body = l (int64 i, bool k, float[1, 4, 6, 6] a)
        => (bool k2, float[1, 4, 6, 6] d, float[1, 2] h) {
      k2 = Identity (k)
      c = Conv <pads = [1, 1, 1, 1]> (a, w, b)
      d = Relu (c)
      pooled = GlobalAveragePool (d)
      flat = Flatten (pooled)
      h = MatMul (flat, fc)
    }
  >
}
"""
"""A convolution and a linear layer in a body, with weights from outside."""

_XS = np.arange(12, dtype=np.float32).reshape(4, 3) / 4
_PLANES = np.sin(np.arange(30, dtype=np.float32)).reshape(2, 5, 3)
_IMAGE = np.cos(np.arange(144, dtype=np.float32)).reshape(1, 4, 6, 6)

CASES: Mapping[str, tuple[str, Sequence[Feed]]] = {
    "branches": (BRANCHES, [{"c": True, "x": X}, {"c": False, "x": X}]),
    "shapes": (SHAPES, [{"c": [True], "x": X}, {"c": [False], "x": X}]),
    "counted": (COUNTED, [{"n": n, "x": X} for n in (0, 1, 4)]),
    "conditional": (
        CONDITIONAL,
        [{"go": go, "limit": m, "x": X} for go, m in ((True, 9.0), (True, -9.0), (False, 9.0))],
    ),
    "both": (
        BOTH,
        [{"n": n, "go": go, "x": X, "z": -X} for n, go in ((0, True), (1, True), (9, True))]
        + [{"n": 2, "go": False, "x": X, "z": X}],
    ),
    "growing": (GROWING, [{"n": n, "x": X} for n in (0, 1, 3)]),
    "scan": (SCAN, [{"start": X, "xs": _PLANES}]),
    "nested": (NESTED, [{"start": X, "xs": _XS, "c": c} for c in (True, False)]),
    "folded": (FOLDED, [{"x": X}]),
    "layers": (LAYERS, [{"n": n, "x": _IMAGE} for n in (0, 2)]),
}
