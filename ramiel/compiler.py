"""The whole way from a model to a program: which passes run, in which order."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, ModuleOp, StringAttr
from xdsl.utils.arg_spec import ArgSpec

from ramiel.backend.pytorch.printer import Emitted, print_program
from ramiel.dialects.cluster import ProgramOp
from ramiel.errors import CompileError
from ramiel.frontend.importer import Shapes, import_model
from ramiel.frontend.model_file import ModelSource
from ramiel.transforms import PASS_NAMES, pass_factory
from ramiel.verify import verify_module

Stage = Callable[[str, ModuleOp], None]
"""Called with the name of each stage that is done and the module after it."""


@dataclass(frozen=True)
class Report:
    """What is expected of a schedule. Times in µs, by the cost model, hand-overs included.

    `critical_path_us` is the longest chain of operations, `bound_us` what no schedule on these
    workers can beat: max(critical path, work / workers).
    """

    schedule: str
    clusters_before_merge: int
    clusters: int
    workers: int
    channels: int
    serial_us: float
    parallel_us: float
    critical_path_us: float
    bound_us: float

    @staticmethod
    def of(program: ProgramOp) -> Report:
        values: dict[str, object] = {}
        for name in Report.__dataclass_fields__:
            match program.attributes.get(name):
                case StringAttr() as text:
                    values[name] = text.data
                case IntegerAttr() | FloatAttr() as number:
                    values[name] = number.value.data
                case _:
                    raise CompileError(f"the schedule does not say its {name}")
        return Report(**values)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class Options:
    """What can be asked of the compiler."""

    workers: int | None = None
    """None is the number of cores that this process may use."""
    schedule: str = "auto"
    shapes: Shapes = field(default_factory=dict[str, tuple[int, ...]])
    """Shapes for inputs whose dimensions the model leaves open."""


@dataclass(frozen=True)
class Compilation:
    """A compiled model: the final module, the printed program and what is expected of it."""

    module: ModuleOp
    emitted: Emitted
    report: Report


def cores() -> int:
    """The cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def compile_model(
    source: ModelSource, options: Options | None = None, on_stage: Stage | None = None
) -> Compilation:
    """Compiles a model to a program. Raises CompileError, naming the file, if that fails."""
    options = options or Options()
    with _paused_collector():
        return _compile(source, options, on_stage or _ignore)


def _compile(source: ModelSource, options: Options, report_stage: Stage) -> Compilation:
    module = import_model(source, options.shapes)
    try:
        report_stage("import", module)
        run_passes(module, options, report_stage)
        verify_module(module)
        emitted = print_program(module)
    except CompileError as error:
        error.file = error.file or (str(source) if isinstance(source, str | os.PathLike) else None)
        raise
    program = next(op for op in module.ops if isinstance(op, ProgramOp))
    return Compilation(module, emitted, Report.of(program))


@contextmanager
def _paused_collector() -> Generator[None]:
    """Keeps Python's cycle collector away: nothing of the IR dies while it is compiled, and
    looking for it again and again makes compile time grow faster than the model."""
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


def run_passes(module: ModuleOp, options: Options, on_stage: Stage) -> None:
    """Runs the compiler's passes over an imported module, whose shapes are inferred already."""
    given = {
        "cluster-place": {
            "workers": (cores() if options.workers is None else options.workers,),
            "schedule": (options.schedule,),
        }
    }
    ctx = Context()
    for name in PASS_NAMES[1:]:
        spec = ArgSpec(name, given.get(name, {}))  # pyright: ignore[reportArgumentType]
        pass_factory(name)().from_spec(spec).apply(ctx, module)
        on_stage(name, module)
