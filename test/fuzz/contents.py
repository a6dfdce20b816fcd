"""What numbers a model has: which ones are drawn, and which computed ones are of use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LARGEST = 1e3
"""Numbers beyond make a node be dropped: on the way to an overflow, rounding is all there is."""
MOST_ELEMENTS = 4096


class Contents:
    """Ordinary numbers: small and finite."""

    def draw(
        self, rng: np.random.Generator, shape: Sequence[int], dtype: str, low: int = -2
    ) -> Array:
        """Numbers that are exact: multiples of 1/8 in [low, 2]."""
        if dtype == "bool":
            return np.asarray(rng.integers(0, 2, shape) == 1)
        if dtype.startswith("float"):
            return np.asarray(rng.integers(low * 8, 17, shape) / 8, dtype)
        return np.asarray(rng.integers(0 if dtype[0] == "u" else low * 2, 5, shape), dtype)

    def may_read(self, op: str, arrays: Sequence[Array]) -> bool:
        """Whether what an operator computes of such numbers is settled."""
        return True

    def are_useful(self, array: Array) -> bool:
        if array.dtype.kind in "iu":
            return bool(np.abs(array.astype(np.float64)).max(initial=0) <= 2**30)
        return array.dtype.kind == "b" or bool(
            np.all(np.isfinite(array)) and np.abs(array).max(initial=0) <= LARGEST
        )


ORDINARY = Contents()


POOLS = ("MaxPool", "GlobalMaxPool")
"""What both ONNX Runtime and the reference compute otherwise than we do: they leave NaN out, where
PyTorch, numpy, and the reference for ReduceMax, have it win, and ONNX Runtime says -3.4e38 for a
window of nothing but -inf. The standard says that the result is the largest value.

Where the two differ from each other, who agrees with either passes:

| operator | NaN in ONNX Runtime | in the reference, and here |
|---|---|---|
| ReduceMax, ReduceMin | seen if it is the first, or not, by the size | NaN |
| ArgMax, ArgMin | never the largest | the first NaN |
| TopK | as large as what it is compared with | larger than all |
| Clip with an end of NaN | no end | NaN |
| Gemm with beta and nothing to sum | beta is left out (not only of NaN) | beta * C |
"""


class Special(Contents):
    """Among ordinary numbers NaN and both infinities."""

    def may_read(self, op: str, arrays: Sequence[Array]) -> bool:
        floats = [a for a in arrays if a.dtype.kind == "f"]
        if op == "Gelu":  # PyTorch's vectorised kernel makes NaN of +inf (see docs/decisions.md)
            return not any(np.isposinf(a).any() for a in floats)
        return op not in POOLS or not any(np.isnan(a).any() or np.isneginf(a).any() for a in floats)

    def draw(
        self, rng: np.random.Generator, shape: Sequence[int], dtype: str, low: int = -2
    ) -> Array:
        array = super().draw(rng, shape, dtype, low)
        if dtype.startswith("float") and rng.random() < 0.8:
            # Of one sort or of all: a maximum over NaN and -inf says nothing about -inf.
            some = ([np.nan], [np.nan], [np.inf], [-np.inf], [np.nan, np.inf, -np.inf])
            some = some[rng.integers(len(some))]
            places = rng.random(shape) < rng.choice([0.1, 0.3])
            array = np.where(places, rng.choice(some, shape), array).astype(dtype)
        return np.asarray(array)

    def are_useful(self, array: Array) -> bool:
        if array.dtype.kind != "f":
            return super().are_useful(array)
        # What is NaN nearly everywhere hides all that is computed of it.
        if array.size > 2 and np.isnan(array).mean() > 0.8:
            return False
        return super().are_useful(array[np.isfinite(array)])


class Limits(Contents):
    """Among ordinary integers the largest and the least ones of their types."""

    def draw(
        self, rng: np.random.Generator, shape: Sequence[int], dtype: str, low: int = -2
    ) -> Array:
        array = super().draw(rng, shape, dtype, low)
        if array.dtype.kind not in "iu":
            return array
        limits = np.iinfo(dtype)
        ends = [limits.min, limits.min + 1, limits.max - 1, limits.max]
        drawn = np.array([ends[i] for i in rng.integers(0, 4, array.size)], dtype)
        return np.where(rng.random(shape) < 0.4, drawn.reshape(shape), array).astype(dtype)

    def are_useful(self, array: Array) -> bool:
        """Any integers, and floats that were such."""
        finite = array.dtype.kind != "f" or np.all(np.isfinite(array))
        return bool(finite and np.abs(array.astype(np.float64)).max(initial=0) < 2.0**65)


def is_exact(array: Array) -> bool:
    """Whether sums and products of such numbers are exact in float32."""
    if array.dtype.kind != "f":
        return True
    finite = array[np.isfinite(array)]
    if np.abs(finite).max(initial=0) >= 4096:
        return False
    return bool(np.all(finite * 64 == np.round(finite * 64)))
