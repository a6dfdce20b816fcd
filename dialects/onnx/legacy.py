"""The oldest forms of some operators, as the next version states them.

ONNX has shape rules for the second version of an operator and often none for the first. Where
the two differ in form, `restated` says a node of the first in the words of the second.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import onnx
from onnx import defs, helper

from ramiel.dialects.onnx.attributes import Array
from ramiel.dialects.onnx.schemas import Schema, schema

Data = dict[str, Array]
"""Constants by name, which stand for inputs that a version does not have."""


@cache
def with_rules(name: str, since: int, domain: str = "") -> Schema | None:
    """The version of an operator that is in force, or else the oldest one after it, that has
    shape rules; None if there is none. Of some operators it is the newest."""
    versions = (
        s.since_version
        for s in defs.get_all_schemas_with_history()
        if s.domain == domain and s.name == name and s.has_type_and_shape_inference_function
    )
    newer = [v for v in versions if v >= since]
    if not newer:
        return None
    return schema(name, max(newer) if name in _RULED_BY_THE_NEWEST else min(newer), domain)


_RULED_BY_THE_NEWEST = frozenset(["AveragePool", "LpPool", "MaxPool"])
"""Operators whose older rules err: with ceil_mode they count a window that begins behind the input,
which no runtime computes."""


def restated(
    node: onnx.NodeProto, since: int, ruling: Schema
) -> tuple[onnx.NodeProto, Data] | None:
    """A node of the version `since` in the words of the one that has rules, and the constants
    that it then takes as inputs; None if there are no such words."""
    data: Data = {}
    if ruling.since == since:
        return node, data
    values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    change = _CHANGES.get((node.op_type, since))
    stated = values if change is None else change(node, values, data)
    if stated is None:
        return None
    del node.attribute[:]
    for name, value in stated.items():
        if name in ruling.attributes:  # the first versions have `consumed_inputs`
            node.attribute.append(helper.make_attribute(name, value))
    return node, data


Attributes = dict[str, object]


Change = Callable[[onnx.NodeProto, Attributes, Data], Attributes | None]
"""From a node and its attributes to the new ones, and to constants that it adds to the data."""


def _cast(node: onnx.NodeProto, given: Attributes, data: Data) -> Attributes | None:
    name = given["to"]
    assert isinstance(name, bytes)
    number = data_type(name.decode(errors="replace"))
    return None if number is None else {"to": number}


def data_type(name: str) -> int | None:
    """ONNX's number of an element type by the name that Cast has for it up to opset 5."""
    known = onnx.TensorProto.DataType.items()
    return next((number for word, number in known if word == name and number), None)


def _concat(node: onnx.NodeProto, given: Attributes, data: Data) -> Attributes:
    return {"axis": 1, **given}


def _pad(node: onnx.NodeProto, given: Attributes, data: Data) -> Attributes:
    return {"pads": given.pop("paddings"), **given}


def _reshape(node: onnx.NodeProto, given: Attributes, data: Data) -> Attributes:
    data["shape"] = np.array(given.get("shape", []), np.int64)
    node.input.append("shape")
    return {}


def _split(node: onnx.NodeProto, given: Attributes, data: Data) -> Attributes | None:
    return given if len(node.input) == 1 else None


def _upsample(node: onnx.NodeProto, given: Attributes, data: Data) -> Attributes:
    return {"scales": [1.0, 1.0, given["height_scale"], given["width_scale"]]}


_CHANGES: dict[tuple[str, int], Change] = {
    ("Cast", 1): _cast,
    ("Concat", 1): _concat,
    ("Pad", 1): _pad,
    ("Reshape", 1): _reshape,
    ("Split", 1): _split,
    ("Upsample", 1): _upsample,
}
