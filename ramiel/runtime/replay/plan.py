"""Plans: a taped run of a program, prepared for replay."""

from __future__ import annotations

import ctypes
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from ramiel.cores import cores
from ramiel.runtime.replay.builder import Builder
from ramiel.runtime.replay.layout import Layout
from ramiel.runtime.replay.native import Native, Step, remove_function
from ramiel.runtime.replay.tape import Noted, Tape

MOST_IDLE = 4
"""The copies of a plan that are kept while nobody uses them; as many as there are cores, if that is
more."""
SPINS = 40_000
"""How often a thread that waits within a run spins before it sleeps: for 1 to 2 ms, all but the
first 50 µs of which it offers its core to others."""


class Plan:
    """A run, ready to be replayed with other inputs of the same types, shapes and strides.

    Each copy of it (`_Instance`) replays one call at a time; there are as many as calls at a time.
    """

    def __init__(
        self,
        native: Native,
        tapes: Sequence[Tape],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> None:
        """Raises NotCapturable if a step has to do with what is no plain tensor of the CPU."""
        self._native = native
        self._layout = Layout(tapes, inputs, outputs)
        self._idle = [_Instance(self._layout, native)]

    @property
    def workers(self) -> list[list[Noted]]:
        """The events of each worker."""
        return self._layout.workers

    @property
    def arena_bytes(self) -> int:
        return self._layout.arena_bytes

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor] | None:
        """The outputs, in memory of their own; None if the run has to be made in Python: values
        are not finite that were when it was taped, or a step has failed, which Python will say
        more about."""
        with self._instance() as instance:
            return instance.run(inputs)

    def times(self, inputs: Sequence[Tensor]) -> list[list[int]] | None:
        """When each worker began, and when each of its events (`workers`) had ended, in one run,
        in ns of `time.monotonic_ns()`; None if the run has to be made in Python."""
        with self._instance() as instance:
            return instance.times(inputs)

    @contextmanager
    def _instance(self) -> Generator[_Instance]:
        try:
            instance = self._idle.pop()
        except IndexError:
            instance = _Instance(self._layout, self._native)
        yield instance
        if len(self._idle) < max(MOST_IDLE, cores()):
            self._idle.append(instance)


class _Instance:
    """A copy of a plan, with memory of its own."""

    def __init__(self, layout: Layout, native: Native) -> None:
        self._native = native
        self._builder = builder = Builder(layout, native)
        self._inputs = [builder.tensor(view) for view in layout.inputs]
        self._outputs = [builder.tensor(view) for view in layout.outputs]
        self._seats = layout.seats
        self._arrays: list[ctypes.Array[Step]] = []
        self._ends: list[list[int]] = []
        """For each worker, the number of steps until the end of each of its events."""
        for worker in range(len(layout.workers)):
            made, ends = builder.worker(worker)
            self._ends.append(ends)
            array = (Step * len(made))(*made)
            for step in array:
                builder.note_addresses(step)
            self._arrays.append(array)
        self._moved = [builder.apart.get(v.block) for v in (*layout.inputs, *layout.outputs)]
        self._plan = native.new_plan(self._arrays, layout.seats, len(builder.channels))

    def times(self, inputs: Sequence[Tensor]) -> list[list[int]] | None:
        times = (ctypes.c_int64 * sum(len(array) + 1 for array in self._arrays))()
        if self.run(inputs, times) is None:
            return None
        taken: list[list[int]] = []
        ns, begin = times[:], 0
        for array, ends in zip(self._arrays, self._ends, strict=True):
            taken.append([ns[begin], *(ns[begin + end] for end in ends)])
            begin += len(array) + 1
        return taken

    def run(
        self, inputs: Sequence[Tensor], times: ctypes.Array[ctypes.c_int64] | None = None
    ) -> list[Tensor] | None:
        count = len(inputs)
        kept: list[Tensor] = []
        for slot, given, apart in zip(self._inputs, inputs, self._moved[:count], strict=True):
            if apart is None or not apart.is_movable:
                slot.copy_(given)
                continue
            if given.stride() != slot.stride():
                layout = torch.empty_strided(slot.shape, slot.stride(), dtype=slot.dtype)
                given = layout.copy_(given)
            kept.append(given)
            apart.move_to(given)
        outputs = [
            torch.empty(slot.shape, dtype=slot.dtype) if apart and apart.is_movable else None
            for slot, apart in zip(self._outputs, self._moved[count:], strict=True)
        ]
        for output, apart in zip(outputs, self._moved[count:], strict=True):
            if output is not None and apart is not None:
                apart.move_to(output)
        spins = SPINS if self._seats <= cores() else 0
        if self._native.run(self._plan, spins, times):
            return None
        return [
            slot.clone(memory_format=torch.contiguous_format) if output is None else output
            for slot, output in zip(self._outputs, outputs, strict=True)
        ]

    def __del__(self) -> None:
        if plan := self.__dict__.get("_plan"):
            self._native.delete(plan)
        if builder := self.__dict__.get("_builder"):
            for number in builder.functions:
                remove_function(number)
