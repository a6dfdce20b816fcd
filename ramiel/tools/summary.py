"""A compilation in a few lines, for the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ramiel.compiler import Report
    from ramiel.pipelines import Options


def summary(report: Report) -> str:
    """The schedule in numbers."""
    from ramiel.backend.pytorch.devices import idle_told
    from ramiel.backend.pytorch.devices import milliseconds as ms
    from ramiel.backend.pytorch.printer import counted

    speedup = report.serial_us / report.parallel_us if report.parallel_us else 1.0
    parts = [counted(report.workers, "worker"), counted(report.channels, "channel")]
    if report.clusters_before_merge:
        merged = f", {report.clusters} after merging" if report.clusters else ""
        parts.insert(0, f"{counted(report.clusters_before_merge, 'cluster')}{merged}")
    if report.cores > report.workers:
        parts.insert(-1, f"on {counted(report.cores, 'core')}")
    if report.batch > 1:
        parts.append(f"{counted(report.batch, 'sample')} at a time")
    if report.ranks > 1:
        parts.append(f"{counted(report.messages, 'message')} between {report.ranks} ranks")
    lines = [
        f"schedule  {report.schedule}: {', '.join(parts)}",
        f"expected  serial {ms(report.serial_us)}, parallel {ms(report.parallel_us)} "
        f"({speedup:.2f}x); critical path {ms(report.critical_path_us)}, "
        f"bound {ms(report.bound_us)}; {report.memory_bytes / 1e6:.1f} MB of values"
        + (" and weights on a rank" if report.ranks > 1 else ""),
    ]
    if report.idle_ranks:
        lines.append(f"idle      {idle_told(report.idle_ranks, report.ranks)}")
    if report.stream:
        lines.append(f"streams   {report.stream}")
    if report.search:
        lines.append(f"searched  {report.search}")
    if report.tuned:
        lines.append(f"tuned     {report.tuned}")
    return "\n".join(lines)


def costs_told(options: Options) -> str:
    """Whose costs a schedule for a GPU is by; empty if they are measured, or for a CPU."""
    from ramiel.analysis.gpu import USUAL

    kind, _, model = options.device.partition(":")
    if kind == "cpu" or options.profile or options.tune:
        return ""
    others = "" if model else "; --device cuda:NAME is for another, --profile measures the GPU here"
    return f"costs     estimated, of {kind}:{model or USUAL}{others}"
