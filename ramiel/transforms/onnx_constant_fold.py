"""onnx-constant-fold: evaluates operations on constants at compile time."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, NoneType
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.traits import Pure

from ramiel.conversion.onnx_to_torch import Builder, is_lowered, lower_operation
from ramiel.dialects.onnx.attributes import Array, MissingWeight, WeightAttr
from ramiel.dialects.onnx.inference import set_type, types_by_rule, update_signature
from ramiel.dialects.onnx.operation import OnnxOperation, SchemaOperation
from ramiel.dialects.onnx.quantized_weights import is_quantized, quantized_weight
from ramiel.dialects.onnx.shapes import join, question
from ramiel.dialects.onnx.structure import (
    constant_attribute_of,
    constant_of,
    make_constant,
)
from ramiel.dialects.onnx.types import element_of, numpy_dtype_of, static_shape_of
from ramiel.dialects.onnx.weights import FreshNames, weights_of
from ramiel.errors import CompileError

if TYPE_CHECKING:
    from torch import Tensor

    from ramiel.execution.evaluator import Evaluator

UNKNOWN_RESULT_INPUTS = 1024
"""An operation with a result of unknown size is evaluated if each input has at most this many
elements."""
_READ = {"CastLike": 1}
"""The number of operands whose values an operator reads, if of others it needs only the type."""


@dataclass(frozen=True)
class OnnxConstantFoldPass(ModulePass):
    """Replaces operations on constants, and the Shape of a known shape, by their results, and an If
    with a constant condition by the branch that is taken.

        %0 = onnx.Shape(%x) : (tensor<2x3xf32>) -> tensor<2xi64>
        %1 = onnx.Add(%0, %0) : (tensor<2xi64>, tensor<2xi64>) -> tensor<2xi64>
        // becomes
        %1 = onnx.Constant() {value = dense<[4, 6]> : tensor<2xi64>} : () -> tensor<2xi64>

    A DequantizeLinear of a large constant becomes a weight that is stored quantised; so does its
    Transpose, and no other operation on it is folded.

    Operations are lowered and then evaluated. Types are refined during the walk, so that one walk
    folds whole chains of shape arithmetic.
    `max-bytes` limits the total size of the new constants; an operation that would exceed it stays.
    """

    name = "onnx-constant-fold"

    max_bytes: int = 1 << 30

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        folder = _Folder(FreshNames(weights_of(op)), self.max_bytes)
        for function in op.ops:
            if isinstance(function, func.FuncOp) and function.body.blocks:
                folder.block(function.body.block)
                update_signature(function)


class _Folder:
    """Folds the operations of a module, block by block."""

    def __init__(self, names: FreshNames, budget: int) -> None:
        """`budget` is the number of bytes that new constants may have."""
        self.names = names
        self.budget = budget
        self.refined: set[SSAValue] = set()
        """Values whose type or value is better known than before."""
        self.evaluator: Evaluator | None = None
        self.evaluated: dict[Hashable, list[Array]] = {}
        """The results of operations on small constants, by what they depend on."""

    def block(self, block: Block) -> None:
        pending = deque(block.ops)
        while pending:
            op = pending.popleft()
            branch = _known_branch(op)
            if branch is not None:
                pending.extendleft(reversed(self._take(op, branch)))
                continue
            for region in op.regions:
                for inner in region.blocks:
                    self.block(inner)
            if isinstance(op, SchemaOperation):
                self._refine(op)
            weight = quantized_weight(op, self.names) if isinstance(op, OnnxOperation) else None
            if weight is not None:
                block.insert_op_before(weight, op)
                op.results[0].replace_all_uses_with(weight.results[0])
                self.refined.add(weight.results[0])
                op.detach()
                op.erase()
                continue
            if not isinstance(op, SchemaOperation) or op.name == "onnx.Constant":
                continue
            results = self._fold(op)
            if results is not None:
                self._replace(op, results)

    def _take(self, op: Operation, branch: Block) -> list[Operation]:
        """Replaces an If by the operations of a branch; returns them."""
        block = op.parent
        assert block is not None
        *inner, end = branch.ops
        for each in inner:
            each.detach()
            block.insert_op_before(each, op)
        for old, new in zip(op.results, end.operands, strict=True):
            set_type(new, join(old.type, new.type))
            new.name_hint = old.name_hint or new.name_hint
            old.replace_all_uses_with(new)
            self.refined.add(new)
        end.detach()
        end.erase()
        op.detach()
        op.erase()
        return inner

    def _refine(self, op: SchemaOperation) -> None:
        """Infers the results' types again if the types of operands have been refined."""
        if not any(v in self.refined for v in op.operands):
            return
        types = types_by_rule(op)
        for result, type in zip(op.results, types or (), strict=types is not None):
            better = join(result.type, type)
            if better != result.type:
                set_type(result, better)
                self.refined.add(result)

    def _replace(self, op: SchemaOperation, results: list[Array]) -> None:
        """Puts constants in the place of an operation."""
        block = op.parent
        assert block is not None
        for old, array in zip(op.results, results, strict=True):
            if not old.uses:
                continue
            base = old.name_hint or op.op_type.lower()
            constant = make_constant(self.names.fresh(base), array)
            constant.results[0].name_hint = base
            block.insert_op_before(constant, op)
            old.replace_all_uses_with(constant.results[0])
            self.refined.add(constant.results[0])
        op.detach()
        op.erase()

    def _fold(self, op: SchemaOperation) -> list[Array] | None:
        """The values of an operation's results; None if it is not folded."""
        if op.op_type in ("Shape", "Size"):
            shape = static_shape_of(op.operands[0].type)
            if shape is not None:
                return [_shape_or_size(op, shape)]
        if not _has_constant_results(op):
            return None
        cost = _bytes_of_results(op)
        if cost is None or cost > self.budget:
            return None
        try:
            results = self._values(op)
        except MissingWeight:
            return None
        self.budget -= sum(r.nbytes for r in results)
        return results

    def _values(self, op: SchemaOperation) -> list[Array]:
        """The values of the results of an operation on constants. Models repeat those on small
        ones, which are evaluated once. Raises CompileError if it fails, MissingWeight included."""
        constants = [constant_attribute_of(v) for v in op.operands]
        if any(isinstance(c, WeightAttr) for c in constants):
            return self._evaluate(op)
        alike = question(op, constants)
        if alike not in self.evaluated:
            self.evaluated[alike] = self._evaluate(op)
        return self.evaluated[alike]

    def _evaluate(self, op: SchemaOperation) -> list[Array]:
        """_values(), by running the operation's lowering."""
        # Imported here, as it imports torch, which models without foldable operations do not need.
        from ramiel.execution.evaluator import Evaluator
        from ramiel.execution.tensors import array_of_tensor

        self.evaluator = self.evaluator or Evaluator()
        scratch = Block()
        builder = Builder(scratch)
        lower_operation(op, builder)
        values = [builder.values[r] for r in op.results]
        env: dict[SSAValue, Tensor] = {}
        try:
            self.evaluator.run(scratch.ops, env)
            arrays = [array_of_tensor(env[v], v.type) for v in values]
            return [_typed(a, r) for a, r in zip(arrays, op.results, strict=True)]
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            line = str(error).strip().splitlines()
            reason = line[0] if line else type(error).__name__
            raise CompileError(f"{op.title}: {reason}") from error


def _has_constant_results(op: SchemaOperation) -> bool:
    """Whether an operation can be evaluated, and all that it reads is constant."""
    if op.regions or not op.has_trait(Pure) or not is_lowered(op):
        return False
    if any(element_of(r.type) is None for r in op.results):
        return False  # a sequence or an optional
    read = op.operands[: _READ.get(op.op_type)]
    if any(is_quantized(v) for v in read):
        return False
    return all(constant_attribute_of(v) is not None or v.type == NoneType() for v in read)


def _known_branch(op: Operation) -> Block | None:
    """The branch that an If with a constant condition takes; None for any other operation."""
    if op.name != "onnx.If":
        return None
    try:
        condition = constant_of(op.operands[0])
    except MissingWeight:
        return None
    if condition is None or condition.size != 1:
        return None
    other, then = op.regions  # in the order of the attributes' names: else_branch, then_branch
    return (then if condition.all() else other).block


def _typed(array: Array, result: SSAValue) -> Array:
    dtype = numpy_dtype_of(result.type)
    assert dtype is None or dtype == array.dtype, f"{array.dtype} where {dtype} was declared"
    return array


def _shape_or_size(op: SchemaOperation, shape: tuple[int, ...]) -> Array:
    if op.op_type == "Size":
        return np.array(prod(shape), np.int64)
    start, end = op.attribute("start", 0), op.attribute("end")
    assert isinstance(start, int) and isinstance(end, int | None)
    return np.array(shape[start:end], np.int64)


def _bytes_of_results(op: SchemaOperation) -> int | None:
    """The size of the results of known shape; None if the others may be large."""
    total = 0
    for result in op.results:
        shape, dtype = static_shape_of(result.type), numpy_dtype_of(result.type)
        if shape is not None and dtype is not None:
            total += prod(shape) * dtype.itemsize
            continue
        sizes = [static_shape_of(v.type) for v in op.operands]
        if any(s is None or prod(s) > UNKNOWN_RESULT_INPUTS for s in sizes):
            return None
    return total
