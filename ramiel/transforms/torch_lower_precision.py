"""torch-lower-precision: computes in bfloat16 or float16 what the model computes in float32."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import ml_dtypes
import numpy as np
import numpy.typing as npt
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import (
    ArrayAttr,
    BFloat16Type,
    DictionaryAttr,
    Float16Type,
    Float32Type,
    FloatAttr,
    ModuleOp,
    StringAttr,
    f64,
)
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from ramiel.console.notes import note
from ramiel.dialects.onnx.attributes import INLINE_ELEMENTS, Array, TensorRef, WeightAttr
from ramiel.dialects.onnx.types import (
    element_of,
    numpy_dtype_of,
    shape_of,
    static_shape_of,
    tensor_type,
)
from ramiel.dialects.onnx.weights import FreshNames, weights_of
from ramiel.dialects.torch import CallOp, ControlOp, LayerOp, TorchOperation, WeightOp
from ramiel.dialects.torch.callees import CALLEES, LAYERS, Trait
from ramiel.dialects.torch.literals import Dtype, DtypeAttr
from ramiel.dialects.torch.operation import NODE, OP_TYPE, SUFFIX
from ramiel.errors import CompileError
from ramiel.torch_level.patterns import arguments_of
from ramiel.torch_level.tasks import main_function


@dataclass(frozen=True)
class LowType:
    """A type to compute in, as the IR, numpy and a CPU's list of features call it."""

    name: str
    element: Attribute
    numpy: np.dtype[np.generic]
    largest: float
    tiny: float
    """The smallest number that is not 0."""
    features: frozenset[str]
    """Any of these says that the CPU computes in it; without, PyTorch converts or emulates."""


_BF16, _F16 = ml_dtypes.finfo(ml_dtypes.bfloat16), ml_dtypes.finfo(np.float16)
LOW_TYPES: Mapping[str, LowType] = {
    "bf16": LowType(
        "bfloat16",
        BFloat16Type(),
        np.dtype(ml_dtypes.bfloat16),
        float(_BF16.max),
        float(_BF16.smallest_subnormal),
        frozenset(["avx512_bf16", "amx_bf16", "bf16"]),
    ),
    "f16": LowType(
        "float16",
        Float16Type(),
        np.dtype(np.float16),
        float(_F16.max),
        float(_F16.smallest_subnormal),
        frozenset(["avx512_fp16", "amx_fp16", "asimdhp"]),
    ),
}

_HUGE = 1e30
"""Numbers beyond stand for infinity, in masks; they become the largest that there is instead."""


@dataclass(frozen=True)
class TorchLowerPrecisionPass(ModulePass):
    """Makes the float32 values and weights of a function `bf16` or `f16`; its inputs and results
    keep their types and are converted.

        func.func @main(%x: tensor<1x64xf32>) -> tensor<1x8xf32> {
          %y = torch.layer Linear(%x) weights {weight = "w" : tensor<8x64xf32>} : ...
        // becomes
          %0 = torch.call Tensor.to(%x, bfloat16) : (tensor<1x64xf32>) -> tensor<1x64xbf16>
          %1 = torch.layer Linear(%0) weights {weight = "w.bf16" : tensor<8x64xbf16>} : ...
          %y = torch.call Tensor.to(%1, float32) : (tensor<1x8xbf16>) -> tensor<1x8xf32>

    What stays: integers, bools and other floats; what is computed from those, from constants and
    from inputs of at most 16 numbers alone (sizes, positions, masks), up to where it meets a low
    value; the calls for which the table of callees says so; calls with a result of an unknown type;
    and branches and loops.
    """

    name = "torch-lower-precision"

    dtype: str = "bf16"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        low = LOW_TYPES.get(self.dtype)
        if low is None:
            raise CompileError(f"a precision is {' or '.join(LOW_TYPES)}, not {self.dtype!r}")
        if not features() & low.features:
            note(f"this CPU has no instructions for {self.dtype}: expect it to be slow")
        _Lowering(low, self.dtype, FreshNames(weights_of(op))).function(main_function(op))


def features() -> frozenset[str]:
    """What the CPU can do, as Linux says; nothing where it does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    lists = (line.partition(":") for line in lines)
    return frozenset(
        word
        for key, _, words in lists
        if key.strip().lower() in ("flags", "features")
        for word in words.split()
    )


@dataclass
class _Lowering:
    """The conversion of one function, operation by operation."""

    low: LowType
    suffix: str
    names: FreshNames
    lowered: set[SSAValue] = field(default_factory=set[SSAValue])
    """The values that are computed from low ones, be they low themselves or not."""
    weights: dict[str, WeightAttr] = field(default_factory=dict[str, WeightAttr])
    """By the name of the weight that each was made from."""
    converted: dict[tuple[SSAValue, Attribute], SSAValue] = field(
        default_factory=dict[tuple[SSAValue, Attribute], SSAValue]
    )

    def function(self, function: func.FuncOp) -> None:
        block = function.body.block
        self.lowered |= {a for a in block.args if _is_wide(a) and not _is_few(a.type)}
        operations = list(block.ops)
        for op in operations:
            if isinstance(op, CallOp | LayerOp):
                self._operation(op)
            elif isinstance(op, ControlOp):
                self._convert(op, [v for v in op.operands if self._is_low(v)], Float32Type())
                self.lowered |= {r for r in op.results if _is_wide(r)}
            elif isinstance(op, func.ReturnOp):
                self._results(op, function.function_type.outputs.data)
        for op in operations:
            if isinstance(op, WeightOp) and not op.results[0].uses:
                op.detach()
                op.erase()

    def _operation(self, op: CallOp | LayerOp) -> None:
        given = [v for v in op.operands if self._is_float(v)]
        makes = any(_is_wide(r) for r in op.results)
        low = any(v in self.lowered for v in given)
        if makes and not low:
            low = isinstance(op, LayerOp) or _picks(op)
        if not low:
            self._clip(op)
            return
        if _stays(op) or (isinstance(op, CallOp) and not makes):
            # Without a float32 result, what is there already does, if it is of one type.
            one = all(self._is_low(v) or isinstance(v.owner, WeightOp) for v in given)
            self._convert(op, given, self.low.element if one and not _stays(op) else Float32Type())
            self.lowered |= {r for r in op.results if _is_wide(r)}
            return
        first = CALLEES[op.callee].numbers_from if isinstance(op, CallOp) else None
        self._convert(op, [v for v in op.operands[:first] if self._is_float(v)], self.low.element)
        numbers = op.operands[first:] if first is not None else ()
        self._convert(op, [v for v in numbers if self._is_float(v)], Float32Type())
        if isinstance(op, LayerOp):
            self._lower_weights(op)
        else:
            op.properties["kwargs"] = DictionaryAttr(
                {k: self._literal(a) for k, a in op.kwargs.items()}
            )
            op.properties["args"] = ArrayAttr([self._literal(a) for a in op.args])
        for result in list(op.results):
            if _is_wide(result):
                self.lowered.add(_retyped(result, self.low.element))

    def _results(self, op: func.ReturnOp, types: Sequence[Attribute]) -> None:
        """Gives the function the results that it declares, under the names that they had."""
        for i, (value, type) in enumerate(zip(op.operands, types, strict=True)):
            if not self._is_low(value) or not _is_wide_type(type):
                continue
            op.operands[i] = result = self._as(value, Float32Type())
            owner = value.owner
            if result.name_hint is None and isinstance(owner, TorchOperation):
                owner.attributes[SUFFIX] = StringAttr(self.suffix)
                result.name_hint = value.name_hint

    # --- values ---

    def _is_low(self, value: SSAValue) -> bool:
        return value in self.lowered and element_of(value.type) == self.low.element

    def _is_float(self, value: SSAValue) -> bool:
        return _is_wide(value) or self._is_low(value)

    def _convert(self, op: Operation, values: Sequence[SSAValue], element: Attribute) -> None:
        wanted = {value: self._as(value, element) for value in values}
        for i, value in enumerate(op.operands):
            if value in wanted:
                op.operands[i] = wanted[value]

    def _as(self, value: SSAValue, element: Attribute) -> SSAValue:
        """A value in one of the two types: the weight, or the result of a call after it."""
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
            new.attributes |= {k: v for k, v in owner.attributes.items() if k in (NODE, OP_TYPE)}
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
        """Puts the conversion of an argument behind those of others."""
        made = {v.owner for v in self.converted.values()}
        while first in made:
            first = first.next_op if first is not None else None
        assert first is not None and first.parent is not None
        first.parent.insert_ops_before([new], first)

    # --- constants ---

    def _lower_weights(self, op: LayerOp) -> None:
        if LAYERS[op.layer].float32_weights is not None:
            return
        weights: dict[str, Attribute] = {}
        for key, weight in op.weights.items():
            type = weight.data.type
            if type is not None and _is_wide_type(type):
                weight = self._weight(weight, _with_element(type, self.low.element))
            weights[key] = weight
        op.properties["weights"] = DictionaryAttr(weights)

    def _weight(self, source: WeightAttr, type: Attribute) -> WeightAttr:
        """The weight in the low type. It is converted when it is asked for."""
        name = source.data.name
        if name not in self.weights:
            load = None if source.data.load is None else _loader(source, self.low)
            fresh = self.names.fresh(f"{name}.{self.suffix}")
            self.weights[name] = WeightAttr(TensorRef(fresh, load, type))
        found = self.weights[name].data
        return WeightAttr(TensorRef(found.name, found.load, type))

    def _literal(self, attribute: Attribute) -> Attribute:
        """An argument of a call in the low type: neither float32 nor beyond the type's range."""
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

    def _clip(self, op: CallOp | LayerOp) -> None:
        """Takes what stands for infinity in the range of the low type, for where it gets there."""
        if not isinstance(op, CallOp) or not any(_is_wide(r) for r in op.results):
            return

        def clipped(a: Attribute) -> Attribute:
            huge = isinstance(a, FloatAttr) and abs(a.value.data) > _HUGE
            return self._literal(a) if huge else a

        op.properties["args"] = ArrayAttr([clipped(a) for a in op.args])
        op.properties["kwargs"] = DictionaryAttr({k: clipped(a) for k, a in op.kwargs.items()})
        for i, value in enumerate(op.operands):
            if _is_wide(value) and isinstance(value.owner, WeightOp) and _is_huge(value.owner):
                op.operands[i] = self._clipped(value.owner)

    def _clipped(self, op: WeightOp) -> SSAValue:
        """A weight without what is beyond the range of the low type, still in float32."""
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


def _stays(op: CallOp | LayerOp) -> bool:
    """Whether a call that is given low values is to be computed in float32."""
    if isinstance(op, LayerOp):
        return LAYERS[op.layer].float32 is not None
    callee = CALLEES[op.callee]
    if callee.is_a(Trait.NO_HALVES) or any(numpy_dtype_of(r.type) is None for r in op.results):
        return True
    if op.callee == "F.interpolate":  # without a kernel if it is smoothed
        return "antialias" in op.kwargs
    if op.callee == "ops.layer_norm":  # the mean and the deviation are float32
        return len(op.results) > 1
    if isinstance(callee.float32, Mapping):
        return any(a in callee.float32 for a in arguments_of(op).args if isinstance(a, str))
    return callee.float32 is not None


def _picks(op: CallOp) -> bool:
    """Whether a call picks from a table of weights."""
    source = op.operands[0] if op.operands else None
    if source is None or not isinstance(source.owner, WeightOp) or _is_few(source.type):
        return False
    return CALLEES[op.callee].is_a(Trait.PICKS)


def _is_wide(value: SSAValue) -> bool:
    return _is_wide_type(value.type)


def _is_wide_type(type: Attribute) -> bool:
    return element_of(type) == Float32Type()


def _is_few(type: Attribute) -> bool:
    """Whether a tensor is so small that it may hold sizes, thresholds or a time."""
    shape = static_shape_of(type)
    return shape is not None and math.prod(shape) <= INLINE_ELEMENTS


def _is_huge(op: WeightOp) -> bool:
    """Whether a weight of few numbers has some that stand for infinity."""
    if op.weight.data.load is None or not _is_few(op.results[0].type):
        return False
    array = np.abs(cast("npt.NDArray[np.float32]", op.weight.array()))
    return bool(((array > _HUGE) & np.isfinite(array)).any())


# --- changes -----------------------------------------------------------------------------


def _with_element(type: Attribute, element: Attribute) -> Attribute:
    return tensor_type(element, shape_of(type))


def _retyped(value: SSAValue, element: Attribute) -> SSAValue:
    return Rewriter.replace_value_with_new_type(value, _with_element(value.type, element))


def _loader(source: WeightAttr, low: LowType) -> Callable[[], Array]:
    def load() -> Array:
        return rounded(cast("npt.NDArray[np.float32]", source.array()), low)

    return load


def rounded(array: npt.NDArray[np.float32], low: LowType) -> Array:
    """An array in a low type. Numbers stay finite, and only 0 becomes 0: divisors, and masks."""
    bounded = np.clip(array, -low.largest, low.largest)
    bounded = np.where(np.isfinite(array), bounded, array)
    result = bounded.astype(low.numpy)
    lost = (result == 0) & (array != 0)
    if lost.any():
        result[lost] = np.copysign(low.tiny, array[lost]).astype(low.numpy)
    return result
