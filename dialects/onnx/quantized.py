"""Weights that are stored quantised: as integers or small floats, scales and zero points.

A DequantizeLinear of a constant becomes such a weight. The program computes with the dequantised
value; a .safetensors file holds the quantised parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from ramiel.dialects.onnx.permuted import permuted

Array = npt.NDArray[np.generic]
_Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Quantized:
    """(values - zero_point) * scale, computed in float32 and rounded to `dtype`.

    Scale and zero point hold one number, or one per index of `axis`, or, if `block` is not 0, one
    per `block` indices of `axis`; their rank is then that of the values.
    """

    values: Callable[[], Array]
    scale: Callable[[], Array]
    zero_point: Callable[[], Array] | None
    axis: int
    block: int
    dtype: np.dtype[np.generic]

    def array(self) -> Array:
        values = self.values()
        if self.zero_point is None:
            centred = values.astype(np.float32)
        elif values.dtype == np.int32:
            whole = cast(_Floats, values) - self._along(self.zero_point(), values)
            centred = whole.astype(np.float32)
        else:
            zero_point = self._along(self.zero_point().astype(np.float32), values)
            centred = values.astype(np.float32) - zero_point
        scale = self._along(self.scale().astype(np.float32), values)
        return cast(_Floats, centred * scale).astype(self.dtype)

    def _along(self, part: Array, values: Array) -> _Floats:
        """A scale or zero point in a shape that broadcasts to the values."""
        part = cast(_Floats, part)
        if self.block:
            whole = np.repeat(part, self.block, self.axis)
            return whole.take(np.arange(values.shape[self.axis]), self.axis)
        if part.size == 1:
            return part.reshape(())
        return part.reshape([-1 if i == self.axis else 1 for i in range(values.ndim)])

    def transposed(self, order: tuple[int, ...]) -> Quantized:
        """The weight with its dimensions permuted, `order` as in numpy's transpose."""

        def moved(load: Callable[[], Array]) -> Callable[[], Array]:
            return lambda: permuted(load(), order)

        blocked = bool(self.block)
        zero_point = self.zero_point
        return replace(
            self,
            values=moved(self.values),
            scale=moved(self.scale) if blocked else self.scale,
            zero_point=moved(zero_point) if blocked and zero_point else zero_point,
            axis=order.index(self.axis),
        )
