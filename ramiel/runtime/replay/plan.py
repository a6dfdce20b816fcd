"""Plans: a taped run of a program, prepared for replay."""

from __future__ import annotations

import ctypes
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ramiel.cores import cores
from ramiel.runtime.replay.builder import Builder
from ramiel.runtime.replay.layout import Layout
from ramiel.runtime.replay.native import Kind, Native, Step, add_function, remove_function
from ramiel.runtime.replay.steps import is_dense
from ramiel.runtime.replay.tape import Noted, Tape
from ramiel.runtime.replay.views import View, bytes_of

MOST_IDLE = 4
"""The copies of a plan that are kept while nobody uses them; as many as there are cores, if that is
more."""
SPINS = 40_000
"""How often a thread that waits within a run spins before it sleeps: for 1 to 2 ms, all but the
first 50 µs of which it offers its core to others."""


class Plan:
    """A run, ready to be replayed with other inputs of the same types, shapes and strides.

    Each copy of it (`Instance`) replays one call at a time; there are as many as calls at a time.
    """

    IS_SHARED: ClassVar[bool] = False
    """Whether what the steps write lies in memory that forked processes share."""

    def __init__(
        self,
        native: Native,
        tapes: Sequence[Tape],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> None:
        """Raises NotCapturable if a step has to do with what is no plain tensor of the CPU."""
        self._native = native
        self._layout = Layout(tapes, inputs, outputs, is_shared=self.IS_SHARED)
        self._idle = [self._new_instance()]

    @property
    def workers(self) -> list[list[Noted]]:
        """The events of each worker."""
        return self._layout.workers

    @property
    def arena_bytes(self) -> int:
        return self._layout.arena_bytes

    def run(
        self, inputs: Sequence[Tensor], times: list[list[int]] | None = None
    ) -> list[Tensor] | None:
        """The outputs, in memory that is the call's alone (but for that of large inputs), and that
        they share as they did when taped. None if the run has to be made in Python: values are not
        finite that were then, or a step has failed, which Python will say more about.

        `times` gets, for each worker, when it began and when each of its events (`workers`) had
        ended, in ns of `time.monotonic_ns()`.
        """
        with self._instance() as instance:
            return instance.run(inputs, times)

    @property
    def can_overlap(self) -> bool:
        """Whether its workers can go from run to run, without the whole being over: no step is on
        more than one thread, so that none needs a core that another run works on."""
        return all(noted.threads == 1 for steps in self.workers for noted in steps)

    def copies(self, count: int) -> Sequence[Instance]:
        """So many copies that this does not use itself."""
        return [self._new_instance() for _ in range(count)]

    def times(self, inputs: Sequence[Tensor]) -> list[list[int]] | None:
        """The times of a run; None as for run()."""
        times: list[list[int]] = []
        return times if self.run(inputs, times) is not None else None

    @contextmanager
    def _instance(self) -> Generator[Instance]:
        try:
            instance = self._idle.pop()
        except IndexError:
            instance = self._new_instance()
        yield instance
        if len(self._idle) < max(MOST_IDLE, cores()):
            self._idle.append(instance)

    def _new_instance(self) -> Instance:
        return Instance(self._layout, self._native)


class _Outputs:
    """The outputs that lie in one block, for which each call has memory of its own."""

    def __init__(
        self, builder: Builder, block: int, views: Mapping[int, View], given: bool
    ) -> None:
        """The views, by the number of the output; `given` if their memory is an input's."""
        self._views = views
        self._memory = builder.memory[block]
        apart = builder.apart.get(block)
        self._apart = apart if apart is not None and apart.is_movable and not given else None
        self._whole = None if given else self._only_output()

    def _only_output(self) -> Tensor | None:
        """The output, if it is the only one and can be cloned or made anew as it is."""
        if len(self._views) != 1:
            return None
        only = next(iter(self._views.values())).on(self._memory)
        fills = self._apart is None or only.nbytes == self._memory.numel()
        return only if fills and is_dense(only) else None

    def memory(self) -> Tensor | None:
        """New memory, to which the steps will write; None if they write to the plan's."""
        if self._apart is None:
            return None
        memory = torch.empty_like(self._memory if self._whole is None else self._whole)
        self._apart.move_to(memory)
        return memory

    def on(self, memory: Tensor | None) -> Iterable[tuple[int, Tensor]]:
        """The outputs, on such memory, or else on a copy of the plan's."""
        if self._whole is not None:
            return [
                (number, self._whole.clone() if memory is None else memory)
                for number in self._views
            ]
        memory = self._memory.clone() if memory is None else memory
        return [(number, view.on(memory)) for number, view in self._views.items()]


class Memory(NamedTuple):
    """What a run uses beside its copy of the plan."""

    inputs: Mapping[int, Tensor]
    """Those that are not copied, by their blocks."""
    outputs: Sequence[Tensor | None]
    """None for those that are written to the copy's memory."""


class Instance:
    """A copy of a plan, with memory of its own."""

    def __init__(self, layout: Layout, native: Native) -> None:
        self.native = native
        self._builder = builder = Builder(layout, native)
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
        self._inputs = [
            (view.block, builder.tensor(view), builder.apart.get(view.block))
            for view in layout.inputs
        ]
        given = {block for block, _, apart in self._inputs if apart and apart.is_movable}
        self._outputs = [
            (block, _Outputs(builder, block, views, block in given))
            for block, views in _by_block(layout.outputs).items()
        ]
        self._plan = self._new_plan(layout.seats, len(builder.channels))

    def run(self, inputs: Sequence[Tensor], times: list[list[int]] | None) -> list[Tensor] | None:
        memory = self.put(inputs)
        clock = None if times is None else self._new_clock(sum(map(len, self._arrays)))
        if self._replay(self.spins, clock):
            return None
        if times is not None and clock is not None:
            times += self._event_times(clock[:])
        return self.outputs(memory)

    def put(self, inputs: Sequence[Tensor]) -> Memory:
        """Gives the copy the inputs of its next run. What is returned must live as long as that."""
        given: dict[int, Tensor] = {}
        for (block, slot, apart), tensor in zip(self._inputs, inputs, strict=True):
            if apart is None or not apart.is_movable:
                slot.copy_(tensor)
                continue
            if tensor.stride() != slot.stride():
                layout = torch.empty_strided(slot.shape, slot.stride(), dtype=slot.dtype)
                tensor = layout.copy_(tensor)
            given[block] = tensor
            apart.move_to(tensor)
        outputs = [
            bytes_of(given[block]) if block in given else outputs.memory()
            for block, outputs in self._outputs
        ]
        return Memory(given, outputs)

    def outputs(self, memory: Memory) -> list[Tensor]:
        """The outputs of a run with what put() has returned."""
        made: dict[int, Tensor] = {}
        for (_, outputs), written in zip(self._outputs, memory.outputs, strict=True):
            made.update(outputs.on(written))
        return [made[number] for number in range(len(made))]

    @property
    def calls_python(self) -> bool:
        """Whether a step always does, and not only where something is not as usual."""
        return any(step.kind == Kind.CALL for steps in self._arrays for step in steps)

    def on_failure(self, function: Callable[[], object]) -> None:
        """Have a function called as soon as a run fails, while steps may still be at work."""
        number = add_function(function)
        self._builder.functions.append(number)
        self.native.on_failure(self._plan, number)

    @property
    def handle(self) -> ctypes.c_void_p:
        """The native plan."""
        return self._plan

    @property
    def spins(self) -> int:
        """How often a thread that waits spins: not at all if there are more of them than cores."""
        return SPINS if self._seats <= cores() else 0

    def _new_plan(self, seats: int, channels: int) -> ctypes.c_void_p:
        return self.native.new_plan(self._arrays, seats, channels)

    def _replay(self, spins: int, clock: ctypes.Array[ctypes.c_int64] | None) -> int:
        """Native.run()."""
        return self.native.run(self._plan, spins, clock)

    def _new_clock(self, steps: int) -> ctypes.Array[ctypes.c_int64]:
        return (ctypes.c_int64 * (steps + len(self._arrays)))()

    def _event_times(self, ns: Sequence[int]) -> Iterator[list[int]]:
        begin = 0
        for array, ends in zip(self._arrays, self._ends, strict=True):
            yield [ns[begin], *(ns[begin + end] for end in ends)]
            begin += len(array) + 1

    def __del__(self) -> None:
        if plan := self.__dict__.get("_plan"):
            self.native.delete(plan)
        if builder := self.__dict__.get("_builder"):
            for number in builder.functions:
                remove_function(number)


def _by_block(views: Sequence[View]) -> Mapping[int, Mapping[int, View]]:
    """The views in each block, by their numbers."""
    blocks: defaultdict[int, dict[int, View]] = defaultdict(dict)
    for number, view in enumerate(views):
        blocks[view.block][number] = view
    return blocks
