"""Convolutions by Winograd's minimal filtering: fewer multiplications, between two transforms.

A tile of n x n inputs, n = m + r - 1, gives m x m results of an r x r kernel (Lavin and Gray,
*Fast Algorithms for Convolutional Neural Networks*, CVPR 2016, section 4):

    Y = A' [ (G g G') * (B' d B) ] A

With m = 4 and r = 3 that is 36 products for 16 results, where a direct convolution takes 144; a
1x7 kernel in steps of 4 takes 10 for 4, instead of 28. The products of all tiles at one place of
the tile are a product of matrices over the channels. The transforms are native, or each one product
with a matrix, B x B and A x A as Kronecker products. Rounding errors are several times those of a
direct convolution: up to 1e-5 of the largest result.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ramiel.runtime.kernels import mkldnn, plain
from ramiel.runtime.kernels.geometry import (
    Convolution,
    Kernel,
    channels_last,
    channels_last_strides,
    is_finite,
)
from ramiel.runtime.kernels.onednn_primitive import Operand, Primitive, matmul
from ramiel.runtime.kernels.winograd_transforms import TransformOfImages, transform_back
from ramiel.runtime.replay import native as replay
from ramiel.runtime.replay.tape import Tape, here, off

_POINTS = (0.0, 1.0, -1.0, 0.5, -2.0, 2.0, -0.5, 1.5, -1.5)
"""Where the polynomials are evaluated, apart from infinity; small numbers keep errors small."""
_SIZES = (1, 3, 5, 7)
"""The heights and widths of kernels worth trying."""
_LARGEST = 25
"""The elements of the largest kernel: beyond it, tiles are mostly overlap."""

Steps = tuple[Callable[["_Buffers"], object], ...]
Matrix = NDArray[np.float64]


_workspaces = threading.local()


def workspace(part: int, size: int) -> Tensor:
    """Memory for one of two intermediate results of the calling thread, not initialized.

    All kernels use the same, so that it stays in the cache and evicts nothing else.
    """
    parts: list[Tensor] = _workspaces.__dict__.setdefault(
        "parts", [torch.empty(0, dtype=torch.float32)] * 2
    )
    if parts[part].numel() < size:
        with torch.inference_mode(False):  # it is written to outside of that mode, too
            parts[part] = torch.empty(size, dtype=torch.float32)
    return parts[part]


PADDED = 16
"""The padded images that a thread keeps, besides those that kernels hold."""


def padded_image(
    count: int, height: int, width: int, channels: int, top: int, left: int, h: int, w: int
) -> Tensor:
    """Memory [count, height, width, channels] for images of h x w that begin at (top, left). The
    border is zero and must stay so. Kernels of one geometry share the memory."""
    images: dict[tuple[int, ...], Tensor] = _workspaces.__dict__.setdefault("images", {})
    key = (count, height, width, channels, top, left, h, w)
    image = images.get(key)
    if image is None:
        while len(images) >= PADDED:
            del images[next(iter(images))]
        image = images[key] = torch.zeros(count, height, width, channels, dtype=torch.float32)
    return image


def applies(spec: Convolution) -> bool:
    """Whether the algorithm applies: dense, f32, stride 1, a kernel of 3 to 7."""
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
    """A kernel for a convolution, with `tile` results on a tile's side; None if not applicable.

    The products are oneDNN's primitives if `prepared` and oneDNN is there, else PyTorch's.
    """
    if not applies(spec):
        return None
    grid = _Grid.of(spec, tile)
    if prepared and (made := _native_kernel(spec, grid)) is not None:
        return made
    steps = _prepared_steps(spec, grid) if prepared else None
    steps = steps or _pytorch_steps(spec, grid)
    if steps is None:
        return None
    own = threading.local()
    result, result_strides = spec.result, channels_last_strides(spec.result)
    direct = plain.convolution(spec)
    after = spec.activation
    last = after and (after.in_place or (after.function if spec.adds else None))

    def kernel(x: Tensor, other: Tensor | None) -> Tensor:
        # An infinity minus another is NaN: the transforms would spread it over whole tiles.
        if not is_finite(x):
            return direct(x, other)
        buffers: _Buffers | None = own.__dict__.get("buffers")
        if buffers is None or not buffers.are_current():
            with off():  # a replay has copies of what the thread keeps
                buffers = own.buffers = _Buffers(spec, grid)
        if (tape := here.tape) is not None:
            buffers.renew(tape)
        buffers.inside.copy_(x)
        buffers.tiles.copy_(buffers.windows)
        for step in steps:
            step(buffers)
        y = torch.empty_strided(result, result_strides, dtype=torch.float32)
        if buffers.cropped is None:
            y.as_strided(*buffers.tiled).copy_(buffers.results)
        else:
            buffers.image.copy_(buffers.results)
            y.copy_(buffers.cropped)
        if other is not None:
            y += other
        return y if last is None else last(y)

    return kernel


def _native_kernel(spec: Convolution, grid: _Grid) -> Kernel | None:
    """A kernel with native transforms; None without the native part or oneDNN."""
    multiply = _products(spec, grid) if replay.native() is not None else None
    if multiply is None:
        return None
    results, channels = spec.weight.shape[:2]
    places = math.prod(grid.window)
    before, after = ((grid.padded, places, width) for width in (channels, results))
    layout = spec.result, channels_last_strides(spec.result)
    bounds = spec.activation and spec.activation.bounds
    last = spec.activation.apply if spec.activation and not bounds else None
    (a, _, b), (a2, _, b2) = map(matrices, grid.tile, spec.kernel)
    share = grid.share if grid.threads > 1 else 0
    into = TransformOfImages(spec.padding, grid.tiles[1:], grid.tile, (b, b2), share)
    back = transform_back(*layout, grid.tiles[1:], grid.tile, (a, a2), share, spec.bias, bounds)
    direct = plain.convolution(spec)

    def kernel(x: Tensor, other: Tensor | None) -> Tensor:
        parts = [workspace(i, math.prod(shape)) for i, shape in enumerate((before, after))]
        if (tape := here.tape) is not None:
            for part in parts:
                tape.renew(part)
        transformed, products = map(_view, parts, (before, after))
        # An infinity minus another is NaN, which would spread over whole tiles.
        if not into(x, transformed):
            return direct(x, other)
        multiply(transformed, products)
        y = torch.empty_strided(*layout, dtype=torch.float32)
        back(*(products, y) if other is None else (products, channels_last(other), y))
        return y if last is None else last(y)

    return kernel


class _Buffers:
    """The intermediate results of a kernel in one thread, as views that are made once.

    In order: the padded image, with the input as its `inside` and overlapping `windows`; its
    `tiles`; these after the first, second and third step; the `results` of the tiles, and the
    `image` that they form, `cropped` if tiles extend beyond it.
    """

    def __init__(self, spec: Convolution, grid: _Grid) -> None:
        (count, down, across), (high, wide), (rows, columns) = grid.tiles, grid.tile, grid.window
        channels, results = spec.source[1], spec.result[1]
        height, width = (down - 1) * high + rows, (across - 1) * wide + columns
        row = width * channels
        spans = (count, down, across, rows, columns, channels)
        steps = (height * row, high * row, wide * channels, row, channels, 1)
        most = grid.padded * rows * columns
        self._parts = [workspace(part, most * max(channels, results)) for part in (0, 1)]
        first, second = self._parts
        with torch.inference_mode(False):
            top, left = spec.padding
            _, _, h, w = spec.source
            padded = padded_image(count, height, width, channels, top, left, h, w)
            inside = padded[:, top : top + h, left : left + w]
            self.inside = inside.permute(0, 3, 1, 2)
            self.windows = padded.as_strided(spans, steps)
            self.source = _view(second, (grid.padded, rows * columns, channels))
            self.tiles = _view(second, spans)
            self.transformed = _view(first, (grid.padded, rows * columns, channels))
            self.products = _view(second, (grid.padded, rows * columns, results))
            self.back = _view(first, (grid.padded, high * wide, results))
            self.results = _view(first, (count, down, across, high, wide, results))
            whole = (count, down * high, across * wide, results)
            line = whole[2] * results
            shape = (count, down, across, high, wide, results)
            strides = (whole[1] * line, high * line, wide * results, line, results, 1)
            self.tiled = shape, strides
            image = _view(second, whole)
            self.image = image.as_strided(shape, strides)
            _, _, h, w = spec.result
            exact = (h, w) == whole[1:3]
            self.cropped = None if exact else image[:, :h, :w].permute(0, 3, 1, 2)

    def renew(self, tape: Tape) -> None:
        """Tells a tape that nothing in the workspaces matters any more, and what is kept."""
        for part in self._parts:
            tape.renew(part)
        tape.keep(self.inside)

    def are_current(self) -> bool:
        """Whether the thread's workspaces are still the ones that the views are of."""
        parts: list[Tensor] = _workspaces.__dict__.get("parts", [])
        return all(a is b for a, b in zip(self._parts, parts, strict=True))


def _view(memory: Tensor, shape: tuple[int, ...]) -> Tensor:
    return memory[: math.prod(shape)].view(shape)


class _Grid(NamedTuple):
    """How a convolution is tiled: results of a tile, inputs of its window, the number of tiles
    (images, down, across), and of threads that divide them; 1 if threads divide the places."""

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
        """The tiles that buffers have room for: the same number for each thread."""
        return self.share * self.threads

    @staticmethod
    def of(spec: Convolution, tile: int) -> _Grid:
        (kh, kw), (_, _, height, width) = spec.kernel, spec.result
        high, wide = (1 if size == 1 else tile for size in (kh, kw))
        tiles = (spec.source[0], -(-height // high), -(-width // wide))
        # Threads that divide the tiles each read the whole kernel, and threads that divide the
        # places read what others have written: choose whichever is less.
        results, channels = spec.weight.shape[:2]
        by_tiles = 2 * results * channels < math.prod(tiles) * (results + channels)
        threads = torch.get_num_threads() if by_tiles else 1
        return _Grid((high, wide), (high + kh - 1, wide + kw - 1), tiles, threads)


def _kernel_of(spec: Convolution, grid: _Grid) -> Tensor:
    """The transformed kernel [nn, in, out]."""
    key = ("winograd", grid.tile)
    if key not in spec.packed:
        (_, g, _), (_, g2, _) = map(matrices, grid.tile, spec.kernel)
        transform = torch.from_numpy(np.kron(g, g2))  # of float64, as is the product
        results, channels, *size = spec.weight.shape
        kernel = torch.empty(len(transform), channels, results)
        width = max(1, _PART // max(1, results))
        weights = spec.weight.detach().flatten(2).split(width, 1)
        for part, into in zip(weights, kernel.split(width, 1), strict=True):
            flat = part.permute(2, 1, 0).double().reshape(math.prod(size), -1)
            into.copy_((transform @ flat).view(into.shape))
        spec.packed[key] = kernel
    return spec.packed[key]


_PART = 4096
"""The pairs of a channel and a result whose kernels are transformed at a time, so that they stay in
the cache. The results of a channel lie side by side in the transformed kernel."""


def _transforms(spec: Convolution, grid: _Grid) -> tuple[Tensor, Tensor]:
    """B' x B' [nn, nn] and A' x A' [mm, nn]."""
    (a, _, b), (a2, _, b2) = map(matrices, grid.tile, spec.kernel)
    into, out = (torch.from_numpy(x.astype(np.float32)) for x in (np.kron(b, b2), np.kron(a, a2)))
    return into, out


def _prepared_steps(spec: Convolution, grid: _Grid) -> Steps | None:
    """The three products as prepared primitives; None if oneDNN is not there."""
    multiply = _products(spec, grid)
    into, out = _transforms(spec, grid)
    places, channels, results = _kernel_of(spec, grid).shape
    tiles, small = grid.padded, math.prod(grid.tile)
    before = Operand((tiles, places, channels), (places * channels, channels, 1))
    after = Operand((tiles, places, results), (places * results, results, 1))
    final = Operand((tiles, small, results), (small * results, results, 1))
    activation = None if spec.adds else spec.activation
    forward = matmul(into[None], before, before)
    back = matmul(out[None], after, final, bias=spec.bias, activation=activation)
    if forward is None or multiply is None or back is None:
        return None
    return (
        lambda b: forward(b.source, b.transformed),
        lambda b: multiply(b.transformed, b.products),
        lambda b: back(b.products, b.back),
    )


def _products(spec: Convolution, grid: _Grid) -> Primitive | None:
    """The products of tiles [tiles, nn, in], to [tiles, nn, out]; None if oneDNN is not there."""
    kernel = _kernel_of(spec, grid)
    places, channels, results = kernel.shape

    def shared(width: int) -> Operand:
        # Threads divide a batch in order: each multiplies the tiles that it transformed.
        share, size = grid.share, places * width
        return Operand((grid.threads, places, share, width), (share * size, width, size, 1))

    packed = spec.packed.setdefault(("winograd products", grid.tile), {})
    return matmul(shared(channels), kernel[None], shared(results), packed=packed)


def _pytorch_steps(spec: Convolution, grid: _Grid) -> Steps | None:
    """The three products with PyTorch's calls. The second is a 1x1 convolution in groups, one
    for each place of the tile, which reaches twice the speed of torch.bmm on some CPUs."""
    if not mkldnn.is_available():
        return None
    (into, out), kernel = _transforms(spec, grid), _kernel_of(spec, grid)
    places, channels, results = kernel.shape
    grouped = Convolution(
        (1, places * channels, grid.padded, 1),
        kernel.permute(0, 2, 1).reshape(places * results, channels, 1, 1),
        *(None, (1, 1), (0, 0), (1, 1), places, None, False),
    )
    run = mkldnn.convolution(grouped)
    if run is None:
        return None
    bias = spec.bias
    after = None if spec.adds or (spec.activation and spec.activation.in_place) else spec.activation

    def forward(b: _Buffers) -> None:
        torch.matmul(into, b.source, out=b.transformed)

    def multiply(b: _Buffers) -> None:
        image = b.transformed.view(1, grid.padded, 1, places * channels).permute(0, 3, 1, 2)
        b.products.copy_(run(image, None).permute(0, 2, 3, 1).view(b.products.shape))

    def back(b: _Buffers) -> None:
        torch.matmul(out, b.products, out=b.back)
        if bias is not None:
            b.back.add_(bias)
        if after is not None:
            b.back.copy_(after.function(b.back))

    return forward, multiply, back
