"""Cases of Resize and Upsample."""

import numpy as np
from one_node import Case, case, f32, i64, rand

COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
)
NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


def scales(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


UP, DOWN, MIXED = scales(1, 1, 2, 3), scales(1, 1, 0.6, 0.5), scales(1, 1, 1.4, 0.7)
SIZES = (i64(1, 2, 8, 12), i64(1, 2, 3, 2), i64(1, 2, 7, 3), i64(1, 2, 1, 1))
X = f32(1, 2, 4, 6)
SMALL = f32(2, 3, low=0.0)

# ONNX Runtime steps by float32, and by the scale where sizes would be exact: ties may differ.
CASES: list[Case] = [
    *(
        case("Resize", X, scales(), s, mode=m, coordinate_transformation_mode=t, opset=v, const=c)
        for s in (UP, DOWN, MIXED)
        for m in ("linear", "cubic")
        for t in COORDINATES
        for v, c in ((11, (2,)), (13, ()), (19, (2,)))
        if t != "half_pixel_symmetric" or v >= 19
    ),
    *(
        case("Resize", X, r, r, s, mode=m, coordinate_transformation_mode=t, opset=v, const=c)
        for s in SIZES
        for m in ("linear", "cubic")
        for t in COORDINATES
        for v, r, c in ((11, scales(), (1, 2, 3)), (18, None, ()), (19, None, (3,)))
        if t != "half_pixel_symmetric" or v >= 19
    ),
    *(
        case("Resize", X, None, s, coordinate_transformation_mode=t, nearest_mode=n, const=c)
        for s in (UP, DOWN, scales(1, 1, 2, 2))
        for t in COORDINATES
        for n in NEAREST
        for c in ((), (2,))
    ),
    *(
        case(
            "Resize", X, None, None, s, coordinate_transformation_mode=t, nearest_mode=n, const=(3,)
        )
        for s in (SIZES[0], i64(1, 2, 8, 4))
        for t in COORDINATES
        for n in NEAREST
    ),
    *(
        case("Resize", X, s, opset=10, mode=m, const=c)
        for s in (UP, DOWN)
        for m in ("nearest", "linear")
        for c in ((), (1,))
    ),
    *(
        case("Upsample", X, UP, opset=9, mode=m, const=c)
        for m in ("nearest", "linear")
        for c in ((), (1,))
    ),
    *(
        case("Upsample", X, opset=7, mode=m, scales=[1.0, 1.0, 2.0, 3.0])
        for m in ("nearest", "linear")
    ),
    *(
        case("Resize", X, None, s, mode="cubic", cubic_coeff_a=a, exclude_outside=e, const=(2,))
        for s in (UP, DOWN)
        for a in (-0.75, -0.5)
        for e in (0, 1)
    ),
    *(
        case(
            "Resize", X, None, s, mode=m, antialias=1, const=(2,), reference=True, exclude_outside=1
        )
        for s in (UP, DOWN, MIXED)
        for m in ("linear", "cubic")
    ),
    *(
        case("Resize", X, None, None, i64(*s), axes=a, mode="linear", const=c)
        for s, a in (((8, 3), [2, 3]), ((3, 8), [-1, -2]), ((5,), [3]))
        for c in ((), (3,))
    ),
    *(
        case(
            "Resize",
            X,
            None,
            None,
            i64(7, 8),
            axes=[2, 3],
            keep_aspect_ratio_policy=p,
            mode=m,
            reference=True,
            const=(3,),
        )
        for p in ("not_larger", "not_smaller")
        for m in ("nearest", "linear")
    ),
    *(
        case(
            "Resize",
            X,
            scales(0, 0, 0.2, 0.1, 1, 1, 0.7, 1.2),
            None,
            i64(1, 2, 3, 5),
            mode=m,
            coordinate_transformation_mode="tf_crop_and_resize",
            extrapolation_value=9.0,
            const=c,
        )
        for m in ("nearest", "linear")
        for c in ((), (1, 3))
    ),
    case("Resize", f32(1, 2, 5), None, scales(1, 1, 2.0), mode="linear", const=(2,)),
    case("Resize", f32(1, 2, 3, 4, 5), None, scales(1, 1, 2, 2, 2), mode="linear", const=(2,)),
    case("Resize", f32(1, 2, 3, 4, 5), None, scales(1, 1, 2, 2, 2), const=(2,)),
    case("Resize", SMALL, None, scales(2, 1.5), mode="linear", const=(2,)),
    *(case("Resize", X, None, UP, const=(2,), dynamic=True, mode=m) for m in ("nearest", "linear")),
    *(
        case("Resize", rand(t, 1, 1, 3, 4), None, scales(1, 1, 2, 2), const=(2,))
        for t in ("uint8", "int32")
    ),
    case("Resize", X, None, scales(1, 1, 1, 1), mode="linear", const=(2,)),
]
