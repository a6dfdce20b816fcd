"""Norms over windows, and the inverses of sliding windows and of max pools."""

from __future__ import annotations

import itertools
from math import prod

import torch
from torch import Tensor

from ramiel.runtime.numbers import Integers, integers
from ramiel.runtime.windows import Ints, Sides, each, sliding_windows


def lp_pool(
    x: Tensor,
    p: float,
    kernel_size: list[int],
    stride: Ints = 1,
    padding: Sides = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The p-norm of each window of x [N, C, *size]."""
    y = sliding_windows(x, kernel_size, stride, dilation, padding, ceil_mode, 0.0, 0.0)
    return torch.linalg.vector_norm(y, p, dim=list(range(-len(kernel_size), 0)))


def global_lp_pool(x: Tensor, p: float) -> Tensor:
    """The p-norm over all dimensions of x but the first two, which keep a size of 1."""
    return torch.linalg.vector_norm(x, p, dim=list(range(2, x.ndim)), keepdim=True)


def max_unpool(
    x: Tensor,
    indices: Tensor,
    kernel_size: list[int],
    stride: Ints = 1,
    padding: Ints = 0,
    output_size: Integers | None = None,
) -> Tensor:
    """Zeros with the elements of x at their indices into the flat tensor that was pooled. An
    output shape that is larger than that tensor's adds zeros at its ends."""
    dims = len(kernel_size)
    strides, pads = each(stride, dims), each(padding, 2 * dims)
    pooled = [
        (x.shape[2 + i] - 1) * strides[i] - pads[i] - pads[dims + i] + kernel_size[i]
        for i in range(dims)
    ]
    shape = [*x.shape[:2], *pooled]
    y = x.new_zeros(prod(shape)).scatter(0, indices.reshape(-1), x.reshape(-1)).reshape(shape)
    if output_size is None or integers(output_size) == shape:
        return y
    result = x.new_zeros(integers(output_size))
    result[tuple(slice(0, n) for n in shape)] = y
    return result


def col2im(
    x: Tensor,
    image: Integers,
    block: Integers,
    dilations: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Images [N, C, *image]: the sum of blocks [N, C * block, L] at the positions of a sliding
    window; what falls into the padding is dropped."""
    size, kernel = integers(image), integers(block)
    dims = len(size)
    sides = [0] * 2 * dims if pads is None else pads
    step = [1] * dims if strides is None else strides
    apart = [1] * dims if dilations is None else dilations
    whole = [s + sides[i] + sides[dims + i] for i, s in enumerate(size)]
    counts = [(whole[i] - apart[i] * (kernel[i] - 1) - 1) // step[i] + 1 for i in range(dims)]
    blocks = x.reshape(x.shape[0], x.shape[1] // prod(kernel), prod(kernel), *counts)
    result = x.new_zeros([*blocks.shape[:2], *whole])
    for i, tap in enumerate(itertools.product(*map(range, kernel))):
        starts = [t * a for t, a in zip(tap, apart, strict=True)]
        places = [
            slice(a, a + s * (n - 1) + 1, s) for a, s, n in zip(starts, step, counts, strict=True)
        ]
        result[(..., *places)] += blocks[:, :, i]
    return result[(..., *(slice(sides[i], sides[i] + size[i]) for i in range(dims)))]
