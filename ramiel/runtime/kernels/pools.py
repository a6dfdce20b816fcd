"""Pools over two dimensions by oneDNN: max_pool2d, avg_pool2d and adaptive_avg_pool2d.

They take what PyTorch's functions of the same names take. A kernel is prepared for each shape
and number of threads and kept; where there is none, PyTorch's function is called.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from ramiel.runtime.kernels import onednn
from ramiel.runtime.kernels.geometry import Kernel, Pool, is_finite, is_ordinary, is_watched

Ints = int | list[int] | tuple[int, ...]


def max_pool2d(
    x: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """torch.nn.functional.max_pool2d without indices."""
    geometry = (_pair(kernel_size), _pair(stride, kernel_size), _pair(padding), _pair(dilation))
    kernel = _kernel("max", x, *geometry, ceil_mode)
    # oneDNN's drops NaN, and starts from a finite value. PyTorch's takes three to five times as
    # long as the kernel and the check together.
    if kernel is None or not is_finite(x):
        return F.max_pool2d(x, kernel_size, stride, padding, dilation, ceil_mode)
    return kernel(x, None)


def avg_pool2d(
    x: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """torch.nn.functional.avg_pool2d."""
    geometry = (_pair(kernel_size), _pair(stride, kernel_size), _pair(padding), (1, 1))
    kind = "average with padding" if count_include_pad and any(geometry[2]) else "average"
    # PyTorch does not count what lies beyond the padding, where ceil_mode may reach.
    exact = not (ceil_mode and count_include_pad)
    kernel = _kernel(kind, x, *geometry, ceil_mode) if exact else None
    if kernel is None:
        return F.avg_pool2d(x, kernel_size, stride, padding, ceil_mode, count_include_pad)
    return kernel(x, None)


def adaptive_avg_pool2d(x: Tensor, output_size: Ints) -> Tensor:
    """torch.nn.functional.adaptive_avg_pool2d; by oneDNN to one pixel."""
    kernel = None
    if output_size == 1 and x.dim() == 4:
        size = (x.shape[2], x.shape[3])
        kernel = _kernel("average", x, size, size, (0, 0), (1, 1), False)
    if kernel is None:
        return F.adaptive_avg_pool2d(x, output_size)  # pyright: ignore[reportArgumentType]
    return kernel(x, None)


def _pair(value: Ints | None, default: Ints = 0) -> tuple[int, int]:
    value = default if value is None else value
    if isinstance(value, int):
        return value, value
    height, width = value
    return height, width


Pair = tuple[int, int]


def _kernel(
    kind: str, x: Tensor, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil: bool
) -> Kernel | None:
    if not is_ordinary(x, x.dtype) or x.dim() != 4 or is_watched():
        return None
    threads = torch.get_num_threads()
    return _prepared(threads, kind, x.shape, x.dtype, kernel, stride, padding, dilation, ceil)


@functools.lru_cache(maxsize=512)
def _prepared(
    threads: int,
    kind: str,
    shape: torch.Size,
    dtype: torch.dtype,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    ceil: bool,
) -> Kernel | None:
    pool = Pool(kind, tuple(shape), dtype, kernel, stride, padding, dilation, ceil)
    valid = min(*shape, *kernel, *stride, *dilation) > 0 and min(pool.result) > 0
    # PyTorch refuses more padding than half a window, and says so.
    fits = all(0 <= 2 * p <= k for p, k in zip(padding, kernel, strict=True))
    return onednn.pool(pool) if valid and fits else None
