"""The native transforms of convolutions by Winograd's algorithm (native/winograd.cpp).

They read the image and write the result where these lie, and add, bound and check numbers on the
way, for which products with matrices take copies and passes of their own.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from ctypes import c_float, c_int64, c_void_p
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ramiel.runtime.kernels.geometry import channels_last
from ramiel.runtime.replay import native as replay
from ramiel.runtime.replay.tape import Execution, Run, here

Pair = tuple[int, int]
"""Of heights or numbers downwards, and widths or numbers across."""
Matrix = NDArray[np.floating]


class Tiling(ctypes.Structure):
    """How images are divided into tiles, as native/winograd.h declares it."""

    _fields_ = (
        *((name, c_int64) for name in ("images", "height", "width", "channels")),
        *((name, c_int64) for name in ("image_step", "row_step", "pixel_step")),
        *((name, c_int64) for name in ("top", "left", "down", "across", "high", "wide")),
        *((name, c_int64) for name in ("rows", "columns", "share")),
        *((name, c_void_p) for name in ("first", "second", "bias", "other")),
        *((name, c_float) for name in ("least", "most")),
    )


def _tiling(
    shape: Sequence[int],
    strides: Sequence[int],
    start: Pair,
    tiles: Pair,
    tile: Pair,
    matrices: tuple[Matrix, Matrix],
) -> Tiling:
    count, channels, height, width = shape
    steps = (strides[0], strides[2], strides[3])
    rows, columns = (matrix.shape[1] for matrix in matrices)
    made = Tiling(count, height, width, channels, *steps, *start, *tiles, *tile, rows, columns)
    made.first, made.second = (matrix.ctypes.data for matrix in matrices)
    made.least, made.most = -math.inf, math.inf
    return made


class Transform:
    """One of the transforms, which runs and is captured as a primitive of oneDNN's (Primitive)."""

    scratch_bytes = 0

    def __init__(self, kind: str, tiling: Tiling, kept: object) -> None:
        """The kind is that of a step: TILES or IMAGE."""
        self._kind, self._tiling, self._kept = kind, tiling, kept

    def bound_to(self, addresses: Sequence[int]) -> Execution:
        first, *others, second = addresses
        mine = _copy_of(self._tiling)
        moves = []
        if others:
            (mine.other,) = others
            moves.append((mine.other, partial(setattr, mine, "other")))
        third = ctypes.addressof(mine)
        return Execution(self._kind, first, second, third, 0, moves, (self, mine))

    def __call__(self, *tensors: Tensor) -> bool:
        """Runs on what is read, an image to add if there is one, and the result. Whether what was
        read is finite, as far as that matters; if not, it is as if nothing had been run."""
        tape = here.tape
        if not self._run(*(tensor.data_ptr() for tensor in tensors)):
            return False
        if tape is not None:
            tape.note(Run(self, tensors))
        return True

    def _run(self, first: int, *others: int) -> bool:
        *added, second = others
        mine = self._tiling
        if added:
            mine = _copy_of(mine)
            (mine.other,) = added
        found = replay.native()
        assert found is not None
        run = found.transforms[self._kind]
        return bool(run(ctypes.byref(mine), first, second, torch.get_num_threads()))


class TransformOfImages:
    """Transforms images [N, C, H, W] into tiles, from a start before them."""

    def __init__(
        self, start: Pair, tiles: Pair, tile: Pair, matrices: tuple[Matrix, Matrix], share: int
    ) -> None:
        """So many tiles of an image, at distances of a tile's results, each with a matrix for its
        columns and one for its rows. `share` of them are a thread's; 0 is as many for each."""
        self._matrices = first, second = _float32(matrices)
        self._options = start, tiles, tile, (first, second)
        self._share = share
        self._last: tuple[object, Transform] | None = None

    def __call__(self, images: Tensor, tiles: Tensor) -> bool:
        """Whether the images are finite; if not, it is as if nothing had been run."""
        if images.stride(1) != 1 and images.shape[1] > 1:
            images = channels_last(images)
        key, last = (images.shape, images.stride()), self._last
        if last is None or last[0] != key:
            tiling = _tiling(images.shape, images.stride(), *self._options)
            tiling.share = self._share
            self._last = last = key, Transform("TILES", tiling, self._matrices)
        return last[1](images, tiles)


def transform_back(
    shape: Sequence[int],
    strides: Sequence[int],
    tiles: Pair,
    tile: Pair,
    matrices: tuple[Matrix, Matrix],
    share: int,
    bias: Tensor | None,
    bounds: tuple[float, float] | None,
) -> Transform:
    """Transforms tiles into images of a shape [N, C, H, W], with a bias [C]. It takes an image of
    the same strides to add before the bounds."""
    first, second = _float32(matrices)
    made = _tiling(shape, strides, (0, 0), tiles, tile, (first, second))
    made.share = share
    if bias is not None:
        bias = bias.detach().contiguous()
        made.bias = bias.data_ptr()
    if bounds is not None:
        made.least, made.most = bounds
    return Transform("IMAGE", made, (first, second, bias))


def _copy_of(tiling: Tiling) -> Tiling:
    return Tiling.from_buffer_copy(tiling)


def _float32(matrices: tuple[Matrix, Matrix]) -> tuple[Matrix, Matrix]:
    first, second = (np.ascontiguousarray(matrix, dtype=np.float32) for matrix in matrices)
    return first, second
