"""The lowering table for PyTorch's own graphs: what each operator of aten is in the torch dialect.

The modules here fill it, one for each family of operators. All of them are imported, so a new
family only needs a new file.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from ramiel.conversion.aten_to_torch.table import (
    Builder,
    Node,
    Refused,
    lower,
    lowered_operators,
)

__all__ = ["Builder", "Node", "Refused", "lower", "lowered_operators"]

for _module in pkgutil.walk_packages(__path__, f"{__name__}."):
    import_module(_module.name)
