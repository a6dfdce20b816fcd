"""Attribute values of ONNX operators in the IR, and weights, whose bytes lie outside the IR.

| ONNX    | IR                    | ONNX        | IR                                        |
|---------|-----------------------|-------------|-------------------------------------------|
| INT     | `1 : i64`             | INTS        | `array<i64: 1, 2>`                        |
| FLOAT   | `1.0 : f32`           | FLOATS      | `array<f32: 1.0>`                         |
| STRING  | `"SAME_UPPER"`        | STRINGS     | `["a", "b"]`                              |
| TENSOR  | `dense<...>` if small, else `#onnx.weight<"name">`  | TYPE_PROTO | a type        |
| GRAPH   | a region of the operation                                                     |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast

import numpy as np
import numpy.typing as npt
from xdsl.dialects import builtin
from xdsl.dialects.builtin import (
    ArrayAttr,
    BytesAttr,
    DenseArrayBase,
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IntegerAttr,
    StringAttr,
    TensorType,
)
from xdsl.ir import Attribute, Data, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

from ramiel.dialects.onnx.permuted import permuted
from ramiel.dialects.onnx.quantized import Quantized
from ramiel.dialects.onnx.types import BY_IR, type_of_array
from ramiel.dialects.text import parse_text, text_of
from ramiel.errors import CompileError

Array = npt.NDArray[np.generic]

INLINE_ELEMENTS = 16
"""A constant of at most this many elements is written into the text."""


@dataclass(frozen=True)
class TensorRef:
    """A tensor by name. Its bytes are loaded on demand and do not take part in equality."""

    name: str
    load: Callable[[], Array] | None = field(default=None, compare=False, repr=False)
    type: Attribute | None = field(default=None, compare=False, repr=False)
    quantized: Quantized | None = field(default=None, compare=False, repr=False)
    """The quantised form that `load` computes the tensor from, if that is to be stored instead."""

    @staticmethod
    def of(name: str, array: Array) -> TensorRef:
        return TensorRef(name, lambda: array, type_of_array(array))

    @staticmethod
    def of_quantized(name: str, quantized: Quantized, type: Attribute) -> TensorRef:
        return TensorRef(name, quantized.array, type, quantized)

    def transposed(self, order: tuple[int, ...], type: Attribute) -> TensorRef:
        """The tensor with its dimensions permuted as by numpy's transpose, of the given type."""
        load = self.load
        name = f"{self.name}.T" if order == (1, 0) else f"{self.name}.{'_'.join(map(str, order))}"
        if self.quantized is not None:
            return TensorRef.of_quantized(name, self.quantized.transposed(order), type)

        def transpose() -> Array:
            if load is None:
                raise MissingWeight(self.name)
            return permuted(load(), order)

        return TensorRef(name, transpose, type)


@irdl_attr_definition
class WeightAttr(Data[TensorRef]):
    """`#onnx.weight<"conv1.weight">`: a tensor whose bytes live in a store outside the text.

    The type is printed if it is known: `#onnx.weight<"conv1.weight" : tensor<64xf32>>`.
    """

    name = "onnx.weight"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> TensorRef:
        with parser.in_angle_brackets():
            name = parse_text(parser)
            typed = parser.parse_optional_punctuation(":") is not None
            return TensorRef(name, None, parser.parse_type() if typed else None)

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string_literal(self.data.name)
            if self.data.type is not None:
                printer.print_string(" : ")
                printer.print_attribute(self.data.type)

    def array(self) -> Array:
        """The tensor's value. Raises MissingWeight if no store holds it."""
        if self.data.load is None:
            raise MissingWeight(self.data.name)
        return self.data.load()


class MissingWeight(CompileError):
    """A weight's value is needed, but no store holds its bytes."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the weight {name!r} has a name but no bytes: give the file that holds it "
            "(module attribute onnx.weights, or --weights FILE)"
        )
        self.weight = name


_PACKED = {1, 8, 16, 32, 64}


def dense(array: Array) -> DenseIntOrFPElementsAttr | None:
    """The array as an inline constant; None if it is empty, too large, or cannot be printed."""
    row = next((t for t in BY_IR.values() if t.numpy == array.dtype), None)
    if array.size > INLINE_ELEMENTS or array.size == 0 or row is None:
        return None
    if isinstance(row.ir, builtin.IntegerType):
        if row.ir.width.data not in _PACKED:
            return None
        values = [int(v) for v in cast(npt.NDArray[np.int64], array.reshape(-1))]
        return DenseIntOrFPElementsAttr.from_list(TensorType(row.ir, array.shape), values)
    if isinstance(row.ir, builtin.Float32Type | builtin.Float64Type):
        if not np.isfinite(cast(npt.NDArray[np.float64], array)).all():
            # xDSL prints infinities as hexadecimal integers and reads those as large numbers.
            return None
        type = TensorType(row.ir, array.shape)
        return DenseIntOrFPElementsAttr(type, BytesAttr(np.asarray(array, order="C").tobytes()))
    return None


def array_of_dense(attribute: DenseIntOrFPElementsAttr) -> Array:
    """The array of an inline constant."""
    element = cast(Attribute, attribute.get_element_type())
    dtype = BY_IR[element].numpy
    values = np.array(list(attribute.get_values()), dtype)
    return values.reshape(attribute.get_shape())


def array_of(attribute: Attribute) -> Array | None:
    """The value of an attribute of `onnx.Constant`; None for other kinds of attributes.

    It may be a tensor, inline or by name, or one of the short forms `value_int`, `value_floats`,
    `value_strings` and so on.
    """
    match attribute:
        case WeightAttr():
            return attribute.array()
        case DenseIntOrFPElementsAttr():
            return array_of_dense(attribute)
        case IntegerAttr() | FloatAttr() | DenseArrayBase():
            integral = kind_of(cast(Attribute, attribute)).startswith("INT")
            value = python_of(cast(Attribute, attribute))
            return np.array(value, np.int64 if integral else np.float32)
        case StringAttr() | BytesAttr() | ArrayAttr():
            return np.array(python_of(cast(Attribute, attribute)), np.object_)
        case _:
            return None


def ints(values: Sequence[int]) -> DenseArrayBase:
    return _ints(tuple(values))


@lru_cache(maxsize=1024)
def _ints(values: tuple[int, ...]) -> DenseArrayBase:
    return DenseArrayBase.from_list(builtin.i64, values)


def floats(values: list[float]) -> DenseArrayBase:
    return DenseArrayBase.from_list(builtin.f32, values)


def kind_of(attribute: Attribute) -> str:
    """ONNX's name for the kind of an attribute value, such as `INTS`; `?` if it has none."""
    match attribute:
        case IntegerAttr() if attribute.type == builtin.i64:
            return "INT"
        case FloatAttr() if attribute.type == builtin.f32:
            return "FLOAT"
        case StringAttr() | BytesAttr():
            return "STRING"
        case DenseArrayBase():
            kinds: dict[Attribute, str] = {builtin.i64: "INTS", builtin.f32: "FLOATS"}
            return kinds.get(attribute.elt_type, "?")
        case DenseIntOrFPElementsAttr() | WeightAttr():
            return "TENSOR"
        case ArrayAttr():
            return "STRINGS"
        case TypeAttribute():
            return "TYPE_PROTO"
        case _:
            return "?"


def python_of(attribute: Attribute) -> object:
    """An attribute's value in Python: int, float, str, bytes, list of those, or an array."""
    match attribute:
        case IntegerAttr() | FloatAttr():
            return attribute.value.data
        case StringAttr() | BytesAttr():
            text = text_of(attribute)
            return attribute.data if text is None else text
        case DenseArrayBase():
            return list(attribute.elt_type.iter_unpack(attribute.data.data))
        case ArrayAttr():
            return [python_of(a) for a in attribute]
        case WeightAttr() | DenseIntOrFPElementsAttr():
            return array_of(attribute)
        case _:
            return attribute
