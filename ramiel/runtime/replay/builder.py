"""The steps of one copy of a plan: events with the addresses of that copy's memory."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ramiel.runtime.replay import memory
from ramiel.runtime.replay.dispatcher import Prepared
from ramiel.runtime.replay.layout import Layout
from ramiel.runtime.replay.native import Kind, Native, Step, add_function
from ramiel.runtime.replay.steps import NATIVE, Steps, constant, finite
from ramiel.runtime.replay.tape import (
    Call,
    Event,
    Finite,
    Handed,
    Move,
    Quick,
    Receive,
    Renewed,
    Run,
    Send,
    found_in,
    is_opaque,
    replaced,
)
from ramiel.runtime.replay.views import View


@dataclass
class Apart:
    """Memory that may lie elsewhere in each call."""

    address: int
    size: int
    moves: list[tuple[int, Move]] = field(default_factory=list[tuple[int, Move]])
    """Who is told of a new address, and how far from its beginning."""
    is_movable: bool = True

    @staticmethod
    def of(memory: Tensor) -> Apart:
        return Apart(memory.data_ptr(), memory.numel())

    def move_to(self, tensor: Tensor) -> None:
        address = tensor.data_ptr()
        for offset, move in self.moves:
            move(address + offset)


def shared_bytes(size: int) -> Tensor:
    """Zeros that forked processes share; nothing is left of them after the last one has ended."""
    return torch.frombuffer(mmap.mmap(-1, size), dtype=torch.uint8)


class Builder:
    """Makes the steps, and keeps what they use."""

    def __init__(self, layout: Layout, native: Native) -> None:
        self._native = native
        self._layout = layout
        size = layout.arena_bytes + memory.ALIGNMENT
        arena = shared_bytes(size) if layout.is_shared else torch.empty(size, dtype=torch.uint8)
        arena = arena[-arena.data_ptr() % memory.ALIGNMENT :]
        self.memory = [block.memory(arena) for block in layout.blocks]
        self._kept: list[object] = []
        self.functions: list[int] = []
        """The numbers of the functions of Python that steps call."""
        self.apart = {
            view.block: Apart.of(self.memory[view.block])
            for view in (*layout.inputs, *layout.outputs)
            if layout.blocks[view.block].is_apart
        }
        events = (noted.event for steps in layout.workers for noted in steps)
        sent = [event.channel for event in events if isinstance(event, Send)]
        self.channels = {name: number for number, name in enumerate(sent)}

    def worker(self, number: int) -> tuple[list[Step], list[int]]:
        """The steps of a worker, and how many there are until the end of each of its events.

        The addresses in them are noted only by note_addresses(), once they lie in an array.
        """
        made: list[Step] = []
        ends: list[int] = []
        for i, (event, threads, _) in enumerate(self._layout.workers[number]):
            made += self._steps(event, threads, self._layout.scratch.get((number, i)))
            ends.append(len(made))
        return made, ends

    def note_addresses(self, step: Step) -> None:
        for name in ("first", "second", "third"):
            self._note_address(getattr(step, name), partial(setattr, step, name))

    def tensor(self, view: View) -> Tensor:
        return view.on(self.memory[view.block])

    def _steps(self, event: Event, threads: int, scratch: int | None) -> Iterator[Step]:
        match event:
            case Send(channel):
                yield Step(Kind.SEND, threads, None, None, None, self.channels[channel])
            case Receive(channel):
                yield Step(Kind.RECEIVE, threads, None, None, None, self.channels[channel])
            case Run(primitive, views):
                addresses = [self.tensor(view).data_ptr() for view in views]  # pyright: ignore
                if scratch is not None:
                    addresses.append(self.memory[scratch].data_ptr())
                kind, *fields, moves, kept = primitive.bound_to(addresses)
                self._kept.append(kept)
                for address, move in moves:
                    self._note_address(address, move)
                yield Step(Kind[kind], threads, *fields)
            case Finite(view):
                yield from self._finite(self.tensor(view), threads)  # pyright: ignore
            case Handed():
                yield self._handed(event, threads)
            case Quick(kind, first, second, kept):
                self._kept.append(kept)
                yield Step(Kind[kind], threads, first, second, None, 0)
            case Call():
                yield from self._call(event, threads)
            case Renewed():
                pass

    def _handed(self, event: Handed, threads: int) -> Step:
        tensor = self.tensor(event.tensor)  # pyright: ignore
        self._stays(tensor)
        step = self._function(partial(event.function, tensor), threads)
        if event.quick and (quick := event.quick(tensor)):
            self._kept.append(quick.kept)
            return Step(Kind[quick.kind], threads, quick.first, quick.second, None, step.size)
        return step

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
        are_read = [view.block in self._layout.read for view in event.results]  # pyright: ignore
        return Prepared.of(library, event.function, args, kwargs, results, are_read)

    def _note_address(self, address: int | None, move: Move) -> None:
        """Notes who has to be told when memory that lies apart moves."""
        for apart in self.apart.values():
            if address is not None and 0 <= address - apart.address < apart.size:
                apart.moves.append((address - apart.address, move))

    def _stays(self, tensor: Tensor) -> None:
        """Notes that a tensor is used by a function of Python, which has its address for good."""
        for apart in self.apart.values():
            if not is_opaque(tensor) and 0 <= tensor.data_ptr() - apart.address < apart.size:
                apart.is_movable = False

    def _function(self, function: Callable[[], object], threads: int) -> Step:
        def run() -> None:
            torch.set_grad_enabled(False)
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
            function()

        number = add_function(run)
        self.functions.append(number)
        return Step(Kind.CALL, threads, None, None, None, number)
