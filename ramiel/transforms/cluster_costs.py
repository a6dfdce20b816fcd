"""cluster-costs: the cost of each operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import DenseArrayBase, FloatAttr, ModuleOp, StringAttr, f64, i64
from xdsl.passes import ModulePass

from ramiel.analysis.gpu import EDGE
from ramiel.analysis.static_cost import static_cost
from ramiel.console.progress import progress_of
from ramiel.dialects.cluster.attributes import (
    CALL,
    COST,
    CPU,
    CROWDING,
    DEVICE,
    HAND_OVER,
    LINK,
    RANKS,
    SHARE,
    SWITCH,
    THREADS,
    WIDE_COST,
    Executor,
)
from ramiel.dialects.torch import Task, TorchOperation
from ramiel.errors import CompileError
from ramiel.torch_level.devices import check_kernels, device_cost, gpu_of, kind_of
from ramiel.torch_level.placements import check_workers
from ramiel.torch_level.tasks import (
    DEFAULT_CALL,
    DEFAULT_COPYING,
    DEFAULT_LATENCY,
    DEFAULT_OVERHEAD,
    DEFAULT_RATE,
    main_function,
    thread_counts,
)
from ramiel.torch_level.work import work_of

Cost = Callable[[TorchOperation, int], float]
"""The cost in µs of an operation on a number of threads."""


@dataclass(frozen=True)
class ClusterCostsPass(ModulePass):
    """Writes `cluster.cost`, in µs on one thread, on each operation, and `cluster.wide_cost`
    for 2, 4, ... up to `threads` threads.

    With `device=cuda:h100`, or another that is known, they are costs on that device, from the
    shapes (`ramiel.analysis.gpu`), with `cluster.share`, the part of it that the operation fills;
    `threads` has no meaning there. `source=profile` measures them on the device that is here
    (`ramiel.execution.device_costs`).

    With `source=static`, costs come from the shapes, at nominal prices
    (`ramiel.analysis.static_cost`); with `source=probe`, at the prices of this machine, which are
    measured once (`ramiel.execution.probe`); with `source=profile`, from measurements on this
    machine (`ramiel.execution.measured_costs`), which time the operations that no earlier run has
    measured. With the latter two, the function gets `cluster.hand_over`, and `cluster.crowding`,
    how much faster a single core is while the others are idle.

    With `ranks`, or with `executor=processes`, it gets `cluster.call`, how long it takes until
    those that sleep have heard of a call.

    With `ranks`, there are that many machines of `threads` workers each: the function gets the rank
    of each worker, and what a message between ranks takes, `latency` µs and the bytes at `rate` a
    µs, and of its sender and its receiver `overhead` µs each, and of the sender the bytes at
    `copying` a µs.

        %y = torch.call F.relu(%x) : (tensor<1x64x56x56xf32>) -> tensor<1x64x56x56xf32>
        // becomes, with threads=2
        %y = torch.call F.relu(%x) {cluster.cost = 43.9 : f64,
                                    cluster.wide_cost = array<f64: 25.9>} : ...
    """

    name = "cluster-costs"

    source: str = "static"
    threads: int = 1
    device: str = CPU
    executor: str = Executor.THREADS
    ranks: int = 1
    latency: int | float = DEFAULT_LATENCY
    rate: int | float = DEFAULT_RATE
    overhead: int | float = DEFAULT_OVERHEAD
    copying: int | float = DEFAULT_COPYING

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if self.source not in _SOURCES:
            raise CompileError(f"costs are {', '.join(_SOURCES)}, not {self.source!r}")
        check_workers(self.threads)
        function = main_function(op)
        if kind_of(self.device) != CPU:
            check_kernels(function)
            _write_device_costs(ctx, function, self.device, self.source)
            return
        if function.attributes.pop(DEVICE, None) is not None:  # costs of a device are replaced
            function.attributes.pop(HAND_OVER, None)
            function.attributes.pop(SWITCH, None)
        for name in (CROWDING, CALL):
            function.attributes.pop(name, None)
        if self.ranks > 1 or self.executor == Executor.PROCESSES:
            function.attributes[CALL] = FloatAttr(DEFAULT_CALL, f64)
        counts = thread_counts(self.threads)
        cost = _SOURCES[self.source](ctx, function, counts)
        for task in function.body.block.ops:
            if isinstance(task, Task):
                first, *wide = [round(cost(task, count), 1) for count in counts]
                task.attributes[COST] = FloatAttr(first, f64)
                task.attributes.pop(WIDE_COST, None)
                task.attributes.pop(SHARE, None)
                if wide:
                    task.attributes[WIDE_COST] = DenseArrayBase.from_list(f64, wide)
        function.attributes[THREADS] = DenseArrayBase.from_list(i64, counts[1:])
        self._write_ranks(function)

    def _write_ranks(self, function: func.FuncOp) -> None:
        check_workers(self.ranks * self.threads)
        for name in (RANKS, LINK):
            function.attributes.pop(name, None)
        if self.ranks > 1:
            ranks = [rank for rank in range(self.ranks) for _ in range(self.threads)]
            function.attributes[RANKS] = DenseArrayBase.from_list(i64, ranks)
            link = list(map(float, (self.latency, self.rate, self.overhead, self.copying)))
            function.attributes[LINK] = DenseArrayBase.from_list(f64, link)


def _write_device_costs(ctx: Context, function: func.FuncOp, device: str, source: str) -> None:
    gpu, edge = gpu_of(device), EDGE
    measured = None
    if source == "profile":
        from ramiel.execution.device_costs import device_costs

        measured = device_costs(function, progress_of(ctx))
        edge = round(measured.hand_over, 2)
    for task in function.body.block.ops:
        if isinstance(task, Task):
            cost, share = device_cost(task, gpu)
            if measured is not None and cost:  # a view is free
                cost, share = measured.of(task), measured.share(task, share)
            task.attributes[COST] = FloatAttr(round(cost, 2), f64)
            task.attributes[SHARE] = FloatAttr(round(share, 4), f64)
            task.attributes.pop(WIDE_COST, None)
    function.attributes[DEVICE] = StringAttr(kind_of(device))
    function.attributes[THREADS] = DenseArrayBase.from_list(i64, [])
    function.attributes[HAND_OVER] = FloatAttr(edge, f64)
    function.attributes[SWITCH] = FloatAttr(0.0, f64)


def _static(ctx: Context, function: func.FuncOp, counts: Sequence[int]) -> Cost:
    return lambda op, count: static_cost(work_of(op, count), count)


def _write_overheads(function: func.FuncOp, **overheads: float) -> None:
    """Writes what was measured. How long others take to hear of a call counts only where there are
    some."""
    if CALL not in function.attributes:
        del overheads["call"]
    names = {"hand_over": HAND_OVER, "call": CALL, "switch": SWITCH, "crowding": CROWDING}
    for name, amount in overheads.items():
        digits = 3 if name == "crowding" else 1
        function.attributes[names[name]] = FloatAttr(round(amount, digits), f64)


def _probe(ctx: Context, function: func.FuncOp, counts: Sequence[int]) -> Cost:
    from ramiel.execution.probe import probed

    found = probed(progress_of(ctx))
    if found.hand_over is not None:
        _write_overheads(
            function, hand_over=found.hand_over, call=found.call, crowding=found.crowding
        )
    return lambda op, count: static_cost(work_of(op, count), count, found.prices)


def _profile(ctx: Context, function: func.FuncOp, counts: Sequence[int]) -> Cost:
    from ramiel.execution.measured_costs import measured_costs

    costs = measured_costs(function, counts, progress_of(ctx))
    _write_overheads(
        function,
        hand_over=costs.hand_over,
        call=costs.call,
        switch=costs.switch,
        crowding=costs.crowding,
    )
    return costs.of


_SOURCES = {"static": _static, "probe": _probe, "profile": _profile}
