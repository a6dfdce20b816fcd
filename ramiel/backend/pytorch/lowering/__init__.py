"""The lowering table, filled by one module for each family of operators."""

from ramiel.backend.pytorch.lowering import (
    classical,
    control,
    convolution,
    elementwise,
    indexing,
    linear,
    normalization,
    pooling,
    reduction,
    resize,
    shape,
    svm,
    trees,
)
from ramiel.backend.pytorch.lowering.table import (
    Builder,
    is_lowered,
    lower_block,
    lower_operation,
    lowered_operators,
    lowering_of,
    missing,
)

__all__ = [
    "Builder",
    "classical",
    "control",
    "convolution",
    "elementwise",
    "indexing",
    "is_lowered",
    "linear",
    "lower_block",
    "lower_operation",
    "lowered_operators",
    "lowering_of",
    "missing",
    "normalization",
    "pooling",
    "reduction",
    "resize",
    "shape",
    "svm",
    "trees",
]
