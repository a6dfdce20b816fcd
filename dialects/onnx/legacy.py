"""The first versions of some operators, rewritten in the form of a later version.

ONNX often has shape rules for the second version of an operator but not for the first. Where
the two differ in form, `restated` rewrites a node of the first version as one of the second.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import onnx
from onnx import helper

from ramiel.dialects.onnx.attributes import Array
from ramiel.dialects.onnx.schemas import Schema, history, schema

Data = dict[str, Array]
"""Constants by name, for inputs that were attributes in the older version."""


@cache
def with_rules(name: str, since: int, domain: str = "") -> Schema | None:
    """The oldest version of an operator, from `since` on, that has shape rules; the newest one for
    the operators in `_RULED_BY_THE_NEWEST`. None if there is none."""
    newer = [
        s.since_version
        for s in history().get((domain, name), ())
        if s.since_version >= since and s.has_type_and_shape_inference_function
    ]
    if not newer:
        return None
    return schema(name, newer[-1 if name in _RULED_BY_THE_NEWEST else 0], domain)


_RULED_BY_THE_NEWEST = frozenset(["AveragePool", "LpPool", "MaxPool"])
"""Operators whose older rules are wrong: with ceil_mode they count a window that starts past the
end of the input, which no runtime computes."""


def restated(
    node: onnx.NodeProto, since: int, ruling: Schema
) -> tuple[onnx.NodeProto, Data] | None:
    """A node of version `since` in the form of version `ruling`, and the constants that it then
    takes as inputs; None if it has no such form. Changes the node."""
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
"""Returns the new attributes of a node, and adds to `data` the constants that become inputs."""


def _cast(node: onnx.NodeProto, given: Attributes, data: Data) -> Attributes | None:
    name = given["to"]
    assert isinstance(name, bytes)
    number = data_type(name.decode(errors="replace"))
    return None if number is None else {"to": number}


def data_type(name: str) -> int | None:
    """The TensorProto.DataType of an element type by its name in Cast up to opset 5."""
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
