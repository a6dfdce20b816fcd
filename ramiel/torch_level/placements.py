"""Placements as attributes of operations.

A batch runs one copy of the tasks per sample: copy `b` of task `i` of `n` is task `b * n + i` of
the batch's graph, and the attributes of an operation have an entry for each copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, DenseArrayBase, IntegerAttr, StringAttr, i64
from xdsl.ir import Attribute

from ramiel.analysis.placement import Placement
from ramiel.analysis.simulate import simulate, total_order
from ramiel.analysis.streaming import WAYS, Streaming
from ramiel.analysis.task_graph import TaskGraph
from ramiel.dialects.cluster.attributes import (
    AT_A_TIME,
    IN_FLIGHT,
    PLACED_ON,
    POSITION,
    SCHEDULE,
    STREAMING,
    WORKERS,
    integers_of,
)
from ramiel.dialects.onnx.types import shape_of
from ramiel.dialects.onnx.weights import defaults_of
from ramiel.dialects.text import text_of
from ramiel.errors import CompileError
from ramiel.schedule.hyper import replicate
from ramiel.torch_level.tasks import Tasks, tasks_of

MOST_WORKERS = 1024
MOST_SAMPLES = 1024


@dataclass(frozen=True)
class Placed:
    """A schedule of a function. The graph is that of the whole batch."""

    name: str
    tasks: Tasks
    graph: TaskGraph
    placement: Placement
    batch: int = 1

    def numbered(self) -> Placed:
        """The same schedule with workers numbered as in the program: first those that run
        operations, then those that only lend their cores. Idle workers are left out."""
        leading = set(self.placement.leaders(len(self.graph)))
        used = [w for w, order in enumerate(self.placement.workers) if order]
        order = sorted(used, key=lambda worker: worker not in leading)
        workers = tuple(self.placement.workers[worker] for worker in order)
        ranks = [self.graph.rank_of(worker) for worker in order] or [0]
        # Ranks without a worker are left out.
        number = {rank: i for i, rank in enumerate(sorted({0, *ranks[: len(leading)]}))}
        graph = self.graph
        if graph.ranks:
            graph = replace(graph, ranks=tuple(number[rank] for rank in ranks))
        return replace(self, graph=graph, placement=Placement(workers or ((),)))


def check_workers(workers: int) -> None:
    """Raises CompileError if the number of workers is out of range."""
    if not 1 <= workers <= MOST_WORKERS:
        raise CompileError(f"workers must be 1 to {MOST_WORKERS}, not {workers}")


def limit_of(memory_limit: int) -> float | None:
    """A memory limit in bytes for schedulers: None for 0. Raises CompileError if negative."""
    if memory_limit < 0:
        raise CompileError(f"a memory limit of {memory_limit} bytes: it must be more than 0")
    return float(memory_limit) if memory_limit else None


def check_batch(function: func.FuncOp, batch: int) -> None:
    """Raises CompileError if the function cannot run once for each sample of a batch.

    The copies are independent, so no operation mixes samples; but each input and output must be a
    batch of one sample, so that a batch can be split and concatenated. A batch of 1 is the model
    itself, which need not fulfil this.
    """
    if not 1 <= batch <= MOST_SAMPLES:
        raise CompileError(f"a batch must be 1 to {MOST_SAMPLES} samples, not {batch}")
    if batch == 1:
        return
    types = function.function_type
    if not types.inputs.data:
        raise CompileError("a batch needs a model with inputs, and this one has none")
    for i in defaults_of(function):
        raise CompileError(f"input {i} has a default, which cannot be a batch of samples")
    for kind, values in (("input", types.inputs.data), ("output", types.outputs.data)):
        for i, type in enumerate(values):
            shape = shape_of(type)
            if not shape or shape[0] != 1:
                dims = ["?" if dim is None else str(dim) for dim in shape or ()]
                given = "unknown" if shape is None else "x".join(dims) or "scalar"
                raise CompileError(
                    f"{kind} {i} is {given}: a batch needs a model whose inputs and outputs "
                    "have a first dimension of 1"
                )


def write_placement(function: func.FuncOp, placed: Placed) -> None:
    """Writes the workers and the position of each operation as its attributes."""
    count, batch = len(placed.tasks.ops), placed.batch
    holders: list[list[int]] = [[] for _ in range(count * batch)]
    for worker, order in enumerate(placed.placement.workers):
        for task in order:
            holders[task].append(worker)
    position = _positions(placed.graph, placed.placement)
    for i, op in enumerate(placed.tasks.ops):
        copies = range(i, count * batch, count)
        op.attributes[WORKERS] = ArrayAttr[Attribute](
            [DenseArrayBase.from_list(i64, holders[copy]) for copy in copies]
        )
        op.attributes[POSITION] = DenseArrayBase.from_list(i64, [position[copy] for copy in copies])
    function.attributes[SCHEDULE] = StringAttr(placed.name)
    function.attributes[PLACED_ON] = IntegerAttr(len(placed.placement.workers), i64)


def read_placement(function: func.FuncOp) -> Placed:
    """The placement that a function's operations carry.

    Raises CompileError if there is none or it cannot run: if it repeats an operation on a worker,
    runs one on a number of threads without costs, or deadlocks.
    """
    tasks = tasks_of(function)
    name = text_of(function.attributes.get(SCHEDULE))
    workers = function.attributes.get(PLACED_ON)
    if name is None or not isinstance(workers, IntegerAttr):
        raise CompileError("there is no placement: run a scheduler, as cluster-place, first")
    check_workers(workers.value.data)
    slots = [_slots(op.attributes) for op in tasks.ops]
    batch = len(slots[0]) if slots else 1
    if any(len(row) != batch for row in slots):
        raise CompileError("operations are placed for batches of different sizes")
    if batch != 1:
        check_batch(function, batch)
    orders: list[list[tuple[int, int]]] = [[] for _ in range(workers.value.data)]
    for i, row in enumerate(slots):
        for sample, (holders, position) in enumerate(row):
            for worker in holders:
                if not 0 <= worker < len(orders):
                    raise CompileError(f"an operation is placed on worker {worker}")
                orders[worker].append((position, sample * len(slots) + i))
    placement = Placement(tuple(tuple(task for _, task in sorted(order)) for order in orders))
    graph = replicate(tasks.graph, batch)
    try:
        simulate(graph, placement)
    except ValueError as error:
        raise CompileError(f"the placement cannot run: {error}") from error
    return Placed(name, tasks, graph, placement, batch)


def write_streaming(function: func.FuncOp, streaming: Streaming) -> None:
    """Writes how requests that follow each other are computed."""
    function.attributes[STREAMING] = StringAttr(streaming.way)
    function.attributes[AT_A_TIME] = IntegerAttr(streaming.at_a_time, i64)
    function.attributes[IN_FLIGHT] = IntegerAttr(streaming.in_flight, i64)


def read_streaming(function: func.FuncOp) -> Streaming | None:
    """The same; None if no pass has chosen it. Raises CompileError if it is not whole."""
    way = text_of(function.attributes.get(STREAMING))
    counts = [function.attributes.get(name) for name in (AT_A_TIME, IN_FLIGHT)]
    numbers = [count.value.data for count in counts if isinstance(count, IntegerAttr)]
    if way is None and not numbers:
        return None
    if way is None or way not in WAYS or len(numbers) != 2 or min(numbers) < 1:
        raise CompileError(f"{STREAMING}, {AT_A_TIME} and {IN_FLIGHT} do not say how to stream")
    return Streaming(way, *numbers)


def _slots(attributes: Mapping[str, Attribute]) -> list[tuple[tuple[int, ...], int]]:
    """The workers and the position of each sample's copy of an operation."""
    workers, positions = attributes.get(WORKERS), attributes.get(POSITION)
    if not isinstance(workers, ArrayAttr) or not isinstance(positions, DenseArrayBase):
        raise CompileError("an operation is not placed: run a scheduler, as cluster-place, first")
    holders = [integers_of(entry) for entry in cast(ArrayAttr[Attribute], workers)]
    places = integers_of(positions)
    if len(holders) != len(places) or not all(holders):
        raise CompileError("an operation's workers and positions do not match")
    return list(zip(holders, places, strict=True))


def _positions(graph: TaskGraph, placement: Placement) -> list[int]:
    """Each task's position in an order with respect to edges and workers' orders."""
    position = [0] * len(graph)
    for place, task in enumerate(total_order(graph, placement)):
        position[task] = place
    return position
