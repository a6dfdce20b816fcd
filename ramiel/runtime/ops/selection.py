"""Operators that select, reorder or write slices of a tensor by the values of another."""

from __future__ import annotations

import torch
from torch import Tensor

from ramiel.runtime.numbers import Integers, integer
from ramiel.runtime.strings import Strings


def compress(x: Tensor, condition: Tensor, axis: int | None = None) -> Tensor:
    """The slices of x along an axis where the condition, which may be shorter, is true; without
    an axis, the elements of x in one dimension."""
    if axis is None:
        x, axis = x.reshape(-1), 0
    return x.index_select(axis, torch.nonzero(condition.reshape(-1)).reshape(-1))


def unique(
    x: Tensor, axis: int | None = None, ordered: bool = True, results: int = 1
) -> Tensor | tuple[Tensor, ...]:
    """The distinct elements of x, or its distinct slices along an axis, in ascending order, or
    else in the order of their first occurrence. With `results`, also where each occurs first,
    the index among them of each element of x, and how often each occurs."""
    if isinstance(x, Strings):
        words = x.alphabetical()
        found = unique(words.codes, axis, ordered, 4)
        made = (Strings.of(found[0], words.words), *found[1:])
        return made[0] if results == 1 else made[:results]
    if axis is None:
        x, axis = x.reshape(-1), 0
    values, inverse, counts = torch.unique(x, return_inverse=True, return_counts=True, dim=axis)
    places = torch.arange(x.shape[axis])
    first = torch.full_like(counts, x.shape[axis]).scatter_reduce(0, inverse, places, "amin")
    if not ordered:
        order = torch.argsort(first)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order))
        values, first = values.index_select(axis, order), first[order]
        inverse, counts = rank[inverse], counts[order]
    return values if results == 1 else (values, first, inverse, counts)[:results]


def cumprod(
    x: Tensor, axis: int | Tensor, exclusive: bool = False, reverse: bool = False
) -> Tensor:
    """The products of the elements up to each one; `exclusive` leaves that one out."""
    dim = integer(axis)
    y = x.flip(dim) if reverse else x
    if exclusive and x.shape[dim]:
        one = torch.ones_like(y.narrow(dim, 0, 1))
        y = torch.cat([one, y.narrow(dim, 0, x.shape[dim] - 1)], dim)
    y = torch.cumprod(y, dim, dtype=x.dtype)
    return y.flip(dim) if reverse else y


def reverse_sequence(x: Tensor, lengths: Tensor, time_axis: int, batch_axis: int) -> Tensor:
    """Each sequence of a batch [.., time, .., batch, ..] with its first `length` elements
    reversed; the others stay."""
    steps = torch.arange(x.shape[time_axis]).unsqueeze(1)
    lengths = lengths.to(torch.int64)
    place = torch.where(steps < lengths, lengths - 1 - steps, steps)
    sequences = x.movedim((time_axis, batch_axis), (0, 1))
    turned = sequences[place, torch.arange(x.shape[batch_axis])]
    return turned.movedim((0, 1), (time_axis, batch_axis))


def tensor_scatter(
    cache: Tensor, update: Tensor, starts: Integers | None, axis: int, circular: bool = False
) -> Tensor:
    """A copy of the cache [batch, .., length, ..] in which, from each sample's start on along the
    axis, the update is written; `circular` wraps around at the cache's end."""
    batch, length = cache.shape[0], cache.shape[axis]
    first = torch.zeros(batch, dtype=torch.int64) if starts is None else torch.as_tensor(starts)
    place = first.reshape(-1, 1) + torch.arange(update.shape[axis])
    if circular:
        place = place % length
    shape = [1] * cache.ndim
    shape[0], shape[axis] = batch, update.shape[axis]
    return cache.scatter(axis, place.reshape(shape).expand_as(update), update)
