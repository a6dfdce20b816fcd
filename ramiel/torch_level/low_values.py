"""Conversion of values and weights to a 16-bit type and back, each at most once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import numpy.typing as npt
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, Float32Type, FloatAttr, f64
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.rewriter import Rewriter

from ramiel.dialects.onnx.attributes import INLINE_ELEMENTS, Array, TensorRef, WeightAttr
from ramiel.dialects.onnx.types import element_of, shape_of, static_shape_of, tensor_type
from ramiel.dialects.onnx.weights import FreshNames
from ramiel.dialects.torch import CallOp, LayerOp, TorchOperation, WeightOp
from ramiel.dialects.torch.callees import LAYERS
from ramiel.dialects.torch.literals import Dtype, DtypeAttr
from ramiel.dialects.torch.operation import ORIGIN
from ramiel.torch_level.low_types import HUGE, LowType, rounded


@dataclass
class LowValues:
    """The values of one function that are in a low type, and the conversions to it and back."""

    low: LowType
    suffix: str
    """The suffix of names of weights and values in the low type."""
    names: FreshNames
    lowered: set[SSAValue] = field(default_factory=set[SSAValue])
    """The values that are computed from low ones, whether or not they are low themselves."""
    weights: dict[str, WeightAttr] = field(default_factory=dict[str, WeightAttr])
    """The weights in the low type, by the name of the weight that each was made from."""
    converted: dict[tuple[SSAValue, Attribute], SSAValue] = field(
        default_factory=dict[tuple[SSAValue, Attribute], SSAValue]
    )
    """The converted values, by the original value and the element type."""

    # --- values ---

    def is_low(self, value: SSAValue) -> bool:
        """Whether a value has the low type because this pass lowered it."""
        return value in self.lowered and element_of(value.type) == self.low.element

    def is_float(self, value: SSAValue) -> bool:
        """Whether a value is float32, or was before it was lowered."""
        return is_wide(value) or self.is_low(value)

    def convert(self, op: Operation, values: Sequence[SSAValue], element: Attribute) -> None:
        """Converts the operands `values` of an operation to an element type."""
        wanted = {value: self.in_type(value, element) for value in values}
        for i, value in enumerate(op.operands):
            if value in wanted:
                op.operands[i] = wanted[value]

    def in_type(self, value: SSAValue, element: Attribute) -> SSAValue:
        """A value in an element type: the value, a converted weight, or a conversion's result."""
        if element_of(value.type) == element:
            return value
        key = (value, element)
        if key not in self.converted:
            self.converted[key] = self._conversion(value, element)
        return self.converted[key]

    def _conversion(self, value: SSAValue, element: Attribute) -> SSAValue:
        type = _with_element(value.type, element)
        owner = value.owner
        if isinstance(owner, WeightOp):
            new: TorchOperation = WeightOp.of(self._weight(owner.weight, type), type)
            new.results[0].name_hint = value.name_hint
        else:
            dtype = Dtype(self.low.name if element == self.low.element else "float32")
            new = CallOp.of("Tensor.to", [value, dtype], {}, [type])
        if isinstance(owner, Operation):
            new.attributes |= {k: v for k, v in owner.attributes.items() if k in ORIGIN}
            block = owner.parent
            assert block is not None
            block.insert_ops_after([new], owner)
        else:
            new.results[0].name_hint = f"{value.name_hint or 'x'}_{self.suffix}"
            self._insert_first(owner.first_op, new)
        result = new.results[0]
        if not isinstance(owner, WeightOp):
            self.lowered.add(result)
        return result

    def _insert_first(self, first: Operation | None, new: Operation) -> None:
        """Inserts the conversion of a function argument after those of other arguments."""
        made = {v.owner for v in self.converted.values()}
        while first in made:
            first = first.next_op if first is not None else None
        assert first is not None and first.parent is not None
        first.parent.insert_ops_before([new], first)

    # --- constants ---

    def lower_weights(self, op: LayerOp) -> None:
        """Gives a layer its weights in the low type, unless it needs them in float32."""
        if LAYERS[op.layer].float32_weights is not None:
            return
        weights: dict[str, Attribute] = {}
        for key, weight in op.weights.items():
            type = weight.data.type
            if type is not None and is_wide_type(type):
                weight = self._weight(weight, _with_element(type, self.low.element))
            weights[key] = weight
        op.properties["weights"] = DictionaryAttr(weights)

    def lower_literals(self, op: CallOp) -> None:
        """Adapts the literal arguments of a call to the low type."""
        self._change_literals(op, self._literal)

    def _weight(self, source: WeightAttr, type: Attribute) -> WeightAttr:
        """The weight in the low type, converted lazily."""
        name = source.data.name
        if name not in self.weights:
            load = None if source.data.load is None else _loader(source, self.low)
            fresh = self.names.fresh(f"{name}.{self.suffix}")
            self.weights[name] = WeightAttr(TensorRef(fresh, load, type))
        found = self.weights[name].data
        return WeightAttr(TensorRef(found.name, found.load, type))

    def _literal(self, attribute: Attribute) -> Attribute:
        """A literal argument for the low type: with its dtype for float32, and within its range."""
        match attribute:
            case DtypeAttr() if attribute.data == "float32":
                return DtypeAttr(self.low.name)
            case FloatAttr():
                value = attribute.value.data
                if math.isfinite(value) and abs(value) > self.low.largest:
                    return FloatAttr(math.copysign(self.low.largest, value), f64)
                return attribute
            case _:
                return attribute

    def clip(self, op: CallOp | LayerOp) -> None:
        """Clips numbers that stand for infinity to the range of the low type.

        The call itself stays in float32, but its results may be converted later.
        """
        if not isinstance(op, CallOp) or not any(is_wide(r) for r in op.results):
            return

        def clipped(a: Attribute) -> Attribute:
            huge = isinstance(a, FloatAttr) and abs(a.value.data) > HUGE
            return self._literal(a) if huge else a

        self._change_literals(op, clipped)
        for i, value in enumerate(op.operands):
            if is_wide(value) and isinstance(value.owner, WeightOp) and _is_huge(value.owner):
                op.operands[i] = self._clipped(value.owner)

    @staticmethod
    def _change_literals(op: CallOp, change: Callable[[Attribute], Attribute]) -> None:
        op.properties["args"] = ArrayAttr([change(a) for a in op.args])
        op.properties["kwargs"] = DictionaryAttr({k: change(a) for k, a in op.kwargs.items()})

    def _clipped(self, op: WeightOp) -> SSAValue:
        """A weight clipped to the range of the low type, still in float32."""
        value, limit = op.results[0], self.low.largest
        key = (value, value.type)
        if key not in self.converted:
            array = np.clip(cast("npt.NDArray[np.float32]", op.weight.array()), -limit, limit)
            ref = TensorRef.of(self.names.fresh(f"{op.weight.data.name}.clipped"), array)
            new = WeightOp.of(WeightAttr(ref), value.type)
            new.results[0].name_hint = value.name_hint
            assert op.parent is not None
            op.parent.insert_ops_after([new], op)
            self.converted[key] = new.results[0]
        return self.converted[key]


# --- questions ---------------------------------------------------------------------------


def is_wide(value: SSAValue) -> bool:
    return is_wide_type(value.type)


def is_wide_type(type: Attribute) -> bool:
    return element_of(type) == Float32Type()


def is_few(type: Attribute) -> bool:
    """Whether a tensor is so small that it may hold sizes, thresholds or a time step."""
    shape = static_shape_of(type)
    return shape is not None and math.prod(shape) <= INLINE_ELEMENTS


def _is_huge(op: WeightOp) -> bool:
    """Whether a small weight contains finite numbers that stand for infinity."""
    if op.weight.data.load is None or not is_few(op.results[0].type):
        return False
    array = np.abs(cast("npt.NDArray[np.float32]", op.weight.array()))
    return bool(((array > HUGE) & np.isfinite(array)).any())


# --- changes -----------------------------------------------------------------------------


def _with_element(type: Attribute, element: Attribute) -> Attribute:
    return tensor_type(element, shape_of(type))


def retyped(value: SSAValue, element: Attribute) -> SSAValue:
    return Rewriter.replace_value_with_new_type(value, _with_element(value.type, element))


def _loader(source: WeightAttr, low: LowType) -> Callable[[], Array]:
    def load() -> Array:
        return rounded(cast("npt.NDArray[np.float32]", source.array()), low)

    return load
