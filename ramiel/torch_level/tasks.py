"""The task graph of a function of `torch` operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.dialects import func
from xdsl.dialects.builtin import DenseArrayBase, FloatAttr, IntegerAttr, ModuleOp
from xdsl.ir import Operation, SSAValue

from ramiel.analysis.task_graph import Link, Messages, TaskGraph
from ramiel.dialects.cluster.attributes import (
    CALL,
    COST,
    CROWDING,
    DEVICE,
    HAND_OVER,
    LINK,
    RANKS,
    SHARE,
    SWITCH,
    THREADS,
    WIDE_COST,
    integers,
)
from ramiel.dialects.cluster.ranks import may_cross
from ramiel.dialects.torch import CallOp, LayerOp, Task, TorchOperation, WeightOp
from ramiel.dialects.torch.callees import CALLEES, Kind
from ramiel.errors import CompileError
from ramiel.torch_level.work import bytes_of

DEFAULT_HAND_OVER = 1.0
"""In µs, measured on 2 cores of a 2024 server; about the same for a lock, a queue and a pipe."""
DEFAULT_CALL = 75.0
"""In µs, measured there: to wake a process that sleeps."""
DEFAULT_SWITCH = 0.0
"""In µs, for the first operation on more threads than its predecessor: a team has to wake up."""

DEFAULT_LATENCY = 30.0
"""In µs, of a message to another machine of the same rack, by TCP."""
DEFAULT_RATE = 1250.0
"""In bytes a µs: 10 Gbit/s."""
DEFAULT_OVERHEAD = 100.0
"""In µs, of a worker that sends or receives a message by gloo, where all cores are at work."""
DEFAULT_COPYING = 2000.0
"""In bytes a µs, of cores that copy to and from sockets: 16 Gbit/s."""


@dataclass(frozen=True)
class Tasks:
    """The operations to schedule, in program order, and their graph: task i is ops[i]."""

    ops: tuple[TorchOperation, ...]
    graph: TaskGraph


def main_function(module: ModuleOp) -> func.FuncOp:
    """The module's only function with a body. Raises CompileError if there is not exactly one, or
    it has several blocks."""
    functions = [f for f in module.ops if isinstance(f, func.FuncOp) and f.body.blocks]
    if len(functions) != 1:
        raise CompileError(f"expected one function with a body, found {len(functions)}")
    if len(functions[0].body.blocks) != 1:
        raise CompileError("expected a function of one block, without branches")
    return functions[0]


def tasks_of(function: func.FuncOp, cost: Callable[[TorchOperation], float] | None = None) -> Tasks:
    """The tasks of a function. Weights are not tasks: every worker has them.

    Costs (µs) are those that cluster-costs wrote, unless `cost` gives others. Raises CompileError
    for an operation without costs, and for one that is not of the `torch` dialect.
    """
    for op in function.body.block.ops:
        if not isinstance(op, TorchOperation | func.ReturnOp):
            raise CompileError(f"{op.name} cannot be scheduled: run onnx-to-torch first")
    ops = tuple(op for op in function.body.block.ops if isinstance(op, Task))
    task_of: dict[SSAValue, int] = {r: i for i, op in enumerate(ops) for r in op.results}
    edges = {
        (task_of[value], i): None
        for i, op in enumerate(ops)
        for value in op.operands
        if value in task_of
    }
    read = cost or _written_cost
    try:
        graph = TaskGraph(
            costs=tuple(read(op) for op in ops),
            edges=tuple(edges),
            hand_over=_number(function, HAND_OVER, DEFAULT_HAND_OVER),
            call=_number(function, CALL, 0.0),
            wide={} if cost else _wide_costs(function, ops),
            switch=_number(function, SWITCH, DEFAULT_SWITCH),
            crowding=_number(function, CROWDING, 1.0),
            sizes=tuple(_size(op) for op in ops),
            shares=() if cost else _shares(function, ops),
            ranks=integers(function, RANKS),
            link=_link(function),
            messages=_messages(function, ops) if RANKS in function.attributes else None,
        )
    except ValueError as error:
        raise CompileError(f"the costs are not valid: {error}") from error
    return Tasks(ops, graph)


def thread_counts(most: int) -> list[int]:
    """The thread counts of an operation: the powers of two up to `most`, and `most` itself."""
    counts = [1]
    while 2 * counts[-1] <= most:
        counts.append(2 * counts[-1])
    return counts if counts[-1] == most else [*counts, most]


def numbers_of(ops: tuple[TorchOperation, ...], attribute: str, maker: str) -> list[list[int]]:
    """The tasks grouped by an integer attribute that pass `maker` writes, in ascending order.
    Raises CompileError if a task lacks it."""
    groups: dict[int, list[int]] = {}
    for i, op in enumerate(ops):
        number = op.attributes.get(attribute)
        if not isinstance(number, IntegerAttr):
            raise CompileError(f"{op.name} has no {attribute}: run {maker} first")
        groups.setdefault(number.value.data, []).append(i)
    return [groups[k] for k in sorted(groups)]


def _written_cost(op: TorchOperation) -> float:
    cost = op.attributes.get(COST)
    if not isinstance(cost, FloatAttr):
        raise CompileError(f"{op.name} has no cost: run cluster-costs first")
    return cost.value.data


def _wide_costs(
    function: func.FuncOp, ops: tuple[TorchOperation, ...]
) -> dict[int, tuple[float, ...]]:
    counts = integers(function, THREADS)
    rows = [_written_wide_costs(op, len(counts)) for op in ops]
    return {count: tuple(row[k] for row in rows) for k, count in enumerate(counts)}


def _written_wide_costs(op: TorchOperation, count: int) -> tuple[float, ...]:
    if not count:
        return ()
    costs = op.attributes.get(WIDE_COST)
    if not isinstance(costs, DenseArrayBase) or len(costs) != count:
        raise CompileError(f"{op.name} needs {count} costs on more threads: run cluster-costs")
    return tuple(map(float, costs.get_values()))


def _shares(function: func.FuncOp, ops: tuple[TorchOperation, ...]) -> tuple[float, ...]:
    """The parts of a device that operations fill; empty if the function is for the CPU."""
    if DEVICE not in function.attributes:
        return ()
    return tuple(_number(op, SHARE, 1.0) for op in ops)


def _number(op: Operation, name: str, default: float) -> float:
    value = op.attributes.get(name)
    return value.value.data if isinstance(value, FloatAttr) else default


def _size(op: TorchOperation) -> float:
    """The bytes of an operation's results: 0 if it is a view of its operands."""
    if isinstance(op, CallOp) and CALLEES[op.callee].kind is Kind.VIEW:
        return 0.0
    return sum(bytes_of(r.type) for r in op.results)


NEVER = 1e18
"""The bytes of what cannot be sent: no schedule will."""


def _link(function: func.FuncOp) -> Link | None:
    written = function.attributes.get(LINK)
    if not isinstance(written, DenseArrayBase) or not 2 <= len(written) <= 4:
        return None
    return Link(*map(float, written.get_values()))


def _messages(function: func.FuncOp, ops: tuple[TorchOperation, ...]) -> Messages:
    """What operations would send to other ranks, and what they need there."""
    block = function.body.block
    assert block.last_op is not None
    inputs, outputs = set[SSAValue](block.args), set(block.last_op.operands)
    return Messages(
        values=tuple(sum(map(_message, op.results)) for op in ops),
        inputs=tuple(sum(map(_message, inputs.intersection(op.operands))) for op in ops),
        outputs=tuple(sum(map(_message, outputs.intersection(op.results))) for op in ops),
        weights=tuple(_weight_bytes(op) for op in ops),
    )


def _message(value: SSAValue) -> float:
    return max(bytes_of(value.type), 1.0) if may_cross(value.type) else NEVER


def _weight_bytes(op: TorchOperation) -> float:
    """The bytes of the weights that an operation has or reads."""
    read = [v.owner.weight for v in op.operands if isinstance(v.owner, WeightOp)]
    own = list(op.weights.values()) if isinstance(op, LayerOp) else []
    types = [weight.data.type for weight in (*own, *read)]
    return sum(bytes_of(type) for type in types if type is not None)
