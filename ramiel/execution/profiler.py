"""Measured costs: the time of each operation of a function on this machine, on 1 to P threads.

The function is run operation by operation, several times, on its own values: operations that
depend on their data see real data, and caches and memory are about as cold as in a run of the
program. Only what the emitted program does is timed: its call, without the evaluator, or where
programs are replayed (ramiel.runtime.replay) and the function can be, the steps of the call.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor
from xdsl.dialects import func
from xdsl.ir import Operation, SSAValue

from ramiel.backend.pytorch.expressions import call_expression
from ramiel.backend.pytorch.format import flat
from ramiel.cores import cores
from ramiel.dialects.onnx.types import StringType, element_of, static_shape_of
from ramiel.dialects.onnx.weights import defaults_of
from ramiel.dialects.torch import CallOp, ControlOp, LayerOp, Task, TorchOperation, WeightOp
from ramiel.dialects.torch.dtypes import torch_dtype_of
from ramiel.errors import CompileError
from ramiel.execution.evaluator import Evaluator
from ramiel.execution.tensors import tensor_of
from ramiel.runtime.disturbance import Watch, forget
from ramiel.runtime.memory import keep_memory
from ramiel.runtime.replay.native import native
from ramiel.runtime.replay.plan import Plan
from ramiel.runtime.replay.plans import captures_by_itself
from ramiel.runtime.replay.tape import NotCapturable, memory_bytes, running, tapes_of
from ramiel.torch_level.candidates import KERNELS, callee_of, kernel_of
from ramiel.torch_level.lifetimes import ENOUGH, freed_after

FEWEST, MOST = 3, 10
"""Rounds, in each of which the whole function is run on each number of threads."""
BURST = 3
"""Timed runs on a number of threads in a round, after one to warm up."""
BUDGET_S = 2.0
"""The seconds for which rounds are added beyond the fewest."""
LONG_S = 4.0
"""From so many seconds of a round on, one is enough."""

Progress = Callable[[int, int], None]
"""Called with the number of runs done, and of all runs."""


def key_of(op: TorchOperation, threads: int = 1) -> str:
    """The callee, arguments and types, which determine an operation's cost. The kernel is the one
    for this number of threads, if an operation has several."""
    kernel = kernel_of(op, threads)
    operands = [f"%{i}" for i in range(len(op.operands))]
    if isinstance(op, LayerOp):
        weights = ", ".join(f"{k}: {w.data.type}" for k, w in op.weights.items())
        options = {k: str(v) for k, v in op.config.items() if k != "kernel"}
        if kernel is not None:
            options["kernel"] = f'"{kernel}"'
        config = ", ".join(f"{k}={v}" for k, v in options.items())
        text = f"{op.layer}({config}; {weights})"
    elif isinstance(op, ControlOp):
        text = f"{op.name} {hashlib.sha256(str(op).encode()).hexdigest()[:16]}"
    else:
        assert isinstance(op, CallOp)
        text = flat(call_expression(op, operands))
        if KERNELS in op.attributes:
            name = callee_of(op, kernel)
            text = name + text.removeprefix(op.callee)
    given = ", ".join(str(v.type) for v in op.operands)
    made = ", ".join(str(v.type) for v in op.results)
    return f"{text}: ({given}) -> ({made})"


ALONE = ", alone"
"""Added to the key of an operation: on one thread, while the other cores are idle."""


class Profile(NamedTuple):
    """The time in µs of each distinct operation on each number of threads, the number of runs, and
    whether other programs took the cores in nearly all of them on some number of threads.

    It is the lower quartile of the runs, since disturbances only make them longer, on several
    threads by much. Operations of one key share their mean.

    Where they are replayed, all cores are busy: k threads are measured while as many other teams
    of k threads as there are cores for do the same. Cores that share caches, memory, power or
    execution units are slower then. Times on one thread while the others are idle have keys with
    ALONE added.
    """

    costs: dict[tuple[str, int], float]
    runs: int
    disturbed: bool = False


def profile(
    function: func.FuncOp,
    threads: Sequence[int],
    progress: Progress,
    *,
    fewest: int = FEWEST,
    budget_s: float = BUDGET_S,
    part: int = 4,
    quiet: int = FEWEST,
    patience_s: float = 0.0,
) -> Profile:
    """Times the operations of a function on some numbers of threads, which take turns: a burst
    each, so that weights and values are in caches as in calls that follow each other. One `part`th
    of an operation's times are shorter than what counts.

    Where fewer than `quiet` runs were undisturbed there are more of them, for `patience_s` seconds.

    Raises CompileError if an input's shape is open, or an operation fails.
    """
    inputs = inputs_for(function)
    ops = [op for op in function.body.block.ops if isinstance(op, Task | WeightOp)]
    freed = freed_after(ops, {v for op in ops for v in op.results}, ENOUGH)
    evaluator = Evaluator()
    env: dict[SSAValue, Tensor] = {}
    evaluator.run((op for op in ops if isinstance(op, WeightOp)), env)
    env |= zip(function.body.block.args, inputs, strict=True)
    calls = [op for op in ops if not isinstance(op, WeightOp)]
    settings = [_Setting(count, max(cores() // count, 1)) for count in threads]
    if cores() > 1 and 1 in threads:
        settings.append(_Setting(1, 1, ALONE))
    rows: dict[_Setting, _Rows] = {setting: _Rows() for setting in settings}
    keep_memory()  # as programs do
    before = torch.get_num_threads()

    def run(setting: _Setting) -> list[list[float]]:
        plan = plans[setting.threads]
        if plan is not None:
            count = min(setting.teams, max(1, int(memory_bytes() / 8 / max(plan.arena_bytes, 1))))
            taken = teams.map(plan.times, [inputs] * count)
            replayed = [_times_of(plan, times, len(calls)) for times in taken if times]
            if replayed:
                return replayed
        torch.set_num_threads(setting.threads)
        return [_times(calls, dict(env), freed, evaluator)]

    def once(settings: Sequence[_Setting]) -> float:
        start = time.perf_counter()
        for setting in settings:
            forget()
            run(setting)  # finds what the other settings have left in the caches
            for _ in range(BURST):
                watch = Watch()
                taken = run(setting)
                # What counts is less than the times of teams that are disturbed, if they are few.
                rows[setting].add(taken, watch.disturbed() <= len(taken) // part)
        return time.perf_counter() - start

    teams = ThreadPoolExecutor(cores())
    try:
        plans: dict[int, Plan | None] = {}
        for setting in settings:
            if setting.threads in plans:
                continue
            plans[setting.threads] = None
            run(setting)  # prepares kernels
            if are_replayed():
                plans[setting.threads] = _plan(calls, dict(env), inputs, evaluator)
        seconds = once(settings)
        # Runs that are long differ less, and there are as many operations in them to wait for.
        least = fewest if seconds < LONG_S else 1
        rounds = max(least, min(MOST, int(budget_s / seconds)))
        for i in range(1, rounds):
            progress(i, rounds)
            once(settings)
        end = time.perf_counter() + patience_s
        while time.perf_counter() < end and (
            late := [setting for setting, found in rows.items() if found.quiet_runs < quiet]
        ):
            once(late)
        progress(rounds, rounds)
    finally:
        torch.set_num_threads(before)
        teams.shutdown()
    costs: dict[tuple[str, int], float] = {}
    for setting, found in rows.items():
        by_key: dict[str, list[float]] = {}
        for op, *row in zip(calls, *found.best, strict=True):
            key = key_of(op) + setting.suffix
            # Of few times, a quantile of statistics' may lie below the least.
            typical = max(min(row), statistics.quantiles(row, n=part)[0])
            by_key.setdefault(key, []).append(typical)
        costs |= {(key, setting.threads): statistics.fmean(group) for key, group in by_key.items()}
    disturbed = any(found.quiet_runs < FEWEST for found in rows.values())
    return Profile(costs, rounds * BURST, disturbed)


class _Rows:
    """µs of each operation, in each run."""

    def __init__(self) -> None:
        self._every: list[list[float]] = []
        self._quiet: list[list[float]] = []
        self.quiet_runs = 0
        """In which no other program took the cores."""

    def add(self, taken: list[list[float]], quiet: bool) -> None:
        """What the teams of a run took."""
        self._every += taken
        if quiet:
            self._quiet += taken
            self.quiet_runs += 1

    @property
    def best(self) -> list[list[float]]:
        """Those of quiet runs, if there are enough of them."""
        return self._quiet if self.quiet_runs >= FEWEST else self._every


class _Setting(NamedTuple):
    """How operations are timed: on so many threads, in so many teams at a time."""

    threads: int
    teams: int
    suffix: str = ""


def are_replayed() -> bool:
    """Whether programs are, as far as they can be."""
    return captures_by_itself() and native() is not None


def _plan(
    ops: Sequence[Task],
    env: dict[SSAValue, Tensor],
    inputs: Sequence[Tensor],
    evaluator: Evaluator,
) -> Plan | None:
    """The operations on one worker, as many threads as PyTorch now has; None if they cannot be
    replayed. The line of a step is the operation's number."""
    (tape,) = tapes_of(1)
    number = 0
    tape.line = lambda: number
    try:
        with torch.no_grad(), running(tape):
            for number, op in enumerate(ops):  # noqa: B007
                results = evaluator.operation(op, [env[v] for v in op.operands])
                env.update(zip(op.results, results, strict=True))
        lib = native()
        return Plan(lib, [tape], inputs, ()) if lib is not None else None
    except NotCapturable:
        return None


def _times_of(plan: Plan, taken: Sequence[Sequence[int]], count: int) -> list[float]:
    """µs of each of so many operations, from what one replay took."""
    times = [0.0] * count
    for noted, (begin, end) in zip(plan.workers[0], pairwise(taken[0]), strict=True):
        times[noted.line] += (end - begin) / 1e3
    return times


def _times(
    ops: Sequence[Task],
    env: dict[SSAValue, Tensor],
    freed: Mapping[Operation, Sequence[SSAValue]],
    evaluator: Evaluator,
) -> list[float]:
    """µs of each operation, in one run. Values are freed where a program frees them, and the time
    counts towards the operation before."""
    times: list[float] = []
    with torch.no_grad():
        for op in ops:
            operands = [env[v] for v in op.operands]
            call = evaluator.call(op, operands)
            start = time.perf_counter_ns()
            try:
                result = call()
            except Exception as error:
                raise CompileError(f'"{op.origin[0]}" cannot be profiled: {error}') from error
            taken = time.perf_counter_ns() - start
            several = len(op.results) > 1 or isinstance(result, tuple)
            results = cast("tuple[Tensor, ...]", tuple(result) if several else (result,))
            env.update(zip(op.results, results, strict=True))
            del operands, call, result, results
            start = time.perf_counter_ns()
            for value in freed.get(op, ()):
                env.pop(value, None)
            times.append((taken + time.perf_counter_ns() - start) / 1e3)
    return times


def inputs_for(function: func.FuncOp) -> list[Tensor]:
    """Random inputs: numbers around 0, and 0 or 1 for integers, which are in range for ids. An
    input with a default gets that."""
    defaults = defaults_of(function)
    generator = torch.Generator().manual_seed(0)
    tensors: list[Tensor] = []
    for i, arg in enumerate(function.body.block.args):
        if i in defaults:
            tensors.append(tensor_of(defaults[i].array()))
            continue
        shape, dtype = static_shape_of(arg.type), torch_dtype_of(arg.type)
        name = f'input "{arg.name_hint or i}"'
        if element_of(arg.type) in (None, StringType()):
            raise CompileError(f"{name} is not a tensor of numbers: it cannot be profiled")
        if shape is None or dtype is None:
            raise CompileError(f"{name} has an open shape: to profile, give it one (--shape)")
        torch_dtype = getattr(torch, dtype)
        if torch_dtype.is_floating_point:
            tensors.append(torch.randn(shape, generator=generator).to(torch_dtype))
        else:
            tensors.append(torch.randint(0, 2, shape, generator=generator).to(torch_dtype))
    return tensors
