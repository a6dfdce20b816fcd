"""onnx-clone-tasks: clones cheap producers for each branch that waits for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.traits import Pure

from ramiel.analysis.static_cost import static_cost
from ramiel.analysis.task_graph import TaskGraph
from ramiel.conversion.onnx_to_torch import Builder, lower_operation
from ramiel.conversion.onnx_to_torch.onnx.control import captured_by
from ramiel.dialects.onnx.operation import CLONE, OnnxOperation
from ramiel.dialects.onnx.structure import NoValue, constant_attribute_of
from ramiel.dialects.torch import TorchOperation
from ramiel.errors import CompileError
from ramiel.schedule.clone import Clone, plan_clones
from ramiel.schedule.linear import linear_clusters
from ramiel.torch_level.work import work_of


@dataclass(frozen=True)
class OnnxCloneTasksPass(ModulePass):
    """Clones cheap operations into clusters that would otherwise wait for a hand-over.

        %s = onnx.Sigmoid "s"(%x) : ...
        %a = onnx.Conv "a"(%s, %v) : ...
        %b = onnx.Conv "b"(%s, %w) : ...
        // becomes
        %s = onnx.Sigmoid "s"(%x) : ...
        %s.clone.1 = onnx.Sigmoid "s"(%x) {onnx.clone = 1 : i64} : ...
        %a = onnx.Conv "a"(%s, %v) : ...
        %b = onnx.Conv "b"(%s.clone.1, %w) : ...

    The clusters are the linear ones, with the costs of the static model; `ramiel.schedule.clone`
    chooses the clones. `budget` is the share of the function's work that clones may add,
    `most-cost` the largest cost in µs of an operation to clone, and `hand-over` the time in µs to
    hand a value over to another worker. Operations that draw random numbers or hold subgraphs are
    not cloned. `onnx-common-subexpressions` keeps clones, which have distinct numbers in
    `onnx.clone`.
    """

    name = "onnx-clone-tasks"

    budget: float | int = 0.05
    most_cost: float | int = 100.0
    hand_over: float | int = 24.0

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        numbers = count(1 + max((_number_of_clone(inner) for inner in op.walk()), default=0))
        for function in op.ops:
            if not isinstance(function, func.FuncOp) or not function.body.blocks:
                continue
            tasks = [o for o in function.body.block.ops if _is_task(o)]
            try:
                graph, fixed = _graph(tasks, float(self.hand_over))
                clusters = linear_clusters(graph)
                plan = plan_clones(graph, clusters, self.budget, self.most_cost, fixed)
            except ValueError as error:
                raise CompileError(f"{self.name}: {error}") from error
            _clone(tasks, clusters, plan, numbers)


def _number_of_clone(op: Operation) -> int:
    number = op.attributes.get(CLONE)
    return number.value.data if isinstance(number, IntegerAttr) else 0


def _is_task(op: Operation) -> bool:
    """Whether an operation is a task. Constants are not: they cost nothing."""
    is_constant = any(constant_attribute_of(result) is not None for result in op.results)
    return isinstance(op, OnnxOperation) and not isinstance(op, NoValue) and not is_constant


def _graph(tasks: Sequence[Operation], hand_over: float) -> tuple[TaskGraph, list[bool]]:
    """The task graph of operations, and whether each of them must not be cloned."""
    task_of: dict[SSAValue, int] = {
        result: i for i, op in enumerate(tasks) for result in op.results
    }
    edges = {
        (task_of[value], i): None
        for i, op in enumerate(tasks)
        for inner in op.walk()  # including the values that subgraphs capture
        for value in inner.operands
        if task_of.get(value, i) != i
    }
    costs = [_cost(op) for op in tasks]
    fixed = [
        cost is None or bool(op.regions) or not op.has_trait(Pure)
        for op, cost in zip(tasks, costs, strict=True)
    ]
    return TaskGraph(tuple(cost or 0.0 for cost in costs), tuple(edges), hand_over), fixed


def _cost(op: Operation) -> float | None:
    """The cost of an operation, in µs on one thread, by its lowering.

    None if it cannot be lowered; onnx-to-torch will report that.
    """
    assert isinstance(op, OnnxOperation)
    values = (*op.operands, *captured_by(op.regions))
    scratch = Block(arg_types=[value.type for value in values])
    builder = Builder(scratch)
    for value, argument in zip(values, scratch.args, strict=True):
        if constant_attribute_of(value) is None:
            builder.values[value] = argument
    try:
        lower_operation(op, builder)
    except CompileError:
        return None
    return sum(static_cost(work_of(o)) for o in scratch.ops if isinstance(o, TorchOperation))


def _clone(
    tasks: Sequence[Operation],
    clusters: Sequence[Sequence[int]],
    plan: Sequence[Clone],
    numbers: Iterator[int],
) -> None:
    """Adds the clones, each after its original, and makes their clusters read them."""
    cluster_of = {tasks[task]: k for k, cluster in enumerate(clusters) for task in cluster}
    clones: dict[int, dict[SSAValue, SSAValue]] = {}
    for task, cluster in plan:  # in topological order: a clone reads the clones of its cluster
        original = tasks[task]
        known = clones.setdefault(cluster, {})
        number = next(numbers)
        clone = original.clone({v: known[v] for v in original.operands if v in known})
        clone.attributes[CLONE] = IntegerAttr(number, i64)
        block = original.parent
        assert block is not None
        block.insert_op_after(clone, original)
        for old, new in zip(original.results, clone.results, strict=True):
            new.name_hint = old.name_hint and f"{old.name_hint}.clone.{number}"
            known[old] = new
            for use in list(old.uses):
                if cluster_of.get(_inside(use.operation, block)) == cluster:
                    use.operation.operands[use.index] = new
    for task, _ in reversed(plan):
        original = tasks[task]
        if original.parent is not None and not any(r.uses for r in original.results):
            original.detach()
            original.erase()


def _inside(op: Operation, block: Block) -> Operation:
    """The operation of `block` that `op` is, or is nested in."""
    while op.parent is not block:
        parent = op.parent_op()
        assert parent is not None
        op = parent
    return op
