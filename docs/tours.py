"""What the tours use: a shell whose failures fail the build, and pictures of schedules."""

from __future__ import annotations

import os
import subprocess
from html import escape
from typing import Any

from IPython.core.magic import register_cell_magic
from xdsl.dialects.builtin import ModuleOp

from ramiel.tools.gantt import ticks
from ramiel.tools.schedule_view import view_of

WIDTH, ROW, LEFT = 760.0, 34.0, 76.0

os.environ.pop("FORCE_COLOR", None)  # Jupyter's: what commands print to is no terminal


def sh(line: str, cell: str) -> None:
    """Prints all output at once: where Jupyter divides it, myst-nb would put a newline."""
    done = subprocess.run(
        ["sh", "-c", cell], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    print(done.stdout, end="")
    done.check_returncode()


register_cell_magic(sh)


class Schedule:
    """A compiled module's schedule as simulated; Jupyter shows it as a picture."""

    def __init__(self, module: ModuleOp) -> None:
        self.view = view_of(module)

    def _repr_html_(self) -> str:
        workers = len(self.view.placed.placement.workers)
        span = self.view.timeline.makespan
        scale = (WIDTH - LEFT) / span
        height = ROW * (workers + 1)
        parts = [
            '<div style="overflow-x: auto">'
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" '
            f'role="img" aria-label="Gantt chart of {workers} workers" '
            'style="width: 100%; min-width: 34rem" font-family="sans-serif" font-size="12" '
            'fill="currentColor">'
        ]
        for worker in range(workers):
            y = ROW * worker + ROW * 0.65
            parts.append(f'<text x="0" y="{y:.0f}">{self.view.lane} {worker}</text>')
        parts += [self._bar(op, scale) for op in self.view.ops]
        for tick in ticks(span):
            if not tick.minor and tick.x < 95:
                x = LEFT + (WIDTH - LEFT) * tick.x / 100
                parts.append(f'<text x="{x:.0f}" y="{height - 10:.0f}">{escape(tick.text)}</text>')
        return "".join([*parts, "</svg></div>"])

    @staticmethod
    def _bar(op: Any, scale: float) -> str:
        hue = op.cluster * 137.508 % 360
        return (
            f'<rect x="{LEFT + op.start * scale:.1f}" y="{ROW * op.worker + 3:.0f}" '
            f'width="{max((op.finish - op.start) * scale - 0.5, 0.5):.1f}" height="{ROW - 6:.0f}" '
            f'fill="hsl({hue:.0f} 60% 65%)" stroke="hsl({hue:.0f} 55% 40%)">'
            f"<title>{escape(op.name)}: {op.cost:.0f} µs</title></rect>"
        )
