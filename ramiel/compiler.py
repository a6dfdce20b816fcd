"""Compilation from a model to a program: import, passes, printing."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import MISSING, dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, ModuleOp, StringAttr
from xdsl.utils.arg_spec import ArgSpec

from ramiel.backend.pytorch.devices import stream_told
from ramiel.backend.pytorch.printer import Emitted, print_program
from ramiel.console.progress import ListeningContext, Progress
from ramiel.dialects.cluster import ProgramOp
from ramiel.dialects.verify import verify_module
from ramiel.errors import CompileError
from ramiel.frontend.importer import import_model
from ramiel.frontend.model_file import ModelSource
from ramiel.pipelines import Options, Pipeline, pipeline
from ramiel.transforms import pass_factory

Stage = Callable[[str, ModuleOp], None]
"""Called with the name of each stage that is done and the module after it."""


@dataclass(frozen=True)
class Report:
    """The predicted cost of a schedule. Times in µs, by the cost model, hand-overs included.

    `critical_path_us` is the longest chain of operations, each on one thread, `bound_us` a lower
    bound for every schedule on as many cores: see critical_path.bound(). `cores` counts those of
    the workers and those that only help an operation on several threads. `memory_bytes` is the
    peak of live values, of several ranks that of the one that needs most, with its weights. All of
    them are for the whole batch.
    """

    schedule: str
    clusters_before_merge: int
    clusters: int
    batch: int
    workers: int
    cores: int
    channels: int
    serial_us: float
    parallel_us: float
    critical_path_us: float
    bound_us: float
    memory_bytes: int
    ranks: int = 1
    """The machines that have a worker."""
    idle_ranks: int = 0
    """Those that were asked for and have none."""
    messages: int = 0
    """The values that cross them."""
    streaming: str = ""
    """How requests that follow each other are computed, if that was chosen: see streaming.py of the
    cluster dialect."""
    at_a_time: int = 0
    """How many of them at a time."""
    in_flight: int = 0
    """How many are taken ahead of the results asked for."""
    interval_us: float = 0.0
    """The time from one of their results to the next."""
    latency_us: float = 0.0
    """The time from when one is taken to its result."""
    search: str = ""
    """A searching scheduler's statistics, as text."""
    tuned: str = ""
    """The measurements of tuning, as text."""

    @property
    def stream(self) -> str:
        """In words, how requests that follow each other are computed, and what is expected of it;
        empty if that was not chosen."""
        if not self.streaming:
            return ""
        return stream_told(self.streaming, self.at_a_time, self.interval_us, self.latency_us)

    @staticmethod
    def of(program: ProgramOp) -> Report:
        values: dict[str, object] = {
            "ranks": program.ranks,
            "messages": len(program.crossings),
        }
        for name, field in Report.__dataclass_fields__.items():
            if name in values:
                continue
            match program.attributes.get(name):
                case StringAttr() as text:
                    values[name] = text.data
                case IntegerAttr() | FloatAttr() as number:
                    values[name] = number.value.data
                case None if field.default is not MISSING:
                    pass
                case _:
                    raise CompileError(f"the schedule does not say its {name}")
        return Report(**values)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class Compilation:
    """A compiled model: the final module, the printed program and its predicted cost."""

    module: ModuleOp
    emitted: Emitted
    report: Report


Search = Callable[[ModuleOp, Options, Stage, Context], Compilation]
"""Compiles an imported module to several programs and chooses one."""


def compile_model(
    source: ModelSource,
    options: Options | None = None,
    on_stage: Stage | None = None,
    progress: Progress | None = None,
    search: Search | None = None,
) -> Compilation:
    """Compiles a model to a program. Raises CompileError, naming the file, if that fails.

    `on_stage` is called after each stage, `progress` while one measures or searches. `search`
    compiles the imported module where one pipeline is not enough, as for tuning; without it, the
    option `tune` is an error: see ramiel.programs.build.
    """
    options = options or Options()
    pipeline(options)  # refuses options that do not go together before the model is read
    with paused_collector():
        module = import_model(
            source, options.shapes, batch_of_one=options.batch > 1, freeze=options.freeze
        )
    try:
        return compile_module(module, options, on_stage, progress, search)
    except CompileError as error:
        error.file = error.file or (str(source) if isinstance(source, str | os.PathLike) else None)
        raise


def compile_module(
    module: ModuleOp,
    options: Options,
    on_stage: Stage | None = None,
    progress: Progress | None = None,
    search: Search | None = None,
) -> Compilation:
    """compile_model() of a module that has been imported, at the level of the options."""
    ctx = Context() if progress is None else ListeningContext(progress)
    on_stage, passes = on_stage or _ignore, pipeline(options)
    on_stage("import", module)
    if search is not None:
        return search(module, options, on_stage, ctx)
    if options.tune:
        raise CompileError("tuning measures programs, which a pipeline alone does not")
    with paused_collector():
        run_passes(module, passes, on_stage, ctx)
        return finish(module)


def finish(module: ModuleOp) -> Compilation:
    """The compilation of a module after all passes. Raises CompileError if it is not valid, or a
    pass was left out."""
    verify_module(module)
    emitted = print_program(module)
    return Compilation(module, emitted, Report.of(program_of(module)))


def program_of(module: ModuleOp) -> ProgramOp:
    """The schedule of a module that can be printed."""
    return next(op for op in module.ops if isinstance(op, ProgramOp))


@contextmanager
def paused_collector() -> Generator[None]:
    """Pauses Python's cycle collector: no IR dies during compilation, and repeated collections
    make compile time grow faster than the model."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _ignore(name: str, module: ModuleOp) -> None:
    pass


def run_passes(
    module: ModuleOp, passes: Pipeline, on_stage: Stage | None = None, ctx: Context | None = None
) -> None:
    """Runs passes with their options over a module, in place."""
    for name, options in passes:
        spec = ArgSpec(name, {key: (value,) for key, value in options.items()})
        pass_factory(name)().from_spec(spec).apply(ctx or Context(), module)
        if on_stage is not None:
            on_stage(name, module)
