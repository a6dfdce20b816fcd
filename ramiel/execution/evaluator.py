"""Interprets `torch` IR, one operation after the other."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial, reduce
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from xdsl.dialects import func
from xdsl.ir import Attribute, Block, Operation, SSAValue

from ramiel import runtime
from ramiel.dialects.onnx.types import StringType, element_of, shape_of
from ramiel.dialects.torch import CallOp, FusedOp, IfOp, LayerOp, LoopOp, Task, WeightOp
from ramiel.dialects.torch.callees import CALLEES
from ramiel.dialects.torch.dtypes import torch_dtype_of
from ramiel.dialects.torch.literals import DtypeAttr, OperandAttr, fold_literal, python_literal
from ramiel.execution.tensors import tensor_of
from ramiel.runtime import Weights, kernels, ops
from ramiel.runtime.ops.control import stacked, steps

_NAMESPACES: Mapping[str, object] = {
    "torch": torch,
    "F": F,
    "Tensor": torch.Tensor,
    "operator": operator,
    "ops": ops,
    "kernels": kernels,
    "aten": torch.ops.aten,
}

# Attributes of tensors, not methods.
_PROPERTIES = {"Tensor.mT": operator.attrgetter("mT")}


class Evaluator:
    """Runs operations in the order given. Layers are made once and kept."""

    def __init__(self, device: torch.device | None = None) -> None:
        """`device` is where weights are put, by default the CPU."""
        self._device = device or torch.device("cpu")
        self._layers: dict[object, Callable[..., Tensor]] = {}

    def function(self, function: func.FuncOp, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The results of a function of `torch` operations."""
        block = function.body.block
        env: dict[SSAValue, Tensor] = dict(zip(block.args, inputs, strict=True))
        self.run(block.ops, env)
        last = block.last_op
        assert last is not None
        return [env[v] for v in last.operands]

    def run(self, operations: Iterable[Operation], env: dict[SSAValue, Tensor]) -> None:
        """Adds the results of the operations to `env`, which holds their operands."""
        with torch.no_grad():
            for op in operations:
                if isinstance(op, Task | WeightOp):
                    results = self.operation(op, [env[v] for v in op.operands])
                    env.update(zip(op.results, results, strict=True))

    def operation(self, op: Task | WeightOp, operands: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The results of one operation."""
        if isinstance(op, WeightOp):
            return (tensor_of(op.weight.array()).to(self._device),)
        result = self.call(op, operands)()
        return tuple(result) if len(op.results) > 1 or isinstance(result, tuple) else (result,)

    def call(self, op: Task, operands: Sequence[Tensor]) -> Callable[[], Any]:
        """The call of an operation with all its arguments bound, as a line of a program makes."""
        if isinstance(op, IfOp):
            return partial(self._if, op, operands)
        if isinstance(op, LoopOp):
            return partial(self._loop, op, operands)
        if isinstance(op, FusedOp):
            return partial(self._fused, op, operands)
        assert isinstance(op, CallOp | LayerOp)
        if isinstance(op, LayerOp):
            return partial(self._layer(op), *operands)
        args = [_argument(a, operands) for a in op.args]
        kwargs = {k: _argument(a, operands) for k, a in op.kwargs.items()}
        return partial(resolve(op.callee), *args, **kwargs)

    def _if(self, op: IfOp, operands: Sequence[Tensor]) -> Any:
        condition, *values = operands
        return _one_or_all(self._body(op.bodies[0 if condition else 1], values))

    def _fused(self, op: FusedOp, operands: Sequence[Tensor]) -> Tensor:
        return self._body(op.body, operands)[0]

    def _loop(self, op: LoopOp, operands: Sequence[Tensor]) -> Any:
        values = list(operands)
        most = values.pop(0) if op.counted else None
        conditional = int(op.conditional)
        carried = conditional + op.states
        parts: list[list[Tensor]] = [[] for _ in op.stacked]
        for step in steps(most):
            if conditional and not values[0]:
                break
            yielded = self._body(op.body, [step, *values])
            values[:carried] = yielded[:carried]
            for part, value in zip(parts, yielded[carried:], strict=True):
                part.append(value)
        outputs: list[Tensor] = []
        for part, result in zip(parts, op.results[op.states :], strict=True):
            shape = shape_of(result.type) or (0,)
            outputs.append(stacked(part, _element(result.type), *(d or 0 for d in shape[1:])))
        return _one_or_all([*values[conditional:carried], *outputs])

    def _body(self, block: Block, values: Sequence[Tensor]) -> list[Tensor]:
        env: dict[SSAValue, Tensor] = dict(zip(block.args, values, strict=True))
        self.run(block.ops, env)
        assert block.last_op is not None
        return [env[v] for v in block.last_op.operands]

    def _layer(self, op: LayerOp) -> Callable[..., Tensor]:
        layer = self._layers.get(op.identity)
        if layer is None:
            tensors = {
                f"layer.{k}": tensor_of(w.array()).to(self._device) for k, w in op.weights.items()
            }
            config = {k: _argument(a, ()) for k, a in op.config.items()}
            make = getattr(runtime, op.layer)
            layer = make(Weights.from_tensors(tensors), "layer", **config)
            self._layers[op.identity] = layer
        return layer


def _element(type: Attribute) -> Any:
    if element_of(type) == StringType():
        return str
    return getattr(torch, torch_dtype_of(type) or "float32")


def _one_or_all(values: list[Tensor]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)


def resolve(callee: str) -> Callable[..., Any]:
    """The function of a callee's name. Raises ValueError if it is not listed."""
    if callee not in CALLEES:
        raise ValueError(f"{callee!r} is not a function that may be called")
    if callee in _PROPERTIES:
        return _PROPERTIES[callee]
    namespace, _, name = callee.partition(".")
    # An operator of aten has a name and an overload.
    return reduce(getattr, name.split("."), cast(Any, _NAMESPACES[namespace]))


def _argument(attribute: Attribute, operands: Sequence[Tensor]) -> Any:
    def leaf(a: Attribute) -> Any:
        if isinstance(a, OperandAttr):
            return operands[a.data]
        return getattr(torch, a.data) if isinstance(a, DtypeAttr) else python_literal(a)

    return fold_literal(attribute, leaf, _sequence, slice)


def _sequence(items: list[Any]) -> Any:
    # An index of several dimensions is a tuple; everything else takes lists.
    return tuple(items) if any(isinstance(i, slice) for i in items) else cast(object, items)
