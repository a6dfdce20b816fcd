"""Cases of operators on images: sampling, regions of interest, patches."""

from typing import Any

import numpy as np
from one_node import Case, case, each, f32, i64, rand

MODES = ("bilinear", "bicubic", "nearest")
NEW_MODES = ("linear", "cubic", "nearest")
PADDINGS = ("zeros", "border", "reflection")
GRID = f32(2, 4, 7, 2, low=-1.5, high=1.5)
GRID_3D = f32(1, 2, 3, 2, 3, low=-1.5, high=1.5)
AFFINE_GRID = [
    case("AffineGrid", theta, size, align_corners=a, opset=20, const=c)
    for theta, size in (
        (f32(2, 2, 3), i64(2, 3, 4, 5)),
        (f32(1, 2, 3), i64(1, 3, 4, 5)),
        (f32(2, 3, 4), i64(2, 3, 4, 5, 6)),
        (f32(1, 3, 4), i64(1, 1, 2, 3, 2)),
        (rand("float64", 1, 2, 3), i64(1, 3, 4, 5)),
    )
    for a in (0, 1)
    for c in ((), (1,))
]
# Of a side of one pixel with align_corners, PyTorch, ONNX Runtime and ONNX's reference have three
# opinions; ours is PyTorch's.
AFFINE_GRID.append(case("AffineGrid", f32(1, 3, 4), i64(1, 1, 2, 3, 1), opset=20, const=(1,)))
GRID_SAMPLE = [
    *(
        case("GridSample", f32(2, 3, 5, 6), GRID, mode=m, padding_mode=p, align_corners=a, opset=v)
        for v, modes in ((16, MODES), (20, NEW_MODES))
        for m in modes
        for p in PADDINGS
        for a in (0, 1)
    ),
    *(
        case(
            "GridSample",
            f32(1, 2, 3, 4, 5),
            GRID_3D,
            mode=m,
            padding_mode=p,
            align_corners=a,
            reference=True,
        )
        for m in NEW_MODES
        for p in PADDINGS
        for a in (0, 1)
    ),
    case("GridSample", f32(1, 2, 1, 4, 1), GRID_3D, mode="cubic", reference=True),
    case("GridSample", f32(2, 3, 5, 6), GRID, opset=16, dynamic=True),
    case("GridSample", f32(2, 3, 5, 6), GRID, opset=16, const=(1,)),
    case(
        "GridSample",
        rand("float16", 1, 2, 5, 6),
        rand("float16", 1, 4, 7, 2, low=-1, high=1),
        reference=True,
        tolerance=1e-2,
    ),
    # The reference computes positions in float32.
    case(
        "GridSample",
        rand("float64", 1, 2, 5, 6),
        f32(1, 4, 7, 2, low=-1.5, high=1.5),
        reference=True,
        tolerance=1e-5,
    ),
]

_RNG = np.random.default_rng(0)
BOXES = _RNG.uniform(0, 10, (2, 12, 4)).astype(np.float32)
SCORES = _RNG.uniform(0, 1, (2, 3, 12)).round(1).astype(np.float32)  # some are equal
IOU, SCORE = np.array([0.3], np.float32), np.array([0.2], np.float32)
NMS = [
    *(
        case(
            "NonMaxSuppression", BOXES, SCORES, *limits, opset=v, const=c, center_point_box=centred
        )
        for v in (10, 11)
        for centred in (0, 1)
        for limits, c in (
            ((i64(4), IOU, SCORE), (2, 3, 4)),
            ((i64(4), IOU, SCORE), ()),
            ((i64(20), IOU), (2, 3)),
            ((i64(5),), ()),
            ((), ()),
        )
    ),
    case("NonMaxSuppression", BOXES, SCORES, i64(5), None, SCORE + 0.75, opset=11),
    case("NonMaxSuppression", BOXES, SCORES, i64(5), None, SCORE + 0.8, opset=11),
]

REGIONS = np.array(
    [[0, 0, 5, 6], [1.3, 2.1, 7.9, 8.2], [-2, -3, 4, 30], [3, 3, 3.2, 3.1], [5, 5, 2, 2]],
    np.float32,
)
NUMBERED = np.array(
    [[0, 0, 0, 5, 6], [1, 1, 2, 7, 8], [1, -2, -3, 4, 30], [0, 3, 3, 3, 3], [1, 9, 9, 20, 20]],
    np.float32,
)
ROI = [
    *(
        case(
            "RoiAlign",
            f32(2, 3, 9, 8),
            REGIONS,
            i64(0, 1, 1, 0, 1),
            mode=mode,
            sampling_ratio=samples,
            output_height=3,
            output_width=2,
            spatial_scale=0.7,
            opset=v,
            reference=v == 22,
            **how,
        )
        for mode in ("avg", "max")
        for samples in (0, 2)
        for v, how in (
            (10, {}),
            (16, {}),
            (16, dict[str, Any](coordinate_transformation_mode="output_half_pixel")),
            (22, {}),
        )
    ),
    *(
        case("MaxRoiPool", f32(2, 3, 9, 8), NUMBERED, pooled_shape=[3, 2], spatial_scale=s, opset=8)
        for s in (1.0, 0.5, 0.7)
    ),
    case("MaxRoiPool", f32(2, 3, 9, 8), NUMBERED, pooled_shape=[2, 2], opset=8, const=(1,)),
]


def _deform(strides: int, dilations: int, pads: list[int], **options: Any) -> list[Case]:
    """A 3x2 kernel over 5x6 pixels, with and without groups, bias and mask."""
    rows = (5 + pads[0] + pads[2] - 2 * dilations - 1) // strides + 1
    columns = (6 + pads[1] + pads[3] - dilations - 1) // strides + 1
    x, out = f32(2, 4, 5, 6), (rows, columns)
    config: dict[str, Any] = {
        "strides": [strides] * 2,
        "dilations": [dilations] * 2,
        "pads": pads,
        **options,
    }
    return [
        case("DeformConv", x, f32(6, 4, 3, 2), f32(2, 12, *out), **config),
        case(
            "DeformConv",
            x,
            f32(6, 2, 3, 2),
            f32(2, 24, *out, low=-3, high=3),
            f32(6),
            f32(2, 12, *out),
            group=2,
            offset_group=2,
            **config,
        ),
    ]


DEFORM = [
    *_deform(1, 1, [0, 0, 0, 0], opset=19),
    *_deform(2, 1, [1, 0, 2, 1], opset=19),
    *_deform(1, 2, [1, 1, 1, 1], reference=True),
]

LP_ATTRIBUTES = each(
    {"kernel_shape": [3, 2]},
    {"kernel_shape": [3, 2], "strides": [2, 3], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 1, 1, 0]},
    {"kernel_shape": [3, 2], "auto_pad": "VALID"},
    {"kernel_shape": [3, 2], "auto_pad": "SAME_UPPER", "strides": [2, 2]},
    {"kernel_shape": [3, 2], "auto_pad": "SAME_LOWER"},
)
LP_18 = each(
    {"kernel_shape": [2, 2], "dilations": [2, 3]},
    {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4, "ceil_mode": 1},
)
LP_POOL = [
    *(case("LpPool", f32(2, 3, 9, 8), p=3, opset=11, **a) for a in LP_ATTRIBUTES),
    *(case("LpPool", f32(2, 3, 9, 8), opset=2, **a) for a in LP_ATTRIBUTES[:3]),
    *(
        case("LpPool", f32(2, 3, 9, 8), p=p, opset=18, **a)
        for p in (1, 2, 3)
        for a in (*LP_ATTRIBUTES, *LP_18)
    ),
    *(case("LpPool", f32(2, 3, 9, 8), p=3, opset=18, dynamic=True, **a) for a in LP_ATTRIBUTES),
    *(case("LpPool", f32(1, 2, *[6] * n), kernel_shape=[2] * n, opset=22) for n in (1, 2, 3)),
    *(case("GlobalLpPool", f32(2, 3, *s), p=3, opset=11) for s in ((4,), (4, 5), (2, 3, 4))),
]

FOUR = i64(5, 7, 13, 15).reshape(1, 1, 2, 2)
HALVES: dict[str, Any] = {"kernel_shape": [2, 2], "strides": [2, 2]}
PATCHES = [
    *(case("MaxUnpool", f32(1, 1, 2, 2), FOUR, opset=v, **HALVES) for v in (9, 11, 22)),
    *(
        case("MaxUnpool", f32(1, 1, 2, 2), FOUR, i64(1, 1, 5, 5), const=c, reference=True, **HALVES)
        for c in ((), (2,))
    ),
    case("MaxUnpool", f32(1, 2, 3), i64(0, 3, 5, 8, 9, 10).reshape(1, 2, 3), kernel_shape=[4]),
    *(
        case("Col2Im", x, i64(*image), i64(*block), const=c, opset=18, **a)
        for x, image, block, a in (
            (f32(2, 12, 16), (5, 5), (2, 2), {}),
            (f32(2, 12, 9), (5, 5), (2, 2), dict[str, Any](dilations=[2, 2])),
            (f32(2, 12, 9), (5, 5), (2, 2), dict[str, Any](strides=[2, 2], pads=[1, 1, 0, 0])),
            (f32(2, 12, 36), (5, 5), (2, 2), dict[str, Any](pads=[1, 1, 1, 1])),
            (f32(2, 8, 24), (3, 4, 5), (2, 2, 2), {}),
            (f32(2, 6, 4), (6,), (3,), {}),
        )
        for c in ((), (1, 2), (1,))
    ),
]

CASES: list[Case] = [*AFFINE_GRID, *GRID_SAMPLE, *NMS, *ROI, *DEFORM, *LP_POOL, *PATCHES]
