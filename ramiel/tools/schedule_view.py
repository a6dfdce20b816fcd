"""A schedule read from the IR, for the tools that show it."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.builtin import IntegerAttr, ModuleOp
from xdsl.ir import Attribute

from ramiel.analysis.sharing import timeline_of
from ramiel.analysis.simulate import Timeline
from ramiel.dialects.cluster.attributes import CLUSTER
from ramiel.dialects.onnx.types import numpy_dtype_of, shape_of
from ramiel.dialects.torch import TorchOperation
from ramiel.torch_level.placements import Placed, read_placement
from ramiel.torch_level.tasks import main_function


def placement_of(module: ModuleOp) -> Placed:
    """The schedule that a module's operations carry, its workers numbered as in the program.

    Raises CompileError if there is none.
    """
    return read_placement(main_function(module)).numbered()


def name_of(op: TorchOperation, sample: int = 0, batch: int = 1) -> str:
    """The names that an operation's line assigns, for a sample of a batch: `a`, or `a_0, b_0`."""
    suffix = f"_{sample}" if batch > 1 else ""
    return ", ".join(f"{name}{suffix}" for name in op.python_names)


@dataclass(frozen=True)
class OpView:
    """An operation as the tools show it; times in µs."""

    name: str
    node: str
    op_type: str
    type: str
    """The type of its first result, such as `float32[1, 64, 56, 56]`."""
    cluster: int
    worker: int
    cost: float
    start: float
    finish: float


@dataclass(frozen=True)
class ScheduleView:
    """A schedule and its simulated run. `ops[i]` is task i of the graph of the whole batch."""

    placed: Placed
    timeline: Timeline
    ops: tuple[OpView, ...]
    hand_overs: tuple[tuple[int, int], ...]
    """(producer, consumer): for each value and each worker that receives it, the first reader."""

    @property
    def lane(self) -> str:
        """What a worker is called: a `stream` if the tasks share a device."""
        return "stream" if self.placed.graph.shares else "worker"

    @property
    def ranks(self) -> dict[int, list[int]]:
        """The workers of each rank, those that lend their cores too; empty for a single rank."""
        found: dict[int, list[int]] = {}
        for worker in range(len(self.placed.placement.workers)):
            found.setdefault(self.placed.graph.rank_of(worker), []).append(worker)
        return dict(sorted(found.items())) if len(found) > 1 else {}

    def label(self, worker: int) -> str:
        """A worker's name, with its rank if there are several."""
        rank = f" of rank {self.placed.graph.rank_of(worker)}" if self.placed.graph.ranks else ""
        return f"{self.lane} {worker}{rank}"


def view_of(module: ModuleOp) -> ScheduleView:
    """The schedule of a module, simulated. Raises CompileError as `placement_of` does."""
    placed = placement_of(module)
    graph, timeline = placed.graph, timeline_of(placed.graph, placed.placement)
    leaders = placed.placement.leaders(len(graph))
    count = len(placed.tasks.ops)
    ops: list[OpView] = []
    for task in range(len(graph)):
        op = placed.tasks.ops[task % count]
        start, finish = timeline.start[task], timeline.finish[task]
        ops.append(
            OpView(
                name_of(op, task // count, placed.batch),
                *op.origin,
                type_text(op.results[0].type),
                _cluster_of(op),
                leaders[task],
                finish - start,
                start,
                finish,
            )
        )
    hand_overs: list[tuple[int, int]] = []
    for producer, consumers in enumerate(graph.successors):
        first: dict[int, int] = {}
        for consumer in sorted(consumers, key=timeline.start.__getitem__):
            first.setdefault(leaders[consumer], consumer)
        hand_overs += [(producer, c) for w, c in first.items() if w != leaders[producer]]
    return ScheduleView(placed, timeline, tuple(ops), tuple(hand_overs))


def type_text(type: Attribute) -> str:
    """A tensor type as the messages of programs print it: `float32[?, 3, 224, 224]`."""
    dtype, shape = numpy_dtype_of(type), shape_of(type)
    if dtype is None:
        return str(type)
    if shape is None:
        return f"{dtype.name}[...]"
    return f"{dtype.name}[{', '.join('?' if d is None else str(d) for d in shape)}]"


def _cluster_of(op: TorchOperation) -> int:
    """The number of an operation's cluster; 0 without clustering."""
    number = op.attributes.get(CLUSTER)
    return number.value.data if isinstance(number, IntegerAttr) else 0
