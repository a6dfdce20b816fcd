"""Costs measured on the device that is here, each distinct operation once: from the cache, or now.

An operation is captured many times over as one graph, since launching it from Python would take
longer than most kernels. Two graphs, of which one repeats it three times as often, tell what one
repetition takes without starting the graph. The same on several streams at a time tells which part
of the device the operation fills: if four of it take as long as one, at most a quarter.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from xdsl.dialects import func
from xdsl.ir import SSAValue

from ramiel.console.progress import Progress
from ramiel.dialects.torch import Task, TorchOperation, WeightOp
from ramiel.errors import CompileError
from ramiel.execution.evaluator import Evaluator
from ramiel.execution.measured_costs import LEAST, Key, cached, keep
from ramiel.execution.profiler import inputs_for, key_of
from ramiel.runtime.errors import DeviceUnavailable
from ramiel.runtime.streams.device import Device, device_of_programs
from ramiel.runtime.streams.plans import issuing
from ramiel.torch_level.lifetimes import ENOUGH, freed_after

REPEATS, LONGER = 10, 30
"""How often an operation is in the two graphs."""
RUNS = 4
"""Replays of each graph, after one to warm up; the fastest counts."""
CROWD = 4
"""How many of an operation run at a time to find which part of the device one fills."""
CROWDED = 1.1
"""From this ratio of the times on, they slow each other down."""
HAND_OVER: Key = ("hand-over between streams", 1)


@dataclass(frozen=True)
class DeviceCosts:
    """µs by operation, alone and in a crowd of CROWD, and of a hand-over between streams."""

    costs: Mapping[Key, float]

    @property
    def hand_over(self) -> float:
        return self.costs[HAND_OVER]

    def of(self, op: TorchOperation) -> float:
        return self.costs[key_of(op), 1]

    def share(self, op: TorchOperation, estimated: float) -> float:
        """The part of the device that an operation fills. Only what is more than a CROWDth shows;
        below, it is what was estimated."""
        alone, crowded = self.of(op), self.costs[key_of(op), CROWD]
        if crowded < CROWDED * alone:
            return min(estimated, 1 / CROWD)
        return min(1.0, crowded / (CROWD * alone))


def device_costs(function: func.FuncOp, progress: Progress) -> DeviceCosts:
    """The costs of a function's operations on the device.

    Those measured earlier on such a device, with these versions, come from the cache. Raises
    CompileError if there is no device, an input's shape is open, or an operation fails.
    """
    try:
        device = device_of_programs()
    except DeviceUnavailable as error:
        raise CompileError(f"nothing can be measured: {error}") from error
    tasks = [op for op in function.body.block.ops if isinstance(op, Task)]
    wanted = {(key_of(op), count) for op in tasks for count in (1, CROWD)} | {HAND_OVER}
    known = cached(device.name, wanted)
    if missing := wanted - known.keys():
        found = _measured(function, device, {key for key, _ in missing}, progress)
        keep(device.name, found, RUNS)
        known |= found
    return DeviceCosts(known)


def _measured(
    function: func.FuncOp, device: Device, keys: set[str], progress: Progress
) -> dict[Key, float]:
    """µs of the operations of these keys, and of a hand-over. Operations run on their own values,
    as in the program."""
    ops = [op for op in function.body.block.ops if isinstance(op, Task | WeightOp)]
    freed = freed_after(ops, {v for op in ops for v in op.results}, ENOUGH)
    evaluator = Evaluator(device.torch_device)
    inputs = [x.to(device.torch_device) for x in inputs_for(function)]
    env: dict[SSAValue, Tensor] = dict(zip(function.body.block.args, inputs, strict=True))
    found: dict[Key, float] = {}
    with torch.no_grad(), device.issuing(), issuing:
        for number, op in enumerate(ops):
            operands = [env[v] for v in op.operands]
            try:
                # The first call prepares kernels.
                env.update(zip(op.results, evaluator.operation(op, operands), strict=True))
                key = "" if isinstance(op, WeightOp) else key_of(op)
                if key in keys and (key, 1) not in found and not isinstance(op, WeightOp):
                    found |= _costs(device, key, evaluator.call(op, operands))
            except (RuntimeError, TypeError, ValueError) as error:
                name = op.origin[0] if isinstance(op, Task) else "a weight"
                raise CompileError(f'"{name}" cannot be profiled: {error}') from error
            for value in freed.get(op, ()):
                env.pop(value, None)
            progress("profiling", number + 1, len(ops))
        found[HAND_OVER] = _hand_over(device)
        device.synchronize()
    return {key: max(us, LEAST) for key, us in found.items()}


def _costs(device: Device, key: str, call: Callable[[], Any]) -> dict[Key, float]:
    """µs of an operation alone and in a crowd; if it needs the host, so that it cannot be captured,
    with its launch, and as if it filled the device."""
    try:
        return {
            (key, streams): difference(device, lambda n, k=streams: _repeat(device, call, n, k))
            for streams in (1, CROWD)
        }
    except torch.OutOfMemoryError:
        raise
    except Exception:
        device.synchronize()
        alone = min([_time(device, call) for _ in range(RUNS + 1)][1:])
        return {(key, 1): alone, (key, CROWD): CROWD * alone}


def difference(device: Device, issue: Callable[[int], None]) -> float:
    """µs of one of the repetitions that a function issues a number of."""
    times: list[float] = []
    for count in (REPEATS, LONGER):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of empty graphs: views are no kernels
            graph, _ = device.capture(lambda count=count: issue(count))
        taken = [_time(device, graph.replay) for _ in range(RUNS + 1)]
        times.append(min(taken[1:]))
        device.synchronize()  # a graph must not be freed while it runs
    return (times[1] - times[0]) / (LONGER - REPEATS)


def _time(device: Device, run: Callable[[], object]) -> float:
    start, end = device.timer(), device.timer()
    start.record(device.current())
    run()
    end.record(device.current())
    device.synchronize()
    return start.elapsed_time(end) * 1e3


def _repeat(device: Device, call: Callable[[], object], count: int, streams: int) -> None:
    """Issues a call so often, to each of so many streams."""
    first = device.current()
    others = device.streams(streams - 1)
    start = device.event()
    start.record(first)
    try:
        for stream in (first, *others):
            if stream is not first:
                stream.wait_event(start)
            device.use(stream)
            for _ in range(count):
                call()
    finally:
        device.use(first)
    for stream in others:
        end = device.event()
        end.record(stream)
        first.wait_event(end)


def _hand_over(device: Device) -> float:
    """µs that an operation starts later after one of another stream than after one of its own."""
    x = torch.zeros(1)

    def apart(count: int) -> None:
        first = device.current()
        streams = (first, *device.streams(1))
        try:
            for turn in range(count):
                for stream in streams[:: 1 if turn % 2 else -1]:
                    last = device.event()
                    last.record(device.current())
                    device.use(stream)
                    stream.wait_event(last)
                    x.add_(1)
        finally:
            last = device.event()
            last.record(device.current())
            device.use(first)
            first.wait_event(last)

    def together(count: int) -> None:
        for _ in range(2 * count):
            x.add_(1)

    # Of each two turns, two of four operations follow one of another stream.
    return difference(device, apart) - difference(device, together)
