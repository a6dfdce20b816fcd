"""Helpers of emitted loops and branches."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NoReturn

import torch
from torch import Tensor

from ramiel.runtime.channels import Stopped
from ramiel.runtime.strings import strings
from ramiel.runtime.surroundings import is_ending
from ramiel.runtime.workers import current_run


def steps(most: Tensor | None = None) -> Iterator[Tensor]:
    """The numbers 0, 1, ... as int64 scalars, at most `most` of them.

    Raises Stopped once its run has failed elsewhere or was interrupted, and when Python exits, so
    that no worker's loop delays the exit.
    """
    numbers: Iterable[int] = itertools.count() if most is None else range(int(most))
    run = current_run()
    for number in numbers:
        if is_ending() or (run is not None and run.errors):
            raise Stopped
        yield torch.tensor(number)


def stacked(parts: Sequence[Tensor], dtype: torch.dtype | type[str], *shape: int) -> Tensor:
    """The parts along a new first dimension; of the given type and shape if there are none."""
    if dtype is str and not parts:
        return strings([], (0, *shape))
    return torch.stack(list(parts)) if parts else torch.empty((0, *shape), dtype=dtype)  # pyright: ignore


def length(x: Tensor, axis: int) -> Tensor:
    """The size of a dimension, as an int64 scalar."""
    return torch.tensor(x.shape[axis])


def part(x: Tensor, axis: int, step: Tensor, reverse: bool = False) -> Tensor:
    """The slice of x at an index along an axis, which is dropped; from the end if reverse."""
    place = int(step)
    return x.select(axis, x.shape[axis] - 1 - place if reverse else place)


def refuse(reason: str) -> NoReturn:
    """Stands for a branch that cannot be computed. Raises RuntimeError."""
    raise RuntimeError(reason)
