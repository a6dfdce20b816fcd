"""`ramiel bench`: how long a program takes, and where the time goes.

The program's parallel and serial forms are timed in turns, and then traced. In Python, tracing
costs some µs a statement, so the traced runs only tell how the time is divided.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ramiel.api import CompiledProgram, load
from ramiel.compiler import Compilation, Report
from ramiel.cores import cores
from ramiel.dialects.onnx.types import static_shape_of
from ramiel.dialects.torch import CallOp, ControlOp, LayerOp, TorchOperation
from ramiel.errors import CompileError
from ramiel.execution.machine import machine_fingerprint
from ramiel.execution.openmp import waiting
from ramiel.runtime import OpError, Program, StreamProgram
from ramiel.runtime.events import Trace
from ramiel.runtime.kernels.onednn_library import library, why_not
from ramiel.runtime.layer import Layer
from ramiel.runtime.measure import interleaved
from ramiel.runtime.trace import median_of, traces
from ramiel.tools.check import Inputs, inputs_of
from ramiel.tools.schedule_view import ScheduleView, type_text, view_of
from ramiel.torch_level.work import work_of

TRACED = 15
"""The number of traced runs; each time is their median."""

PYTORCH = "torch"
"""The kernel of a layer that makes PyTorch's own call."""


@dataclass(frozen=True)
class Times:
    """Milliseconds of several runs."""

    median: float
    quartiles: tuple[float, float]

    @staticmethod
    def of(seconds: Sequence[float]) -> Times:
        ms = [s * 1e3 for s in seconds]
        return Times(statistics.median(ms), _quartiles(ms))


@dataclass(frozen=True)
class WorkerTimes:
    """A worker's time in a traced run, in µs: `busy` with operations, `waiting` in channels,
    `done` from its last statement to the end of the run, `overhead` for the rest: starting threads,
    hand-overs and, in Python, its statements and freeing memory."""

    busy: float
    waiting: float
    done: float
    overhead: float


@dataclass(frozen=True)
class Operation:
    """One operation of the program. `operator` is a layer or the last part of a callee, `kernel`
    what computes it; flops are those of a direct algorithm, 0 if unknown."""

    name: str
    node: str
    onnx: str
    operator: str
    kernel: str
    inputs: tuple[str, ...]
    weight: tuple[int, ...]
    output: str
    worker: int
    threads: int
    flops: float
    measured_us: float
    expected_us: float


@dataclass(frozen=True)
class Group:
    """The operations of one operator and kernel."""

    operator: str
    kernel: str
    count: int
    measured_us: float
    expected_us: float
    share: float
    """Of the total time of the operations."""
    gflop_per_s: float | None


@dataclass(frozen=True)
class Surroundings:
    """The machine and the libraries that the program ran on."""

    machine: str
    torch: str
    cores: int
    onednn: str
    """Version and file of the library, or why there is none; empty for a device."""
    openmp: str


@dataclass(frozen=True)
class Graphs:
    """What the device takes for captured graphs alone, by its own clock."""

    form: str
    """The streams of the graph that calls replay, and what it was compared with."""
    parallel_ms: Times
    serial_ms: Times


@dataclass(frozen=True)
class Bench:
    """A program's times, in total and by part."""

    model: str
    report: Report
    profiled: bool
    runs: int
    serial_ms: Times
    parallel_ms: Times
    speedup: float
    speedup_quartiles: tuple[float, float]
    of_bound: float
    """The bound over the parallel time."""
    parallel_replay: str
    """Whether the parallel runs were replays: `captured`, or where and why capture stopped."""
    serial_replay: str
    """The same for the serial runs."""
    traced_ms: float
    traced_replay: str
    """The same for the traced runs."""
    workers: tuple[WorkerTimes, ...]
    groups: tuple[Group, ...]
    operations: tuple[Operation, ...]
    """The costliest first."""
    surroundings: Surroundings
    lane: str
    """What a worker is called: `worker` or `stream`."""
    graphs: Graphs | None = None
    """Of a program of streams that is captured."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def bench(
    model: Path,
    compilation: Compilation,
    profiled: bool,
    how: Inputs,
    runs: int | None,
    seconds: float,
) -> Bench:
    """Times and traces a program on random inputs: `runs` of each form, or as many as take
    `seconds`. `profiled` says whether the expected times were measured. Raises CompileError if a
    shape is open, or the program fails.
    """
    view = view_of(compilation.module)
    with load(compilation) as program:
        inputs = inputs_of(program, how)
        forms = [_finished(program, form, inputs) for form in (program.serial, program)]
        try:
            interleaved(forms, 2)  # to prepare kernels, and to warm up
            serial, parallel = interleaved(forms, runs, seconds)
            parallel_replay = program.capture_status(*inputs)
            serial_replay = program.serial_capture_status(*inputs)
            graphs = _graphs(program, inputs)
            traced = traces(program, *inputs, runs=TRACED)
        except OpError as error:
            raise CompileError(f"the program fails: {error}", file=str(model)) from error
        operations = _operations(view, program, traced)
    ratios = [s / p for s, p in zip(serial, parallel, strict=True)]
    in_parallel = Times.of(parallel)
    return Bench(
        model=model.name,
        report=compilation.report,
        profiled=profiled,
        runs=len(ratios),
        serial_ms=Times.of(serial),
        parallel_ms=in_parallel,
        speedup=statistics.median(ratios),
        speedup_quartiles=_quartiles(ratios),
        of_bound=compilation.report.bound_us / (in_parallel.median * 1e3),
        parallel_replay=parallel_replay,
        serial_replay=serial_replay,
        traced_ms=median_of(traced).makespan_us / 1e3,
        traced_replay=traced[0].replay,
        workers=tuple(_workers(traced, compilation.report.workers)),
        groups=tuple(_groups(operations)),
        operations=operations,
        surroundings=surroundings(program),
        lane=view.lane,
        graphs=graphs,
    )


def _finished(
    program: CompiledProgram, form: Callable[..., object], inputs: Sequence[torch.Tensor]
) -> Callable[[], None]:
    """A call whose results are there, of inputs that are where the program is."""
    device = program.device if isinstance(program, StreamProgram) else None
    placed = [x if device is None else x.to(device) for x in inputs]

    def run() -> None:
        form(*placed)
        program.synchronize()

    return run


def _graphs(program: CompiledProgram, inputs: Sequence[torch.Tensor]) -> Graphs | None:
    """The graphs of a program of streams alone, if there are any."""
    if not isinstance(program, StreamProgram) or not (form := program.captured_form(*inputs)):
        return None
    parallel, serial = program.replay_times(*inputs, turns=TRACED)
    return Graphs(form, *(Times.of([ms / 1e3 for ms in row]) for row in (parallel, serial)))


def surroundings(program: Program) -> Surroundings:
    """This machine, or the device that a program runs on, and the libraries of this process."""
    if isinstance(program, StreamProgram):
        return Surroundings(program.device_name, torch.__version__, cores(), "", "")
    found = library()
    onednn = why_not() if found is None else f"{found.version}, {found.path}"
    machine = machine_fingerprint(PYTORCH if found is None else f"oneDNN {found.version}")
    return Surroundings(machine, torch.__version__, cores(), onednn, waiting())


def _operations(
    view: ScheduleView, program: CompiledProgram, traced: Sequence[Trace]
) -> tuple[Operation, ...]:
    placed = view.placed
    threads = placed.placement.threads(len(placed.graph))
    times: dict[str, list[float]] = {}
    for event in (event for run in traced for event in run.events if event.kind == "op"):
        times.setdefault(event.name, []).append(event.end - event.start)
    count = len(placed.tasks.ops)
    operations: list[Operation] = []
    for task, seen in enumerate(view.ops):
        op = placed.tasks.ops[task % count]
        operations.append(
            Operation(
                name=seen.name,
                node=seen.node,
                onnx=seen.op_type,
                operator=operator_of(op),
                kernel=kernel_of(op, program, threads[task]),
                inputs=tuple(type_text(value.type) for value in op.operands),
                weight=op.weight_shape if isinstance(op, LayerOp) else (),
                output=seen.type,
                worker=seen.worker,
                threads=threads[task],
                flops=_flops(op),
                measured_us=statistics.median(times.get(seen.name, [0.0])),
                expected_us=placed.graph.costs_on(threads[task])[task],
            )
        )
    return tuple(sorted(operations, key=lambda op: -op.measured_us))


def operator_of(op: TorchOperation) -> str:
    """The layer of an operation, or the function that it calls: `Conv2d`, `max_pool2d`."""
    if isinstance(op, LayerOp):
        return op.layer
    return op.callee.rpartition(".")[2] if isinstance(op, CallOp) else op.name


def kernel_of(op: TorchOperation, program: CompiledProgram, threads: int) -> str:
    """What computes an operation on this many threads, in a program that has run: a layer's kernel,
    or the called function; for a branch or loop, its own name."""
    if isinstance(op, CallOp):
        return op.callee
    if isinstance(op, ControlOp):
        return op.name
    assert isinstance(op, LayerOp)
    layer = getattr(program, op.layer_name or "")
    shape, *other = [static_shape_of(operand.type) for operand in op.operands]
    if not isinstance(layer, Layer) or shape is None:
        return PYTORCH
    return layer.kernel_for(shape, other[0] if other else None, threads) or PYTORCH


def _flops(op: TorchOperation) -> float:
    work = work_of(op)
    return work.dense + work.grouped


def _workers(traced: Sequence[Trace], count: int) -> Iterable[WorkerTimes]:
    """The median of each time over the runs, so a worker's four times need not add up exactly."""
    for worker in range(count):
        rows: list[tuple[float, ...]] = []
        for run in traced:
            events = [event for event in run.events if event.worker == worker]
            spent = {
                kind: sum(event.end - event.start for event in events if event.kind == kind)
                for kind in ("op", "recv")
            }
            end = max((event.end for event in events), default=0.0)
            busy, waited, done = spent["op"], spent["recv"], run.makespan_us - end
            rows.append((busy, waited, done, run.makespan_us - busy - waited - done))
        yield WorkerTimes(*(statistics.median(column) for column in zip(*rows, strict=True)))


def _groups(operations: Sequence[Operation]) -> list[Group]:
    """The operations by operator and kernel, the costliest first."""
    rows: dict[tuple[str, str], list[Operation]] = {}
    for op in operations:
        rows.setdefault((op.operator, op.kernel), []).append(op)
    total = sum(op.measured_us for op in operations)
    groups: list[Group] = []
    for (operator, kernel), ops in rows.items():
        us, flops = sum(op.measured_us for op in ops), sum(op.flops for op in ops)
        groups.append(
            Group(
                operator,
                kernel,
                len(ops),
                us,
                sum(op.expected_us for op in ops),
                us / total if total else 0.0,
                rate(flops, us),
            )
        )
    return sorted(groups, key=lambda group: -group.measured_us)


def rate(flops: float, us: float) -> float | None:
    """GFLOP/s; None if unknown."""
    return flops / us / 1e3 if flops and us else None


def _quartiles(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4)
    return low, high
