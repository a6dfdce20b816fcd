"""Tuning: programs of several schedules are measured on this machine, and the fastest is taken.

Simulation is off by up to some ten percent, more than the best schedules differ by. So the best
few by simulation, and what would be compiled without tuning, are printed, loaded and run, in turns.
Disturbances make runs longer and not shorter, so lower quartiles are compared, and runs in which
other programs took the cores do not count; what is far behind stops, and leaves its turns to the
others (as in successive halving: Jamieson and Talwalkar, AISTATS 2016); what wins has to win again
over what would be compiled without tuning, in a second sitting. If others take the cores all the
time, that is what stays. For a GPU whole graphs are timed, by its own clock, and that of one stream
is always one of them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import Tensor
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr

from ramiel.backend.pytorch.devices import milliseconds
from ramiel.compiler import Compilation, Stage, finish, paused_collector, program_of, run_passes
from ramiel.console.progress import Progress, progress_of
from ramiel.cores import cores
from ramiel.errors import CompileError
from ramiel.pipelines import Options, Pipeline, pipeline
from ramiel.programs.loaded import CompiledProgram, load
from ramiel.runtime import OpError, StreamProgram
from ramiel.runtime.disturbance import Watch, forget
from ramiel.runtime.kernels.onednn_library import library
from ramiel.runtime.measure import agree, interleaved, random_inputs
from ramiel.runtime.outputs import as_tuple
from ramiel.runtime.replay.plans import CAPTURED

MEASURED = 4
"""How many schedules are measured: that of `auto`, and the best others by simulation."""
BUDGET_S = 4.0
"""The seconds for which the programs take turns."""
FEWEST, MOST = 5, 100
"""Turns of each program."""
PATIENCE, PATIENCE_S = 3, 16.0
"""How many times as many it may take until enough were undisturbed, and how many seconds."""
BURST = 2
"""Timed runs in a turn, after one that finds in the caches what the other programs left there."""
BEHIND = 1.2
"""What takes so many times as long as the fastest, after FEWEST turns, has no more of them."""
ALIKE = 0.02
"""A simpler schedule is preferred to one that saves at most this share of the time: where other
programs have just run, threads that wait for each other lose more."""

AUTO, DEFAULT, TORCH, SERIAL = "auto", "default", "auto, torch", "serial"
_SCHEDULES = ("intra-op", SERIAL, "linear", "list", "refine")
_ON_STREAMS = (SERIAL, "linear", "list", "opara", "ios")


@dataclass(frozen=True)
class Candidate:
    """A program that could be the result."""

    name: str
    compilation: Compilation

    @property
    def complexity(self) -> tuple[int, int, int, int]:
        """A sort key: simpler schedules have smaller ones."""
        report, source = self.compilation.report, self.compilation.emitted.source
        return report.channels, report.workers, report.cores, source.count("set_num_threads(")


def tuned(module: ModuleOp, options: Options, on_stage: Stage, ctx: Context) -> Compilation:
    """The program of an imported module that runs in the least time on this machine.

    Raises CompileError as the passes do, and if a program fails, or none computes the same in
    parallel as one operation after the other. `on_stage` is called for the common passes, for
    each candidate, and for the result.
    """
    progress = progress_of(ctx)
    with paused_collector():
        made: dict[str, Compilation] = {}
        wanted = {key: pipeline(given) for key, given in options_of(options).items()}
        lenient = options.memory_limit is not None
        for key, final in _variants(module, wanted, on_stage, ctx, lenient):
            made[key] = finish(final)
            on_stage(f"candidate-{key.replace(', ', '-')}", final)
        candidates = select(made)
    times, busy = measure([c.compilation for c in candidates], options, progress)
    equal = [(c, t) for c, t in zip(candidates, times, strict=True) if t]
    if not equal:
        raise CompileError("no schedule computes the same in parallel as one after the other")
    quartiles = [lower_quartile(t) for _, t in equal]
    winner = choose([c for c, _ in equal], quartiles)
    default = statements(made[DEFAULT].emitted.source)
    usual = [
        i for i, (c, _) in enumerate(equal) if statements(c.compilation.emitted.source) == default
    ]
    if usual and winner not in usual and not busy:
        rivals = [equal[i][0].compilation for i in (winner, usual[0])]
        (again, without), busy = measure(rivals, options, progress)
        wins = lower_quartile(again) < lower_quartile(without) * (1 - ALIKE)
        winner = winner if wins else usual[0]
    if usual and busy:
        winner = usual[0]
    result = equal[winner][0].compilation.module
    told = told_of([c.name for c, _ in equal], quartiles, len(equal[winner][1]))
    if busy:
        told += "; other programs took the cores, so nothing was changed"
    program_of(result).attributes["tuned"] = StringAttr(told)
    on_stage("tuned", result)
    return finish(result)


def options_of(options: Options) -> dict[str, Options]:
    """The options to compile a model with, by name; `auto` is the first."""
    plain = replace(options, tune=False, profile=True)
    variants = {AUTO: plain, DEFAULT: replace(options, tune=False)}
    if options.device != "cpu":
        names = _ON_STREAMS if options.batch == 1 else ()
        return variants | {name: replace(plain, schedule=name) for name in names}
    if options.most_workers > 1:
        if options.batch != 1:
            variants["hyper"] = replace(plain, schedule="hyper")
            variants["switched"] = replace(plain, schedule="hyper", switched=True)
            variants |= {name: replace(plain, schedule=name) for name in ("refine", "intra-op")}
        else:
            variants |= {name: replace(plain, schedule=name) for name in _SCHEDULES}
    if options.provider == "auto" and library() is not None:
        variants[TORCH] = replace(plain, provider="torch")
    return variants


def _variants(
    module: ModuleOp,
    wanted: Mapping[str, Pipeline],
    on_stage: Stage,
    ctx: Context,
    lenient: bool,
    everybody: int = 0,
) -> Iterator[tuple[str, ModuleOp]]:
    """The module after each pipeline; common leading passes of pipelines run once.

    If `lenient`, a pipeline that fails is left out, except `auto`: a memory limit may be too small
    for some. `everybody` is the number of pipelines at the start.
    """
    everybody = everybody or len(wanted)
    groups: dict[str, dict[str, Pipeline]] = {}
    for key, passes in wanted.items():
        first = repr((passes[0][0], dict(passes[0][1]))) if passes else ""
        groups.setdefault(first, {})[key] = passes
    for number, group in enumerate(groups.values()):
        copy = module.clone() if number < len(groups) - 1 else module
        step = next(iter(group.values()))[:1]
        try:
            run_passes(copy, step, on_stage if len(group) == everybody else None, ctx)
        except CompileError:
            if AUTO in group or not lenient:
                raise
            continue
        if not step:
            yield from ((key, copy) for key in group)
        else:
            rest = {key: passes[1:] for key, passes in group.items()}
            yield from _variants(copy, rest, on_stage, ctx, lenient, everybody)


def select(made: Mapping[str, Compilation]) -> list[Candidate]:
    """The distinct programs to measure: that of `auto`, the one without tuning, those of least
    simulated time, that of PyTorch's kernels, and on streams always that of one stream."""
    on_streams = bool(made.keys() >= set(_ON_STREAMS))
    rest = sorted(
        (key for key in made if key not in (AUTO, DEFAULT, TORCH)),
        key=lambda key: made[key].report.parallel_us,
    )
    chosen: list[Candidate] = []
    bodies: set[str] = set()
    for key in (AUTO, DEFAULT, *rest, TORCH):
        enough = key in rest and len(chosen) >= MEASURED and not (on_streams and key == SERIAL)
        if key not in made or enough:
            continue
        body = statements(made[key].emitted.source)
        if body not in bodies:
            bodies.add(body)
            name = made[key].report.schedule.replace(", ", " ")
            name = f"{name} by torch" if key == TORCH else name
            taken = any(c.name == name for c in chosen)
            chosen.append(Candidate(f"{name} ({key})" if taken else name, made[key]))
    return chosen


def statements(source: str) -> str:
    """An emitted program without its docstring and comments, which tell costs."""
    lines = source.split('"""', 2)[2].splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


class Sitting(NamedTuple):
    """Seconds of each timed run of each program; none for one whose workers disagree with its
    serial form."""

    times: list[list[float]]
    busy: bool = False
    """Whether other programs took the cores nearly all the time."""


def measure(compilations: Sequence[Compilation], options: Options, progress: Progress) -> Sitting:
    """Runs programs in turns. CompileError if one fails."""
    with ExitStack() as stack:
        programs = [stack.enter_context(load(c)) for c in compilations]
        try:
            inputs = random_inputs(programs[0].inputs, options.shapes, 0, batch=options.batch)
        except ValueError as error:
            raise CompileError(f"it cannot be measured: {error}") from error
        try:
            equal = [i for i, p in enumerate(programs) if _agrees(p, inputs)]
            racing = [_Racer(programs[i], inputs, options.most_workers) for i in equal]
            busy = _take_turns(racing, progress)
        except OpError as error:
            raise CompileError(f"the program fails: {error}") from error
    times: list[list[float]] = [[] for _ in programs]
    for i, racer in zip(equal, racing, strict=True):
        times[i] = racer.times if busy else racer.quiet
    return Sitting(times, busy)


class _Racer:
    """A program that takes turns with others."""

    def __init__(self, program: CompiledProgram, inputs: Sequence[Tensor], crew: int) -> None:
        """`crew` is the number of threads that it may have."""
        self._timer = _timer(program, inputs)
        self._can_be_disturbed = not isinstance(program, StreamProgram) and crew <= cores()
        """Not by a device's clock; and more threads than cores take these from each other."""
        self.times: list[float] = []
        """Seconds of each timed run."""
        self.quiet: list[float] = []
        """Those in which no other program took the cores."""
        start = time.perf_counter()  # a device's clock does not count what we wait for it
        self._timer(1)
        self.once = time.perf_counter() - start
        """Seconds of a run."""

    def run(self) -> None:
        forget()
        self._timer(1)
        for _ in range(BURST):
            watch = Watch()
            taken = self._timer(1)
            self.times += taken
            if not self._can_be_disturbed or watch.is_quiet():
                self.quiet += taken

    @property
    def turns(self) -> int:
        """As many as the undisturbed runs make."""
        return len(self.quiet) // BURST


def _take_turns(racers: Sequence[_Racer], progress: Progress) -> bool:
    """Whether other programs took the cores nearly all the time while programs took turns."""
    racing, turn = list(racers), 0
    end = time.perf_counter() + PATIENCE_S
    while racing:
        once = sum(racer.once for racer in racing)
        wanted = max(FEWEST, min(MOST, int(BUDGET_S / (BURST + 1) / max(once, 1e-6))))
        done = min(racer.turns for racer in racing)
        late = turn >= PATIENCE * wanted or (turn >= wanted and time.perf_counter() > end)
        progress("tuning", wanted if late else min(done, wanted), wanted)
        if late or done >= wanted:
            break
        # Back and forth, since a program may leave threads that spin for a while.
        for racer in racing[:: -1 if turn % 2 else 1]:
            racer.run()
        turn += 1
        if min(racer.turns for racer in racing) >= FEWEST:
            least = min(lower_quartile(racer.quiet) for racer in racing)
            racing = [r for r in racing if lower_quartile(r.quiet) <= BEHIND * least]
    return any(racer.turns < FEWEST for racer in racers)


Timer = Callable[[int], list[float]]
"""Seconds of each of so many runs."""


def _timer(program: CompiledProgram, inputs: Sequence[Tensor]) -> Timer:
    """Times calls, or of a program of streams the graph that they replay, if there is one."""
    if isinstance(program, StreamProgram) and program.capture_status(*inputs) == CAPTURED:
        return lambda runs: [
            ms / 1e3 for ms in program.replay_times(*inputs, forms=[False], turns=runs)[0]
        ]

    def call() -> None:
        program(*inputs)
        program.synchronize()

    return lambda runs: interleaved([call], runs)[0]


def _agrees(program: CompiledProgram, inputs: Sequence[Tensor]) -> bool:
    """Whether the workers compute what the serial form does; the first calls also prepare."""
    if isinstance(program, StreamProgram):
        program.compares = False  # the schedule itself is measured
    serial = as_tuple(program.serial(*inputs))
    parallel = [as_tuple(program(*inputs)) for _ in range(2)]
    pairs = ((a, b) for run in parallel for a, b in zip(run, serial, strict=True))
    return all(agree(a, b, program.tolerance) for a, b in pairs)


def lower_quartile(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=4, method="inclusive")[0]


def choose(candidates: Sequence[Candidate], times: Sequence[float]) -> int:
    """The simplest of the fastest: those within ALIKE of the least time."""
    least = min(times)
    alike = [i for i, time in enumerate(times) if time <= least * (1 + ALIKE)]
    return min(alike, key=lambda i: (candidates[i].complexity, times[i]))


def told_of(names: Sequence[str], times: Sequence[float], runs: int) -> str:
    """The measurements as text, the fastest first."""
    ranked = sorted(zip(times, names, strict=True))
    listed = ", ".join(f"{name} {milliseconds(seconds * 1e6)}" for seconds, name in ranked)
    return f"{listed} (lower quartiles of {runs} runs)"
