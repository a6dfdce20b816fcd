"""torch-lower-precision: computes in bfloat16 or float16 instead of float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import Float32Type, ModuleOp, StringAttr
from xdsl.ir import Attribute
from xdsl.passes import ModulePass

from ramiel.console.notes import note
from ramiel.dialects.cluster.attributes import CPU
from ramiel.dialects.onnx.weights import FreshNames, weights_of
from ramiel.dialects.torch import CallOp, ControlOp, LayerOp, TorchOperation, WeightOp
from ramiel.dialects.torch.callees import CALLEES, Trait
from ramiel.dialects.torch.operation import SUFFIX
from ramiel.errors import CompileError
from ramiel.execution.machine import cpu_features
from ramiel.torch_level.devices import kind_of
from ramiel.torch_level.low_types import LOW_TYPES, stays
from ramiel.torch_level.low_values import LowValues, is_few, is_wide, is_wide_type, retyped
from ramiel.torch_level.tasks import main_function


@dataclass(frozen=True)
class TorchLowerPrecisionPass(ModulePass):
    """Converts the float32 values and weights of a function to `bf16` or `f16`; its inputs and
    results keep their types and are converted.

        func.func @main(%x: tensor<1x64xf32>) -> tensor<1x8xf32> {
          %y = torch.layer Linear(%x) weights {weight = "w" : tensor<8x64xf32>} : ...
        // becomes
          %0 = torch.call Tensor.to(%x, bfloat16) : (tensor<1x64xf32>) -> tensor<1x64xbf16>
          %1 = torch.layer Linear(%0) weights {weight = "w.bf16" : tensor<8x64xbf16>} : ...
          %y = torch.call Tensor.to(%1, float32) : (tensor<1x8xbf16>) -> tensor<1x8xf32>

    Kept as they are: values of other types; values that are computed only from those, from
    constants and from inputs of at most 16 elements (sizes, positions, masks), until they are
    combined with a value of the low type; calls for which the table of callees says so; calls with
    a result of unknown type; and branches and loops. For a `device` that is this CPU, a note says
    so if it computes in that type slowly.
    """

    name = "torch-lower-precision"

    dtype: str = "bf16"
    device: str = CPU

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        low = LOW_TYPES.get(self.dtype)
        if low is None:
            raise CompileError(f"a precision is {' or '.join(LOW_TYPES)}, not {self.dtype!r}")
        if kind_of(self.device) == CPU and not cpu_features() & low.features:
            note(f"this CPU has no instructions for {self.dtype}: expect it to be slow")
        values = LowValues(low, self.dtype, FreshNames(weights_of(op)))
        _lower(main_function(op), values)


def _lower(function: func.FuncOp, values: LowValues) -> None:
    block = function.body.block
    values.lowered |= {a for a in block.args if is_wide(a) and not is_few(a.type)}
    operations = list(block.ops)
    for op in operations:
        if isinstance(op, CallOp | LayerOp):
            _lower_operation(op, values)
        elif isinstance(op, ControlOp):
            values.convert(op, [v for v in op.operands if values.is_low(v)], Float32Type())
            values.lowered |= {r for r in op.results if is_wide(r)}
        elif isinstance(op, func.ReturnOp):
            _keep_results(op, function.function_type.outputs.data, values)
    for op in operations:
        if isinstance(op, WeightOp) and not op.results[0].uses:
            op.detach()
            op.erase()


def _lower_operation(op: CallOp | LayerOp, values: LowValues) -> None:
    low = values.low.element
    given = [v for v in op.operands if values.is_float(v)]
    makes = any(is_wide(r) for r in op.results)
    is_low = any(v in values.lowered for v in given)
    if makes and not is_low:
        is_low = isinstance(op, LayerOp) or _picks(op)
    if not is_low:
        values.clip(op)
        return
    if stays(op) or (isinstance(op, CallOp) and not makes):
        # Without a float32 result, low operands can stay, if they all have the same type.
        one = all(values.is_low(v) or isinstance(v.owner, WeightOp) for v in given)
        values.convert(op, given, low if one and not stays(op) else Float32Type())
        values.lowered |= {r for r in op.results if is_wide(r)}
        return
    first = CALLEES[op.callee].numbers_from if isinstance(op, CallOp) else None
    values.convert(op, [v for v in op.operands[:first] if values.is_float(v)], low)
    numbers = op.operands[first:] if first is not None else ()
    values.convert(op, [v for v in numbers if values.is_float(v)], Float32Type())
    if isinstance(op, LayerOp):
        values.lower_weights(op)
    else:
        values.lower_literals(op)
    for result in list(op.results):
        if is_wide(result):
            values.lowered.add(retyped(result, low))


def _keep_results(op: func.ReturnOp, types: Sequence[Attribute], values: LowValues) -> None:
    """Converts the function's results back to their declared types, and keeps their names."""
    for i, (value, type) in enumerate(zip(op.operands, types, strict=True)):
        if not values.is_low(value) or not is_wide_type(type):
            continue
        op.operands[i] = result = values.in_type(value, Float32Type())
        owner = value.owner
        if result.name_hint is None and isinstance(owner, TorchOperation):
            owner.attributes[SUFFIX] = StringAttr(values.suffix)
            result.name_hint = value.name_hint


def _picks(op: CallOp) -> bool:
    """Whether a call takes elements of a table of weights."""
    source = op.operands[0] if op.operands else None
    if source is None or not isinstance(source.owner, WeightOp) or is_few(source.type):
        return False
    return CALLEES[op.callee].is_a(Trait.PICKS)
