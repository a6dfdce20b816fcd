"""The outputs of calls: as tuples, and in memory that belongs to the caller alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import torch
from torch import Tensor

_ALONE = 2
"""The use count of a storage that one tensor has: that tensor's reference and the query's."""


def owned(outputs: Sequence[Any], others: Iterable[Any]) -> tuple[Any, ...]:
    """The outputs as contiguous tensors in memory that nothing else shares.

    A tensor that is an input, a weight or another output, or shares memory with any live tensor,
    is copied, as is one that is not contiguous. `others` are the tensors that an output must not
    be. Lists are handled element by element; anything but a plain tensor stays as it is.
    """
    taken = {id(tensor) for tensor in _tensors(others)}

    def own(value: Any) -> Any:
        if type(value) is list:
            return [own(item) for item in cast("list[Any]", value)]
        if type(value) is not Tensor:
            return value
        if not value.is_contiguous():
            return value.contiguous()
        if id(value) in taken or is_shared(value):
            return value.clone()
        taken.add(id(value))
        return value

    return tuple(own(value) for value in outputs)


def _tensors(values: Iterable[Any]) -> Iterable[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list):
            yield from _tensors(cast("list[Any]", value))


def is_shared(tensor: Tensor) -> bool:
    """Whether another tensor has the same storage."""
    storage = tensor.untyped_storage()
    return torch._C._storage_Use_Count(storage._cdata) > _ALONE  # pyright: ignore


def joined(samples: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """The outputs of several samples as those of a batch.

    Raises ValueError for outputs that are not batches of one sample.
    """
    for outputs in samples:
        for tensor in outputs:
            if tensor.dim() == 0 or tensor.shape[0] != 1:
                raise ValueError(f"an output of one sample is {list(tensor.shape)}: not a batch")
    return tuple(torch.cat(tensors) for tensors in zip(*samples, strict=True))


def as_tuple(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The outputs of a call, be they one or several."""
    return outputs if isinstance(outputs, tuple) else (outputs,)
