"""What a plan computes with: views of numbered blocks of memory, most of them in one arena, in the
place of tensors."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ramiel.runtime.replay import memory
from ramiel.runtime.replay.concatenations import divided, writers_of
from ramiel.runtime.replay.tape import (
    Call,
    Event,
    Finite,
    Handed,
    NotCapturable,
    Noted,
    Receive,
    Renewed,
    Run,
    Send,
    Tape,
    is_opaque,
    replaced,
    used,
    written,
)
from ramiel.runtime.replay.views import View

LARGE = 1 << 16
"""Bytes of an input or output for which a copy costs more than telling each step its address."""


@dataclass
class Block:
    """Memory that a plan uses: a value's, at an offset of the arena, or another tensor's. Where a
    step writes to that, each copy of the plan has a copy of it."""

    tensor: Tensor | None = None
    size: int = 0
    offset: int | None = None
    is_written: bool = False
    is_apart: bool = False
    """Whether it is no part of the arena: a large input or output, which need not be copied if
    the steps can be told where it lies in each call."""
    bytes: Tensor | None = None
    """Where it lies, if that is in neither: what a step sends."""

    def memory(self, arena: Tensor) -> Tensor:
        """The block's bytes in one copy of a plan."""
        if self.bytes is not None:
            return self.bytes
        if self.is_apart:
            return torch.empty(self.size, dtype=torch.uint8)
        placed = None if self.offset is None else arena[self.offset : self.offset + self.size]
        if self.tensor is None:
            assert placed is not None
            return placed
        whole = self._storage()
        if not self.is_written:
            return whole
        return whole.clone() if placed is None else placed.copy_(whole[: self.size])

    def _storage(self) -> Tensor:
        """The bytes of the tensor's storage."""
        assert self.tensor is not None
        storage = self.tensor.untyped_storage()
        return torch.empty(0, dtype=torch.uint8).set_(storage)  # pyright: ignore


class Layout:
    """The events of a taped run, on blocks, and where these lie."""

    def __init__(
        self,
        tapes: Sequence[Tape],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        is_shared: bool = False,
    ) -> None:
        """Raises NotCapturable if a step has to do with what is no plain tensor of the CPU.

        `is_shared` has all that is written in the arena, for processes that share that."""
        self.is_shared = is_shared
        self.blocks: list[Block] = []
        self.scratch: dict[tuple[int, int], int] = {}
        """The block that an event's primitive has for itself, by worker and event."""
        self._numbers: dict[int, int] = {}
        self._fresh = {address for tape in tapes for address in tape.fresh}
        self._kept = set[int]().union(*(tape.kept for tape in tapes))
        self._fresh.update(x.untyped_storage().data_ptr() for x in inputs)
        self.inputs = [self._view(x) for x in inputs]
        self.workers = divided(self._abstract(tapes))
        self.outputs = [self._view(y) for y in outputs]
        self.read = self._find_read()
        threads = max((noted.threads for w in self.workers for noted in w), default=1)
        self.seats = max(len(self.workers), threads)
        self._set_apart()
        clocks = memory.clocks([[noted.event for noted in steps] for steps in self.workers])
        self._set_sent(clocks)
        self.arena_bytes = self._place(clocks)

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
            self.blocks.append(Block() if address in self._fresh else Block(tensor))
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
                        for view in written(steps[-1].event, View):
                            self._note_written(self.blocks[view.block])
                    except NotCapturable as reason:
                        raise NotCapturable(f"line {noted.line}: {reason}") from None
            workers.append(steps)
        return workers

    def _note_written(self, block: Block) -> None:
        # What a constant has become would be there in the next replay.
        tensor = block.tensor
        if tensor is not None and tensor.untyped_storage().data_ptr() not in self._kept:
            raise NotCapturable("a tensor that the run has not made is changed in place")
        block.is_written = True

    def _with_views(self, event: Event) -> Event:
        match event:
            case Call(function, args, kwargs, results):
                args, kwargs = replaced((args, dict(kwargs)), Tensor, self._given)
                return Call(function, args, kwargs, replaced(results, Tensor, self._view))
            case Run(primitive, tensors):
                return Run(primitive, replaced(tensors, Tensor, self._view))
            case Finite(tensor):
                return Finite(replaced(tensor, Tensor, self._view))
            case Handed(_, tensor):
                return event._replace(tensor=replaced(tensor, Tensor, self._view))
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
        """Large inputs that no step writes to, and what else large outputs lie in."""
        if self.is_shared:
            return
        given = {view.block for view in self.inputs}
        for view in self.inputs:
            block = self.blocks[view.block]
            block.is_apart = (
                not block.is_written
                and block.size >= LARGE
                and view.offset == 0
                and view.end == block.size == math.prod(view.shape) * view.dtype.itemsize
            )
        for view in self.outputs:
            block = self.blocks[view.block]
            if view.block not in given:
                block.is_apart = block.tensor is None and block.size >= LARGE

    def _set_sent(self, clocks: memory.Clocks) -> None:
        """Values that are sent from where they lie, as nothing is written there afterwards."""
        if self.is_shared:
            return
        writers = writers_of([[noted.event for noted in steps] for steps in self.workers])
        kept = {view.block for view in (*self.inputs, *self.outputs)}
        for w, steps in enumerate(self.workers):
            for i, (event, *_) in enumerate(steps):
                if not isinstance(event, Handed) or event.bytes is None:
                    continue
                view: View = event.tensor  # pyright: ignore
                block = self.blocks[view.block]
                are_before = all(clocks[w][i][p] > j for p, j in writers[view.block])
                is_whole = view.offset == 0 and view.end == block.size == event.bytes.numel()
                if block.tensor is None and view.block not in kept and are_before and is_whole:
                    block.bytes = event.bytes

    def _is_in_arena(self, block: Block) -> bool:
        if block.bytes is not None:
            return False
        if block.tensor is not None:
            return self.is_shared and block.is_written
        return not block.is_apart

    def _place(self, clocks: memory.Clocks) -> int:
        """Gives each value and each primitive's scratchpad a place in the arena; its bytes."""
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
                    self.blocks.append(Block(size=event.primitive.scratch_bytes))
                    lives.append(memory.Life.unused(count))
                    lives[-1].use(w, i, clocks[w][i])
        for view in self.outputs:
            lives[view.block].end[:] = never
        if self.is_shared:
            for block, life in zip(self.blocks, lives, strict=True):
                if block.tensor is not None and block.is_written:  # it may keep what is in it
                    life.begin[:], life.end[:] = 0, never
        values = [i for i, b in enumerate(self.blocks) if self._is_in_arena(b)]
        found, total = memory.offsets(
            [self.blocks[i].size for i in values], [lives[i] for i in values]
        )
        for value, offset in zip(values, found, strict=True):
            self.blocks[value].offset = offset
        return total
