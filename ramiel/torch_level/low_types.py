"""The types of 16 bits to compute in, what stays in float32, and how numbers are rounded."""

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
    """A type to compute in, with its names in the IR, in numpy and in a CPU's list of features."""

    name: str
    element: Attribute
    numpy: np.dtype[np.generic]
    largest: float
    tiny: float
    """The smallest number that is not 0."""
    features: frozenset[str]
    """Any of these says that the CPU computes in it; without, PyTorch converts or emulates."""


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
"""Numbers beyond stand for infinity, in masks. In a low type they are its largest number."""


def stays(op: CallOp | LayerOp) -> bool:
    """Whether a call that is given low values is to be computed in float32."""
    if isinstance(op, LayerOp):
        return LAYERS[op.layer].float32 is not None
    callee = CALLEES[op.callee]
    if callee.is_a(Trait.NO_HALVES) or any(numpy_dtype_of(r.type) is None for r in op.results):
        return True
    if op.callee == "F.interpolate":  # has no kernel for halves where it smooths
        return "antialias" in op.kwargs
    if op.callee == "ops.layer_norm":  # the mean and the deviation are float32
        return len(op.results) > 1
    if isinstance(callee.float32, Mapping):
        return any(a in callee.float32 for a in arguments_of(op).args if isinstance(a, str))
    return callee.float32 is not None


def rounded(array: npt.NDArray[np.float32], low: LowType) -> Array:
    """An array in a low type.

    Numbers stay finite, since masks are made of large ones, and only 0 becomes 0, since some are
    divisors.
    """
    bounded = np.clip(array, -low.largest, low.largest)
    bounded = np.where(np.isfinite(array), bounded, array)
    result = bounded.astype(low.numpy)
    lost = (result == 0) & (array != 0)
    if lost.any():
        result[lost] = np.copysign(low.tiny, array[lost]).astype(low.numpy)
    return result
