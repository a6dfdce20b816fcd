"""The lowering table, filled by one module for each family of operators."""

from ramiel.backend.pytorch.lowering import (
    convolution,
    elementwise,
    indexing,
    linear,
    normalization,
    pooling,
    reduction,
    resize,
    shape,
)
from ramiel.backend.pytorch.lowering.table import (
    Builder,
    lower_operation,
    lowered_operators,
    lowering_of,
    missing,
)

__all__ = [
    "Builder",
    "convolution",
    "elementwise",
    "indexing",
    "linear",
    "lower_operation",
    "lowered_operators",
    "lowering_of",
    "missing",
    "normalization",
    "pooling",
    "reduction",
    "resize",
    "shape",
]
