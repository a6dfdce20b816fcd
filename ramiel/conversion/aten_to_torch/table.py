"""The lowering table: an operator of aten, by its name and overload, and what it becomes.

An entry is a function from a `Node` to the value of its first result, or to all of them:

    @lowers("leaky_relu.default")
    def leaky_relu(n: Node) -> Lowered:
        return n.call("F.leaky_relu", n.x, n.arg(1, 0.01))

Operators that are one plain call stand in lists of pairs instead (`elementwise.py`). An entry that
returns None leaves the operator as it is: a call of `aten.` itself. So is one without an entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

import numpy as np
from xdsl.dialects.builtin import NoneType, StringAttr
from xdsl.ir import Attribute, Block, SSAValue

from ramiel.dialects.onnx.attributes import Array, TensorRef, WeightAttr
from ramiel.dialects.onnx.types import (
    element_of,
    numpy_dtype_of,
    static_shape_of,
    tensor_type,
    type_of_array,
)
from ramiel.dialects.onnx.weights import FreshNames
from ramiel.dialects.torch import CallOp, LayerOp, TorchOperation, WeightOp
from ramiel.dialects.torch.callees import is_aten
from ramiel.dialects.torch.operation import NODE, OP_TYPE
from ramiel.errors import CompileError

Lowered = SSAValue | Sequence[SSAValue] | None
Lowering = Callable[["Node"], Lowered]
Value = TypeVar("Value")

_TABLE: dict[str, Lowering] = {}
RESHAPE = "Tensor.reshape"


class Refused(CompileError):
    """A graph has an operator that a program cannot compute."""


def lowers(*names: str) -> Callable[[Lowering], Lowering]:
    """Registers the lowering of operators, such as `relu.default`. Each may have one only."""

    def register(lowering: Lowering) -> Lowering:
        for name in names:
            if name in _TABLE:
                raise ValueError(f"{name} has two lowerings")
            _TABLE[name] = lowering
        return lowering

    return register


def as_it_is(*names: str) -> None:
    """Registers operators that a program calls as they are, since no other call is as good."""

    @lowers(*names)
    def _(n: Node) -> Lowered:
        return n.itself()


def lowered_operators() -> frozenset[str]:
    """The operators that have an entry."""
    return frozenset(_TABLE)


class Builder:
    """Collects the `torch` operations of a graph."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.names = FreshNames()
        """Those of weights."""
        self.unknown: dict[str, int] = {}
        """Operators without an entry, and how often each occurs."""

    def prune(self, results: Sequence[SSAValue]) -> None:
        """Erases what no result needs: weights that became a layer's, reshapes that cancelled."""
        kept = set(results)
        for op in reversed(list(self.block.ops)):
            if not any(r.uses or r in kept for r in op.results):
                op.detach()
                op.erase()


class Node:
    """An operator that is being lowered.

    `args` and `kwargs` are its arguments, with SSA values for tensors and `Dtype` for element
    types; `types` are those of its results, `read` the numbers of the results that are read, and
    `barred` is why a program cannot call the operator itself.
    """

    def __init__(
        self,
        builder: Builder,
        name: str,
        args: Sequence[object],
        kwargs: Mapping[str, object],
        types: Sequence[Attribute],
        read: frozenset[int] = frozenset([0]),
        origin: str = "",
        barred: str | None = None,
    ) -> None:
        self.builder = builder
        self.name = name
        self.args = args
        self.kwargs = kwargs
        self.types = types
        self.read = read
        self.origin = origin
        self.barred = barred

    # --- arguments ---

    @property
    def x(self) -> SSAValue:
        """The first argument."""
        return self.value(0)

    def value(self, i: int) -> SSAValue:
        """Argument i, which is a tensor."""
        value = self.args[i]
        if not isinstance(value, SSAValue):
            raise Refused(f"{self.title}: argument {i} is not a tensor")
        return value

    def arg(self, i: int, default: Value) -> Value:
        """Argument i, or its default if it is omitted."""
        return cast(Value, self.args[i]) if i < len(self.args) else default

    def weight(self, i: int) -> WeightAttr | None:
        """The weight that argument i is; None if it is none, or computed."""
        value = self.args[i] if i < len(self.args) else None
        owner = value.owner if isinstance(value, SSAValue) else None
        return owner.weight if isinstance(owner, WeightOp) else None

    def weights(self, **names: int) -> dict[str, WeightAttr] | None:
        """The weights of a layer, from arguments that are given; None if one is no weight."""
        found: dict[str, WeightAttr] = {}
        for name, i in names.items():
            if self.arg(i, cast(object, None)) is not None:
                weight = self.weight(i)
                if weight is None:
                    return None
                found[name] = weight
        return found

    @staticmethod
    def shape(value: SSAValue) -> tuple[int, ...]:
        shape = static_shape_of(value.type)
        assert shape is not None
        return shape

    @property
    def result(self) -> tuple[int, ...]:
        """The shape of the first result."""
        shape = static_shape_of(self.types[0])
        assert shape is not None
        return shape

    @staticmethod
    def is_float(value: SSAValue) -> bool:
        dtype = numpy_dtype_of(value.type)
        return dtype is not None and dtype.kind not in "biuO"

    @staticmethod
    def is_bool(value: object) -> bool:
        return isinstance(value, SSAValue) and numpy_dtype_of(value.type) == np.dtype(bool)

    @property
    def one_result(self) -> bool:
        """Whether nothing but the first result is read."""
        return self.read <= {0}

    @property
    def title(self) -> str:
        return f'"{self.origin or "?"}" (aten.{self.name})'

    # --- emission ---

    def call(self, callee: str, *args: object, type: object = None, **kwargs: object) -> SSAValue:
        """Adds a call with one result, of the first result's type unless `type` is given."""
        return self._add(CallOp.of(callee, args, kwargs, [self._type(type)])).results[0]

    def layer(
        self,
        layer: str,
        x: SSAValue,
        weights: Mapping[str, WeightAttr],
        type: object = None,
        **config: object,
    ) -> SSAValue:
        op = LayerOp.of(layer, [x], weights, config, [self._type(type)])
        return self._add(op).results[0]

    def _type(self, type: object) -> Attribute:
        return type if isinstance(type, Attribute) else self.types[0]

    def itself(self) -> Sequence[SSAValue]:
        """Adds a call of the operator as it is. Raises Refused if a program cannot have it."""
        callee = f"aten.{self.name}"
        if self.barred is not None or not is_aten(callee):
            reason = self.barred or "is not an operator that a program may call"
            raise Refused(f"{self.title} {reason}")
        if NoneType() in self.types:
            raise Refused(f"{self.title} has results that are no tensors")
        try:
            op = CallOp.of(callee, self.args, self.kwargs, self.types)
        except TypeError as error:
            raise Refused(f"{self.title}: {error}") from error
        if not op.operands:
            raise Refused(f"{self.title} has no tensor among its arguments")
        return self._add(op).results

    def tensor(self, array: Array, name: str) -> SSAValue:
        """A constant that the lowering itself makes, as a weight."""
        weight = WeightAttr(TensorRef.of(self.builder.names.fresh(name), array))
        op = WeightOp.of(weight, type_of_array(array))
        op.results[0].name_hint = name
        self.builder.block.add_op(op)
        return op.results[0]

    def reshaped(self, x: SSAValue, shape: Sequence[int]) -> SSAValue:
        """x in another shape: what it is a reshape of itself, where that has this shape."""
        while (inner := self.before_reshape(x)) is not x:
            x = inner
        if self.shape(x) == tuple(shape):
            return x
        return self.call(RESHAPE, x, *(shape or [[]]), type=self.like(x, shape))

    @staticmethod
    def before_reshape(x: SSAValue) -> SSAValue:
        """What x is a reshape of, or x."""
        op = x.owner
        return op.operands[0] if isinstance(op, CallOp) and op.callee == RESHAPE else x

    @staticmethod
    def like(x: SSAValue, shape: Sequence[int]) -> Attribute:
        """A tensor type with the element type of x."""
        element = element_of(x.type)
        assert element is not None
        return tensor_type(element, list(shape))

    @staticmethod
    def transposed(weight: WeightAttr) -> WeightAttr:
        """A weight [a, b] as [b, a]."""
        type = weight.data.type
        shape, element = static_shape_of(type) if type else None, element_of(type) if type else None
        assert shape is not None and element is not None
        ref: TensorRef = weight.data.transposed((1, 0), tensor_type(element, shape[::-1]))
        return WeightAttr(ref)

    def _add(self, op: TorchOperation) -> TorchOperation:
        op.attributes[NODE] = StringAttr(self.origin)
        op.attributes[OP_TYPE] = StringAttr(self.name.partition(".")[0].strip("_"))
        self.builder.block.add_op(op)
        return op


def lower(n: Node) -> Sequence[SSAValue | None]:
    """The values of an operator's results, None for those that are not read.

    Raises Refused if a program cannot compute it.
    """
    lowering = _TABLE.get(n.name)
    lowered = None if lowering is None else lowering(n)
    if lowering is None:
        n.builder.unknown[n.name] = n.builder.unknown.get(n.name, 0) + 1
    if lowered is None:
        lowered = n.itself()
    values = [lowered] if isinstance(lowered, SSAValue) else list(lowered)
    return [*values, *[None] * (len(n.types) - len(values))]
