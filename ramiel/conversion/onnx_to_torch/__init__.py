"""The lowering table: the meaning of each ONNX operator in PyTorch.

The modules of `onnx/`, `ml/` and `microsoft/` fill it, one for each family of operators. All of
them are imported, so a new family only needs a new file.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from ramiel.conversion.onnx_to_torch.table import (
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
    "is_lowered",
    "lower_block",
    "lower_operation",
    "lowered_operators",
    "lowering_of",
    "missing",
]

for _module in pkgutil.walk_packages(__path__, f"{__name__}."):
    import_module(_module.name)
