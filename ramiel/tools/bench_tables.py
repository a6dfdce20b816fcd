"""What `ramiel bench` prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from ramiel.backend.pytorch.devices import milliseconds
from ramiel.backend.pytorch.printer import counted
from ramiel.errors import shorten
from ramiel.runtime.replay.plans import form_of
from ramiel.tools.bench import TRACED, Bench, Graphs, Group, Operation, Times, WorkerTimes, rate


def show(found: Bench, console: Console, top: int) -> None:
    """Prints a bench with its `top` costliest operations."""
    _show_summary(found, console)
    console.print(_worker_table(found.workers, found.lane))
    console.print(_group_table(found.groups))
    if top:
        console.print(_operation_table(found.operations[:top]))
    around = found.surroundings
    lines = {"machine": around.machine} if found.lane == "worker" else {"device": around.machine}
    if around.onednn:
        lines |= {"oneDNN": around.onednn, "OpenMP": around.openmp or "waits by libgomp's defaults"}
    for name, text in lines.items():
        console.print(f"{name:<9} {text}", markup=False)


def _show_summary(found: Bench, console: Console) -> None:
    report = found.report
    (low, high), source = found.speedup_quartiles, "profile" if found.profiled else "shapes"
    lines: Mapping[str, str] = {
        "schedule": f"{report.schedule}: {counted(report.workers, found.lane)}"
        + (f" on {counted(report.cores, 'core')}" if found.lane == "worker" else "")
        + f", {counted(report.channels, 'channel')}"
        + (f", {report.batch} samples at a time" if report.batch > 1 else ""),
        "tuned": report.tuned,
        "work": f"{milliseconds(report.serial_us)} on one "
        f"{'thread' if found.lane == 'worker' else 'stream'}, critical path "
        f"{milliseconds(report.critical_path_us)}, bound {milliseconds(report.bound_us)}",
        "expected": f"{milliseconds(report.parallel_us)}, by the {source}",
        "parallel": f"{_times(found.parallel_ms)}, median of {found.runs}, "
        f"{form_of(found.parallel_replay)}; the bound is {found.of_bound:.0%} of it",
        "serial": f"{_times(found.serial_ms)}, in turns with it, {form_of(found.serial_replay)}",
        "speed-up": f"{found.speedup:.2f}, half of the runs in {low:.2f} to {high:.2f}",
        "streams": report.stream,
        "graphs": _graph_text(found.graphs),
        "traced": f"{found.traced_ms:.2f} ms, {form_of(found.traced_replay)}; the tables are from "
        f"{TRACED} such runs",
    }
    for name, text in lines.items():
        if text:
            console.print(f"{name:<9} {text}", markup=False)


def _graph_text(graphs: Graphs | None) -> str:
    if graphs is None:
        return ""
    parallel, serial = graphs.parallel_ms, graphs.serial_ms
    return (
        f"alone on the device {parallel.median:.3f} ms ({graphs.form}), "
        f"one stream {serial.median:.3f} ms"
    )


def _times(times: Times) -> str:
    low, high = times.quartiles
    return f"{times.median:.2f} ms ({low:.2f} to {high:.2f})"


def _table(texts: Sequence[str], numbers: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table whose last columns are numbers. Text from a model is not read as markup."""
    table = Table(*texts, *(Column(name, justify="right", no_wrap=True) for name in numbers))
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _worker_table(workers: Sequence[WorkerTimes], lane: str) -> Table:
    rows: list[list[str]] = []
    for number, worker in enumerate(workers):
        times = (worker.busy, worker.waiting, worker.done, worker.overhead)
        total = sum(times) or 1.0
        rows.append([str(number), *(f"{milliseconds(t)} {t / total:4.0%}" for t in times)])
    return _table([lane], ["busy", "waiting", "done", "overhead"], rows)


def _group_table(groups: Sequence[Group]) -> Table:
    rows = [
        (
            group.operator,
            group.kernel,
            str(group.count),
            f"{group.measured_us:.0f}",
            f"{group.share:.1%}",
            f"{group.expected_us:.0f}",
            _rate_text(group.gflop_per_s),
        )
        for group in groups
    ]
    numbers = ["count", "µs", "share", "expected µs", "GFLOP/s"]
    return _table(["operator", "kernel"], numbers, rows)


def _operation_table(operations: Sequence[Operation]) -> Table:
    rows = [
        (
            shorten(op.node or op.name, 40),
            op.onnx,
            f"{op.operator} {op.kernel}" if "." not in op.kernel else op.kernel,
            _shapes(op),
            str(op.threads),
            f"{op.measured_us:.0f}",
            f"{op.expected_us:.0f}",
            _rate_text(rate(op.flops, op.measured_us)),
        )
        for op in operations
    ]
    numbers = ["threads", "µs", "expected µs", "GFLOP/s"]
    return _table(["node", "ONNX", "kernel", "shapes"], numbers, rows)


def _shapes(op: Operation) -> str:
    """`[1x64x56x56] * 64x64x3x3 -> [1x64x56x56]`: inputs, weight and output of an operation."""
    inputs, output = (
        " ".join(type.removeprefix("float32").replace(", ", "x") for type in types)
        for types in (op.inputs, (op.output,))
    )
    weight = f" * {'x'.join(map(str, op.weight))}" if op.weight else ""
    return f"{inputs}{weight} -> {output}"


def _rate_text(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.1f}"
