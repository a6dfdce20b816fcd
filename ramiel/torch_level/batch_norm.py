"""The arithmetic by which a batch normalisation becomes a part of the convolution before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ramiel.dialects.onnx.attributes import Array

Doubles = npt.NDArray[np.float64]
Load = Callable[[], Array]


@dataclass(frozen=True)
class Folding:
    """batch_norm(conv(x, weight, bias)), computed in float64. Parameters are [channels].

    `transposed` is the number of groups of a transposed convolution, whose weight is
    [in, out / groups, kernel...]; None for another, whose weight is [out, in / groups, kernel...].
    """

    weight: Load
    bias: Load | None
    parameters: Sequence[Load]
    """Scale, shift, mean and variance."""
    eps: float
    dtype: np.dtype[np.generic]
    transposed: int | None = None

    def factor(self) -> Doubles:
        """What each channel is multiplied by."""
        with np.errstate(divide="ignore", invalid="ignore"):
            scale, variance = _doubles(self.parameters[0]), _doubles(self.parameters[3])
            return scale / np.sqrt(variance + self.eps)

    def new_weight(self) -> Array:
        old, factor = _doubles(self.weight), self.factor()
        if self.transposed is None:
            new = old * factor.reshape(-1, *[1] * (old.ndim - 1))
        else:
            grouped = old.reshape(self.transposed, -1, *old.shape[1:])
            shape = (self.transposed, 1, old.shape[1], *[1] * (old.ndim - 2))
            new = (grouped * factor.reshape(shape)).reshape(old.shape)
        return new.astype(self.dtype)

    def new_bias(self) -> Array:
        old = 0.0 if self.bias is None else _doubles(self.bias)
        shift, mean = _doubles(self.parameters[1]), _doubles(self.parameters[2])
        moved = (old - mean) * self.factor() + shift
        return moved.astype(self.dtype)

    def why_not(self) -> str | None:
        """Why it cannot be: infinite weights could give NaN where there was none."""
        if np.isfinite(self.factor()).all():
            return None
        return "its scale, divided by its standard deviation, is not finite"


def _doubles(load: Load) -> Doubles:
    return load().astype(np.float64)
