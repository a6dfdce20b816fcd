"""The lowering table: what each ONNX operator is in PyTorch, written once.

Constant folding, cost profiling, the checks and the emitted program all go through it. An
entry is a function from a `Node` to the value or values of its results:

    @lowers("LeakyRelu")
    def leaky_relu(n: Node) -> Lowered:
        return n.call("F.leaky_relu", n[0], n.number("alpha"))

Entries are keyed by the operator and the opset version that it changed in; of several, the
newest that is not newer than the operator's version in force is taken. An operator that is
one plain call stands in a list of pairs instead (`elementwise.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NoReturn, cast

import numpy as np
from xdsl.dialects.builtin import NoneType, StringAttr
from xdsl.ir import Attribute, Block, Operation, SSAValue

from ramiel.conversion.onnx_to_torch import detours
from ramiel.dialects.onnx.attributes import Array, TensorRef, WeightAttr
from ramiel.dialects.onnx.operation import STAGES as ONNX_STAGES
from ramiel.dialects.onnx.operation import OnnxOperation
from ramiel.dialects.onnx.structure import NoValue, Weight, constant_attribute_of, constant_of
from ramiel.dialects.onnx.types import (
    StringType,
    element_of,
    numpy_dtype_of,
    shape_of,
    static_shape_of,
    tensor_type,
    type_of_array,
)
from ramiel.dialects.onnx.weights import FreshNames
from ramiel.dialects.torch import CallOp, LayerOp, TorchOperation, WeightOp
from ramiel.dialects.torch.dtypes import torch_dtype_of
from ramiel.dialects.torch.literals import Dtype
from ramiel.dialects.torch.operation import NODE, OP_TYPE, STAGES
from ramiel.errors import CompileError

Lowered = SSAValue | Sequence[SSAValue]
Lowering = Callable[["Node"], Lowered]

_TABLE: dict[str, list[tuple[int, Lowering]]] = {}


def lowers(op_type: str, since: int = 1) -> Callable[[Lowering], Lowering]:
    """Registers the lowering of an operator as of a version. It may have one only."""

    def register(lowering: Lowering) -> Lowering:
        entries = _TABLE.setdefault(op_type, [])
        if any(since == other for other, _ in entries):
            raise ValueError(f"{op_type} has two lowerings as of version {since}")
        entries.append((since, lowering))
        entries.sort(key=lambda entry: entry[0], reverse=True)
        return lowering

    return register


def lowering_of(op_type: str, version: int) -> Lowering | None:
    """The lowering of an operator at a version; None if there is none."""
    return next((f for since, f in _TABLE.get(op_type, ()) if since <= version), None)


def lowered_operators() -> dict[str, list[int]]:
    """The operators of the table with the versions that have an entry of their own."""
    return {name: sorted(since for since, _ in entries) for name, entries in _TABLE.items()}


class Builder:
    """Collects the `torch` operations of one function and the values they replace."""

    def __init__(self, block: Block, parent: Builder | None = None) -> None:
        self.block = block
        self.values: dict[SSAValue, SSAValue] = {}
        self.names = parent.names if parent else FreshNames()
        self._weights: dict[SSAValue, WeightAttr] = parent._weights if parent else {}

    def value(self, old: SSAValue) -> SSAValue:
        """The new value for an old one; constants become weights when first asked for."""
        new = self.values.get(old)
        if new is None:
            attribute = constant_attribute_of(old)
            if attribute is None:
                raise AssertionError("an operand that no operation before this one defines")
            op = self._constant(old)
            op.results[0].name_hint = old.name_hint
            self.block.add_op(op)
            new = self.values[old] = op.results[0]
        return new

    def _constant(self, old: SSAValue) -> CallOp | WeightOp:
        """What makes a constant: strings stand in the program, numbers in its weights."""
        if element_of(old.type) != StringType():
            return WeightOp.of(self.weight(old), old.type)
        array = constant_of(old)
        assert array is not None
        return _strings(array)

    def weight(self, old: SSAValue) -> WeightAttr:
        """The weight that holds a constant's value."""
        if isinstance(old.owner, Weight):
            ref = old.owner.weight.data
            return WeightAttr(replace(ref, type=old.type))
        made = self._weights.get(old)
        if made is None:
            array = constant_of(old)
            assert array is not None
            made = WeightAttr(TensorRef.of(self.unique(old.name_hint or "constant"), array))
            self._weights[old] = made
        return made

    def unique(self, name: str) -> str:
        """A name for a tensor that is made here, distinct from the model's by its prefix."""
        return self.names.fresh(f"const.{name}")


def _strings(array: Array) -> CallOp:
    """What makes a tensor of strings."""
    shape = [list(array.shape)] if 0 in array.shape else []
    return CallOp.of("ops.strings", [array.tolist(), *shape], {}, [type_of_array(array)])


class Node:
    """An operation that is being lowered: its operands, constants and attributes."""

    def __init__(self, op: OnnxOperation, builder: Builder) -> None:
        self.op = op
        self.builder = builder

    # --- operands ---

    def given(self, i: int) -> bool:
        """Whether input i is there."""
        return i < len(self.op.operands) and not isinstance(self.op.operands[i].type, NoneType)

    def __getitem__(self, i: int) -> SSAValue:
        return self.builder.value(self.op.operands[i])

    def get(self, i: int) -> SSAValue | None:
        return self[i] if self.given(i) else None

    def __len__(self) -> int:
        return len(self.op.operands)

    def inputs(self) -> list[SSAValue]:
        return [self[i] for i in range(len(self))]

    def constant(self, i: int) -> Array | None:
        """The value of input i if it is known at compile time."""
        return constant_of(self.op.operands[i]) if self.given(i) else None

    def is_constant(self, i: int) -> bool:
        return self.given(i) and constant_attribute_of(self.op.operands[i]) is not None

    def integers(self, i: int) -> list[int] | None:
        """Input i as a list of integers if it is known at compile time."""
        array = self.constant(i)
        if array is None:
            return None
        return [
            int(v) for v in cast("np.ndarray[tuple[int], np.dtype[np.int64]]", array.reshape(-1))
        ]

    def scalar(self, i: int) -> bool | int | float | None:
        """Input i as a Python number if it is a constant with one element.

        An unsigned integer of 64 bits stays a tensor. A float is written as `decimal` has it.
        """
        if not self.is_constant(i) or static_shape_of(self.op.operands[i].type) is None:
            return None
        if np.prod(cast("tuple[int, ...]", self.shape(i)), dtype=np.int64) != 1:
            return None
        array = self.constant(i)
        assert array is not None
        value = array.reshape(-1)[0]
        if array.dtype == np.uint64:
            return None  # a literal of the IR is an int64
        if array.dtype.kind in "biu":
            return cast("bool | int", value.item())
        if array.dtype.name in ("float16", "float32", "float64"):
            return self.decimal(value)
        return None

    def decimal(self, value: np.generic) -> float:
        """A float as the program has it: the shortest decimal that its own type rounds to the same
        value, if that is no larger than the type's largest value. What is computed in float64
        does not round it again, and has the value itself."""
        return cast(float, value.item()) if self.of_doubles() else _shortest(value)

    def weight(self, i: int) -> WeightAttr:
        return self.builder.weight(self.op.operands[i])

    def new_weight(
        self, i: int, suffix: str, shape: Sequence[int | None], change: Callable[[Array], Array]
    ) -> WeightAttr:
        """A weight of a shape, made from constant input i when its bytes are asked for."""
        source = self.weight(i)
        name = f"{source.data.name}.{suffix}"
        return WeightAttr(TensorRef(name, lambda: change(source.array()), self.like(shape, i)))

    def transposed_weight(self, i: int) -> WeightAttr:
        """Constant input i, a matrix, as a weight with its dimensions exchanged."""
        shape = (self.shape(i) or ())[::-1]
        return WeightAttr(self.weight(i).data.transposed((1, 0), self.like(shape, i)))

    # --- types ---

    def shape(self, i: int) -> tuple[int | None, ...] | None:
        """The shape of input i; None if its rank is not known, or if it is not given."""
        return shape_of(self.op.operands[i].type) if self.given(i) else None

    def rank(self, i: int) -> int | None:
        shape = self.shape(i)
        return None if shape is None else len(shape)

    def known_rank(self, i: int = 0) -> int:
        """The rank of input i. Refuses the operation if it is not known."""
        rank = self.rank(i)
        return self.fail("the rank of its input is not known") if rank is None else rank

    def of_doubles(self) -> bool:
        """Whether any of the operands and results is of float64."""
        values = (*self.op.operands, *self.op.results)
        return any(numpy_dtype_of(v.type) == np.float64 for v in values)

    def is_float(self, i: int = 0) -> bool:
        dtype = numpy_dtype_of(self.op.operands[i].type)
        return dtype is None or dtype.kind not in "biuO"

    def result_type(self, i: int = 0) -> Attribute:
        return self.op.results[i].type

    def like(self, shape: Sequence[int | None] | None, i: int = 0) -> Attribute:
        """A tensor type with the element type of input i."""
        element = element_of(self.op.operands[i].type)
        assert element is not None
        return tensor_type(element, shape)

    # --- attributes ---

    def attribute(self, name: str, default: object = None) -> object:
        return self.op.attribute(name, default)

    def integer(self, name: str, default: int | None = None) -> int:
        value = self.attribute(name, default)
        return value if isinstance(value, int) else self.fail(f"attribute {name!r} is missing")

    def number(self, name: str, default: float | None = None) -> float:
        value = self.attribute(name, default)
        if not isinstance(value, int | float):
            self.fail(f"attribute {name!r} is missing")
        return self.decimal(np.float32(value))

    def text(self, name: str, default: str = "") -> str:
        value = self.attribute(name, default)
        return value if isinstance(value, str) else self.fail(f"attribute {name!r} is no text")

    def integer_list(self, name: str) -> list[int] | None:
        value = self.attribute(name)
        return cast("list[int]", list(value)) if isinstance(value, list | tuple) else None

    def number_list(self, name: str) -> list[float]:
        """A list of floats; empty if it is not given."""
        value = self.attribute(name)
        values = cast("list[float]", list(value)) if isinstance(value, list | tuple) else []
        return [self.decimal(np.float32(v)) for v in values]

    # --- emission ---

    def add(self, op: TorchOperation) -> Sequence[SSAValue]:
        """Adds an operation that the entry has made; returns its results."""
        return self._add(op).results

    def call(self, callee: str, *args: object, type: object = None, **kwargs: object) -> SSAValue:
        """Adds a call with one result, of the node's result type unless `type` is given."""
        return self.emit(callee, args, kwargs, [self._type(type)])[0]

    def calls(
        self,
        callee: str,
        *args: object,
        types: object = None,
        **kwargs: object,
    ) -> Sequence[SSAValue]:
        """Adds a call that returns a tuple: the node's results, or values of the types given."""
        given = cast("Sequence[Attribute] | None", types)
        return self.emit(callee, args, kwargs, given or [r.type for r in self.op.results])

    def layer(
        self,
        layer: str,
        x: SSAValue,
        weights: dict[str, WeightAttr],
        type: object = None,
        **config: object,
    ) -> SSAValue:
        return self._add(LayerOp.of(layer, [x], weights, config, [self._type(type)])).results[0]

    def _type(self, type: object) -> Attribute:
        return type if isinstance(type, Attribute) else self.result_type()

    def dtype(self, type: Attribute) -> Dtype:
        """The torch element type that holds a tensor type's elements. Refuses what none does."""
        dtype = torch_dtype_of(type)
        if dtype is None:
            self.fail(f"PyTorch has no tensors of type {element_of(type)}")
        return Dtype(dtype)

    def tensor(self, array: Array, name: str) -> SSAValue:
        """A tensor that the lowering itself makes: of strings, or a weight of this name."""
        if array.dtype.kind == "O":
            return self._add(_strings(array)).results[0]
        weight = WeightAttr(TensorRef.of(self.builder.unique(name), array))
        op = WeightOp.of(weight, type_of_array(array))
        self.builder.block.add_op(op)
        return op.results[0]

    def fail(self, reason: str) -> NoReturn:
        raise CompileError(f"{self.op.title}: {reason}")

    def emit(
        self,
        callee: str,
        args: Sequence[object],
        kwargs: Mapping[str, object],
        types: Sequence[Attribute],
    ) -> Sequence[SSAValue]:
        """Adds a call with results of the given types."""
        results = detours.computed(self, callee, args, kwargs, types)
        return (
            self._add(CallOp.of(callee, args, kwargs, types)).results
            if results is None
            else results
        )

    def _add(self, op: TorchOperation) -> TorchOperation:
        op.attributes[NODE] = StringAttr(self.op.label)
        op.attributes[OP_TYPE] = StringAttr(self.op.op_type)
        if (stages := self.op.attributes.get(ONNX_STAGES)) is not None:
            op.attributes[STAGES] = stages
        self.builder.block.add_op(op)
        return op


def _shortest(value: np.generic) -> float:
    """The shortest decimal of a float, but for the extremes, which it would exceed."""
    short, exact = float(str(value)), cast(float, value.item())
    largest = float(np.finfo(np.dtype(value.dtype.name)).max)  # pyright: ignore
    return exact if largest < abs(short) < math.inf else short


def lower_block(old: Block, builder: Builder) -> list[SSAValue]:
    """Lowers the operations of a block into the builder's, whose first arguments stand for the
    block's own. Returns the values that the block ends with.

    Raises CompileError, naming node, operator and opset, for one that cannot be lowered.
    """
    block = builder.block
    for before, after in zip(old.args, block.args, strict=False):
        after.name_hint = before.name_hint
        builder.values[before] = after
    results = inline_block(old, builder)
    for op in reversed(list(block.ops)):
        # An entry of the table may look at an operand that it then does not need.
        if isinstance(op, TorchOperation) and not any(r.uses or r in results for r in op.results):
            op.detach()
            op.erase()
    return results


def inline_block(old: Block, builder: Builder) -> list[SSAValue]:
    """Lowers the operations of a block into the builder's, which knows what stands for the
    block's arguments. Returns the values that the block ends with."""
    end = old.last_op
    for op in old.ops:
        if op is end or isinstance(op, NoValue | Weight) or op.name == "onnx.Constant":
            continue
        if not isinstance(op, OnnxOperation):
            raise CompileError(f"{op.name} is not an operation of the onnx dialect")
        lower_operation(op, builder)
    return [builder.value(v) for v in end.operands] if end is not None else []


def lower_operation(op: OnnxOperation, builder: Builder) -> None:
    """Adds the `torch` operations of one ONNX operation to the builder's block.

    Raises CompileError, naming node, operator and opset, if the table has no entry for it.
    """
    lowering = _lowering(op)
    if lowering is None:
        raise CompileError(f"{op.title}: {missing(op)}")
    node = Node(op, builder)
    for value in (*op.operands, *op.results):
        if numpy_dtype_of(value.type) is not None and element_of(value.type) != StringType():
            node.dtype(value.type)
    lowered = lowering(node)
    results = [lowered] if isinstance(lowered, SSAValue) else list(lowered)
    for old, new in zip(op.results, results, strict=True):
        builder.values[old] = new
        if isinstance(new.owner, Operation) and new.name_hint is None:
            new.name_hint = old.name_hint


def is_lowered(op: OnnxOperation) -> bool:
    """Whether the table has an entry for an operation."""
    return _lowering(op) is not None


def _lowering(op: OnnxOperation) -> Lowering | None:
    version = op.version
    return None if version is None else lowering_of(op.op_type, version)


_STRUCTURE = ("onnx.Constant", "onnx.NoValue", "onnx.Weight", "onnx.Yield")
"""Operations that are no calls in a program."""


def missing(op: OnnxOperation) -> str | None:
    """Why an operation has no lowering, and what can be done; None if it has one."""
    if op.name in _STRUCTURE or is_lowered(op):
        return None
    entries = _TABLE.get(op.op_type)
    if entries:
        return f"is lowered from opset {entries[-1][0]} on: convert the model to that opset"
    if op.op_type.startswith("com.microsoft.nchwc::"):
        return (
            "is in ONNX Runtime's blocked layout, which is made for one machine: optimise the "
            "model with ORT_ENABLE_EXTENDED instead of ORT_ENABLE_ALL"
        )
    return "has no lowering to PyTorch"
