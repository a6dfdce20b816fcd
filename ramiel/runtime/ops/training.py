"""Operators in training mode, which ONNX models may use in inference, too."""

from __future__ import annotations

import torch
from torch import Tensor


def dropout(
    x: Tensor,
    ratio: float | Tensor,
    training: bool | Tensor,
    seed: int | None = None,
    with_mask: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Sets a share `ratio` of the elements to zero and scales up the rest; the mask is boolean.

    With a seed it drops the elements that ONNX's reference implementation drops.
    """
    share = float(ratio)
    if training and share:
        mask = _uniform(x.shape, seed) >= share
        y = torch.where(mask, x, 0) * (1 / (1 - share) if share < 1 else 0)
    else:
        mask, y = torch.ones_like(x, dtype=torch.bool), x
    return (y, mask) if with_mask else y


def _uniform(shape: torch.Size, seed: int | None) -> Tensor:
    """Random numbers in [0, 1) as float64, for a seed those of numpy's RandomState.

    Both libraries run the Mersenne twister; numpy makes a number of 27 bits of one output and
    26 of the next, PyTorch a pair of them an int64.
    """
    generator = None if seed is None else torch.Generator().manual_seed(seed & 0xFFFFFFFF)
    pairs = torch.empty(shape, dtype=torch.int64).random_(
        torch.iinfo(torch.int64).min, None, generator=generator
    )
    high, low = (pairs >> 37) & (1 << 27) - 1, (pairs >> 6) & (1 << 26) - 1
    return (high.double() * (1 << 26) + low.double()) / (1 << 53)


def batch_norm(
    x: Tensor,
    scale: Tensor,
    bias: Tensor,
    mean: Tensor,
    var: Tensor,
    eps: float,
    *,
    momentum: float = 0.9,
    spatial: bool = True,
    training: bool = False,
    results: int = 1,
) -> Tensor | tuple[Tensor, ...]:
    """BatchNormalization of x [N, C, size...] with statistics for each channel, or for each
    place of a sample if not `spatial`.

    In training the statistics are the batch's own; further results are the running mean and
    variance, and the batch's.
    """
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    dims = [0, *range(2, x.ndim)] if spatial else [0]
    shape = [1, -1] + [1] * (x.ndim - 2) if spatial else [1, *x.shape[1:]]
    now, spread = mean, var
    if training:
        spread, now = torch.var_mean(wide, dim=dims, correction=0)
    factor = scale.reshape(shape) * torch.rsqrt(spread.to(wide.dtype).reshape(shape) + eps)
    y = ((wide - now.reshape(shape)) * factor + bias.reshape(shape)).to(x.dtype)
    if results == 1:
        return y
    running = (_moved(old, new, momentum) for old, new in ((mean, now), (var, spread)))
    return (y, *running, now.to(mean.dtype), spread.to(var.dtype))[:results]


def _moved(old: Tensor, new: Tensor, momentum: float) -> Tensor:
    """A running statistic after a batch; `new` may lack dimensions of size one."""
    return (old * momentum + new.reshape(old.shape) * (1 - momentum)).to(old.dtype)
