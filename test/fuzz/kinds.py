"""The kinds of models: what each is given, and what its nodes are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import control_flow
import empties
import families
import limits
import shapes
import specials
import windows
from builder import Graph
from contents import ORDINARY, Contents, Limits, Special
from oracles import ROUNDED, ROUNDED_64, Tolerance

Family = Callable[[Graph], object]
Dims = tuple[int | str, ...]

ELEMENTWISE: list[Family] = [
    families.unary,
    families.guarded,
    families.binary,
    families.integer_arithmetic,
    families.comparison,
    families.logic,
    families.where,
    families.clip,
    families.cast,
]
MATH: list[Family] = [
    families.matmul,
    families.gemm,
    windows.conv,
    windows.pool,
    windows.normalization,
    families.layer_norm_by_hand,
    families.softmax,
    families.reduction,
    families.ranking,
]
SHAPES: list[Family] = [
    shapes.reshape,
    shapes.transpose,
    shapes.slice_,
    shapes.gather,
    shapes.concat,
    shapes.split,
    shapes.expand,
    shapes.squeeze_or_unsqueeze,
    shapes.pad,
    shapes.sizes,
    shapes.scatter,
    shapes.resize,
    shapes.depth_to_space,
]
CONTROL: list[Family] = [control_flow.if_, control_flow.loop, control_flow.scan]
EVERY = [*ELEMENTWISE, *MATH, *SHAPES, *CONTROL]
ALL = [ELEMENTWISE, MATH, SHAPES, CONTROL, EVERY]
NOTHING: list[Family] = [
    empties.emptied,
    empties.made_empty,
    empties.ranked_empty,
    empties.product,
    empties.moved,
    empties.loop_of_nothing,
    control_flow.if_,
]
WINDOWS: list[Family] = [
    windows.padded,
    windows.padded,
    windows.same,
    windows.same,
    windows.conv,
    windows.pool,
]
NORMS: list[Family] = [
    windows.lone_norm,
    windows.small_norm,
    windows.normalization,
    families.softmax,
]
SPECIALS: list[Family] = [
    specials.tests,
    specials.extremes,
    specials.clip,
    specials.arithmetic,
    specials.rounded,
    specials.removed,
    specials.masked_softmax,
    specials.places,
]
THROUGH: list[Family] = [
    families.matmul,
    families.gemm,
    windows.conv,
    windows.pool,
    windows.batch_norm,
    families.softmax,
    families.reduction,
    families.ranking,
    shapes.resize_nearest,
]
"""Not among them is what has no one answer: sums of squares that run over the channels (LRN), and
pixels between others (Resize), which ONNX Runtime takes times 0 where others leave them out."""
LIMITS: list[Family] = [
    limits.elementwise,
    limits.unary,
    limits.clip,
    limits.cast,
    limits.where,
    limits.reduction,
]
ENDS: list[Family] = [
    limits.slice_,
    limits.slice_,
    limits.indices,
    limits.far_range,
    limits.triangle,
    limits.quantize,
]
MOVES: list[Family] = [shapes.transpose, shapes.concat, shapes.split, shapes.expand, shapes.gather]

INPUTS = (
    ("float32", (2, 4, 6, 6)),
    ("float32", (2, 3, 5)),
    ("float32", (2, 6)),
    ("float32", (6,)),
    ("float32", ()),
    ("float32", (1, 2, 4, 4)),
    ("float64", (2, 3)),
    ("int64", (2, 3)),
    ("int32", (2, 1, 4)),
    ("bool", (2, 3)),
    ("bool", ()),
    ("int64", ()),
)
DOUBLE = tuple((dtype.replace("32", "64"), shape) for dtype, shape in INPUTS)
FLOATS = INPUTS[:5]
EMPTY = (
    ("float32", (0, 4, 6, 6)),
    ("float32", (2, 0, 5)),
    ("float32", (2, 3, 0)),
    ("float32", (0, 6)),
    ("float32", (6, 0)),
    ("float32", (0,)),
    ("float32", (2, 3)),
    ("float32", (2, 4, 6, 6)),
    ("int64", (0, 3)),
    ("int64", (2, 3)),
    ("bool", (0, 3)),
    ("int64", ()),
)
OPEN: tuple[tuple[str, Dims], ...] = (
    ("float32", ("n", 4, "h", "w")),
    ("float32", ("n", "h", 5)),
    ("float32", ("n", 6)),
    ("float32", ("n", "m")),
    ("float32", ("m",)),
    ("int64", ("n", 3)),
    ("int64", ("m",)),
    ("bool", ("n", 3)),
)
SIZES = (
    {"n": 2, "h": 6, "w": 5, "m": 3},
    {"n": 0, "h": 6, "w": 5, "m": 2},
    {"n": 1, "h": 4, "w": 7, "m": 0},
    {"n": 3, "h": 5, "w": 5, "m": 1},
)
PICTURES: tuple[tuple[str, Dims], ...] = (
    ("float32", ("n", 3, "h", "w")),
    ("float32", (1, 2, "h", "w")),
    ("float32", ("n", 2, "h")),
    ("float32", (2, 4, 6, 6)),
    ("float32", (1, 1, 5, 4)),
    ("float32", (2, 2, 3, 3, 4)),
)
PICTURE_SIZES = ({"n": 2, "h": 6, "w": 5}, {"n": 1, "h": 5, "w": 8}, {"n": 1, "h": 4, "w": 3})
WHOLE = (
    *((dtype, (2, 3)) for dtype in ("int8", "int16", "uint8", "uint16", "uint32", "uint64")),
    *((dtype, shape) for dtype in ("int32", "int64") for shape in ((2, 3), (6,), (3, 2, 4))),
    ("float32", (2, 3)),
    ("float32", (3, 3, 4)),
    ("bool", (2, 3)),
    ("bool", ()),
    ("bool", ()),
)


@dataclass(frozen=True)
class Kind:
    """A kind of models.

    `inputs` are what may be given, `menus` lists of families, of which a model is drawn from two.
    A dimension with a name is open, and the model is run with each of the `sizes`.
    """

    inputs: Sequence[tuple[str, Dims]] = INPUTS
    menus: Sequence[Sequence[Family]] = field(default_factory=lambda: ALL)
    contents: Contents = ORDINARY
    floats: str = "float32"
    empty: bool = False
    asks_both: bool = True
    sizes: Sequence[Mapping[str, int]] = ({},)
    tolerance: Tolerance = field(default_factory=lambda: ROUNDED)

    def families(self) -> list[Family]:
        """All families of the menus, once each: what bodies are grown from."""
        return list(dict.fromkeys(family for menu in self.menus for family in menu))


KINDS: dict[str, Kind] = {
    "ordinary": Kind(asks_both=False),
    "float64": Kind(DOUBLE, floats="float64", tolerance=ROUNDED_64),
    "empty": Kind(EMPTY, [NOTHING, NOTHING, ELEMENTWISE, MATH, MOVES], empty=True),
    "open": Kind(OPEN, [NOTHING, ELEMENTWISE, MATH, SHAPES, MOVES], empty=True, sizes=SIZES),
    "special": Kind(
        FLOATS,
        [SPECIALS, SPECIALS, ELEMENTWISE, THROUGH, WINDOWS, MOVES, CONTROL],
        contents=Special(),
    ),
    "limits": Kind(WHOLE, [LIMITS, LIMITS, ENDS, ENDS, MOVES], contents=Limits()),
    "windows": Kind(PICTURES, [WINDOWS, WINDOWS, NORMS, ELEMENTWISE], sizes=PICTURE_SIZES),
}
