"""Plans: a taped run of a program, prepared for replay."""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ramiel.cores import cores
from ramiel.runtime.replay import memory
from ramiel.runtime.replay.concatenations import divided
from ramiel.runtime.replay.dispatcher import Prepared
from ramiel.runtime.replay.native import (
    Kind,
    Native,
    Step,
    add_function,
    remove_function,
)
from ramiel.runtime.replay.steps import NATIVE, Steps, constant, finite
from ramiel.runtime.replay.tape import (
    Call,
    Event,
    Finite,
    Move,
    NotCapturable,
    Noted,
    Receive,
    Renewed,
    Run,
    Send,
    Tape,
    found_in,
    is_opaque,
    replaced,
    used,
    written,
)
from ramiel.runtime.replay.views import View

LARGE = 1 << 16
"""Bytes of an input or output for which a copy costs more than telling each step its address."""
MOST_IDLE = 4
"""The copies of a plan that are kept while nobody uses them; as many as there are cores, if that is
more."""
SPINS = 40_000
"""How often a thread that waits within a run spins before it sleeps: for 1 to 2 ms, all but the
first 50 µs of which it offers its core to others."""


@dataclass
class _Block:
    """Memory that a plan uses: a value's, at an offset of the arena, or another tensor's. Where a
    step writes to that, each copy of the plan has a copy of it."""

    tensor: Tensor | None = None
    size: int = 0
    offset: int = 0
    is_written: bool = False
    is_apart: bool = False
    """Whether it is no part of the arena: a large input or output, which need not be copied if
    the steps can be told where it lies in each call."""

    def memory(self, arena: Tensor) -> Tensor:
        """The block's bytes in one copy of a plan."""
        if self.is_apart:
            return torch.empty(self.size, dtype=torch.uint8)
        if self.tensor is None:
            return arena[self.offset : self.offset + self.size]
        storage = self.tensor.untyped_storage()
        whole = torch.empty(0, dtype=torch.uint8).set_(storage)  # pyright: ignore
        return whole.clone() if self.is_written else whole


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
        self.blocks: list[_Block] = []
        self.scratch: dict[tuple[int, int], int] = {}
        self._numbers: dict[int, int] = {}
        self._fresh = {address for tape in tapes for address in tape.fresh}
        self._fresh.update(x.untyped_storage().data_ptr() for x in inputs)
        self.inputs = [self._view(x) for x in inputs]
        self.workers = divided(self._abstract(tapes))
        self.outputs = [self._view(y) for y in outputs]
        self.read = self._find_read()
        self.threads = max((noted.threads for w in self.workers for noted in w), default=1)
        self._set_apart()
        self.arena_bytes = self._place()
        self._idle = [_Instance(self, native)]

    @property
    def seats(self) -> int:
        return max(len(self.workers), self.threads)

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
            instance = _Instance(self, self._native)
        yield instance
        if len(self._idle) < max(MOST_IDLE, cores()):
            self._idle.append(instance)

    # --- from tensors to blocks

    def _given(self, tensor: Tensor) -> View | Tensor:
        return tensor if is_opaque(tensor) else self._view(tensor)

    def _view(self, tensor: Tensor) -> View:
        if type(tensor) is not Tensor or not tensor.is_cpu or is_opaque(tensor):
            raise NotCapturable(f"a {type(tensor).__name__} of {tensor.device}, {tensor.layout}")
        storage = tensor.untyped_storage()
        address = storage.data_ptr()
        number = self._numbers.get(address)
        if number is None:
            number = self._numbers[address] = len(self.blocks)
            self.blocks.append(_Block() if address in self._fresh else _Block(tensor))
        shape, strides = tuple(tensor.shape), tensor.stride()
        view = View(number, shape, strides, int(tensor.storage_offset()), tensor.dtype)
        block = self.blocks[number]
        block.size = max(block.size, view.end)
        return view

    def _abstract(self, tapes: Sequence[Tape]) -> list[list[Noted]]:
        """The workers' events with views in the place of tensors."""
        events = (noted.event for tape in tapes for noted in tape.events)
        sent = {event.channel for event in events if isinstance(event, Send)}
        workers: list[list[Noted]] = []
        for tape in tapes:
            steps: list[Noted] = []
            for noted in tape.events:
                event = noted.event
                if isinstance(event, Renewed):
                    self._numbers.pop(event.address, None)
                elif not isinstance(event, Receive) or event.channel in sent:
                    try:
                        steps.append(noted._replace(event=self._with_views(event)))
                    except NotCapturable as reason:
                        raise NotCapturable(f"line {noted.line}: {reason}") from None
                    for view in written(steps[-1].event, View):
                        self.blocks[view.block].is_written = True
            workers.append(steps)
        return workers

    def _with_views(self, event: Event) -> Event:
        match event:
            case Call(function, args, kwargs, results):
                args, kwargs = replaced((args, dict(kwargs)), Tensor, self._given)
                return Call(function, args, kwargs, replaced(results, Tensor, self._view))
            case Run(primitive, tensors):
                return Run(primitive, replaced(tensors, Tensor, self._view))
            case Finite(tensor):
                return Finite(replaced(tensor, Tensor, self._view))
            case _:
                return event

    def _find_read(self) -> set[int]:
        """The blocks that more than one event uses, or the caller."""
        uses: Counter[int] = Counter()
        for steps in self.workers:
            for event, *_ in steps:
                uses.update({view.block for view in used(event, View)})
        outputs = {view.block for view in self.outputs}
        return outputs | {block for block, count in uses.items() if count > 1}

    def _set_apart(self) -> None:
        """Large inputs that no step writes to, and large outputs that are blocks of their own."""
        ends = [view.block for view in (*self.inputs, *self.outputs)]
        for view in (*self.inputs, *self.outputs):
            block = self.blocks[view.block]
            block.is_apart = (
                block.tensor is None
                and block.size >= LARGE
                and view.offset == 0
                and view.end == block.size == math.prod(view.shape) * view.dtype.itemsize
                and ends.count(view.block) == 1
            )
        for view in self.inputs:
            block = self.blocks[view.block]
            block.is_apart = block.is_apart and not block.is_written
        for view in self.outputs:
            block = self.blocks[view.block]
            block.is_apart = block.is_apart and view.strides == _contiguous(view.shape)

    def _place(self) -> int:
        """Gives each value and each primitive's scratchpad a place in the arena; its bytes."""
        clocks = memory.clocks([[noted.event for noted in steps] for steps in self.workers])
        count, never = len(self.workers), np.iinfo(np.int64).max
        lives: list[memory.Life] = [memory.Life.unused(count) for _ in self.blocks]
        for view in self.inputs:  # written before the first step, and so all at the same time
            lives[view.block].begin[:] = 0
            lives[view.block].end[:] = 1
        for w, steps in enumerate(self.workers):
            for i, (event, *_) in enumerate(steps):
                for view in used(event, View):
                    lives[view.block].use(w, i, clocks[w][i])
                if isinstance(event, Run) and event.primitive.scratch_bytes:
                    self.scratch[w, i] = len(self.blocks)
                    self.blocks.append(_Block(size=event.primitive.scratch_bytes))
                    lives.append(memory.Life.unused(count))
                    lives[-1].use(w, i, clocks[w][i])
        for view in self.outputs:
            lives[view.block].end[:] = never
        values = [i for i, b in enumerate(self.blocks) if b.tensor is None and not b.is_apart]
        found, total = memory.offsets(
            [self.blocks[i].size for i in values], [lives[i] for i in values]
        )
        for value, offset in zip(values, found, strict=True):
            self.blocks[value].offset = offset
        return total


@dataclass
class _Apart:
    """Memory that may lie elsewhere in each call."""

    address: int
    size: int
    moves: list[tuple[int, Move]] = field(default_factory=list[tuple[int, Move]])
    """Who is told of a new address, and how far from its beginning."""
    is_movable: bool = True

    @staticmethod
    def of(memory: Tensor) -> _Apart:
        return _Apart(memory.data_ptr(), memory.numel())

    def move_to(self, tensor: Tensor) -> None:
        address = tensor.data_ptr()
        for offset, move in self.moves:
            move(address + offset)


class _Instance:
    """A copy of a plan, with memory of its own."""

    def __init__(self, plan: Plan, native: Native) -> None:
        self._native = native
        arena = torch.empty(plan.arena_bytes + memory.ALIGNMENT, dtype=torch.uint8)
        arena = arena[-arena.data_ptr() % memory.ALIGNMENT :]
        self._memory = [block.memory(arena) for block in plan.blocks]
        self._functions: list[int] = []
        self._kept: list[object] = []
        self._inputs = [self.tensor(view) for view in plan.inputs]
        self._outputs = [self.tensor(view) for view in plan.outputs]
        self._seats = plan.seats
        events = [noted.event for steps in plan.workers for noted in steps]
        self._read = plan.read
        sent = [event.channel for event in events if isinstance(event, Send)]
        channels = {name: number for number, name in enumerate(sent)}
        self._apart = {
            view.block: _Apart.of(self._memory[view.block])
            for view in (*plan.inputs, *plan.outputs)
            if plan.blocks[view.block].is_apart
        }
        self._arrays: list[ctypes.Array[Step]] = []
        self._ends: list[list[int]] = []
        """For each worker, the number of steps until the end of each of its events."""
        for w, steps in enumerate(plan.workers):
            made: list[Step] = []
            ends: list[int] = []
            for i, (event, threads, _) in enumerate(steps):
                made += self._steps(event, threads, plan.scratch.get((w, i)), channels)
                ends.append(len(made))
            self._ends.append(ends)
            array = (Step * len(made))(*made)
            for step in array:
                for name in ("first", "second", "third"):
                    self._note_address(getattr(step, name), partial(setattr, step, name))
            self._arrays.append(array)
        self._moved = [self._apart.get(v.block) for v in (*plan.inputs, *plan.outputs)]
        self._plan = native.new_plan(self._arrays, plan.seats, len(channels))

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

    def tensor(self, view: View) -> Tensor:
        bytes_ = self._memory[view.block]
        whole = bytes_[: bytes_.numel() // view.dtype.itemsize * view.dtype.itemsize]
        whole = whole.view(view.dtype)
        return whole.as_strided(view.shape, view.strides, whole.storage_offset() + view.offset)

    def __del__(self) -> None:
        if plan := self.__dict__.get("_plan"):
            self._native.delete(plan)
        for number in self.__dict__.get("_functions", ()):
            remove_function(number)

    # --- steps

    def _steps(
        self, event: Event, threads: int, scratch: int | None, channels: dict[str, int]
    ) -> Iterator[Step]:
        match event:
            case Send(channel):
                yield Step(Kind.SEND, threads, None, None, None, channels[channel])
            case Receive(channel):
                yield Step(Kind.RECEIVE, threads, None, None, None, channels[channel])
            case Run(primitive, views):
                addresses = [self.tensor(view).data_ptr() for view in views]  # pyright: ignore
                if scratch is not None:
                    addresses.append(self._memory[scratch].data_ptr())
                kind, *fields, moves, kept = primitive.bound_to(addresses)
                self._kept.append(kept)
                for address, move in moves:
                    self._note_address(address, move)
                yield Step(Kind[kind], threads, *fields)
            case Finite(view):
                yield from self._finite(self.tensor(view), threads)  # pyright: ignore
            case Call():
                yield from self._call(event, threads)
            case Renewed():
                pass

    def _own(self, steps: Steps, threads: int) -> Iterator[Step]:
        """Steps of native/kernels.cpp, on so many threads."""
        for step, kept in steps:
            step.threads = threads
            self._kept.append(kept)
            yield step

    def _finite(self, x: Tensor, threads: int) -> Iterator[Step]:
        if steps := finite(x):
            yield from self._own(steps, threads)
            return

        self._stays(x)

        def check() -> None:
            if not torch.isfinite(x).all():
                raise FloatingPointError

        yield self._function(check, threads)

    def _call(self, event: Call, threads: int) -> Iterator[Step]:
        args, kwargs = replaced((event.args, dict(event.kwargs)), View, self.tensor)
        results = [self.tensor(view) for view in event.results]  # pyright: ignore
        function = event.function
        make = NATIVE.get(function.overloadpacket.__name__)
        if len(results) == 1 and next(found_in((args, kwargs), Tensor), None) is None:
            steps = constant(function(*args, **kwargs), results[0])
        else:
            steps = make and make(*args, result=results[0], **kwargs)
        if steps:
            yield from self._own(steps, threads)
            return

        if prepared := self._prepared(event, args, kwargs, results):
            self._kept.append(prepared)
            for address, move in prepared.moves:
                self._note_address(address, move)
            prepared.step.threads = threads
            yield prepared.step
            return

        for tensor in found_in((args, kwargs, results), Tensor):
            self._stays(tensor)

        def compute() -> None:
            made = found_in(function(*args, **kwargs), Tensor)
            for y, result in zip(results, made, strict=True):
                if y.data_ptr() != result.data_ptr():
                    y.copy_(result)

        yield self._function(compute, threads)

    def _prepared(
        self, event: Call, args: Sequence[Any], kwargs: Mapping[str, Any], results: Sequence[Tensor]
    ) -> Prepared | None:
        """A step that calls an operator without Python."""
        library = self._native.dispatcher
        made = {view.block for view in event.results}  # pyright: ignore
        given = {view.block for view in found_in((event.args, event.kwargs), View)}
        if library is None or (made & given and not event.function._schema.is_mutable):
            return None
        are_read = [view.block in self._read for view in event.results]  # pyright: ignore
        return Prepared.of(library, event.function, args, kwargs, results, are_read)

    def _note_address(self, address: int | None, move: Move) -> None:
        """Notes who has to be told when memory that lies apart moves."""
        for apart in self._apart.values():
            if address is not None and 0 <= address - apart.address < apart.size:
                apart.moves.append((address - apart.address, move))

    def _stays(self, tensor: Tensor) -> None:
        """Notes that a tensor is used by a function of Python, which has its address for good."""
        for apart in self._apart.values():
            if not is_opaque(tensor) and 0 <= tensor.data_ptr() - apart.address < apart.size:
                apart.is_movable = False

    def _function(self, function: Callable[[], object], threads: int) -> Step:
        def run() -> None:
            torch.set_grad_enabled(False)
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
            function()

        number = add_function(run)
        self._functions.append(number)
        return Step(Kind.CALL, threads, None, None, None, number)


def _contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of a contiguous tensor."""
    return torch.empty(shape, device="meta").stride()
