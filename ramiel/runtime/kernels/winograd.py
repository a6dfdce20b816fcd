"""Convolutions by Winograd's minimal filtering: fewer multiplications, between two transforms.

A tile of n x n inputs, n = m + r - 1, gives m x m results of an r x r kernel (Lavin and Gray,
*Fast Algorithms for Convolutional Neural Networks*, CVPR 2016, section 4):

    Y = A' [ (G g G') * (B' d B) ] A

With m = 4 and r = 3 that is 36 products for 16 results, where a direct convolution takes 144; a
1x7 kernel in steps of 4 takes 10 for 4, instead of 28. Each transform is one product with a
matrix, B x B and A x A as Kronecker products, and the products of all tiles at one place of the
tile are a product of matrices over the channels. Rounding errors are some times those of a direct
convolution: up to 1e-5 of the largest result.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable
from itertools import product as pairs
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ramiel.runtime.kernels import mkldnn
from ramiel.runtime.kernels.geometry import (
    Convolution,
    Kernel,
    channels_last,
    channels_last_strides,
)
from ramiel.runtime.kernels.onednn_library import library
from ramiel.runtime.kernels.onednn_primitive import Operand, Primitive, matmul
from ramiel.runtime.kernels.pages import allocate

_POINTS = (0.0, 1.0, -1.0, 0.5, -2.0, 2.0, -0.5, 1.5, -1.5)
"""Where the polynomials are evaluated, apart from infinity; small numbers keep errors small."""
_SIZES = (1, 3, 5, 7)
"""The heights and widths of kernels that it is worth trying for."""
_LARGEST = 25
"""The elements of the largest kernel: beyond it, tiles are mostly overlap."""

Steps = tuple[Callable[[Tensor], Tensor], ...]
Matrix = NDArray[np.float64]


_workspaces = threading.local()


def workspace(part: int, shape: tuple[int, ...]) -> Tensor:
    """Memory for one of two intermediate results of the calling thread, not initialized.

    It is the same at each call, so that it stays in the cache and no other memory leaves it.
    """
    size = math.prod(shape)
    parts: list[Tensor] = _workspaces.__dict__.setdefault("parts", [torch.empty(0)] * 2)
    if parts[part].numel() < size:
        with torch.inference_mode(False):  # it is written to outside of that mode, too
            parts[part] = allocate(4 * size).view(torch.float32)
    return parts[part][:size].view(shape)


def applies(spec: Convolution) -> bool:
    """Whether a convolution can be computed so: dense, f32, step 1, a kernel of 3 to 7."""
    return (
        spec.weight.dtype is torch.float32
        and all(size in _SIZES for size in spec.kernel)
        and 1 < math.prod(spec.kernel) <= _LARGEST
        and spec.stride == spec.dilation == (1, 1)
        and spec.groups == 1
        and min(spec.result[2:]) > 0
    )


@functools.cache
def matrices(m: int, r: int) -> tuple[Matrix, Matrix, Matrix]:
    """A' [m, n], G [n, r] and B' [n, n] of F(m, r), by Toom and Cook's interpolation."""
    if r == 1:
        return np.eye(m), np.ones((m, 1)), np.eye(m)
    n = m + r - 1
    points = np.array(_POINTS[: n - 1])
    polynomials = [
        np.polynomial.polynomial.polyfromroots(np.delete(points, i)) for i in range(n - 1)
    ]
    scales = [np.prod(points[i] - np.delete(points, i)) for i in range(n - 1)]
    a = np.zeros((m, n))
    g = np.zeros((n, r))
    b = np.zeros((n, n))
    a[:, :-1] = np.vander(points, m, increasing=True).T
    g[:-1] = np.vander(points, r, increasing=True) / np.array(scales)[:, None]
    b[:-1, :-1] = polynomials
    b[-1] = np.polynomial.polynomial.polyfromroots(points)
    a[-1, -1] = g[-1, -1] = 1
    # Powers of two that make the rows of B' and G alike in size cost nothing and save digits.
    scale = 2.0 ** np.round(np.log2(np.abs(g).sum(axis=1) / np.abs(b).sum(axis=1)) / 2)[:, None]
    return a, g / scale, b * scale


def convolution(spec: Convolution, tile: int = 4, prepared: bool = True) -> Kernel | None:
    """A kernel for a convolution, with tiles of so many results a side; None if it cannot be.

    The products are primitives of oneDNN's, unless it is not there or not to be `prepared`.
    """
    if not applies(spec):
        return None
    steps = _prepared_steps(spec, tile) if prepared else None
    steps = steps or _pytorch_steps(spec, tile)
    if steps is None:
        return None
    forward, multiply, back = steps
    grid = _Grid.of(spec, tile)
    count, down, across, channels = (*grid.tiles, spec.source[1])
    results = spec.result[1]
    (high, wide), (rows, columns) = grid.tile, grid.window
    padded = ((down - 1) * high + rows, (across - 1) * wide + columns)
    sides = _sides(spec, padded)
    row = padded[1] * channels
    windows = (count, down, across, rows, columns, channels)
    strides = (padded[0] * row, high * row, wide * channels, row, channels, 1)
    blocks = [*pairs(_cuts(spec.result[2], high), _cuts(spec.result[3], wide))]
    result_strides = channels_last_strides(spec.result)
    after = spec.activation
    last = after and (after.in_place or (after.function if spec.adds else None))

    def kernel(x: Tensor, other: Tensor | None) -> Tensor:
        x = channels_last(x).permute(0, 2, 3, 1)
        if sides is not None:
            x = torch.constant_pad_nd(x, sides).contiguous()  # it is not, for some of one channel
        tiles = workspace(1, (grid.padded, rows * columns, channels))
        tiles[: grid.total].view(windows).copy_(x.as_strided(windows, strides))
        x = back(multiply(forward(tiles)))
        x = x[: grid.total].view(count, down, across, high, wide, results)
        y = torch.empty_strided(spec.result, result_strides)
        image = y.permute(0, 2, 3, 1)
        for (i, height), (j, width) in blocks:
            part = image[:, i.start * high :, j.start * wide :]
            place = _tiled(part, (i, j), grid.tile, (height, width))
            place.copy_(x[:, i, j, :height, :width])
        if other is not None:
            y += other
        return y if last is None else last(y)

    return kernel


class _Grid(NamedTuple):
    """How a convolution is cut: results of a tile, inputs of its window, the number of tiles
    (images, down, across), and of threads that share them."""

    tile: tuple[int, int]
    window: tuple[int, int]
    tiles: tuple[int, int, int]
    threads: int

    @property
    def total(self) -> int:
        return math.prod(self.tiles)

    @property
    def share(self) -> int:
        """The tiles of one thread."""
        return -(-self.total // self.threads)

    @property
    def padded(self) -> int:
        """The tiles that there is room for: as many for each thread."""
        return self.share * self.threads

    @staticmethod
    def of(spec: Convolution, tile: int) -> _Grid:
        (kh, kw), (_, _, height, width) = spec.kernel, spec.result
        high, wide = (1 if size == 1 else tile for size in (kh, kw))
        tiles = (spec.source[0], -(-height // high), -(-width // wide))
        threads = torch.get_num_threads()
        return _Grid((high, wide), (high + kh - 1, wide + kw - 1), tiles, threads)


def _sides(spec: Convolution, padded: tuple[int, int]) -> list[int] | None:
    """The padding of [N, H, W, C] to whole tiles, last dimension first; None if there is none."""
    sides = [0, 0]
    for axis in (1, 0):
        before = spec.padding[axis]
        sides += [before, padded[axis] - before - spec.source[2 + axis]]
    return sides if any(sides) else None


def _cuts(size: int, tile: int) -> list[tuple[slice, int]]:
    """The tiles along a dimension that are used in full, and those that are used in part: which,
    and how much of each."""
    whole, rest = divmod(size, tile)
    cuts = [(slice(0, whole), tile)] if whole else []
    return [*cuts, (slice(whole, whole + 1), rest)] if rest else cuts


def _tiled(
    part: Tensor, which: tuple[slice, slice], tile: tuple[int, int], used: tuple[int, int]
) -> Tensor:
    """The tiles of an image [N, H, W, C], from its corner on, as [N, rows, columns, h, w, C]."""
    image, row, column, channel = part.stride()
    shape = (part.shape[0], *(s.stop - s.start for s in which), *used, part.shape[3])
    strides = (image, tile[0] * row, tile[1] * column, row, column, channel)
    return part.as_strided(shape, strides, part.storage_offset())


def _constants(spec: Convolution, tile: int) -> tuple[Tensor, Tensor, Tensor]:
    """B' x B' [nn, nn], the transformed kernel [nn, in, out], A' x A' [mm, nn]."""
    grid = _Grid.of(spec, tile)
    (a, g, b), (a2, g2, b2) = map(matrices, grid.tile, spec.kernel)
    weight = spec.weight.detach().numpy().astype(np.float64)
    kernel = np.einsum("ui,vj,ocij->uvco", g, g2, weight, optimize=True)
    kernel = kernel.reshape(-1, *kernel.shape[2:])
    made = (np.kron(b, b2), kernel, np.kron(a, a2))
    first, second, third = (torch.from_numpy(x.astype(np.float32)) for x in made)
    return first, second, third


def _prepared_steps(spec: Convolution, tile: int) -> Steps | None:
    """The three products as prepared primitives; None if oneDNN is not there."""
    if library() is None:
        return None
    into, kernel, out = _constants(spec, tile)
    places, channels, results = kernel.shape
    grid = _Grid.of(spec, tile)
    tiles, share, small = grid.padded, grid.share, math.prod(grid.tile)
    before = Operand((tiles, places, channels), (places * channels, channels, 1))
    after = Operand((tiles, places, results), (places * results, results, 1))
    final = Operand((tiles, small, results), (small * results, results, 1))

    def shared(width: int) -> Operand:
        # Threads divide a batch from the front: each multiplies the tiles that it transformed.
        size = places * width
        return Operand((grid.threads, places, share, width), (share * size, width, size, 1))

    run_forward = matmul(into[None], before, before)
    run_multiply = matmul(shared(channels), kernel[None], shared(results))
    activation = None if spec.adds else spec.activation
    run_back = matmul(out[None], after, final, bias=spec.bias, activation=activation)
    if run_forward is None or run_multiply is None or run_back is None:
        return None

    def step(run: Primitive, part: int, shape: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
        def call(x: Tensor) -> Tensor:
            y = workspace(part, shape)
            run(x.data_ptr(), y.data_ptr())
            return y

        return call

    return (
        step(run_forward, 0, (tiles, places, channels)),
        step(run_multiply, 1, (tiles, places, results)),
        step(run_back, 0, (tiles, small, results)),
    )


def _pytorch_steps(spec: Convolution, tile: int) -> Steps | None:
    """The three products with PyTorch's calls. The second is a 1x1 convolution in groups, one
    for each place of the tile, which reaches twice the speed of torch.bmm on some CPUs."""
    if not mkldnn.is_available():
        return None
    into, kernel, out = _constants(spec, tile)
    places, channels, results = kernel.shape
    tiles = _Grid.of(spec, tile).padded
    grouped = Convolution(
        (1, places * channels, tiles, 1),
        kernel.permute(0, 2, 1).reshape(places * results, channels, 1, 1),
        *(None, (1, 1), (0, 0), (1, 1), places, None, False),
    )
    run = mkldnn.convolution(grouped)
    if run is None:
        return None
    bias = spec.bias
    after = None if spec.adds else spec.activation

    def multiply(x: Tensor) -> Tensor:
        image = x.view(1, tiles, 1, places * channels).permute(0, 3, 1, 2)
        return run(image, None).permute(0, 2, 3, 1).reshape(tiles, places, results)

    def back(x: Tensor) -> Tensor:
        y = torch.matmul(out, x)
        if bias is not None:
            y += bias
        return y if after is None or after.in_place else after.function(y)

    return functools.partial(torch.matmul, into), multiply, back
