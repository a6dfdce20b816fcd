"""The base classes of all ONNX operations: syntax, verification, access to attributes.

    %y = onnx.Conv "/conv1/Conv"(%x, %w) {group = 1 : i64} : (tensor<..>, ..) -> tensor<..>

The string is the node's name in the model. ONNX's attributes are the operation's properties;
entries whose names contain a dot are discardable attributes. An optional input that is not given
is an `onnx.NoValue`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self, cast

from onnx import helper
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, IntegerAttr, StringAttr
from xdsl.ir import Attribute, Operation, OpTrait, OpTraits, Region, SSAValue
from xdsl.irdl import traits_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from ramiel.dialects.onnx.attributes import kind_of, python_of
from ramiel.dialects.onnx.schemas import (
    NEWEST_OPSET,
    Formal,
    Schema,
    first_opset,
    newest_opsets,
    schema,
)
from ramiel.dialects.onnx.types import schema_name, type_of_nothing
from ramiel.dialects.text import parse_optional_text, text_of

NODE = "onnx.node"
CLONE = "onnx.clone"
"""Attribute: the number of a clone, which keeps CSE from merging it with its original."""
OPSET = "onnx.opset"
"""Module attribute: the opset of ai.onnx. On an operation: the opset of its own domain, if the
model's function that it comes from imports a version in which the operator differs."""
OPSETS = "onnx.opsets"
"""Module attribute: the opsets, by domain, of the domains other than ai.onnx that ONNX defines."""
MODEL = "onnx.model"
"""Module attribute: the model's name, that of its file or of its graph."""
NAME = "onnx.name"
"""Argument and result attribute: the value's name in the model."""
CONFIGURATIONS = "onnx.configurations"
"""Module attribute: the names of the model's device configurations."""
STAGES = "onnx.stages"
"""Attribute: the pipeline stage of the node in each of those configurations; -1 if it has none."""
DIMS = "onnx.dims"
"""Argument attribute: the names of a tensor's dimensions; "" for a dimension without one."""

DEFAULT = "onnx.default"
"""Argument attribute: the weight that is used if a call does not pass the argument."""


def dimension_names(attributes: Mapping[str, Attribute]) -> list[str]:
    """The names of an argument's dimensions; empty if it has no such attribute."""
    names = attributes.get(DIMS)
    if not isinstance(names, ArrayAttr):
        return []
    return [text_of(name) or "" for name in cast(ArrayAttr[Attribute], names)]


def opset_of(op: Operation, domain: str = "") -> int:
    """The opset of a domain that an operation's module records, else the newest one.

    For a domain that ONNX does not define, it is the opset of ai.onnx.
    """
    root: Operation = op
    while (parent := root.parent_op()) is not None:
        root = parent
    recorded, newest = root.attributes.get(OPSET), NEWEST_OPSET
    if domain in newest_opsets():
        opsets, newest = root.attributes.get(OPSETS), newest_opsets()[domain]
        recorded = opsets.data.get(domain) if isinstance(opsets, DictionaryAttr) else None
    return recorded.value.data if isinstance(recorded, IntegerAttr) else newest


class OnnxOperation(Operation):
    """Base of every operation of the dialect."""

    name: ClassVar[str]
    traits = traits_def()

    @classmethod
    def make(
        cls,
        operands: Sequence[SSAValue],
        result_types: Sequence[Attribute],
        properties: Mapping[str, Attribute] | None = None,
        node: str | None = None,
        regions: Sequence[Region] = (),
    ) -> Self:
        attributes = {NODE: StringAttr(node)} if node else {}
        return cls.create(
            operands=operands,
            result_types=result_types,
            properties=properties or {},
            attributes=attributes,
            regions=regions,
        )

    @property
    def op_type(self) -> str:
        """The ONNX operator's name, such as `Conv`."""
        return self.name.removeprefix("onnx.")

    @property
    def domain(self) -> str:
        """The operator's domain; "" for ai.onnx."""
        return ""

    @property
    def operator(self) -> str:
        """The operator's name in its domain."""
        return self.op_type

    @property
    def version(self) -> int | None:
        """The opset version in which the operator last changed; None if it is not known."""
        return None

    @property
    def opset(self) -> int:
        """The opset of its domain that is in force: its own, or else the module's."""
        own = self.attributes.get(OPSET)
        return own.value.data if isinstance(own, IntegerAttr) else opset_of(self, self.domain)

    def attribute(self, name: str, default: object = None) -> object:
        """An attribute's value in Python, or `default` if it is not given."""
        value = self.properties.get(name)
        return default if value is None else python_of(value)

    @property
    def node_name(self) -> str | None:
        """The node's name in the model."""
        return text_of(self.attributes.get(NODE))

    @property
    def label(self) -> str:
        """The node's name, or else the name of its first result."""
        hint = self.results[0].name_hint if self.results else None
        return self.node_name or hint or ""

    @property
    def title(self) -> str:
        """The operation's name in messages: `node "/conv1/Conv" (Conv, opset 17)`."""
        return f'node "{self.label or "?"}" ({self.op_type}, opset {self.opset})'

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        node = parse_optional_text(parser)
        operands = parser.parse_op_args_list()
        regions = parser.parse_region_list()
        entries = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        position = parser.pos
        type = parser.parse_function_type()
        attributes = {k: v for k, v in entries.items() if "." in k}
        if node is not None:
            attributes = {NODE: StringAttr(node), **attributes}
        return cls.create(
            operands=parser.resolve_operands(operands, type.inputs.data, position),
            result_types=type.outputs.data,
            properties={k: v for k, v in entries.items() if "." not in k},
            attributes=attributes,
            regions=regions,
        )

    def print(self, printer: Printer) -> None:
        if (node := self.node_name) is not None:
            printer.print_string(" ")
            printer.print_string_literal(node)
        printer.print_operands(self.operands)
        printer.print_regions(self.regions)
        printer.print_op_attributes(
            {**self.properties, **self.attributes}, reserved_attr_names=(NODE,)
        )
        printer.print_string(" : ")
        printer.print_operation_type(self)


class SchemaOperation(OnnxOperation):
    """An operator that ONNX defines. Its arity, attributes and types are its schema's."""

    def schema(self) -> Schema | None:
        """The schema in force; None if the opset does not have the operator."""
        return schema(self.operator, self.opset, self.domain)

    @property
    def version(self) -> int | None:
        declared = self.schema()
        return None if declared is None else declared.since

    def attribute(self, name: str, default: object = None) -> object:
        """An attribute's value in Python, the schema's default, or else `default`."""
        value = self.properties.get(name)
        if value is not None:
            return python_of(value)
        declared = self.schema()
        if declared is None or name not in declared.defaults:
            return default
        given = cast(object, helper.get_attribute_value(declared.defaults[name]))
        return given.decode() if isinstance(given, bytes) else given

    def graph_names(self, declared: Schema) -> Sequence[str]:
        """The names of the attributes that its regions stand for, in the regions' order."""
        return declared.graphs

    def verify_(self) -> None:
        if not isinstance(self.attributes.get(OPSET), IntegerAttr | None):
            raise VerifyException(f"{OPSET} must be an integer")
        # The dialect makes constants of small tensors, also of types that old opsets do not allow.
        declared = schema("Constant", NEWEST_OPSET) if self.op_type == "Constant" else self.schema()
        if declared is None:
            first = first_opset(self.operator, self.domain)
            if first is None:
                raise VerifyException(f"{self.domain or 'ONNX'} has no such operator")
            raise VerifyException(
                f"{self.op_type} is not in opset {self.opset}: it came with opset {first}"
            )
        self._verify_attributes(declared)
        bound: dict[str, str] = {}
        _verify_values(
            "input", self.operands, declared.inputs, declared.min_inputs, declared.max_inputs, bound
        )
        _verify_values(
            "output",
            self.results,
            declared.outputs,
            declared.min_outputs,
            declared.max_outputs,
            bound,
        )

    def _verify_attributes(self, declared: Schema) -> None:
        for name, value in self.properties.items():
            kind = declared.attributes.get(name)
            if kind is None or kind == "GRAPH":
                known = ", ".join(sorted(declared.attributes)) or "none"
                raise VerifyException(f"unknown attribute {name!r}; {self.op_type} has: {known}")
            given = kind_of(value)
            # An empty list has no element type, so kind_of gives STRINGS for it.
            if given != kind and not (given == "STRINGS" and kind == "TENSORS"):
                shown = f"`{value}`" if given == "?" else given
                raise VerifyException(f"attribute {name!r} must be {kind}, is {shown}")
        missing = declared.required - self.properties.keys() - set(declared.graphs)
        if missing:
            raise VerifyException(f"attribute {min(missing)!r} is required")
        graphs = self.graph_names(declared)
        if len(self.regions) != len(graphs):
            names = f" ({', '.join(graphs)})" if graphs else ""
            raise VerifyException(
                f"expected {len(graphs)} region(s){names}, got {len(self.regions)}"
            )
        if self.op_type in _YIELDED_BESIDES_RESULTS:
            self._verify_yields(len(self.results) + _YIELDED_BESIDES_RESULTS[self.op_type])
        if self.op_type == "Constant" and len(self.properties) != 1:
            raise VerifyException(f"expected one value, got {len(self.properties)}")

    def _verify_yields(self, expected: int) -> None:
        for region in self.regions:
            end = region.blocks.first.last_op if region.blocks.first is not None else None
            if end is None or len(end.operands) != expected:
                given = 0 if end is None else len(end.operands)
                raise VerifyException(
                    f"its subgraphs must yield {expected} value(s), one yields {given}"
                )


_YIELDED_BESIDES_RESULTS = {"If": 0, "Loop": 1, "Scan": 0, "SequenceMap": 0}
"""Operators whose subgraphs yield the results, and how many further values each yields: a Loop's
body also yields its condition."""


def _verify_values(
    what: str,
    values: Sequence[SSAValue],
    formals: tuple[Formal, ...],
    least: int,
    most: int,
    bound: dict[str, str],
) -> None:
    """Checks the number and types of inputs or outputs; `bound` maps type variables to types."""
    if not least <= len(values) <= most:
        raise VerifyException(f"expected {_count(least, most)} {what}(s), got {len(values)}")
    for i, value in enumerate(values):
        formal = formals[min(i, len(formals) - 1)]
        if value.type == type_of_nothing:
            if not formal.optional and what == "input":
                raise VerifyException(f"{what} {i} ({formal.name}) is not optional")
            continue
        type = schema_name(value.type)
        if type is None:
            continue
        if type not in formal.types:
            raise VerifyException(f"{what} {i} ({formal.name}) may not be {type}")
        if not formal.homogeneous:
            continue
        if bound.setdefault(formal.variable, type) != type:
            raise VerifyException(
                f"{what} {i} ({formal.name}) is {type}, but {formal.variable} is "
                f"{bound[formal.variable]}"
            )


def _count(least: int, most: int) -> str:
    if least == most:
        return str(least)
    return f"at least {least}" if most > 1 << 20 else f"{least} to {most}"


def operator_class(name: str, deterministic: bool) -> type[SchemaOperation]:
    """The operation class of one ai.onnx operator."""
    traits: tuple[OpTrait, ...] = (Pure(),) if deterministic else ()
    return type(
        name, (SchemaOperation,), {"name": f"onnx.{name}", "traits": OpTraits(lambda: traits)}
    )
