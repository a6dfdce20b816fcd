"""A graph's results, made of its program's outputs: some are views of the same memory.

What is done to one of them in place later, after a graph break for example, has to be seen in
those, and in no other. A program's outputs are contiguous and share no memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ramiel.fx.results import Result


class Results:
    """Makes the results of each call of a program."""

    def __init__(self, results: Sequence[Result]) -> None:
        self._results = results
        made = list(dict.fromkeys(r for r in results if r.of_program is not None))
        groups: dict[int, list[Result]] = {}
        for result in made:
            groups.setdefault(result.memory, []).append(result)
        self._groups = list(groups.values())
        """Those that lie in the same memory."""
        places = {result.of_program for result in made}
        self._are_outputs = len(places) == len(made) == len(groups) and all(
            result.strides is None for result in made
        )

    def of(self, outputs: Sequence[Tensor], args: Sequence[Any]) -> list[Any]:
        """The results, of the program's outputs and the graph's arguments."""
        made: dict[Result, Tensor] = {}
        if not self._are_outputs:
            taken: set[int] = set()
            for group in self._groups:
                made |= _lying(group, outputs, taken)
        return [_result(result, made, outputs, args) for result in self._results]


def _result(
    result: Result, made: dict[Result, Tensor], outputs: Sequence[Tensor], args: Sequence[Any]
) -> Any:
    if result.argument is not None:
        return args[result.argument]
    if result.of_program is None:
        return result.constant
    return made[result] if made else outputs[result.of_program]


def _lying(
    group: Sequence[Result], outputs: Sequence[Tensor], taken: set[int]
) -> dict[Result, Tensor]:
    """Results in memory of their own. That of an output that is not `taken` may become theirs."""

    def output(result: Result) -> Tensor:
        assert result.of_program is not None
        return outputs[result.of_program]

    whole = next((r for r in group if r.fills), group[0] if len(group) == 1 else None)
    if whole is None:
        base = torch.empty(group[0].memory_bytes, dtype=torch.uint8)
        views = {result: _view(base, output(result), result) for result in group}
        for result, view in views.items():
            _fill(view, output(result))
        return views
    first = output(whole)
    if whole.strides is not None:
        # What follows may depend on the strides that PyTorch's result would have.
        first = _fill(torch.empty_strided(first.shape, whole.strides, dtype=first.dtype), first)
    elif whole.of_program in taken or (len(group) > 1 and first.storage_offset()):
        first = first.clone()
    taken.add(whole.of_program or 0)
    return {r: first if r is whole else _view(first, output(r), r) for r in group}


def _view(base: Tensor, output: Tensor, result: Result) -> Tensor:
    strides = output.stride() if result.strides is None else result.strides
    memory = base.untyped_storage()
    return torch.empty(0, dtype=output.dtype).set_(memory, result.offset, output.shape, strides)  # pyright: ignore[reportArgumentType]


def _fill(view: Tensor, values: Tensor) -> Tensor:
    """Writes each element once, where several of a view are the same."""
    once = tuple(slice(0, 1) if step == 0 else slice(None) for step in view.stride())
    view[once].copy_(values[once])
    return view
