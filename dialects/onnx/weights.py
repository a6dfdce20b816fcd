"""The weights that a module refers to, and fresh names for new ones."""

from __future__ import annotations

from collections.abc import Iterable

from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp
from xdsl.ir import Attribute

from ramiel.dialects.onnx.attributes import WeightAttr
from ramiel.dialects.onnx.operation import DEFAULT


def weights_of(module: ModuleOp) -> dict[str, WeightAttr]:
    """All weights that a module refers to, by name; a reference with bytes is preferred."""
    weights: dict[str, WeightAttr] = {}
    for op in module.walk():
        for value in op.properties.values():
            for weight in _inside(value):
                if weight.data.load is not None or weight.data.name not in weights:
                    weights[weight.data.name] = weight
    return weights


def _inside(value: Attribute) -> list[WeightAttr]:
    match value:
        case WeightAttr():
            return [value]
        case DictionaryAttr():
            return [weight for v in value.data.values() for weight in _inside(v)]
        case ArrayAttr():  # the attributes of a function's arguments
            return [weight for v in value for weight in _inside(v)]
        case _:
            return []


def defaults_of(function: func.FuncOp) -> dict[int, WeightAttr]:
    """The default values of a function's arguments that have one, by argument index."""
    given = function.arg_attrs.data if function.arg_attrs is not None else ()
    found = {i: attributes.data.get(DEFAULT) for i, attributes in enumerate(given)}
    return {i: weight for i, weight in found.items() if isinstance(weight, WeightAttr)}


class FreshNames:
    """Makes names that are not taken yet: `w`, `w.2`, `w.3`."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def fresh(self, base: str) -> str:
        name, count = base, 1
        while name in self._taken:
            count += 1
            name = f"{base}.{count}"
        self._taken.add(name)
        return name
