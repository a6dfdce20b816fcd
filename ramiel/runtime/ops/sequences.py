"""Sequences, which are lists, and optionals, which are a value or None; not changed in place.

A position is an integer or a tensor of one; it may count from the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

Position = int | Tensor


def sequence(*values: Any) -> list[Any]:
    return list(values)


def sequence_at(values: Sequence[Any], position: Position) -> Any:
    return values[_place(position, len(values), len(values) - 1)]


def sequence_insert(
    values: Sequence[Any], value: Any, position: Position | None = None
) -> list[Any]:
    """A sequence with a value before the one at a position, or at the end."""
    count = len(values)
    place = count if position is None else _place(position, count, count)
    return [*values[:place], value, *values[place:]]


def sequence_erase(values: Sequence[Any], position: Position | None = None) -> list[Any]:
    """A sequence without the value at a position, or without the last."""
    count = len(values)
    place = _place(-1 if position is None else position, count, count - 1)
    return [*values[:place], *values[place + 1 :]]


def sequence_length(values: Sequence[Any]) -> Tensor:
    return torch.tensor(len(values))


def split_to_sequence(
    x: Tensor, axis: int, sizes: Position | Sequence[int], keep: bool = True
) -> list[Tensor]:
    """The parts of x along an axis: of the sizes given, or all of one size but for the last.

    Without `keep` the axis is gone from each part, which is one slice.
    """
    if not keep:
        return list(x.unbind(axis))
    if isinstance(sizes, Tensor):
        sizes = sizes.tolist() if sizes.ndim else int(sizes)
    return list(x.split(sizes, axis))  # pyright: ignore[reportArgumentType]


def nothing() -> None:
    """An optional that is empty."""


def has_element(value: Any) -> Tensor:
    return torch.tensor(value is not None)


def get_element(value: Any) -> Any:
    """The value of an optional. ValueError if it is empty."""
    if value is None:
        raise ValueError("an optional is empty: it has no element")
    return value


def _place(position: Position, count: int, last: int) -> int:
    """A position from the start. IndexError if it is beyond `last` or, from the end, `count`."""
    place = int(position)
    if not -count <= place <= last:
        raise IndexError(f"position {place} in a sequence of {count}")
    return place + count if place < 0 else place
