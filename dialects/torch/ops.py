"""The operations of the `torch` dialect: each is one PyTorch call of the emitted program.

%0 = torch.weight "scale" : tensor<64xf32>
%1 = torch.layer Conv2d(%x) {stride = 2} weights {weight = "conv1.weight" : tensor<..>} : ...
%2 = torch.call torch.cat([%a, %b], dim = 1) : (tensor<..>, tensor<..>) -> tensor<..>
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self, cast

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, StringAttr
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
    var_result_def,
)
from xdsl.parser import Parser, UnresolvedOperand
from xdsl.printer import Printer
from xdsl.traits import EffectInstance, MemoryEffect, MemoryEffectKind, Pure
from xdsl.utils.exceptions import VerifyException

from ramiel.dialects.onnx.attributes import TensorRef, WeightAttr
from ramiel.dialects.onnx.types import UnknownType, static_shape_of
from ramiel.dialects.text import parse_text
from ramiel.dialects.torch.callees import (
    CALLEES,
    LAYERS,
    UNARY_OPERATORS,
    Trait,
    is_aten,
)
from ramiel.dialects.torch.literals import (
    OperandAttr,
    literal,
    parse_literal,
    print_literal,
    verify_literal,
    visit_leaves,
)
from ramiel.dialects.torch.operation import TorchOperation, is_identifier


class EffectsOfCallee(MemoryEffect):
    """A call has no effects unless it draws random numbers, which changes the generator."""

    @classmethod
    def get_effects(cls, op: Operation) -> set[EffectInstance]:
        assert isinstance(op, CallOp)
        callee = CALLEES.get(op.callee)
        if callee is not None and not callee.is_a(Trait.RANDOM):
            return set()
        return {EffectInstance(MemoryEffectKind.READ), EffectInstance(MemoryEffectKind.WRITE)}


@irdl_op_definition
class CallOp(TorchOperation):
    """A call of a function, a method or an operator from the table in `callees.py`."""

    name = "torch.call"
    traits = traits_def(EffectsOfCallee())
    inputs = var_operand_def()
    outputs = var_result_def()
    callee_attr = prop_def(StringAttr, prop_name="callee")
    args_attr = prop_def(ArrayAttr[Attribute], prop_name="args")
    kwargs_attr = prop_def(DictionaryAttr, prop_name="kwargs")

    @classmethod
    def of(
        cls,
        callee: str,
        args: Sequence[object],
        kwargs: Mapping[str, object],
        result_types: Sequence[Attribute],
    ) -> Self:
        """A call with Python arguments; SSA values among them become the operands."""
        operands: list[SSAValue] = []
        return cls.create(
            properties={
                "callee": StringAttr(callee),
                "args": ArrayAttr([literal(a, operands) for a in args]),
                "kwargs": DictionaryAttr({k: literal(v, operands) for k, v in kwargs.items()}),
            },
            operands=operands,
            result_types=result_types,
        )

    @property
    def callee(self) -> str:
        return self.callee_attr.data

    @property
    def args(self) -> tuple[Attribute, ...]:
        return self.args_attr.data

    @property
    def kwargs(self) -> Mapping[str, Attribute]:
        return self.kwargs_attr.data

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        prefix = parser.parse_identifier()
        callee = StringAttr(prefix)
        unresolved: list[UnresolvedOperand] = []
        args: list[Attribute] = []
        kwargs: dict[str, Attribute] = {}

        def argument() -> None:
            key = None
            position = parser.pos
            word = parser.parse_optional_identifier()
            if word is not None and parser.parse_optional_punctuation("=") is not None:
                key = word
            elif word is not None:
                parser._resume_from(position)  # pyright: ignore[reportPrivateUsage]
            value = parse_literal(parser, unresolved)
            if key in kwargs:
                parser.raise_error(f"{key!r} is given twice")
            elif key is not None:
                kwargs[key] = value
            elif kwargs:
                parser.raise_error("a positional argument after a keyword argument")
            else:
                args.append(value)

        parser.parse_comma_separated_list(parser.Delimiter.PAREN, argument)
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        position = parser.pos
        type = parser.parse_function_type()
        return cls.create(
            properties={
                "callee": callee,
                "args": ArrayAttr(args),
                "kwargs": DictionaryAttr(kwargs),
            },
            operands=parser.resolve_operands(unresolved, type.inputs.data, position),
            result_types=type.outputs.data,
            attributes=attributes,
        )

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.callee}")
        with printer.in_parens():
            items: list[tuple[str | None, Attribute]] = [(None, a) for a in self.args]
            items += self.kwargs.items()

            def item(entry: tuple[str | None, Attribute]) -> None:
                if entry[0] is not None:
                    printer.print_string(f"{entry[0]} = ")
                print_literal(printer, entry[1], self.operands)

            printer.print_list(items, item)
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_operation_type(self)

    def verify_(self) -> None:
        if self.callee not in CALLEES:
            raise VerifyException(f"{self.callee!r} is not a function that may be called")
        if is_aten(self.callee) and not self.operands:
            # One that makes a tensor of nothing might read it from a file, as aten.from_file does.
            raise VerifyException(f"{self.callee} has no tensor among its arguments")
        seen: list[int] = []

        def leaf(a: Attribute) -> None:
            if isinstance(a, OperandAttr):
                seen.append(a.data)

        for i, a in enumerate((*self.args, *self.kwargs.values())):
            index = self.callee == "operator.getitem" and i == 1
            if (problem := verify_literal(a, index)) is not None:
                raise VerifyException(problem)
            visit_leaves(a, leaf)
        for key in self.kwargs:
            if not is_identifier(key):
                raise VerifyException(f"{key!r} is not a valid keyword argument")
        if seen != list(range(len(self.operands))):
            raise VerifyException("the arguments must hold each operand once, in order")
        self._verify_form()
        self.verify_names()

    def _verify_form(self) -> None:
        """Checks that the call can be printed as Python."""
        prefix = self.callee.partition(".")[0]
        if prefix == "operator":
            count = 1 if self.callee in UNARY_OPERATORS else 2
            if len(self.args) != count or self.kwargs:
                raise VerifyException(f"{self.callee} takes {count} argument(s)")
        of_tensor = prefix == "Tensor" or self.callee == "operator.getitem"
        if of_tensor and not (self.args and isinstance(self.args[0], OperandAttr)):
            raise VerifyException(f"the first argument of {self.callee} must be a tensor")


@irdl_op_definition
class LayerOp(TorchOperation):
    """A call of a layer: a callable with weights, made once in the program's `__init__`."""

    name = "torch.layer"
    traits = traits_def(Pure())
    inputs = var_operand_def()
    outputs = var_result_def()
    layer_attr = prop_def(StringAttr, prop_name="layer")
    config_attr = prop_def(DictionaryAttr, prop_name="config")
    weights_attr = prop_def(DictionaryAttr, prop_name="weights")

    @classmethod
    def of(
        cls,
        layer: str,
        operands: Sequence[SSAValue],
        weights: Mapping[str, WeightAttr],
        config: Mapping[str, object],
        result_types: Sequence[Attribute],
    ) -> Self:
        return cls.create(
            properties={
                "layer": StringAttr(layer),
                "config": DictionaryAttr({k: literal(v, []) for k, v in config.items()}),
                "weights": DictionaryAttr(dict(weights)),
            },
            operands=operands,
            result_types=result_types,
        )

    @property
    def layer(self) -> str:
        return self.layer_attr.data

    @property
    def config(self) -> Mapping[str, Attribute]:
        return self.config_attr.data

    @property
    def weights(self) -> Mapping[str, WeightAttr]:
        return cast(Mapping[str, WeightAttr], self.weights_attr.data)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """The shape of the layer's main weight; () if it is unknown or there is no such weight."""
        weight = self.weights.get("weight")
        type = None if weight is None else weight.data.type
        return (static_shape_of(type) if type is not None else None) or ()

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for calls of the same layer."""
        return (self.layer, self.config_attr, self.weights_attr)

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        layer = parser.parse_identifier()
        unresolved = parser.parse_op_args_list()
        config: dict[str, Attribute] = {}

        def entry() -> None:
            key = parser.parse_identifier()
            parser.parse_punctuation("=")
            config[key] = parse_literal(parser, [])

        parser.parse_optional_comma_separated_list(parser.Delimiter.BRACES, entry)
        parser.parse_keyword("weights")
        weights: dict[str, Attribute] = {}

        def weight() -> None:
            key = parser.parse_identifier()
            parser.parse_punctuation("=")
            name = parse_text(parser)
            parser.parse_punctuation(":")
            weights[key] = WeightAttr(TensorRef(name, None, parser.parse_type()))

        parser.parse_comma_separated_list(parser.Delimiter.BRACES, weight)
        attributes = parser.parse_optional_attr_dict_with_keyword()
        parser.parse_punctuation(":")
        position = parser.pos
        type = parser.parse_function_type()
        return cls.create(
            properties={
                "layer": StringAttr(layer),
                "config": DictionaryAttr(config),
                "weights": DictionaryAttr(weights),
            },
            operands=parser.resolve_operands(unresolved, type.inputs.data, position),
            result_types=type.outputs.data,
            attributes=dict(attributes.data) if attributes is not None else {},
        )

    def print(self, printer: Printer) -> None:
        printer.print_string(f" {self.layer}")
        printer.print_operands(self.operands)
        if self.config:
            printer.print_string(" ")
            with printer.in_braces():

                def entry(item: tuple[str, Attribute]) -> None:
                    printer.print_string(f"{item[0]} = ")
                    print_literal(printer, item[1], ())

                printer.print_list(self.config.items(), entry)
        printer.print_string(" weights ")
        with printer.in_braces():

            def weight(item: tuple[str, WeightAttr]) -> None:
                printer.print_string(f"{item[0]} = ")
                printer.print_string_literal(item[1].data.name)
                printer.print_string(" : ")
                printer.print_attribute(item[1].data.type or UnknownType())

            printer.print_list(self.weights.items(), weight)
        printer.print_op_attributes(self.attributes, print_keyword=True)
        printer.print_string(" : ")
        printer.print_operation_type(self)

    def verify_(self) -> None:
        if self.layer not in LAYERS:
            raise VerifyException(f"{self.layer!r} is not a layer")
        for key, value in self.config.items():
            if not is_identifier(key):
                raise VerifyException(f"{key!r} is not a valid keyword argument")
            if (problem := verify_literal(value)) is not None:
                raise VerifyException(problem)
            visit_leaves(value, _refuse_operand)
        if "weight" not in self.weights and LAYERS[self.layer].has_weights:
            raise VerifyException("a layer must have a weight")
        for key in self.weights:
            if not is_identifier(key):
                raise VerifyException(f"{key!r} is not a Python identifier")
        if not all(isinstance(weight, WeightAttr) for weight in self.weights_attr.data.values()):
            raise VerifyException("each weight must be a weight attribute")
        self.verify_names()


def _refuse_operand(a: Attribute) -> None:
    if isinstance(a, OperandAttr):
        raise VerifyException("the options of a layer cannot be tensors")


@irdl_op_definition
class WeightOp(TorchOperation):
    """A tensor that the program holds: `%w = torch.weight "scale" : tensor<64xf32>`."""

    name = "torch.weight"
    traits = traits_def(Pure())
    weight = prop_def(WeightAttr, prop_name="value")
    output = result_def()

    @classmethod
    def of(cls, weight: WeightAttr, type: Attribute) -> Self:
        return cls.create(properties={"value": weight}, result_types=[type])

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        weight = WeightAttr(TensorRef(parse_text(parser)))
        attributes = parser.parse_optional_attr_dict()
        parser.parse_punctuation(":")
        return cls.create(
            properties={"value": weight},
            result_types=[parser.parse_type()],
            attributes=attributes,
        )

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_string_literal(self.weight.data.name)
        printer.print_op_attributes(self.attributes)
        printer.print_string(" : ")
        printer.print_attribute(self.results[0].type)

    def verify_(self) -> None:
        self.verify_names()
