"""The task graph of a function of `torch` operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.dialects import func
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, ModuleOp
from xdsl.ir import SSAValue

from ramiel.analysis.task_graph import TaskGraph
from ramiel.dialects.cluster.ops import COST
from ramiel.dialects.torch import CallOp, LayerOp, TorchOperation
from ramiel.errors import CompileError


@dataclass(frozen=True)
class Tasks:
    """The operations that take time, in program order, and their graph: task i is ops[i]."""

    ops: tuple[TorchOperation, ...]
    graph: TaskGraph


def main_function(module: ModuleOp) -> func.FuncOp:
    """The function that a module compiles. Raises CompileError if there is not exactly one."""
    functions = [f for f in module.ops if isinstance(f, func.FuncOp) and f.body.blocks]
    if len(functions) != 1:
        raise CompileError(f"expected one function with a body, found {len(functions)}")
    return functions[0]


def tasks_of(function: func.FuncOp, cost: Callable[[TorchOperation], float] | None = None) -> Tasks:
    """The tasks of a function. Weights are no tasks: every worker has them.

    Costs (µs) are those that cluster-costs wrote, unless `cost` gives others. Raises
    CompileError for an operation without one.
    """
    ops = tuple(op for op in function.body.block.ops if isinstance(op, CallOp | LayerOp))
    task_of: dict[SSAValue, int] = {r: i for i, op in enumerate(ops) for r in op.results}
    edges = {
        (task_of[value], i): None
        for i, op in enumerate(ops)
        for value in op.operands
        if value in task_of
    }
    read = cost or _written_cost
    return Tasks(ops, TaskGraph(tuple(read(op) for op in ops), tuple(edges)))


def _written_cost(op: TorchOperation) -> float:
    cost = op.attributes.get(COST)
    if not isinstance(cost, FloatAttr):
        raise CompileError(f"{op.name} has no cost: run cluster-costs first")
    return cost.value.data


def numbers_of(ops: tuple[TorchOperation, ...], attribute: str, maker: str) -> list[list[int]]:
    """The tasks by the number that a pass wrote on them. Raises CompileError if one has none."""
    groups: dict[int, list[int]] = {}
    for i, op in enumerate(ops):
        number = op.attributes.get(attribute)
        if not isinstance(number, IntegerAttr):
            raise CompileError(f"{op.name} has no {attribute}: run {maker} first")
        groups.setdefault(number.value.data, []).append(i)
    return [groups[k] for k in sorted(groups)]
