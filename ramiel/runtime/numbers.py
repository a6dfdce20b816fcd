"""Arguments that are numbers, or tensors of numbers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

Integers = Sequence[int] | Tensor


def integers(values: Integers) -> list[int]:
    """The numbers of a list or of a tensor of any rank."""
    if isinstance(values, Tensor):
        return [int(v) for v in values.reshape(-1).tolist()]
    return list(values)


def integer(value: int | Tensor) -> int:
    return int(value.item()) if isinstance(value, Tensor) else value
