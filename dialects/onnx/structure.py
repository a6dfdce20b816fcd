"""Operations of the dialect that are not operators of ai.onnx."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Self, cast

from xdsl.dialects.builtin import ArrayAttr
from xdsl.ir import Attribute, Region, SSAValue
from xdsl.irdl import traits_def
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import IsTerminator, Pure
from xdsl.utils.exceptions import VerifyException

from ramiel.dialects.onnx.attributes import Array, TensorRef, WeightAttr, array_of, dense
from ramiel.dialects.onnx.operation import OnnxOperation, SchemaOperation
from ramiel.dialects.onnx.operators import operation_class
from ramiel.dialects.onnx.schemas import Schema, newest_opsets
from ramiel.dialects.onnx.types import type_of_array, type_of_nothing
from ramiel.dialects.text import parse_text, text_of

DOMAIN = "onnx.domain"
OP_TYPE = "onnx.op_type"
GRAPHS = "onnx.graphs"
"""Attribute: the names of a custom operation's attributes that are graphs."""


class NoValue(OnnxOperation):
    """Stands for an optional input that is not given: `onnx.NoValue() : () -> none`."""

    name = "onnx.NoValue"
    traits = traits_def(Pure())

    @classmethod
    def build_one(cls) -> Self:
        return cls.make([], [type_of_nothing])

    def verify_(self) -> None:
        if self.operands or list(self.result_types) != [type_of_nothing]:
            raise VerifyException("expected no operand and one result of type none")


class Weight(OnnxOperation):
    """A tensor by name: `%w = onnx.Weight "conv1.weight" : tensor<64x3x7x7xf32>`."""

    name = "onnx.Weight"
    traits = traits_def(Pure())

    @classmethod
    def of(cls, ref: TensorRef, type: Attribute) -> Self:
        op = cls.make([], [type], {"value": WeightAttr(ref)})
        op.results[0].name_hint = hint(ref.name)
        return op

    @property
    def weight(self) -> WeightAttr:
        value = self.properties["value"]
        assert isinstance(value, WeightAttr)
        return value

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        ref = TensorRef(parse_text(parser))
        parser.parse_punctuation(":")
        return cls.make([], [parser.parse_type()], {"value": WeightAttr(ref)})

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_string_literal(self.weight.data.name)
        printer.print_string(" : ")
        printer.print_attribute(self.results[0].type)

    def verify_(self) -> None:
        if not isinstance(self.properties.get("value"), WeightAttr):
            raise VerifyException("a weight needs a name")
        if self.operands or len(self.results) != 1:
            raise VerifyException("expected no operand and one result")


class Yield(OnnxOperation):
    """Ends a subgraph and yields its outputs."""

    name = "onnx.Yield"
    traits = traits_def(IsTerminator(), Pure())

    def verify_(self) -> None:
        if self.results:
            raise VerifyException("expected no result")


class Custom(SchemaOperation):
    """An operator of a domain other than ai.onnx.

    `onnx.Custom(%x) {onnx.domain = "com.microsoft", onnx.op_type = "Gelu"} : ...`. The lowering
    table has some of them, under names such as `com.microsoft::Gelu`. In a domain that ONNX
    defines, such as ai.onnx.ml, it is verified against its schema; in any other it is not.
    """

    name = "onnx.Custom"

    @property
    def domain(self) -> str:
        return text_of(self.attributes.get(DOMAIN)) or "?"

    @property
    def operator(self) -> str:
        return text_of(self.attributes.get(OP_TYPE)) or "?"

    @property
    def op_type(self) -> str:
        return f"{self.domain}::{self.operator}"

    @property
    def version(self) -> int | None:
        declared = self.schema()
        return 1 if declared is None else declared.since

    @property
    def graphs(self) -> Mapping[str, Region]:
        """The graphs by attribute name, in the regions' order; empty if no names are recorded."""
        names = self.attributes.get(GRAPHS)
        if not isinstance(names, ArrayAttr):
            return {}
        texts = map(text_of, cast("ArrayAttr[Attribute]", names))
        return {name or "?": r for name, r in zip(texts, self.regions, strict=True)}

    def graph_names(self, declared: Schema) -> Sequence[str]:
        # A graph that is not given has no region.
        unknown = self.graphs.keys() - set(declared.graphs)
        if unknown:
            raise VerifyException(f"unknown attribute {min(unknown)!r}")
        return [*self.graphs]

    def verify_(self) -> None:
        names = self.attributes.get(GRAPHS)
        if names is not None and not (
            isinstance(names, ArrayAttr) and len(names) == len(self.regions)
        ):
            raise VerifyException(f"{GRAPHS} must name each of its {len(self.regions)} region(s)")
        for key in (DOMAIN, OP_TYPE):
            if text_of(self.attributes.get(key)) is None:
                raise VerifyException(f"a custom operation must have {key}")
        if self.domain in newest_opsets():
            super().verify_()


STRUCTURE = (NoValue, Weight, Yield, Custom)


_ODD = re.compile(r"[^A-Za-z0-9_.$-]")


def hint(name: str) -> str | None:
    """A model's value name as an SSA name that survives printing and parsing.

    xDSL allows `[A-Za-z0-9_$.-]` and takes a trailing `_12` for its own numbering, so `_12`
    becomes `.12`. Returns None if nothing is left of the name.
    """
    kept = _ODD.sub("_", name[:120]).strip("_.-$")
    head, _, digits = kept.rpartition("_")
    if head and digits.isdigit():
        kept = f"{head}.{digits}"
    if not kept:
        return None
    return kept if kept[0].isalpha() else f"v.{kept}"


def constant_of(value: SSAValue) -> Array | None:
    """The value of a constant or weight; None for anything else.

    Raises MissingWeight if the value is a weight without bytes.
    """
    attribute = constant_attribute_of(value)
    return None if attribute is None else array_of(attribute)


def type_of_constant(op: SchemaOperation) -> Attribute | None:
    """The type of an `onnx.Constant` by its value; None if that is a weight or missing."""
    attribute = constant_attribute_of(op.results[0])
    if attribute is None or isinstance(attribute, WeightAttr):
        return None
    array = array_of(attribute)
    return None if array is None else type_of_array(array)


def constant_attribute_of(value: SSAValue) -> Attribute | None:
    """The attribute that holds a constant's or weight's value; None for anything else."""
    owner = value.owner
    if isinstance(owner, Weight):
        return owner.weight
    if isinstance(owner, SchemaOperation) and owner.name == "onnx.Constant":
        return next(iter(owner.properties.values()), None)
    return None


def make_constant(name: str, array: Array) -> OnnxOperation:
    """An operation that yields an array: a constant if it is small, else a weight of that name."""
    inline = dense(array)
    type = type_of_array(array)
    if inline is None:
        return Weight.of(TensorRef.of(name, array), type)
    op = operation_class("Constant").make([], [type], {"value": inline})
    op.results[0].name_hint = hint(name)
    return op


__all__ = [
    "DOMAIN",
    "GRAPHS",
    "OP_TYPE",
    "STRUCTURE",
    "Custom",
    "NoValue",
    "Weight",
    "Yield",
    "constant_attribute_of",
    "constant_of",
    "hint",
    "make_constant",
]
