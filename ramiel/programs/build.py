"""Compiles a model, and tunes it if the options say so."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp

from ramiel.compiler import Compilation, Stage, compile_model, compile_module
from ramiel.console.progress import Progress
from ramiel.frontend.model_file import ModelSource
from ramiel.pipelines import Options


def build(
    source: ModelSource,
    options: Options | None = None,
    on_stage: Stage | None = None,
    progress: Progress | None = None,
) -> Compilation:
    """compile_model() for all options, including tuning."""
    if options is None or not options.tune:
        return compile_model(source, options, on_stage, progress)
    from ramiel.programs.tune import tuned  # imports torch

    return compile_model(source, options, on_stage, progress, tuned)


def build_module(module: ModuleOp, options: Options) -> Compilation:
    """compile_module() for all options, including tuning."""
    if not options.tune:
        return compile_module(module, options)
    from ramiel.programs.tune import tuned

    return compile_module(module, options, search=tuned)
