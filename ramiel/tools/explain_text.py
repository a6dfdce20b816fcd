"""An explanation as half a page of words and one picture."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from ramiel.analysis.parallelism import Span, widths
from ramiel.backend.pytorch.devices import microseconds as time
from ramiel.backend.pytorch.printer import counted
from ramiel.tools.explain import KINDS, Explanation, OnGpu, suggestions

COLUMNS, ROWS = 64, 5
"""The size of the picture, in characters."""
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_LEAST = 0.03
"""Shares of the work that are not named."""

DULL = ("serial", "linear")
"""Schedules that are shown only where `auto` takes them."""
TITLE = "What schedules take on so many cores, ms; * by auto, which gains so much over intra-op"


def lines_of(given: Explanation) -> Iterator[str | Table]:
    """What to print, from top to bottom."""
    yield (
        f"{counted(given.operations, 'operation')}: {time(given.work)} on one core. The longest "
        f"chain of them takes {time(given.critical_path)}, so branches alone can make it "
        f"{given.parallelism:.2f} times as fast, with any number of cores: its potential "
        "parallelism."
    )
    if not given.spans:
        return
    yield "\n".join(["", *picture(given.spans), ""])
    yield _narrow(given)
    yield _cores(given)
    yield _gpu(given)
    yield _kernels(given)
    yield "\n".join(["", "What to try:", *(f"- {text}" for text in suggestions(given))])


def picture(spans: list[Span]) -> list[str]:
    """How many operations run at a time, over the time of the critical path."""
    means = widths(spans, COLUMNS)
    top = max(means)
    eighths = [round(8 * ROWS * mean / top) for mean in means]
    label = f"{top:.3g}"
    rows = [
        "".join(_EIGHTHS[max(0, min(8, height - 8 * row))] for height in eighths)
        for row in reversed(range(ROWS))
    ]
    edge = [label.rjust(6), *[" " * 6] * (ROWS - 1)]
    end = time(spans[-1].finish)
    return [
        "operations at a time, each as early as it can be, on one thread",
        *(f"{left} ┤{row}" for left, row in zip(edge, rows, strict=True)),
        f"{'0'.rjust(6)} └{'─' * COLUMNS}",
        f"{' ' * 8}0{end.rjust(COLUMNS - 1)}",
    ]


def _narrow(given: Explanation) -> str:
    part = given.narrow / given.critical_path
    if not given.narrowest:
        return "Nowhere does it have to wait for a single operation."
    longest = ", ".join(f"{name} ({time(alone)})" for name, alone in given.narrowest)
    return (
        f"For {part:.0%} of that time a single operation runs, which only threads of its own make "
        f"faster; the longest: {longest}."
    )


def _cores(given: Explanation) -> Table:
    """What schedules take; a star is at that of `auto`."""
    taken = {row.schedule for row in given.on_cores}
    names = [name for name in given.on_cores[0].times if name in taken or name not in DULL]
    table = Table("cores", *names, "gain", "bound", title=TITLE, title_justify="left")
    for row in given.on_cores:
        times = [_ms(row.times[n]) + "*" * (n == row.schedule) for n in names]
        table.add_row(str(row.cores), *times, f"{row.gain:.2f}", _ms(row.bound))
    return table


def _ms(us: float) -> str:
    return f"{us / 1e3:.3g}"


def _gpu(given: Explanation) -> str:
    if not isinstance(given.on_gpu, OnGpu):
        return f"GPU: {given.on_gpu}"
    gpu = given.on_gpu
    return (
        f"On a GPU, at the nominal costs of an {gpu.device.upper()}: {time(gpu.one_stream)} on one "
        f"stream, {time(gpu.best)} on {counted(gpu.streams, 'stream')}."
    )


def _kernels(given: Explanation) -> str:
    shares = [s for s in given.shares if s.part >= _LEAST]
    told = ", ".join(f"{KINDS[s.kind]} {s.part:.0%}" for s in shares)
    return (
        f"Time on one core goes to: {told}. The arithmetic alone, at the best rate that a kernel "
        f"reaches here, would take {time(given.arithmetic)}."
    )
