"""ONNX semantics that PyTorch has no single call for.

Emitted programs call these as `ops.gather(x, indices)`. Each takes and returns tensors; an
argument that ONNX gives as a tensor may be one, or the numbers themselves where the compiler
knew them.
"""

from ramiel.runtime.ops.arithmetic import (
    arg_reduce,
    clip,
    cumsum,
    hardmax,
    layer_norm,
    legacy_softmax,
    local_response_norm,
    mean_variance_norm,
    prelu,
    reduce,
    shrink,
    top_k,
)
from ramiel.runtime.ops.control import length, part, stacked, steps
from ramiel.runtime.ops.indexing import (
    gather,
    gather_elements,
    gather_nd,
    non_zero,
    one_hot,
    scatter_elements,
    scatter_nd,
    slice,
)
from ramiel.runtime.ops.resizing import resize
from ramiel.runtime.ops.shapes import (
    constant_of_shape,
    depth_to_space,
    expand,
    eye_like,
    flatten,
    pad,
    range,
    reshape,
    shape,
    size,
    space_to_depth,
    split,
    squeeze,
    tile,
    trilu,
    unsqueeze,
)
from ramiel.runtime.ops.training import batch_norm, dropout
from ramiel.runtime.ops.unsigned import (
    ordered,
    unordered,
    unsigned_div,
    unsigned_remainder,
    unsigned_right_shift,
)
from ramiel.runtime.ops.windows import avg_pool, max_pool, same_pad

__all__ = [
    "arg_reduce",
    "avg_pool",
    "batch_norm",
    "clip",
    "constant_of_shape",
    "cumsum",
    "depth_to_space",
    "dropout",
    "expand",
    "eye_like",
    "flatten",
    "gather",
    "gather_elements",
    "gather_nd",
    "hardmax",
    "layer_norm",
    "legacy_softmax",
    "length",
    "local_response_norm",
    "max_pool",
    "mean_variance_norm",
    "non_zero",
    "one_hot",
    "ordered",
    "pad",
    "part",
    "prelu",
    "range",
    "reduce",
    "reshape",
    "resize",
    "same_pad",
    "scatter_elements",
    "scatter_nd",
    "shape",
    "shrink",
    "size",
    "slice",
    "space_to_depth",
    "split",
    "squeeze",
    "stacked",
    "steps",
    "tile",
    "top_k",
    "trilu",
    "unordered",
    "unsigned_div",
    "unsigned_remainder",
    "unsigned_right_shift",
    "unsqueeze",
]
