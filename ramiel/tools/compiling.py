"""What the commands have in common: their consoles, and a model compiled while they say how far it
is."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ramiel.console.refusals import telling
from ramiel.pipelines import Options

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from ramiel.compiler import Compilation, Stage
    from ramiel.console.progress import Progress as OnProgress

out = Console(highlight=False, soft_wrap=True)
progress = Console(stderr=True, highlight=False)

Model = Annotated[Path, typer.Argument(metavar="MODEL.onnx", show_default=False)]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        help="Show the traceback of an error, and why patterns did not apply to near matches.",
    ),
]


def compiled(
    model: Path, options: Options, debug: bool, dump_ir: Path | None = None
) -> Compilation:
    with progress_bar() as (on_stage, on_progress):
        from ramiel.programs.build import build
        from ramiel.tools.dump import IrDump

        dump = IrDump(dump_ir) if dump_ir is not None else None

        def on_each(stage: str, module: ModuleOp) -> None:
            on_stage(stage, module)
            if dump is not None:
                dump(stage, module)

        with refusals_shown(debug):
            compilation = build(model, options, on_each, on_progress)
        if dump is not None:
            dump.close()
    _say_defaults(compilation)
    if options.device != "cpu":
        _say_what_needs_the_host(compilation)
    return compilation


@contextmanager
def progress_bar() -> Generator[tuple[Stage, OnProgress]]:
    """A progress bar on a terminal, and what tells it of stages and of steps."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    quiet = not progress.is_terminal
    with Progress(*columns, console=progress, transient=True, disable=quiet) as bar:
        task = bar.add_task("reading", total=None)

        def on_stage(stage: str, module: ModuleOp) -> None:
            bar.update(task, description=f"compiling: {stage}", completed=0, total=None)

        def on_progress(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield on_stage, on_progress


def refusals_shown(debug: bool) -> AbstractContextManager[None]:
    """With --debug, prints why patterns did not apply to near matches."""
    return telling(note) if debug else nullcontext()


def _say_defaults(compilation: Compilation) -> None:
    from ramiel.dialects.onnx.weights import defaults_of
    from ramiel.torch_level.tasks import main_function

    if count := len(defaults_of(main_function(compilation.module))):
        note(
            f"{count} initializer(s) are listed as inputs, so a call may replace them, and "
            "they are not folded or packed; --freeze makes them constants"
        )


def _say_what_needs_the_host(compilation: Compilation) -> None:
    from ramiel.torch_level.devices import counted, on_host
    from ramiel.torch_level.tasks import main_function

    if found := on_host(main_function(compilation.module)):
        note(f"{counted(found)} need values on the host: calls are captured as graphs around them")


def note(text: str) -> None:
    """Prints to standard error, above the progress bar if there is one."""
    progress.print(f"note: {text}", soft_wrap=True, markup=False)
