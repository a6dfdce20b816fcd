"""What loops are made of."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ramiel.runtime.strings import strings


def steps(most: Tensor | None = None) -> Iterator[Tensor]:
    """The numbers 0, 1, ... as int64 scalars, so many at most."""
    numbers = itertools.count() if most is None else iter(range(int(most)))
    return map(torch.tensor, numbers)


def stacked(parts: Sequence[Tensor], dtype: torch.dtype | type[str], *shape: int) -> Tensor:
    """The parts along a new first dimension; of the given type and shape if there are none."""
    if dtype is str and not parts:
        return strings([], (0, *shape))
    return torch.stack(list(parts)) if parts else torch.empty((0, *shape), dtype=dtype)  # pyright: ignore


def length(x: Tensor, axis: int) -> Tensor:
    """The size of a dimension, as an int64 scalar."""
    return torch.tensor(x.shape[axis])


def part(x: Tensor, axis: int, step: Tensor, reverse: bool = False) -> Tensor:
    """The slice of x at a place of a dimension, which it loses; counted from the end if reverse."""
    place = int(step)
    return x.select(axis, x.shape[axis] - 1 - place if reverse else place)
