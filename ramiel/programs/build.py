"""A model as a program: compiled, and measured against others if tuning is asked for."""

from __future__ import annotations

from ramiel.compiler import Compilation, Stage, compile_model
from ramiel.console.progress import Progress
from ramiel.frontend.model_file import ModelSource
from ramiel.pipelines import Options


def build(
    source: ModelSource,
    options: Options | None = None,
    on_stage: Stage | None = None,
    progress: Progress | None = None,
) -> Compilation:
    """compile_model() for all options, tuning too."""
    if options is None or not options.tune:
        return compile_model(source, options, on_stage, progress)
    from ramiel.programs.tune import tuned  # imports torch

    return compile_model(source, options, on_stage, progress, tuned)
