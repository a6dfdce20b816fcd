"""ONNX semantics that PyTorch has no single call for.

Emitted programs call these as `ops.gather(x, indices)`. Each takes and returns tensors; an
argument that is a tensor in ONNX may also be plain numbers, if the compiler knows them.

They are the public functions of the modules here, found automatically.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from inspect import isfunction

OPERATORS: list[str] = []

for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    for _name, _value in vars(import_module(_module.name)).items():
        if isfunction(_value) and _value.__module__ == _module.name and _name[0] != "_":
            globals()[_name] = _value
            OPERATORS.append(_name)
