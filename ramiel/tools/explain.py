"""What is to be gained by running a model in parallel, from its costs alone: nothing is run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from ramiel.analysis.critical_path import bound, critical_path
from ramiel.analysis.gpu import USUAL
from ramiel.analysis.parallelism import Span, alone, spans
from ramiel.analysis.simulate import simulate
from ramiel.analysis.static_cost import Prices, Work
from ramiel.analysis.task_graph import TaskGraph
from ramiel.compiler import Report, Stage, paused_collector, program_of, run_passes
from ramiel.console.progress import ListeningContext, Progress, progress_of
from ramiel.cores import cores
from ramiel.dialects.onnx.types import static_shape_of
from ramiel.errors import CompileError
from ramiel.execution.machine import cpu_features
from ramiel.execution.probe import probed
from ramiel.frontend.importer import import_model
from ramiel.pipelines import Options, pipeline
from ramiel.schedule.choose import choose_automatically
from ramiel.schedule.place import intra_op
from ramiel.schedule.throughput import choose_for_throughput
from ramiel.torch_level.tasks import Tasks, main_function, tasks_of
from ramiel.torch_level.work import work_of

CORES = (2, 4, 8, 16)
GPU = f"cuda:{USUAL}"

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

WORTH = 1.03
"""A gain that is worth a schedule: less is lost in noise."""


@dataclass(frozen=True)
class OnCores:
    """What is simulated on some cores; times in µs."""

    cores: int
    in_turn: float
    """Operations one after the other, each on all cores that make it faster."""
    schedule: str
    """The name of the schedule that `auto` takes."""
    best: float
    bound: float
    """No schedule takes less."""

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
    interval: float
    """The time from one result to the next if requests follow each other, on this machine."""
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
    counts = sorted({*CORES, cores()} - {1})
    with paused_collector():
        module = import_model(model, options.shapes, freeze=options.freeze)
        on_gpu = _on_gpu(module.clone(), options)
        passes = pipeline(replace(options, workers=max(counts)))
        costs = [name for name, _ in passes].index("cluster-costs")
        run_passes(module, passes[: costs + 1], on_stage, ctx)
    tasks = tasks_of(main_function(module))
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
        on_cores=[_on_cores(graph, count) for count in counts],
        on_gpu=on_gpu,
        shares=shares,
        arithmetic=arithmetic,
        interval=choose_for_throughput(graph, cores()).steady.interval,
        is_guessed=any(
            static_shape_of(result.type) is None for op in tasks.ops for result in op.results
        ),
        options=options,
    )


def _on_cores(graph: TaskGraph, count: int) -> OnCores:
    choice = choose_automatically(graph, count)
    in_turn = simulate(graph, intra_op(graph, count)).makespan
    least = choice.timeline.makespan
    return OnCores(count, in_turn, choice.name, least, bound(graph, count))


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
    best = max(given.on_cores, key=lambda row: row.gain)
    if best.gain >= max(WORTH, WORTH * (here.gain if here is not None else 1.0)):
        yield (
            f"Branches gain most on {best.cores} cores: {best.gain:.2f} times, by "
            f"{best.schedule} (`--workers {best.cores}`)."
        )


def _requests(given: Explanation) -> Iterator[str]:
    least = given.here.best if given.here is not None else given.work
    if given.interval * WORTH < least:
        yield (
            f"Where requests follow each other, `--objective throughput` and `stream()` give a "
            f"result each {given.interval / 1e3:.3g} ms instead of {least / 1e3:.3g}."
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
    if isinstance(given.on_gpu, OnGpu) and given.on_gpu.gain >= WORTH:
        yield (
            f"On a GPU, {given.on_gpu.streams} streams gain {given.on_gpu.gain:.2f} times over "
            "one: `--device cuda`."
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
