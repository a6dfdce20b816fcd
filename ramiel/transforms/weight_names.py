"""Names for the weights that passes make."""

from __future__ import annotations

from xdsl.dialects.builtin import DictionaryAttr, ModuleOp
from xdsl.ir import Attribute

from ramiel.dialects.onnx.attributes import WeightAttr


def weights_of(module: ModuleOp) -> dict[str, WeightAttr]:
    """All weights that a module refers to, by name; one with bytes wins over one without."""
    weights: dict[str, WeightAttr] = {}
    for op in module.walk():
        for value in op.properties.values():
            for weight in _inside(value):
                if weight.data.load is not None or weight.data.name not in weights:
                    weights[weight.data.name] = weight
    return weights


def _inside(value: Attribute) -> list[WeightAttr]:
    if isinstance(value, WeightAttr):
        return [value]
    if isinstance(value, DictionaryAttr):
        return [v for v in value.data.values() if isinstance(v, WeightAttr)]
    return []


class WeightNames:
    """Hands out names that no weight of a module has."""

    def __init__(self, module: ModuleOp) -> None:
        self._taken = set(weights_of(module))

    def fresh(self, base: str) -> str:
        name, count = base, 1
        while name in self._taken:
            count += 1
            name = f"{base}.{count}"
        self._taken.add(name)
        return name
