"""The 16-bit types to compute in, the operations that stay in float32, and rounding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import ml_dtypes
import numpy as np
import numpy.typing as npt
from xdsl.dialects.builtin import BFloat16Type, Float16Type
from xdsl.ir import Attribute

from ramiel.dialects.onnx.attributes import Array
from ramiel.dialects.onnx.types import numpy_dtype_of
from ramiel.dialects.torch import CallOp, LayerOp
from ramiel.dialects.torch.callees import CALLEES, LAYERS, Trait
from ramiel.torch_level.patterns import arguments_of


@dataclass(frozen=True)
class LowType:
    """A type to compute in, in torch, the IR and numpy, and the CPU features that support it."""

    name: str
    element: Attribute
    numpy: np.dtype[np.generic]
    largest: float
    tiny: float
    """The smallest positive number."""
    features: frozenset[str]
    """The CPU computes in it if it has any of these; otherwise PyTorch converts or emulates."""


_BF16, _F16 = ml_dtypes.finfo(ml_dtypes.bfloat16), ml_dtypes.finfo(np.float16)
LOW_TYPES: Mapping[str, LowType] = {
    "bf16": LowType(
        "bfloat16",
        BFloat16Type(),
        np.dtype(ml_dtypes.bfloat16),
        float(_BF16.max),
        float(_BF16.smallest_subnormal),
        frozenset(["avx512_bf16", "amx_bf16", "bf16"]),
    ),
    "f16": LowType(
        "float16",
        Float16Type(),
        np.dtype(np.float16),
        float(_F16.max),
        float(_F16.smallest_subnormal),
        frozenset(["avx512_fp16", "amx_fp16", "asimdhp"]),
    ),
}

HUGE = 1e30
"""Larger finite numbers stand for infinity, as in masks; a low type uses its largest number."""


def stays(op: CallOp | LayerOp) -> bool:
    """Whether an operation on values of a low type is to be computed in float32 all the same."""
    if isinstance(op, LayerOp):
        return LAYERS[op.layer].float32 is not None
    callee = CALLEES[op.callee]
    if callee.is_a(Trait.NO_HALVES) or any(numpy_dtype_of(r.type) is None for r in op.results):
        return True
    if op.callee == "F.interpolate":  # it has no 16-bit kernel with antialiasing
        return "antialias" in op.kwargs
    if op.callee == "ops.layer_norm":  # its mean and standard deviation are float32
        return len(op.results) > 1
    if isinstance(callee.float32, Mapping):
        return any(a in callee.float32 for a in arguments_of(op).args if isinstance(a, str))
    return callee.float32 is not None


def rounded(array: npt.NDArray[np.float32], low: LowType) -> Array:
    """An array rounded to a low type.

    Finite numbers stay finite, as masks contain large ones, and nonzero numbers stay nonzero, as
    some are divisors.
    """
    bounded = np.clip(array, -low.largest, low.largest)
    bounded = np.where(np.isfinite(array), bounded, array)
    result = bounded.astype(low.numpy)
    lost = (result == 0) & (array != 0)
    if lost.any():
        result[lost] = np.copysign(low.tiny, array[lost]).astype(low.numpy)
    return result
