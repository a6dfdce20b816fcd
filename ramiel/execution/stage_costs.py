"""The latency of IOS's stages, measured on the device that is here as they run: at the same time.

A stage is captured, with a stream for each of its groups, several times over as one graph, as
single operations are (`device_costs`). What was measured is kept, by the operations of the groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor
from xdsl.dialects import func
from xdsl.ir import SSAValue

from ramiel.dialects.torch import Task, TorchOperation
from ramiel.errors import CompileError
from ramiel.execution.device_costs import RUNS, difference
from ramiel.execution.evaluator import Evaluator
from ramiel.execution.measured_costs import LEAST, Key, cached, keep
from ramiel.execution.profiler import inputs_for, key_of
from ramiel.runtime.errors import DeviceUnavailable
from ramiel.runtime.streams.device import Device, device_of_programs
from ramiel.runtime.streams.plans import issuing


class StageCosts:
    """µs of stages of a function. Its values stay in the device's memory, once one is measured."""

    def __init__(self, function: func.FuncOp) -> None:
        """CompileError if there is no device."""
        try:
            self._device: Device = device_of_programs()
        except DeviceUnavailable as error:
            raise CompileError(f"nothing can be measured: {error}") from error
        self._function = function
        self._evaluator = Evaluator(self._device.torch_device)
        self._values: dict[SSAValue, Tensor] = {}

    def of(self, groups: Sequence[Sequence[TorchOperation]]) -> float | None:
        """µs of operations that run at the same time, each group in order on a stream of its own;
        None if they cannot be captured."""
        key = key_of_stage(groups)
        if (known := cached(self._device.name, {key})).get(key) is None:
            with torch.no_grad(), self._device.issuing(), issuing:
                us = self._measured(groups)
            if us is None:
                return None
            known = {key: max(us, LEAST)}
            keep(self._device.name, known, RUNS)
        return known[key]

    def _measured(self, groups: Sequence[Sequence[TorchOperation]]) -> float | None:
        try:
            if not self._values:
                self._run()
            return difference(self._device, partial(self._issue, groups))
        except torch.OutOfMemoryError:
            raise
        except Exception:  # what needs the host breaks a capture
            self._device.synchronize()
            return None

    def _run(self) -> None:
        """Computes all values once, which prepares the kernels."""
        inputs = [x.to(self._device.torch_device) for x in inputs_for(self._function)]
        block = self._function.body.block
        self._values.update(zip(block.args, inputs, strict=True))
        self._evaluator.run(block.ops, self._values)

    def _issue(self, groups: Sequence[Sequence[TorchOperation]], count: int) -> None:
        """Issues a stage so often, each time after the one before has ended."""
        device, first = self._device, self._device.current()
        streams = [first, *device.streams(len(groups) - 1)]
        try:
            for _ in range(count):
                start = device.event()
                start.record(first)
                for number, group in enumerate(groups):
                    stream = streams[number % len(streams)]
                    if stream is not first:
                        stream.wait_event(start)
                    device.use(stream)
                    for op in group:
                        assert isinstance(op, Task)
                        self._evaluator.call(op, [self._values[v] for v in op.operands])()
                for stream in streams[1:]:
                    end = device.event()
                    end.record(stream)
                    first.wait_event(end)
                device.use(first)
        finally:
            device.use(first)


def key_of_stage(groups: Sequence[Sequence[TorchOperation]]) -> Key:
    """The operations of each group, in order; the groups in any. And the number of groups."""
    rows = sorted("; ".join(key_of(op) for op in group) for group in groups)
    return f"stage: {' | '.join(rows)}", len(groups)
