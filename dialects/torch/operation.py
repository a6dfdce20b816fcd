"""The base of the `torch` dialect's operations: their names and the ONNX nodes they come from."""

from __future__ import annotations

import keyword
import re
from typing import cast

from xdsl.dialects.builtin import ArrayAttr
from xdsl.ir import Attribute, Operation
from xdsl.irdl import IRDLOperation
from xdsl.utils.exceptions import VerifyException

from ramiel.dialects.text import text_of

NODE = "torch.node"
"""Attribute: the name of the ONNX node that an operation comes from."""
OP_TYPE = "torch.op"
"""Attribute: the operator of that ONNX node."""
STAGES = "torch.stages"
"""Attribute: the `onnx.stages` of the node whose value an operation computes."""
ORIGIN = (NODE, OP_TYPE, STAGES)
"""The attributes that say which ONNX node an operation comes from."""
NAMES = "torch.names"
"""Attribute: the Python names of an operation's results."""
SOURCE = "torch.source"
"""Module attribute: where the module was imported from, if not from an ONNX model."""
CLASS = "torch.class"
"""Module attribute: the name of the emitted class."""
PYTHON_NAME = "torch.name"
"""Argument attribute: the Python name of an input."""
SUFFIX = "torch.suffix"
"""Attribute: a suffix for the names of an operation's results."""
LAYER_NAME = "torch.layer_name"
"""Attribute: the name of the program's attribute that holds a layer or weight."""
METHOD = "torch.method"
"""Attribute: the name of the method that an operation with bodies prints as."""
PARAMETERS = "torch.parameters"
"""Attribute: the Python names of that method's parameters."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_identifier(name: str) -> bool:
    """Whether a name is an ASCII identifier and not a keyword of Python."""
    return _IDENTIFIER.fullmatch(name) is not None and not keyword.iskeyword(name)


def string_attribute(op: Operation, name: str) -> str | None:
    return text_of(op.attributes.get(name))


class TorchOperation(IRDLOperation):
    """Base class of the dialect's operations."""

    @property
    def python_names(self) -> list[str]:
        """The names of the results in the emitted program. Empty before they are assigned."""
        names = self.attributes.get(NAMES)
        if not isinstance(names, ArrayAttr):
            return []
        return [text_of(n) or "" for n in cast(ArrayAttr[Attribute], names)]

    @property
    def layer_name(self) -> str | None:
        return string_attribute(self, LAYER_NAME)

    @property
    def origin(self) -> tuple[str, str]:
        """The name and the operator of the ONNX node that this comes from; "" if unknown."""
        return string_attribute(self, NODE) or "", string_attribute(self, OP_TYPE) or ""

    @property
    def title(self) -> str:
        """The operation's name in messages: `"/conv1/Conv" (Conv)`."""
        node, op_type = self.origin
        hint = self.results[0].name_hint if self.results else None
        return f'"{node or hint or "?"}" ({op_type or self.name})'

    def verify_names(self) -> None:
        names = [*self.python_names, *([self.layer_name] if self.layer_name else [])]
        for name in names:
            if not is_identifier(name):
                raise VerifyException(f"{name!r} is not a Python identifier")
        if self.python_names and len(self.python_names) != len(self.results):
            raise VerifyException("expected one Python name for each result")
