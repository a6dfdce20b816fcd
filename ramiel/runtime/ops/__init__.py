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
from ramiel.runtime.ops.contrib import (
    crop_and_resize,
    first_rows,
    mask_lengths,
    simplified_layer_norm,
    unique_in_order,
)
from ramiel.runtime.ops.contrib_attention import attention_mask, group_query_attention, rotary
from ramiel.runtime.ops.control import length, part, refuse, stacked, steps
from ramiel.runtime.ops.images import decode_image
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
from ramiel.runtime.ops.low_bit import cast
from ramiel.runtime.ops.optimizers import adagrad, adam, momentum
from ramiel.runtime.ops.patches import col2im, global_lp_pool, lp_pool, max_unpool
from ramiel.runtime.ops.quantization import (
    conv_integer,
    dequantize,
    dynamic_quantize,
    matmul_integer,
    matmul_n_bits,
    quantize,
    requantize,
)
from ramiel.runtime.ops.random import bernoulli, multinomial, random_normal, random_uniform
from ramiel.runtime.ops.recurrent import gru, lstm, rnn
from ramiel.runtime.ops.regions import max_roi_pool, non_max_suppression, roi_align
from ramiel.runtime.ops.resizing import resize
from ramiel.runtime.ops.sampling import deform_conv, grid_sample_cubic
from ramiel.runtime.ops.selection import compress, cumprod, reverse_sequence, tensor_scatter, unique
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
from ramiel.runtime.ops.signal import dft, mel_weight_matrix, stft
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
    "adagrad",
    "adam",
    "arg_reduce",
    "attention_mask",
    "avg_pool",
    "batch_norm",
    "bernoulli",
    "cast",
    "clip",
    "col2im",
    "compress",
    "constant_of_shape",
    "conv_integer",
    "crop_and_resize",
    "cumprod",
    "cumsum",
    "decode_image",
    "deform_conv",
    "depth_to_space",
    "dequantize",
    "dft",
    "dropout",
    "dynamic_quantize",
    "expand",
    "eye_like",
    "first_rows",
    "flatten",
    "gather",
    "gather_elements",
    "gather_nd",
    "global_lp_pool",
    "grid_sample_cubic",
    "group_query_attention",
    "gru",
    "hardmax",
    "layer_norm",
    "legacy_softmax",
    "length",
    "local_response_norm",
    "lp_pool",
    "lstm",
    "mask_lengths",
    "matmul_integer",
    "matmul_n_bits",
    "max_pool",
    "max_roi_pool",
    "max_unpool",
    "mean_variance_norm",
    "mel_weight_matrix",
    "momentum",
    "multinomial",
    "non_max_suppression",
    "non_zero",
    "one_hot",
    "ordered",
    "pad",
    "part",
    "prelu",
    "quantize",
    "random_normal",
    "random_uniform",
    "range",
    "reduce",
    "refuse",
    "requantize",
    "reshape",
    "resize",
    "reverse_sequence",
    "rnn",
    "roi_align",
    "rotary",
    "same_pad",
    "scatter_elements",
    "scatter_nd",
    "shape",
    "shrink",
    "simplified_layer_norm",
    "size",
    "slice",
    "space_to_depth",
    "split",
    "squeeze",
    "stacked",
    "steps",
    "stft",
    "tensor_scatter",
    "tile",
    "top_k",
    "trilu",
    "unique",
    "unique_in_order",
    "unordered",
    "unsigned_div",
    "unsigned_remainder",
    "unsigned_right_shift",
    "unsqueeze",
]
