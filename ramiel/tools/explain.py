"""What is to be gained by running a model in parallel, from its costs alone: nothing is run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from ramiel.analysis.critical_path import bound, critical_path
from ramiel.analysis.gpu import USUAL
from ramiel.analysis.parallelism import Span, alone, spans
from ramiel.analysis.static_cost import Prices, Work
from ramiel.analysis.streaming import Steady
from ramiel.analysis.task_graph import TaskGraph
from ramiel.backend.pytorch.devices import microseconds
from ramiel.compiler import Report, Stage, paused_collector, program_of, run_passes
from ramiel.console.progress import ListeningContext, Progress, progress_of
from ramiel.cores import cores
from ramiel.dialects.onnx.types import static_shape_of
from ramiel.errors import CompileError
from ramiel.execution.machine import cpu_features
from ramiel.execution.probe import probed
from ramiel.frontend.importer import import_model
from ramiel.pipelines import Options, pipeline
from ramiel.schedule.choose import simplest, simulated
from ramiel.schedule.throughput import choose_for_throughput
from ramiel.torch_level.tasks import Tasks, main_function, tasks_of
from ramiel.torch_level.work import work_of

CORES = (2, 4, 8, 16)
GPU = f"cuda:{USUAL}"
KERNELS, COSTS = "torch-choose-kernels", "cluster-costs"
"""The passes whose results depend on the number of cores."""

KINDS = {
    "calls": "calls",
    "product": "matrix products and 1x1 convolutions",
    "packed": "products with packed weights",
    "convolution": "wider convolutions",
    "winograd": "convolutions by Winograd's algorithm",
    "transformed": "transforms for these",
    "grouped": "grouped convolutions",
    "windows": "pools and samples",
    "weights": "weights from memory",
    "moved": "values moved in the caches",
    "far": "values moved in memory",
    "curves": "exponentials and the like",
}
"""What the kinds of work are called."""
DENSE = ("product", "packed", "convolution")
ARITHMETIC = (*DENSE, "winograd", "grouped")
"""Those that are counted in flops."""
BF16 = frozenset(["avx512_bf16", "amx_bf16", "bf16"])
"""Features of processors that multiply in bf16."""

IN_TURN = "intra-op"
"""The schedule of operations one after the other."""
WORTH = 1.03
"""A gain that is worth a schedule: less is lost in noise."""


@dataclass(frozen=True)
class OnCores:
    """What is simulated on some cores; times in µs."""

    cores: int
    times: Mapping[str, float]
    """What each schedule takes, by its name."""
    schedule: str
    """The name of the one that `auto` takes."""
    bound: float
    """No schedule takes less."""

    @property
    def in_turn(self) -> float:
        """Operations one after the other, each on all cores that make it faster."""
        return self.times[IN_TURN]

    @property
    def best(self) -> float:
        return self.times[self.schedule]

    @property
    def gain(self) -> float:
        """How many times as fast the best schedule is as operations one after the other."""
        return self.in_turn / self.best if self.best else 1.0


@dataclass(frozen=True)
class OnGpu:
    """What is simulated on a GPU; times in µs."""

    device: str
    one_stream: float
    streams: int
    best: float

    @property
    def gain(self) -> float:
        return self.one_stream / self.best if self.best else 1.0


@dataclass(frozen=True)
class Share:
    """A kind of work, and its part of the whole."""

    kind: str
    part: float


@dataclass(frozen=True)
class Explanation:
    """What is known of a model before it runs. Times are in µs, of one thread unless told."""

    operations: int
    work: float
    critical_path: float
    spans: list[Span]
    """What runs when, if there are cores for all that can."""
    narrow: float
    """How long only one operation runs then."""
    narrowest: list[tuple[str, float]]
    """The operations that run alone for longest, and how long."""
    on_cores: list[OnCores]
    on_gpu: OnGpu | str
    """What a GPU gives, or why it does not take the model."""
    shares: list[Share]
    """The largest first."""
    arithmetic: float
    """The time of all flops at the best rate that a kernel reaches."""
    stream: Steady
    """What is expected of requests that follow each other, on this machine."""
    is_guessed: bool
    """Whether dimensions are open."""
    options: Options

    @property
    def parallelism(self) -> float:
        """The work over the critical path: the paper's potential parallelism."""
        return self.work / self.critical_path if self.critical_path else 1.0

    @property
    def here(self) -> OnCores | None:
        """What is expected of this machine; None if it has one core."""
        return next((row for row in self.on_cores if row.cores == cores()), None)


def explain(
    model: Path, options: Options, on_stage: Stage | None = None, progress: Progress | None = None
) -> Explanation:
    """What is to be gained by a model's parallelism, with costs as the options say.

    Raises CompileError as the compiler does.
    """
    ctx = Context() if progress is None else ListeningContext(progress)
    counts = sorted({*CORES, cores()})
    with paused_collector():
        module = import_model(model, options.shapes, freeze=options.freeze)
        on_gpu = _on_gpu(module.clone(), options)
        passes = pipeline(options)
        kernels = [name for name, _ in passes].index(KERNELS)
        run_passes(module, passes[:kernels], on_stage, ctx)
        priced = {
            count: _with_costs(module.clone(), options, count, on_stage, ctx) for count in counts
        }
    tasks = priced[cores()]
    graph = tasks.graph
    prices = probed(progress_of(ctx)).prices
    found = spans(graph)
    by_itself = alone(found)
    longest = sorted(by_itself.items(), key=lambda entry: -entry[1])
    shares, arithmetic = _shares(tasks, prices)
    return Explanation(
        operations=len(graph),
        work=graph.work,
        critical_path=critical_path(graph)[0],
        spans=found,
        narrow=sum(by_itself.values()),
        narrowest=[(_told(tasks, task), time) for task, time in longest[:3]],
        on_cores=[_on_cores(priced[count].graph, count) for count in counts if count > 1],
        on_gpu=on_gpu,
        shares=shares,
        arithmetic=arithmetic,
        stream=choose_for_throughput(graph, cores()).steady,
        is_guessed=any(
            static_shape_of(result.type) is None for op in tasks.ops for result in op.results
        ),
        options=options,
    )


def _with_costs(
    module: ModuleOp, options: Options, count: int, on_stage: Stage | None, ctx: Context
) -> Tasks:
    """The tasks with the kernels and the costs that the compiler takes for so many cores."""
    passes = pipeline(replace(options, workers=count))
    first, last = ([name for name, _ in passes].index(name) for name in (KERNELS, COSTS))
    run_passes(module, passes[first : last + 1], on_stage, ctx)
    return tasks_of(main_function(module))


def _on_cores(graph: TaskGraph, count: int) -> OnCores:
    choices = simulated(graph, count)
    times = {choice.name: choice.timeline.makespan for choice in choices}
    return OnCores(count, times, simplest(choices).name, bound(graph, count))


def _on_gpu(module: ModuleOp, options: Options) -> OnGpu | str:
    given = replace(options, device=GPU, profile=False)
    try:
        run_passes(module, pipeline(given))
    except CompileError as error:
        return str(error)
    report = Report.of(program_of(module))
    return OnGpu(USUAL, report.serial_us, report.workers, report.parallel_us)


def _shares(tasks: Tasks, prices: Prices) -> tuple[list[Share], float]:
    """The parts of the work by kind, and the time of the flops at the best rate."""
    work, price = sum(map(work_of, tasks.ops), Work(calls=0)), prices.on(1)
    times = Counter({kind: getattr(work, kind) * getattr(price, kind) for kind in KINDS})
    whole = times.total() or 1.0
    shares = [Share(kind, time / whole) for kind, time in times.most_common()]
    flops = sum(getattr(work, kind) for kind in ARITHMETIC)
    return shares, flops * min(getattr(price, kind) for kind in ARITHMETIC)


def _told(tasks: Tasks, task: int) -> str:
    node, kind = tasks.ops[task].origin
    return f"{kind} {node}" if node else kind


def suggestions(given: Explanation) -> list[str]:
    """What to try, the most promising first."""
    return [text for advice in ADVICE for text in advice(given)]


def _branches(given: Explanation) -> Iterator[str]:
    here = given.here
    if here is None:
        yield "This process has one core: only requests, batches and kernels can gain."
    elif here.gain >= WORTH:
        yield (
            f"On the {here.cores} cores here, branches gain {here.gain:.2f} times by the schedule "
            f"{here.schedule}. `ramiel compile --tune` measures whether they do."
        )
    else:
        yield (
            f"On the {here.cores} cores here, branches gain {max(0.0, here.gain - 1):.1%} over "
            "operations one after the other on all cores: not worth a schedule."
        )


def _more_cores(given: Explanation) -> Iterator[str]:
    here = given.here
    gain, least = (1.0, 1) if here is None else (max(1.0, here.gain), here.cores)
    more = [row for row in given.on_cores if row.cores > least]
    best = max(more, key=lambda row: row.gain, default=None)
    if best is not None and best.gain >= WORTH * gain:
        yield (
            f"On a machine of {best.cores} cores branches would gain {best.gain:.2f} times, by "
            f"{best.schedule}: a call would take {microseconds(best.best)}."
        )


def _requests(given: Explanation) -> Iterator[str]:
    least = given.here.best if given.here is not None else given.work
    interval, latency = given.stream.interval, given.stream.latency
    if interval * WORTH < least:
        yield (
            "Where requests follow each other, `--objective throughput` and `stream()` give a "
            f"result each {microseconds(interval)} instead of {microseconds(least)}, and take "
            f"{microseconds(latency)} for each."
        )


def _low_precision(given: Explanation) -> Iterator[str]:
    parts = {share.kind: share.part for share in given.shares}
    if (
        given.options.dtype == "f32"
        and cpu_features() & BF16
        and sum(parts[kind] for kind in DENSE) >= 0.5
    ):
        yield (
            "This processor multiplies in bf16: `--dtype bf16` is worth a try, and "
            "`ramiel check --dtype bf16` tells the loss."
        )


def _gpu(given: Explanation) -> Iterator[str]:
    gpu = given.on_gpu
    if isinstance(gpu, OnGpu) and gpu.gain >= WORTH:
        yield (
            f"At the nominal costs of an {gpu.device.upper()}, {gpu.streams} streams gain "
            f"{gpu.gain:.2f} times over one: `--device cuda`; there, `--profile` measures its own."
        )


def _costs(given: Explanation) -> Iterator[str]:
    if not given.options.profile:
        yield "All of this is by estimated costs: `--profile` measures them here, once."
    if given.is_guessed:
        yield "Some dimensions are open and were guessed: `--shape NAME=1x3x224x224` sets them."


ADVICE: Sequence[Callable[[Explanation], Iterator[str]]] = (
    _branches,
    _more_cores,
    _requests,
    _gpu,
    _low_precision,
    _costs,
)
"""Each gives what it has to say of a model."""
